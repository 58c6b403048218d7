import type { Command } from 'commander'
import {
  approveWriteOff,
  assignBreak,
  commentBreak,
  explainBreak,
  rejectWriteOff,
  reopenBreak,
  resolveBreak,
  writeOffBreak,
} from '../core/breaks/actions.ts'
import {
  listBreaks,
  showBreak,
  type BreakFilter,
  type BreakShown,
  type BreakWithComments,
} from '../core/breaks/read.ts'
import { AGE_BUCKETS, BREAK_STATES, BREAK_TYPES, REASON_CODES, type ReasonCode } from '../core/breaks/rulesState.ts'
import { decimalFromMinor } from '../core/model/money.ts'
import type { Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { systemParts } from '../main/parts.ts'
import { coreContext } from '../queues/context.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, idOf, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

type ListOptions = CommonOptions & BreakFilter

export function addBreakCommands(program: Command): void {
  const breaks = program.command('breaks').description('what does not add up between orders, payouts and the bank')
  addReading(breaks)
  addAssign(breaks)
  addExplained(breaks, 'explain', 'says why a break is as it is')
  addExplained(breaks, 'write-off', 'accepts the loss; above the limit a second person approves')
  addApprove(breaks)
  for (const [verb, description, work] of [
    ['reject', 'turns a write-off down, or takes the wish back', rejectWriteOff],
    ['resolve', 'says that a break needs no more work', resolveBreak],
    ['reopen', 'takes an explanation, a resolution or a write-off back', reopenBreak],
    ['comment', 'adds a word', commentBreak],
  ] as const) {
    breaks
      .command(verb)
      .description(description)
      .argument('<id>', 'the break, as the list shows it', idOf)
      .argument('<text>', 'in words')
      .action(async function said(this: Command, id: number, text: string) {
        await act(this, id, (hub, tx) => work(tx, coreContext(hub), { id, by: actor(), text }))
      })
  }
}

function addReading(breaks: Command): void {
  breaks
    .command('list')
    .description('the newest first')
    .addOption(choiceOption('--type <type>', 'only of this type', BREAK_TYPES))
    .addOption(choiceOption('--state <state>', 'only in this state', [...BREAK_STATES, 'unfinished']))
    .addOption(choiceOption('--age <days>', 'only of this age, in days past the expected date', AGE_BUCKETS))
    .addOption(connectionOption())
    .option('--owner <name>', 'only of this person')
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { type, state, age, connection, owner, limit, cursor } = options
      const filter = { type, state, age, connection, owner, limit, cursor }
      const page = await withDb(options, (db) => listBreaks(db, filter, systemParts().clock.now()))
      print(options, page, () => breaksText(page.rows))
    })
  breaks
    .command('show')
    .description('one break and everything that was said about it')
    .argument('<id>', 'the break, as the list shows it', idOf)
    .action(async (id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const shown = await withDb(options, (db) => showBreak(db, id, systemParts().clock.now()))
      print(options, shown, () => breakText(shown))
    })
}

function addAssign(breaks: Command): void {
  breaks
    .command('assign')
    .description('hands a break to somebody')
    .argument('<id>', 'the break, as the list shows it', idOf)
    .argument('<owner>', 'who sees to it')
    .action(async function assign(this: Command, id: number, owner: string) {
      await act(this, id, (hub, tx) => assignBreak(tx, coreContext(hub), { id, by: actor(), owner }))
    })
}

function addExplained(breaks: Command, verb: 'explain' | 'write-off', description: string): void {
  breaks
    .command(verb)
    .description(description)
    .argument('<id>', 'the break, as the list shows it', idOf)
    .addOption(choiceOption('--reason <code>', 'why', REASON_CODES).makeOptionMandatory())
    .requiredOption('--text <text>', 'in words')
    .action(async function explained(this: Command, id: number) {
      const { reason, text } = this.opts<{ reason: ReasonCode; text: string }>()
      const wish = { id, by: actor(), reason, text }
      await act(this, id, (hub, tx) =>
        verb === 'explain'
          ? explainBreak(tx, coreContext(hub), wish)
          : writeOffBreak(tx, coreContext(hub), {
              ...wish,
              limit_minor: hub.config.finance.write_off_limit_minor,
              timezone: hub.config.finance.timezone,
            }),
      )
    })
}

function addApprove(breaks: Command): void {
  breaks
    .command('approve')
    .description('approves a write-off that somebody else asked for')
    .argument('<id>', 'the break, as the list shows it', idOf)
    .action(async function approve(this: Command, id: number) {
      await act(this, id, (hub, tx) =>
        approveWriteOff(tx, coreContext(hub), { id, by: actor(), timezone: hub.config.finance.timezone }),
      )
    })
}

async function act(command: Command, id: number, work: (hub: Hub, tx: Tx) => Promise<unknown>): Promise<void> {
  const options = command.optsWithGlobals<CommonOptions>()
  const shown = await withHub(options, ({ hub }) =>
    inTransaction(hub.db, async (tx) => {
      await work(hub, tx)
      return showBreak(tx, id, hub.clock.now())
    }),
  )
  print(options, shown, () => sentence(shown))
}

function sentence({ id, type, state, write_off_requested_by }: BreakShown): string {
  const waits =
    write_off_requested_by === null ? '' : `; somebody else approves its write-off: crossdock breaks approve ${id}`
  return `break ${id} (${type}): ${state.replace('_', ' ')}${waits}`
}

const money = ({ amount_minor, currency }: Pick<BreakShown, 'amount_minor' | 'currency'>): string =>
  `${decimalFromMinor(amount_minor, currency)} ${currency}`

const wordsOf = (data: Record<string, unknown>): string =>
  Object.entries(data)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ')

function breaksText(rows: readonly BreakShown[]): string {
  return table(
    ['break', 'type', 'connection', 'amount', 'state', 'owner', 'days', 'what'],
    rows.map((row) => [
      row.id,
      row.type,
      row.connection_id,
      money(row),
      row.state,
      row.owner,
      row.age,
      wordsOf(row.data),
    ]),
  )
}

function breakText(shown: BreakWithComments): string {
  return [
    sentence(shown),
    `${money(shown)}, ${shown.age_days} day(s) past ${shown.expected_on ?? 'the day it was found'}, with ${shown.owner ?? 'nobody'}`,
    wordsOf(shown.data),
    '',
    table(
      ['at', 'by', 'what', 'text'],
      shown.comments.map(({ at, by, kind, text }) => [at, by, kind, text]),
    ),
  ].join('\n')
}
