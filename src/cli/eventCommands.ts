import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listInbox, showInbox, type InboxShown } from '../db/readInbox.ts'
import { replayInbox } from '../queues/replayInbox.ts'
import { actor } from './deadLetterCommands.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ListOptions extends CommonOptions {
  state?: string
  connection?: string
  topic?: string
  limit: string
}

interface ReplayOptions extends CommonOptions {
  connection?: string
  topic?: string
  cause?: string
  dryRun?: boolean
}

export function addEventCommands(program: Command): void {
  const events = program.command('events').description('everything that came in: webhooks, polls, file rows')
  events
    .command('list')
    .description('the newest events')
    .option('--state <state>', 'pending | done | ignored | parked | dropped')
    .option('--connection <id>', 'only of this connection')
    .option('--topic <topic>', 'only of this topic')
    .option('--limit <n>', 'how many (at most 200)', '30')
    .option('--json', 'one JSON document')
    .action(async (_options: ListOptions, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, connection, topic } = options
      const page = await withDb(options, (db) => listInbox(db, { state, connection, topic, limit: Number(options.limit) }))
      print(options, page, () =>
        table(
          ['id', 'connection', 'from', 'topic', 'state', 'received', 'what became of it'],
          page.rows.map((row) => [row.id, row.connection_id, row.source, row.topic, row.state, row.received_at, row.outcome ?? row.cause_detail]),
        ),
      )
    })
  events
    .command('show')
    .description('one event: where it is, and why')
    .argument('<id>', 'its number')
    .option('--json', 'one JSON document')
    .action(async (id: string, _options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const event = await withDb(options, (db) => showInbox(db, numberOf(id)))
      print(options, event, () => eventText(event))
    })
  events
    .command('replay')
    .description('maps and applies events again: by number, or all that match')
    .argument('[id...]', 'events by number')
    .option('--connection <id>', 'all of this connection')
    .option('--topic <topic>', 'all of this topic')
    .option('--cause <code>', 'all parked with this cause')
    .option('--dry-run', 'only count')
    .option('--json', 'one JSON document')
    .action(async (ids: string[], _options: ReplayOptions, command: Command) => {
      const options = command.optsWithGlobals<ReplayOptions>()
      const { connection, topic, cause } = options
      if (ids.length === 0 && [connection, topic, cause].every((part) => part === undefined)) {
        throw new HubError('bad_request', 'name events by number or by a filter')
      }
      const filter = {
        ...(ids.length === 0 ? {} : { ids: ids.map(numberOf) }),
        ...(connection === undefined ? {} : { connection }),
        ...(topic === undefined ? {} : { topic }),
        ...(cause === undefined ? {} : { cause_code: cause }),
      }
      const result = await withHub(options, ({ hub }) => replayInbox(hub, filter, actor(), { dry_run: options.dryRun === true }))
      print(options, { ok: true, ...result }, () => `${result.matched} match, ${result.replayed} replayed`)
    })
}

function numberOf(text: string): number {
  const id = Number(text)
  if (!Number.isSafeInteger(id)) throw new HubError('bad_request', 'an event is named by its number')
  return id
}

const eventText = (event: InboxShown): string =>
  Object.entries(event)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(([name, value]) => `${name.padEnd(16)} ${typeof value === 'object' ? JSON.stringify(value) : String(value)}`)
    .join('\n')
