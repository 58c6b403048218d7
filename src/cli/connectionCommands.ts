import type { Command } from 'commander'
import { HubError } from '../core/errors.ts'
import { listConnections } from '../db/readConnections.ts'
import type { Hub } from '../hub.ts'
import { systemParts } from '../main/parts.ts'
import { cursorOption, limitOption } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { errorDocument, EXIT, print, printable, table, type ErrorDocument } from './output.ts'

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
    .description('makes one cheap call and shows what came back; exit code 1 when the vendor refuses')
    .argument('<id>', 'the connection')
    .action(async (id: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const result = await withHub(options, ({ hub }) => test(hub, id))
      print(options, result, () => (result.ok ? `${id}: ${printable(result.shown)}` : refusalText(id, result)))
      if (!result.ok) process.exitCode = EXIT.failed
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

type TestResult = { ok: true; connection: string; shown: string } | (ErrorDocument & { connection: string })

/** The vendor's refusal is the answer that was asked for; a connection that does not exist is the caller's mistake. */
async function test(hub: Hub, id: string): Promise<TestResult> {
  const connection = hub.connections.get(id)
  if (connection === undefined) {
    const hint = `configured: ${[...hub.connections.keys()].join(', ') || 'none'}`
    throw new HubError('not_found', `there is no connection "${id}"`, { hint })
  }
  const { connector, port } = connection
  if (connector.test === undefined) throw new HubError('unsupported', `${connector.label} cannot be tested by a call`)
  try {
    return { ok: true, connection: id, shown: await connector.test(port) }
  } catch (thrown) {
    return { ...errorDocument(thrown), connection: id }
  }
}

const refusalText = (id: string, { error }: ErrorDocument): string =>
  `${id}: ${error.code}: ${printable(error.message)}${error.hint === undefined ? '' : `\n  ${error.hint}`}`
