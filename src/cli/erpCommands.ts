import type { Command } from 'commander'
import { checkErp, type ErpProof } from '../core/erp/check.ts'
import { erpPolicies } from '../core/erp/policy.ts'
import {
  ERP_KINDS,
  ERP_STATES,
  listErpDocuments,
  resendErpDocument,
  showErpDocument,
  type ErpDocument,
  type ErpDocumentShown,
} from '../core/erp/read.ts'
import { HubError } from '../core/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import { systemParts } from '../main/parts.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, idOf, limitOption } from './arguments.ts'
import { readConfig, withDb, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  connection?: string
  kind?: string
  state?: string
  order?: string
  limit: number
  cursor?: string
}

/** What the ERP behind a company was told. */
export function addErpCommands(program: Command): void {
  const erp = program.command('erp').description('what the ERP behind a company was told, and what it still has to be')
  erp
    .command('list')
    .description('documents, the newest first')
    .addOption(connectionOption())
    .addOption(choiceOption('--kind <kind>', 'only of this kind', ERP_KINDS))
    .addOption(choiceOption('--state <state>', 'only in this state', ERP_STATES))
    .option('--order <order>', 'only of this order, by id or number')
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { connection, kind, state, order, limit, cursor } = options
      const page = await withDb(options, (db) =>
        listErpDocuments(db, { connection, kind, state, order, limit, cursor }),
      )
      print(options, page, () => documentsText(page.rows))
    })
  erp
    .command('show')
    .description('one document with every time it left')
    .argument('<id>', 'the document', idOf)
    .action(async (id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const shown = await withDb(options, (db) => showErpDocument(db, id))
      print(options, shown, () => documentText(shown))
    })
  erp
    .command('resend')
    .description('tells a document again, as it is now, under its old name')
    .argument('<id>', 'the document', idOf)
    .action(async (id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const now = systemParts().clock.now()
      const answer = await withDb(options, (db) => inTransaction(db, (tx) => resendErpDocument(tx, id, actor(), now)))
      print(options, answer, () =>
        answer.resent
          ? `document ${id} leaves again, version ${answer.version}`
          : `document ${id} is on its way already`,
      )
    })
  erp
    .command('check')
    .description('goes through every order and journal and proves what the ERP has of them')
    .option('--company <id>', 'only of this company')
    .action(async (_options: object, command: Command) => {
      await check(command.optsWithGlobals<CommonOptions & { company?: string }>())
    })
}

async function check(options: CommonOptions & { company?: string }): Promise<void> {
  const policies = [...erpPolicies(readConfig(options)).values()].filter(
    ({ company_id }) => options.company === undefined || company_id === options.company,
  )
  if (policies.length === 0) throw new HubError('not_found', 'no company here has an ERP', { path: 'company' })
  const proofs = await withDb(options, async (db) => {
    const found: ErpProof[] = []
    for (const policy of policies) found.push(await checkErp(db, policy))
    return found
  })
  const ok = proofs.every((proof) => proof.ok)
  print(options, { ok, proofs }, () => proofs.map(proofText).join('\n\n'))
  if (!ok) process.exitCode = EXIT.failed
}

function documentsText(rows: readonly ErpDocument[]): string {
  return table(
    ['document', 'kind', 'order', 'state', 'version', 'known there as', 'due', 'told', 'fault'],
    rows.map((row) => [
      row.id,
      row.kind,
      row.order_number,
      row.state,
      row.version,
      row.external_id,
      row.due_at,
      row.told_at,
      row.error_code,
    ]),
  )
}

function documentText(shown: ErpDocumentShown): string {
  const head = `${shown.key} is ${shown.state}${shown.external_id === null ? '' : `, known there as ${shown.external_id}`}`
  const rows = shown.effects.map((effect) => [
    effect.outbox_id,
    effect.state,
    effect.attempts,
    effect.error_code,
    effect.error_detail,
    effect.done_at,
  ])
  return [head, '', table(['effect', 'state', 'attempts', 'fault', 'detail', 'done'], rows)].join('\n')
}

function proofText({
  company_id,
  connection_id,
  orders_looked_at,
  kinds,
  missing,
  missing_count,
  ok,
}: ErpProof): string {
  const counts = Object.entries(kinds).map(([kind, { told, waiting, refused, dropped }]) => [
    kind,
    told,
    waiting,
    refused,
    dropped,
  ])
  const named = missing.map(({ kind, subject }) => `  ${kind} ${subject}`)
  const verdict = ok ? 'nothing is missing' : `${missing_count} missing`
  return [
    `${company_id} at ${connection_id}: ${orders_looked_at} orders looked at, ${verdict}`,
    table(['kind', 'told', 'waiting', 'refused', 'dropped'], counts),
    ...named,
  ].join('\n')
}
