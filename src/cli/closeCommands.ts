import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { acceptProof } from '../core/books/acceptProof.ts'
import { closeCheck, type CloseCheck } from '../core/books/close.ts'
import { companyOf, listLocks, lockPeriod, unlockPeriod } from '../core/books/periods.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import { bridgeOfSettlement, bridgePicture } from '../core/settlement/read.ts'
import { inTransaction } from '../db/transaction.ts'
import { systemParts } from '../main/parts.ts'
import { actor } from './actor.ts'
import { readConfig, withDb, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

interface PeriodOptions extends CommonOptions {
  company?: string
}

/** Month end: the proof, the lock, and what has to be decided before it. */
export function addCloseCommands(program: Command): void {
  program
    .command('close')
    .description('month end')
    .command('check')
    .description('proves that the clearing accounts are what has not reached the bank; exit code 1 when they are not')
    .requiredOption('--period <month>', 'like 2026-11')
    .option('--company <id>', 'only of this company')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<PeriodOptions & { period: string }>()
      const { timezone } = readConfig(options).finance
      const { period, company = null } = options
      const check = await withDb(options, (db) => closeCheck(db, { period, company_id: company, timezone }))
      print(options, check, () => closeText(check))
      if (!check.ok) process.exitCode = EXIT.failed
    })
  addPeriodCommands(program)
  addSettlementParts(program)
}

const PERIOD_VERBS = [
  { verb: 'lock', decide: lockPeriod, done: 'is locked', description: 'what comes later is booked in the next open one' },
  { verb: 'unlock', decide: unlockPeriod, done: 'is open', description: 'opens a month again' },
] as const // prettier-ignore

function addPeriodCommands(program: Command): void {
  const periods = program.command('period').description('months that are closed for booking')
  periods
    .command('list')
    .description('locked months, the newest first')
    .option('--company <id>', 'only of this company')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<PeriodOptions>()
      const locks = await withDb(options, (db) => listLocks(db, options.company ?? null))
      print(options, { rows: locks }, () =>
        table(
          ['company', 'month', 'locked at', 'by'],
          locks.map((lock) => [lock.company_id, lock.period, lock.locked_at, lock.locked_by]),
        ),
      )
    })
  for (const { verb, decide, done, description } of PERIOD_VERBS) {
    periods
      .command(verb)
      .description(description)
      .argument('<month>', 'like 2026-11')
      .option('--company <id>', 'of this company; needed where there are several')
      .action(async (period: string, _options: object, command: Command) => {
        const options = command.optsWithGlobals<PeriodOptions>()
        const changed = await withDb(options, (db) =>
          inTransaction(db, async (tx) => {
            const company_id = await companyOf(tx, options.company)
            return decide(tx, systemParts().clock.now(), { company_id, period, by: actor() })
          }),
        )
        print(options, { period, changed }, () => `${period} ${done}${changed ? '' : ' already'}`)
      })
  }
}

/** Beside the commands that import and match payouts, wherever those are declared. */
const settlementGroup = (program: Command): Command =>
  program.commands.find((command) => command.name() === 'settlement') ??
  program.command('settlement').description('payouts: what was paid, and what it was made of')

function addSettlementParts(program: Command): void {
  const settlement = settlementGroup(program)
  settlement
    .command('bridge')
    .description('gross to net of one payout, step by step')
    .argument('<id>', "the hub's id, or the processor's")
    .option('--out <file>', 'as a picture (SVG) into this file')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { out?: string }>()
      const { bridge, picture } = await withDb(options, async (db) => ({
        bridge: await bridgeOfSettlement(db, id),
        picture: await bridgePicture(db, id),
      }))
      if (options.out !== undefined) writeFileSync(options.out, picture)
      const file = options.out === undefined ? {} : { file: options.out }
      print(options, { ...bridge, ...file }, () =>
        [
          table(
            ['step', `amount ${bridge.currency}`, 'comes to'],
            bridge.steps.map(({ label, amount_minor, to_minor }) => [
              label,
              decimalFromMinor(amount_minor, bridge.currency),
              decimalFromMinor(to_minor, bridge.currency),
            ]),
          ),
          ...(options.out === undefined ? [] : [`written to ${options.out}`]),
        ].join('\n'),
      )
    })
  settlement
    .command('accept-proof')
    .description('lets a payout into the books although it does not add up; the difference goes to adjustments')
    .argument('<id>', "the hub's id, or the processor's")
    .requiredOption('--reason <text>', 'why, for the audit log')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { reason: string }>()
      const { reason } = options
      const accepted = await withDb(options, (db) =>
        inTransaction(db, (tx) => acceptProof(tx, systemParts().clock.now(), { id, reason, by: actor() })),
      )
      print(options, accepted, () => `accepted with a difference of ${accepted.difference_minor} minor units`)
    })
}

function closeText(check: CloseCheck): string {
  const money = (minor: number, currency: string): string => decimalFromMinor(minor, currency)
  const clearing = check.clearing.map(({ connection_id, currency, ...sum }) => [
    connection_id,
    currency,
    money(sum.balance_minor, currency),
    money(sum.unsettled_minor, currency),
    money(sum.difference_minor, currency),
  ])
  const items = check.clearing.flatMap(({ connection_id, currency, items: open }) =>
    open.map((item) => [
      connection_id,
      item.external_id,
      item.status,
      money(item.payout_minor, currency),
      money(item.received_minor, currency),
      money(item.written_off_minor, currency),
      money(item.open_minor, currency),
    ]),
  )
  const unposted = check.unposted.map((row) => [
    row.connection_id,
    row.external_id,
    row.due_on,
    money(row.payout_minor, row.currency),
    row.posted_in === null ? row.reason : `${row.reason} (${row.posted_in})`,
  ])
  const breaks = check.breaks.map((row) => [row.type, row.count, money(row.amount_minor, row.currency), row.currency])
  return [
    `${check.period}: ${check.ok ? 'proven' : 'NOT PROVEN'}, ${check.locked ? 'locked' : 'open'}, ${check.journals.posted} journals`,
    ...section('clearing', ['connection', '', 'books', 'unsettled', 'difference'], clearing),
    ...section('not seen at the bank', ['connection', 'payout', 'status', 'paid out', 'received', 'written off', 'open'], items),
    ...section('not in these books', ['connection', 'payout', 'day', 'amount', 'reason'], unposted),
    ...section('open breaks', ['type', 'count', 'amount', ''], breaks),
    ...check.journals.unbalanced.map((row) => `journal ${row.journal_id} is off by ${row.difference_minor} ${row.currency}`),
  ].join('\n') // prettier-ignore
}

type Cells = Parameters<typeof table>[1]
const section = (title: string, headings: readonly string[], rows: Cells): string[] =>
  rows.length === 0 ? [] : ['', title, table(headings, rows)]
