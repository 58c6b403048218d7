import type { Command } from 'commander'
import { HubError, asHubError } from '../core/errors.ts'
import { listConnections } from '../db/readConnections.ts'
import { systemParts } from '../main/parts.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

export function addConnectionCommands(program: Command): void {
  const connections = program.command('connections').description('the configured accounts of vendors')
  connections
    .command('list')
    .description('state, backlog and last activity of each')
    .option('--json', 'one JSON document')
    .action(async (_options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const page = await withDb(options, (db) => listConnections(db, { limit: 200 }, systemParts().clock.now()))
      print(options, page, () =>
        table(
          ['connection', 'connector', 'state', 'waiting', 'parked', 'received', 'pulled', 'pushed'],
          page.rows.map((row) => [row.id, row.connector, row.state, row.lag.inbox_pending, row.lag.inbox_parked, row.last_received_at, row.last_pulled_at, row.last_pushed_at]),
        ),
      )
    })
  connections
    .command('test')
    .description('makes one cheap call and shows what came back')
    .argument('<id>', 'the connection')
    .option('--json', 'one JSON document')
    .action(async (id: string, _options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const result = await withHub(options, async ({ hub }) => {
        const connection = hub.connections.get(id)
        if (connection === undefined) throw new HubError('not_found', `there is no connection "${id}"`, { hint: `configured: ${[...hub.connections.keys()].join(', ')}` })
        if (connection.connector.test === undefined) throw new HubError('unsupported', `${connection.connector.label} cannot be tested by a call`)
        return connection.connector.test(connection.port).then(
          (shown) => ({ ok: true as const, connection: id, shown }),
          (thrown: unknown) => {
            const { code, message } = asHubError(thrown)
            return { ok: false as const, connection: id, error: { code, message } }
          },
        )
      })
      print(options, result, () => (result.ok ? `${id}: ${result.shown}` : `${id}: ${result.error.code}: ${result.error.message}`))
      if (!result.ok) process.exitCode = EXIT.failed
    })
}
