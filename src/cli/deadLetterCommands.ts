import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listDeadLetters } from '../db/readDeadLetters.ts'
import type { Hub } from '../hub.ts'
import { dropDeadLetters, replayDeadLetters, type DeadLetterFilter } from '../queues/deadLetters.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, idsOf, instantOf, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  state: string
  connection?: string
  code?: string
  kind?: string
  limit: number
  cursor?: string
}

interface DecideOptions extends CommonOptions {
  connection?: string
  code?: string
  kind?: string
  since?: Date
  all?: boolean
  dryRun?: boolean
}

type Decided = { matched: number; replayed: number } | { matched: number; dropped: number }

interface Decision {
  name: string
  description: string
  run: (hub: Hub, filter: DeadLetterFilter, options: { dry_run: boolean }) => Promise<Decided>
}

const DECISIONS: readonly Decision[] = [
  {
    name: 'replay',
    description: 'gives them a new life: some by number, or all that match; each letter is replayed once',
    run: (hub, filter, options) => replayDeadLetters(hub, filter, actor(), options),
  },
  {
    name: 'drop',
    description: 'gives them up for good: some by number, or all that match',
    run: (hub, filter, options) => dropDeadLetters(hub, filter, actor(), options),
  },
]

export function addDeadLetterCommands(program: Command): void {
  const letters = program.command('dead-letters').description('what the hub gave up on and a person must decide')
  addList(letters)
  for (const decision of DECISIONS) addDecision(letters, decision)
}

function addList(letters: Command): void {
  letters
    .command('list')
    .description('the newest dead letters')
    .addOption(choiceOption('--state <state>', 'only in this state', ['open', 'replayed', 'dropped']).default('open'))
    .addOption(connectionOption())
    .option('--code <code>', 'only with this cause')
    .option('--kind <kind>', 'only of this kind')
    .addOption(limitOption(50))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, connection, code, kind, limit, cursor } = options
      const filter = { state, connection, code, kind, limit, cursor }
      const page = await withDb(options, (db) => listDeadLetters(db, filter))
      print(options, page, () =>
        table(
          ['id', 'connection', 'kind', 'code', 'since', 'detail'],
          page.rows.map((row) => [row.id, row.connection_id, row.kind, row.code, row.created_at, row.detail]),
        ),
      )
    })
}

function addDecision(letters: Command, { name, description, run }: Decision): void {
  letters
    .command(name)
    .description(description)
    .argument('[id...]', 'dead letters by number', idsOf)
    .option('--connection <id>', 'all of this connection')
    .option('--code <code>', 'all with this cause')
    .option('--kind <kind>', 'all of this kind')
    .option('--since <time>', 'all since this instant, such as 2026-11-21T08:00:00Z', instantOf)
    .option('--all', 'all that are open')
    .option('--dry-run', 'only count')
    .action(async (ids: number[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<DecideOptions>()
      const filter = filterOf(ids, options)
      const dry_run = options.dryRun === true
      const decided = await withHub(options, ({ hub }) => run(hub, filter, { dry_run }))
      const done = 'replayed' in decided ? decided.replayed : decided.dropped
      const text = `${decided.matched} match, ${done} ${'replayed' in decided ? 'replayed' : 'dropped'}`
      print(options, { ...decided, dry_run }, () => text)
    })
}

/** An empty filter means everything, so it has to be asked for by name. */
function filterOf(ids: readonly number[], options: DecideOptions): DeadLetterFilter {
  const { connection, code, kind, since, all } = options
  const filter = {
    ...(ids.length === 0 ? {} : { ids }),
    ...(connection === undefined ? {} : { connection }),
    ...(code === undefined ? {} : { code }),
    ...(kind === undefined ? {} : { kind }),
    ...(since === undefined ? {} : { since }),
  }
  if (Object.keys(filter).length === 0 && all !== true) {
    throw new HubError('bad_request', 'name dead letters by number, by a filter, or all of them with --all')
  }
  if (Object.keys(filter).length > 0 && all === true) {
    throw new HubError('bad_request', '--all means every open dead letter: leave out the numbers and the filters')
  }
  return filter
}
