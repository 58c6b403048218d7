import { writeFileSync } from 'node:fs'
import { InvalidArgumentError, type Command } from 'commander'
import { auditFees, claims, totalAudits, type AuditShown, type AuditTotal } from '../core/fees/audit.ts'
import { contribution, type Contribution } from '../core/fees/contribution.ts'
import { importCosts, readReceipts } from '../core/fees/costs.ts'
import { VIEWS, type View } from '../core/fees/rulesContribution.ts'
import { HubError } from '../core/errors.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import { inTransaction } from '../db/transaction.ts'
import { coreContext } from '../queues/context.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption } from './arguments.ts'
import { claimsCsv } from './claimsCsv.ts'
import { receiptsOf } from './costsInput.ts'
import { readInput } from './input.ts'
import { withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'
import { companyOf } from './routingInput.ts'

interface PeriodOptions extends CommonOptions {
  connection?: string
  from?: string
  to?: string
}

export function addFeeCommands(program: Command): void {
  const fees = program.command('fees').description('fees against what was agreed, and what sales bring')
  addAudit(fees)
  addContribution(fees)
  addCosts(program)
}

/** A calendar day that exists. */
function dayOf(text: string): string {
  const at = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(`${text}T00:00:00Z`) : Number.NaN
  if (Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text)
    throw new InvalidArgumentError('Write a day like 2026-11-21.')
  return text
}

function addAudit(fees: Command): void {
  fees
    .command('audit')
    .description('judges fees by the tariffs and adds up what was too much')
    .addOption(connectionOption())
    .option('--from <day>', 'first day (UTC) of the lines', dayOf)
    .option('--to <day>', 'last day (UTC) of the lines', dayOf)
    .option('--claims <file>', 'writes what to claim back, with the evidence, as CSV')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<PeriodOptions & { claims?: string }>()
      const { connection, from, to, claims: file } = options
      const filter = { connection, from, to }
      const answer = await withHub(options, async ({ hub }) => {
        const judged = await auditFees(hub.db, coreContext(hub), connection ?? null)
        const rows = await totalAudits(hub.db, filter)
        if (file === undefined) return { payouts_judged: judged, rows }
        const found: AuditShown[] = []
        for await (const claim of claims(hub.db, filter)) found.push(claim)
        writeClaims(file, found)
        return { payouts_judged: judged, rows, claims: found.length }
      })
      print(options, answer, () => auditText(answer.rows))
    })
}

function writeClaims(file: string, rows: readonly AuditShown[]): void {
  try {
    writeFileSync(file, claimsCsv(rows))
  } catch (thrown) {
    const reason = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unwritable'
    throw new HubError('bad_request', `cannot write ${file} (${reason})`, { path: 'claims' })
  }
}

function auditText(rows: readonly AuditTotal[]): string {
  return table(
    ['connection', 'clause', 'reason', 'charges', 'expected', 'charged', 'too much', ''],
    rows.map((row) => [
      row.connection_id,
      row.clause,
      row.reason,
      row.charges,
      decimalFromMinor(row.expected_minor, row.currency),
      decimalFromMinor(row.charged_minor, row.currency),
      decimalFromMinor(row.variance_minor, row.currency),
      row.currency,
    ]),
  )
}

function addContribution(fees: Command): void {
  fees
    .command('contribution')
    .description('sales less everything they cost, by order, SKU or channel')
    .addOption(choiceOption('--by <view>', 'what to add up by', VIEWS).makeOptionMandatory())
    .requiredOption('--from <day>', 'first day (UTC) on which the orders were placed', dayOf)
    .requiredOption('--to <day>', 'last day (UTC) on which the orders were placed', dayOf)
    .option('--company <id>', 'the company; may be left out where there is one')
    .addOption(connectionOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<
        CommonOptions & { by: View; from: string; to: string; company?: string; connection?: string }
      >()
      const { by, from, to, connection } = options
      const result = await withHub(options, ({ hub }) =>
        contribution(hub.db, {
          company_id: companyOf(hub.config, options.company),
          by,
          from,
          to,
          connection,
          cost_method: hub.config.finance.cost_method,
        }),
      )
      print(options, result, () => contributionText(result))
    })
}

function contributionText({ by, rows, orders, units_without_cost }: Contribution): string {
  const figures = [
    'sales',
    'tax',
    'promotions',
    'commission',
    'fees',
    'shipping',
    'refunds',
    'landed',
    'contribution',
  ] as const
  const note = units_without_cost === 0 ? '' : `; of ${units_without_cost} shipped unit(s) no cost is known`
  return [
    table(
      [by, ...figures, ''],
      rows.map((row) => [
        row.key ?? '(unallocated)',
        ...figures.map((figure) => decimalFromMinor(row[`${figure}_minor`], row.currency)),
        row.currency,
      ]),
    ),
    '',
    `${orders} order(s)${note}`,
  ].join('\n')
}

function addCosts(program: Command): void {
  const costs = program.command('costs').description('what units cost when they came')
  costs
    .command('import')
    .description('reads receipts with freight and duty; a receipt that is known already is left as it is')
    .argument(
      '<file>',
      'JSON, or CSV with reference, received_at, currency, sku, quantity, unit_cost, freight, duty; - for standard input',
    )
    .option('--company <id>', 'the company; may be left out where there is one')
    .action(async (file: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { company?: string }>()
      const receipts = readReceipts(receiptsOf(await readInput(file)))
      const result = await withHub(options, ({ hub }) =>
        inTransaction(hub.db, (tx) =>
          importCosts(tx, {
            company_id: companyOf(hub.config, options.company),
            receipts,
            by: actor(),
            now: hub.clock.now(),
          }),
        ),
      )
      print(options, result, () => `${result.added} line(s) of receipts added, ${result.known} known already`)
    })
}
