import type { Command } from 'commander'
import { asHubError } from '../core/errors.ts'
import { verify } from '../core/verify.ts'
import { migrate, migrationStatus } from '../db/migrate.ts'
import type { Db } from '../db/pool.ts'
import { systemParts } from '../main/parts.ts'
import { configFile, readConfig, withDatabase, withDb, withHub, type CommonOptions } from './options.ts'
import { EXIT, print, printable, table } from './output.ts'

export function addOperationCommands(program: Command): void {
  program
    .command('verify')
    .description('recomputes every invariant that the data can show; exit code 1 when one is broken')
    .action(async (_options: object, command: Command) => {
      await verifyAll(command.optsWithGlobals<CommonOptions>())
    })
  program
    .command('migrate')
    .description('brings the database to the schema of this version (start does it too)')
    .option('--status', 'only say what would be done; exit code 1 when this version does not fit the database')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { status?: boolean }>()
      await (options.status === true ? showStatus(options) : runMigrations(options))
    })
  program
    .command('doctor')
    .description('looks at everything the hub needs and says what is wrong; exit code 1 when something is')
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const checks = await examine(options)
      const ok = checks.every((check) => check.ok)
      print(options, { ok, checks }, () =>
        table(
          ['', 'what', 'finding'],
          checks.map((check) => [check.ok ? 'ok' : '!!', check.what, check.finding]),
        ),
      )
      if (!ok) process.exitCode = EXIT.failed
    })
}

async function verifyAll(options: CommonOptions): Promise<void> {
  const result = await withDb(options, (db) => verify(db))
  print(options, result, () => {
    const summary = table(
      ['check', 'checked', 'violations'],
      result.checks.map((check) => [check.name, check.checked, check.violations]),
    )
    const examples = result.checks.flatMap(({ name, examples: found = [] }) => found.map((text) => `${name}: ${text}`))
    return [summary, ...(examples.length === 0 ? [] : ['', ...examples.map(printable)])].join('\n')
  })
  if (!result.ok) process.exitCode = EXIT.failed
}

async function showStatus(options: CommonOptions): Promise<void> {
  const status = await withDatabase(options, ({ url }) => migrationStatus(url))
  const ok = status.unknown.length === 0
  print(options, { ok, ...status }, () =>
    [
      `current: ${status.current ?? 'an empty database'}`,
      `pending: ${status.pending.join(', ') || 'nothing'}`,
      ...(ok ? [] : [`unknown to this version: ${status.unknown.join(', ')}`]),
    ].join('\n'),
  )
  if (!ok) process.exitCode = EXIT.failed
}

async function runMigrations(options: CommonOptions): Promise<void> {
  const { applied, version } = await withDatabase(options, ({ url }) => migrate(url))
  print(options, { applied, version }, () => `applied: ${applied.join(', ') || 'nothing'}\nversion: ${version}`)
}

interface Finding {
  what: string
  ok: boolean
  finding: string
}

/** Each look stands alone: one that fails says so, and the others still look. Without a configuration there is nothing to look at. */
async function examine(options: CommonOptions): Promise<Finding[]> {
  const configuration = await look('configuration', async () => {
    const { connections, items } = readConfig(options)
    return `${configFile(options)}: ${connections.length} connections, ${items.length} items`
  })
  if (!configuration.ok) return [configuration]
  const database = await look('database', () => withDb(options, serverVersion))
  if (!database.ok) return [configuration, database]
  return [
    configuration,
    database,
    await look('schema', () => withDatabase(options, ({ url }) => schemaState(url))),
    await look('clock', () => withDb(options, clockSkew)),
    await look('queues', () =>
      withHub(options, async ({ hub }) => {
        const queues = Object.keys(await hub.queues.counts())
        return `${hub.queues.backend}: ${queues.length} queues answer`
      }),
    ),
    await look('connections', () => withDb(options, connectionStates)),
    await look('invariants', () => withDb(options, invariants)),
  ]
}

async function look(what: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, finding: await work() }
  } catch (thrown) {
    // A refusal of our own below is a plain error, whose code says nothing.
    const { code, message, hint } = asHubError(thrown)
    const coded = code === 'internal' ? message : `${code}: ${message}`
    return { what, ok: false, finding: hint === undefined ? coded : `${coded} (${hint})` }
  }
}

async function serverVersion(db: Db): Promise<string> {
  const [row] = await db.query<{ server_version: string }>('show server_version')
  return `PostgreSQL ${row?.server_version ?? 'of an unknown version'}`
}

async function schemaState(url: string): Promise<string> {
  const { current, pending, unknown } = await migrationStatus(url)
  if (unknown.length > 0) throw new Error(`newer than this version: ${unknown.join(', ')}`)
  if (pending.length > 0) throw new Error(`pending: ${pending.join(', ')}; run crossdock migrate or start the hub`)
  return current ?? 'empty'
}

const CLOCK_SKEW_MS_MAX = 2_000

async function clockSkew(db: Db): Promise<string> {
  const [row] = await db.query<{ now: Date }>('select now()')
  const skew_ms = Math.abs((row?.now.getTime() ?? 0) - systemParts().clock.now().getTime())
  if (skew_ms > CLOCK_SKEW_MS_MAX) throw new Error(`this machine and the database differ by ${skew_ms} ms`)
  return `differs from the database by ${skew_ms} ms`
}

async function connectionStates(db: Db): Promise<string> {
  const rows = await db.query<{ id: string; state: string; state_reason: string | null }>(
    `select id, state, state_reason from connections where connector <> 'internal' order by id`,
  )
  const stopped = rows.filter((row) => row.state !== 'active')
  const told = stopped.map(
    (row) => `${row.id} is ${row.state}${row.state_reason === null ? '' : `: ${row.state_reason}`}`,
  )
  if (stopped.length > 0) throw new Error(told.join('; '))
  return `${rows.length} active`
}

async function invariants(db: Db): Promise<string> {
  const { ok, checks } = await verify(db)
  const broken = checks.filter((check) => check.violations > 0).map((check) => `${check.name} ${check.violations}`)
  if (!ok) throw new Error(broken.join(', '))
  return `${checks.length} checks, no violation`
}
