import { userInfo } from 'node:os'
import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listDeadLetters } from '../db/readDeadLetters.ts'
import { dropDeadLetters, replayDeadLetters, type DeadLetterFilter } from '../queues/deadLetters.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface DecideOptions extends CommonOptions {
  connection?: string
  code?: string
  kind?: string
  since?: string
  all?: boolean
  dryRun?: boolean
}

export function addDeadLetterCommands(program: Command): void {
  const letters = program.command('dead-letters').description('what the hub gave up on and a person must decide')
  letters
    .command('list')
    .description('the newest dead letters')
    .option('--state <state>', 'open | replayed | dropped', 'open')
    .option('--connection <id>', 'only of this connection')
    .option('--limit <n>', 'how many (at most 200)', '50')
    .option('--json', 'one JSON document')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { state: string; connection?: string; limit: string }>()
      const page = await withDb(options, (db) => listDeadLetters(db, { state: options.state, connection: options.connection, limit: Number(options.limit) }))
      print(options, page, () => table(['id', 'connection', 'kind', 'code', 'since', 'detail'], page.rows.map((row) => [row.id, row.connection_id, row.kind, row.code, row.created_at, row.detail])))
    })
  decision(letters, 'replay', 'gives them a new life: one by id, or all that match', async (options, filter) => {
    const result = await withHub(options, ({ hub }) => replayDeadLetters(hub, filter, actor(), { dry_run: options.dryRun === true }))
    print(options, { ok: true, ...result }, () => `${result.matched} match, ${result.replayed} replayed`)
  })
  decision(letters, 'drop', 'gives them up for good: one by id, or all that match', async (options, filter) => {
    const result = await withHub(options, ({ hub }) => dropDeadLetters(hub, filter, actor(), { dry_run: options.dryRun === true }))
    print(options, { ok: true, ...result }, () => `${result.matched} match, ${result.dropped} dropped`)
  })
}

function decision(letters: Command, name: string, description: string, run: (options: DecideOptions, filter: DeadLetterFilter) => Promise<void>): void {
  letters
    .command(name)
    .description(description)
    .argument('[id...]', 'dead letters by id')
    .option('--connection <id>', 'all of this connection')
    .option('--code <code>', 'all with this cause')
    .option('--kind <kind>', 'all of this kind')
    .option('--since <time>', 'all since this instant (ISO 8601)')
    .option('--all', 'all that are open')
    .option('--dry-run', 'only count')
    .option('--json', 'one JSON document')
    .action(async (ids: string[], _options: DecideOptions, command: Command) => {
      const options = command.optsWithGlobals<DecideOptions>()
      await run(options, filterOf(ids, options))
    })
}

/** An empty filter means everything, so it has to be asked for by name. */
function filterOf(ids: readonly string[], options: DecideOptions): DeadLetterFilter {
  const { connection, code, kind, since } = options
  if (ids.length === 0 && [connection, code, kind, since].every((part) => part === undefined) && options.all !== true) {
    throw new HubError('bad_request', 'name dead letters by id, by a filter, or all of them with --all')
  }
  const numbers = ids.map(Number)
  if (numbers.some((id) => !Number.isSafeInteger(id))) throw new HubError('bad_request', 'a dead letter is named by its number')
  const from = since === undefined ? undefined : new Date(since)
  if (from !== undefined && Number.isNaN(from.getTime())) throw new HubError('bad_request', '--since is not an instant', { hint: 'for example 2026-11-21T08:00:00Z' })
  return {
    ...(numbers.length === 0 ? {} : { ids: numbers }),
    ...(connection === undefined ? {} : { connection }),
    ...(code === undefined ? {} : { code }),
    ...(kind === undefined ? {} : { kind }),
    ...(from === undefined ? {} : { since: from }),
  }
}

/** Who is at the keyboard, for the audit log. */
export const actor = (): string => `cli:${userInfo().username}`
