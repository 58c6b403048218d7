import { InvalidArgumentError, type Command } from 'commander'
import { acceptMatch, rejectMatch, type Decision } from '../core/matching/decide.ts'
import { explainMatch, listSuggestions, type MatchExplained } from '../core/matching/explain.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import type { Db } from '../db/pool.ts'
import { runSentenceOf, runSettlement } from '../queues/settlementRun.ts'
import { actor } from './actor.ts'
import { connectionOption, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

/** Hangs on `settlement`: the matching itself, and what a person decides about it. */
export function addSettlementRun(settlement: Command): void {
  addRun(settlement)
  addSuggestions(settlement)
  addExplain(settlement)
  for (const verdict of ['accept', 'reject'] as const) addVerdict(settlement, verdict)
}

function addRun(settlement: Command): void {
  settlement
    .command('run')
    .description(
      'everything up to the journal: joins payout lines to orders and payments and payouts to bank lines, books what is proven, ' +
        'refreshes the breaks; the same again changes nothing',
    )
    .addOption(connectionOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { connection?: string }>()
      const { connection } = options
      const by = actor()
      const run = await withHub(options, ({ hub }) =>
        runSettlement(hub, connection === undefined ? { by } : { by, connection_id: connection }),
      )
      print(options, run, () => runSentenceOf(run))
    })
}

function addSuggestions(settlement: Command): void {
  settlement
    .command('suggestions')
    .description('matches that are likely, but not certain: they wait for accept or reject')
    .addOption(limitOption(20))
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { limit: number }>()
      const rows = await withDb(options, (db) => listSuggestions(db, options.limit))
      print(options, { rows }, () =>
        table(
          ['match', 'rule', 'currency', 'difference', 'payouts', 'bank lines'],
          rows.map((row) => [
            row.id,
            row.rule,
            row.currency,
            decimalFromMinor(row.difference_minor, row.currency),
            row.settlement_ids.length,
            row.bank_line_ids.join(' '),
          ]),
        ),
      )
    })
}

function addExplain(settlement: Command): void {
  settlement
    .command('explain')
    .description('why a match was made: its rule and both sides with their amounts')
    .argument('<match>', 'the match, as settlement lines, bank lines and settlement suggestions name it', groupOf)
    .action(async (group_id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const match = await withDb(options, (db) => explainMatch(db, group_id))
      print(options, match, () => explainText(match))
    })
}

function addVerdict(settlement: Command, verdict: 'accept' | 'reject'): void {
  settlement
    .command(verdict)
    .description(
      verdict === 'accept' ? 'says that a match is right' : 'undoes a match for good: no later run makes it again',
    )
    .argument('<match>', 'the match, as settlement suggestions shows it', groupOf)
    .action(async (group_id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const decide: (db: Db, decision: Decision) => Promise<{ id: number; state: string }> =
        verdict === 'accept' ? acceptMatch : rejectMatch
      const decided = await withHub(options, ({ hub }) =>
        decide(hub.db, { group_id, by: actor(), now: hub.clock.now() }),
      )
      print(options, decided, () => `match ${decided.id} is ${decided.state}`)
    })
}

/** The number of a match, never an amount. */
function groupOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new InvalidArgumentError('Write the number of the match.')
  return Number(text)
}

function explainText(match: MatchExplained): string {
  const money = (amount_minor: number, currency: string): string =>
    `${decimalFromMinor(amount_minor, currency)} ${currency}`
  const members = [
    ...match.payments.map((row) => [
      row.kind,
      row.external_id,
      row.connection_id,
      money(row.amount_minor, row.currency),
    ]),
    ...match.lines.map((row) => [`line: ${row.kind}`, row.external_id, '', money(row.gross_minor, row.currency)]),
    ...match.payouts.map((row) => [
      'payout',
      row.external_id,
      row.connection_id,
      money(row.payout_minor, row.currency),
    ]),
    ...match.bank_lines.map((row) => [
      `bank, ${row.booked_on}`,
      row.external_id,
      '',
      money(row.amount_minor, row.currency),
    ]),
  ]
  const head = `match ${match.id}: ${match.state} by ${match.rule}, difference ${money(match.difference_minor, match.currency)}`
  return [head, JSON.stringify(match.reason), table(['what', 'id', 'connection', 'amount'], members)].join('\n')
}
