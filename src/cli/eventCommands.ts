import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listInbox, showInbox, type InboxShown } from '../db/readInbox.ts'
import { replayInbox } from '../queues/replayInbox.ts'
import { actor } from './actor.ts'
import { choiceOption, connectionOption, cursorOption, idOf, idsOf, instantOf, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, printable, table } from './output.ts'

const STATES = ['pending', 'done', 'ignored', 'parked', 'dropped'] as const

interface ListOptions extends CommonOptions {
  state?: string
  connection?: string
  topic?: string
  cause?: string
  limit: number
  cursor?: string
}

interface ReplayOptions extends CommonOptions {
  connection?: string
  topic?: string
  cause?: string
  since?: Date
  dryRun?: boolean
}

export function addEventCommands(program: Command): void {
  const events = program.command('events').description('everything that came in: webhooks, polls, file rows')
  addList(events)
  events
    .command('show')
    .description('one event: where it is, and why')
    .argument('<id>', 'its number', idOf)
    .action(async (id: number, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const event = await withDb(options, (db) => showInbox(db, id))
      print(options, event, () => eventText(event))
    })
  addReplay(events)
}

function addList(events: Command): void {
  events
    .command('list')
    .description('the newest events')
    .addOption(choiceOption('--state <state>', 'only in this state', STATES))
    .addOption(connectionOption())
    .option('--topic <topic>', 'only of this topic')
    .option('--cause <code>', 'only parked with this cause')
    .addOption(limitOption(30))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { state, connection, topic, cause, limit, cursor } = options
      const filter = { state, connection, topic, cause_code: cause, limit, cursor }
      const page = await withDb(options, (db) => listInbox(db, filter))
      print(options, page, () =>
        table(
          ['id', 'connection', 'from', 'topic', 'state', 'received', 'what became of it'],
          page.rows.map((row) => [
            row.id,
            row.connection_id,
            row.source,
            row.topic,
            row.state,
            row.received_at,
            row.outcome ?? row.cause_detail,
          ]),
        ),
      )
    })
}

function addReplay(events: Command): void {
  events
    .command('replay')
    .description('maps and applies parked events again: some by number, or all that match')
    .argument('[id...]', 'events by number', idsOf)
    .option('--connection <id>', 'all of this connection')
    .option('--topic <topic>', 'all of this topic')
    .option('--cause <code>', 'all parked with this cause')
    .option('--since <time>', 'all since this instant, such as 2026-11-21T08:00:00Z', instantOf)
    .option('--dry-run', 'only count')
    .action(async (ids: number[], _options: object, command: Command) => {
      const options = command.optsWithGlobals<ReplayOptions>()
      const { connection, topic, cause, since } = options
      const filter = {
        ...(ids.length === 0 ? {} : { ids }),
        ...(connection === undefined ? {} : { connection }),
        ...(topic === undefined ? {} : { topic }),
        ...(cause === undefined ? {} : { cause_code: cause }),
        ...(since === undefined ? {} : { since }),
      }
      if (Object.keys(filter).length === 0) throw new HubError('bad_request', 'name events by number or by a filter')
      const dry_run = options.dryRun === true
      const result = await withHub(options, ({ hub }) => replayInbox(hub, filter, actor(), { dry_run }))
      print(options, { ...result, dry_run }, () => `${result.matched} match, ${result.replayed} replayed`)
    })
}

const eventText = (event: InboxShown): string =>
  Object.entries(event)
    .filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0))
    .map(
      ([name, value]) =>
        `${name.padEnd(16)} ${printable(typeof value === 'object' ? JSON.stringify(value) : String(value))}`,
    )
    .join('\n')
