import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listConnections } from '../db/readConnections.ts'
import type { Hub } from '../hub.ts'
import { systemParts } from '../main/parts.ts'
import { pauseConnection, resumeConnection, testConnection, type TestedConnection } from '../queues/connections.ts'
import { actor } from './actor.ts'
import { cursorOption, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { errorDocument, EXIT, print, printable, table, type ErrorDocument } from './output.ts'

const REASON_LENGTH_MAX = 200

interface ListOptions extends CommonOptions {
  limit: number
  cursor?: string
}

export function addConnectionCommands(program: Command): void {
  const connections = program.command('connections').description('the configured accounts of vendors')
  connections
    .command('list')
    .description('state, backlog and last activity of each')
    .addOption(limitOption(200))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      await list(options)
    })
  connections
    .command('test')
    .description(
      'makes one cheap call and shows what came back, and all checks of the connector; exit code 1 when one fails',
    )
    .argument('<id>', 'the connection')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const result = await withHub(options, ({ hub }) => test(hub, id))
      print(options, result, () => (result.error === undefined ? testedText(id, result) : refusalText(id, result)))
      if (!result.ok) process.exitCode = EXIT.failed
    })
  addStateCommands(connections)
}

function addStateCommands(connections: Command): void {
  connections
    .command('pause')
    .description('stops all calls to the vendor; webhooks are still taken in and kept')
    .argument('<id>', 'the connection')
    .requiredOption('--reason <text>', 'for whoever finds it paused')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { reason: string }>()
      await withHub(options, async ({ hub }) => {
        if (!hub.connections.has(id)) throw unknownConnection(hub, id)
        await pauseConnection(hub, id, options.reason.slice(0, REASON_LENGTH_MAX), actor())
      })
      print(options, { connection: id, state: 'paused' }, () => `${id} is paused`)
    })
  connections
    .command('resume')
    .description('lets a paused or failing connection work again')
    .argument('<id>', 'the connection')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      await withHub(options, async ({ hub }) => {
        if (!hub.connections.has(id)) throw unknownConnection(hub, id)
        await resumeConnection(hub, id, actor())
      })
      print(options, { connection: id, state: 'active' }, () => `${id} works again`)
    })
}

async function list(options: ListOptions): Promise<void> {
  const { limit, cursor } = options
  const page = await withDb(options, (db) => listConnections(db, { limit, cursor }, systemParts().clock.now()))
  const headings = ['connection', 'connector', 'state', 'waiting', 'parked', 'dead', 'received', 'pulled', 'pushed']
  print(options, page, () =>
    table(
      headings,
      page.rows.map((row) => [
        row.id,
        row.connector,
        row.state,
        row.lag.inbox_pending + row.lag.outbox_waiting,
        row.lag.inbox_parked,
        row.lag.dead_letters_open,
        row.last_received_at,
        row.last_pulled_at,
        row.last_pushed_at,
      ]),
    ),
  )
}

type TestResult =
  | ({ ok: boolean; error?: undefined; connection: string } & TestedConnection)
  | (ErrorDocument & { connection: string })

/** The vendor's refusal is the answer that was asked for; a connection that does not exist is the caller's mistake. */
async function test(hub: Hub, id: string): Promise<TestResult> {
  const connection = hub.connections.get(id)
  if (connection === undefined) throw unknownConnection(hub, id)
  const { test: call, selfTest, label } = connection.connector
  if (call === undefined && selfTest === undefined)
    throw new HubError('unsupported', `${label} has nothing to test a connection with`)
  try {
    const tested = await testConnection(hub, id)
    return { ok: tested.checks?.every(({ ok }) => ok) ?? true, connection: id, ...tested }
  } catch (thrown) {
    return { ...errorDocument(thrown), connection: id }
  }
}

const unknownConnection = (hub: Hub, id: string): HubError =>
  new HubError('not_found', `there is no connection "${id}"`, {
    hint: `configured: ${[...hub.connections.keys()].join(', ') || 'none'}`,
  })

const testedText = (id: string, { shown, checks = [] }: TestedConnection): string =>
  [
    `${id}: ${printable(shown)}`,
    ...checks.map(({ name, ok, detail, expires_at }) => {
      const end = expires_at === null ? '' : ` (until ${expires_at.toISOString().slice(0, 10)})`
      return `  ${ok ? 'ok    ' : 'FAILED'} ${printable(name)}: ${printable(detail)}${end}`
    }),
  ].join('\n')

const refusalText = (id: string, { error }: ErrorDocument): string =>
  `${id}: ${error.code}: ${printable(error.message)}${error.hint === undefined ? '' : `\n  ${error.hint}`}`
