import { InvalidArgumentError, type Command } from 'commander'
import {
  CYCLE_COUNT_STATES,
  listCycleCounts,
  readCycleCount,
  type CycleCountShown,
  type CycleCountState,
} from '../core/movements/readCycleCounts.ts'
import type { CountedItem } from '../core/movements/rulesCycleCount.ts'
import { decideCountByHand, openCountByHand, submitCountByHand } from '../queues/movementsByHand.ts'
import { actor } from './actor.ts'
import { choiceOption, cursorOption, instantOf, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface OpenOptions extends CommonOptions {
  key?: string
}

interface ListOptions extends CommonOptions {
  state?: CycleCountState
  location?: string
  limit: number
  cursor?: string
}

interface SubmitOptions extends CommonOptions {
  at: Date
}

export function addCountCommands(program: Command): void {
  const counts = program.command('counts').description('blind cycle counts of some items at a place')
  addOpen(counts)
  addList(counts)
  addShow(counts)
  addSubmit(counts)
  for (const verdict of ['approve', 'reject'] as const) addDecision(counts, verdict)
}

function addOpen(counts: Command): void {
  counts
    .command('open')
    .description('asks for a count; who counts is not told how many are expected')
    .argument('<location>', 'the place, by its id')
    .argument('[sku...]', 'which items; left out: every item of the place')
    .option('--key <text>', 'your own name of it: the same again opens one count')
    .action(async (location: string, skus: string[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<OpenOptions>()
      const count = await withHub(options, ({ hub }) => {
        const named = skus.length === 0 ? {} : { skus }
        return openCountByHand(hub, { key: options.key ?? hub.ids.uuid(), location, ...named }, actor())
      })
      print(options, count, () => countText(count))
    })
}

function addList(counts: Command): void {
  counts
    .command('list')
    .description('the newest counts')
    .addOption(choiceOption('--state <state>', 'only in this state', CYCLE_COUNT_STATES))
    .option('--location <id>', 'only at this place')
    .addOption(limitOption(20))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, location, limit, cursor } = options
      const page = await withDb(options, (db) => listCycleCounts(db, { state, location, limit, cursor }))
      print(options, page, () =>
        table(
          ['id', 'location', 'items', 'state', 'opened by', 'counted by', 'counted at'],
          page.rows.map((row) => [
            row.id,
            row.location_id,
            row.items,
            row.state,
            row.created_by,
            row.counted_by,
            row.counted_at,
          ]),
        ),
      )
    })
}

function addShow(counts: Command): void {
  counts
    .command('show')
    .description('one count; what was expected is shown once it has been counted')
    .argument('<id>', 'the count, as the list shows it')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const count = await withDb(options, (db) => readCycleCount(db, id))
      print(options, count, () => countText(count))
    })
}

function addSubmit(counts: Command): void {
  counts
    .command('submit')
    .description('says what was counted; above the limit the count waits for a second person')
    .argument('<id>', 'the count, as the list shows it')
    .argument('<line...>', 'TEA=12, or TEA=12/2 when 2 of the 12 are damaged', lineOf)
    .requiredOption('--at <instant>', 'when the shelf was looked at', instantOf)
    .action(async (id: string, lines: CountedItem[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<SubmitOptions>()
      const count = await withHub(options, ({ hub }) =>
        submitCountByHand(hub, id, { counted_at: options.at, lines }, actor()),
      )
      print(options, count, () => countText(count))
    })
}

/** The last sign counts, because a SKU may hold one itself. */
function lineOf(text: string, before: CountedItem[] | undefined): CountedItem[] {
  const [, sku, on_hand, damaged] = /^(.+)=(\d{1,8})(?:\/(\d{1,8}))?$/.exec(text) ?? []
  if (sku === undefined) throw new InvalidArgumentError('Write TEA=12 or TEA=12/2.')
  return [...(before ?? []), { sku, on_hand: Number(on_hand), damaged: Number(damaged ?? 0) }]
}

function addDecision(counts: Command, verdict: 'approve' | 'reject'): void {
  counts
    .command(verdict)
    .description(verdict === 'approve' ? 'posts a count that somebody else took' : 'gives a count up')
    .argument('<id>', 'the count, as the list shows it')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const count = await withHub(options, ({ hub }) => decideCountByHand(hub, id, verdict, actor()))
      print(options, count, () => countText(count))
    })
}

function countText(count: CycleCountShown): string {
  const lines = table(
    ['SKU', 'counted', 'of them damaged', 'expected', 'variance'],
    count.lines.map((line) => [line.sku, line.counted, line.damaged, line.expected, line.variance]),
  )
  return [`${count.id}  ${count.location_id}  ${count.state}`, lines].join('\n')
}
