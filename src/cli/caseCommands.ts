import type { Command } from 'commander'
import { CASE_KINDS, listCases, resolveCase, type CaseRow } from '../core/cases/cases.ts'
import { writeAudit } from '../db/audit.ts'
import { inTransaction } from '../db/transaction.ts'
import { systemParts } from '../main/parts.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, idOf, limitOption } from './arguments.ts'
import { withDb, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  state?: 'open' | 'resolved'
  kind?: string
  connection?: string
  limit: number
  cursor?: string
}

export function addCaseCommands(program: Command): void {
  const cases = program.command('cases').description('what somebody should look at: silent sources, drifting channels')
  cases
    .command('list')
    .description('the newest first')
    .addOption(choiceOption('--state <state>', 'only in this state', ['open', 'resolved']))
    .addOption(choiceOption('--kind <kind>', 'only of this kind', CASE_KINDS))
    .addOption(connectionOption())
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, kind, connection, limit, cursor } = options
      const page = await withDb(options, (db) => listCases(db, { state, kind, connection, limit, cursor }))
      print(options, page, () => casesText(page.rows))
    })
  cases
    .command('resolve')
    .description('says that a case has been seen to; a fault that goes on opens a new one')
    .argument('<id>', 'the case', idOf)
    .action(async (id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const by = actor()
      const at = systemParts().clock.now()
      const resolved_now = await withDb(options, (db) =>
        inTransaction(db, async (tx) => {
          const { isNew } = await resolveCase(tx, id, by, at)
          if (isNew) await writeAudit(tx, { at, actor: by, action: 'case.resolve', subject: `case:${id}` })
          return isNew
        }),
      )
      print(options, { case: id, resolved_now }, () => `case ${id} is resolved`)
    })
}

function casesText(rows: readonly CaseRow[]): string {
  return table(
    ['case', 'kind', 'subject', 'connection', 'state', 'times', 'opened', 'last seen', 'what'],
    rows.map((row) => [
      row.id,
      row.kind,
      row.subject,
      row.connection_id,
      row.state,
      row.times,
      row.opened_at,
      row.seen_at,
      Object.entries(row.data)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(' '),
    ]),
  )
}
