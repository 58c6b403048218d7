import type { Command } from 'commander'
import { asHubError } from '../core/errors.ts'
import { verify } from '../core/verify.ts'
import { migrate, migrationStatus } from '../db/migrate.ts'
import { reachDatabase } from '../main/database.ts'
import { systemParts } from '../main/parts.ts'
import { configFile, quietLog, readConfig, withDb, withHub, type CommonOptions } from './options.ts'
import { EXIT, print, table } from './output.ts'

export function addOperationCommands(program: Command): void {
  program
    .command('verify')
    .description('recomputes every invariant that the data can show')
    .option('--json', 'one JSON document')
    .action(async (_options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const result = await withDb(options, (db) => verify(db))
      print(options, result, () => table(['check', 'checked', 'violations'], result.checks.map((check) => [check.name, check.checked, check.violations])))
      if (!result.ok) process.exitCode = EXIT.failed
    })
  program
    .command('migrate')
    .description('brings the database to the schema of this version (start does it too)')
    .option('--status', 'only say what would be done')
    .option('--json', 'one JSON document')
    .action(async (_options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions & { status?: boolean }>()
      const database = await reachDatabase(readConfig(options), quietLog())
      try {
        const result = options.status === true ? await migrationStatus(database.url) : await migrate(database.url)
        print(options, { ok: true, ...result }, () => Object.entries(result).map(([name, value]) => `${name}: ${String(value)}`).join('\n'))
      } finally {
        await database.stop()
      }
    })
  program
    .command('doctor')
    .description('looks at everything the hub needs and says what is wrong')
    .option('--json', 'one JSON document')
    .action(async (_options: CommonOptions, command: Command) => {
      const options = command.optsWithGlobals<CommonOptions>()
      const checks = await examine(options)
      const ok = checks.every((check) => check.ok)
      print(options, { ok, checks }, () => table(['', 'what', 'finding'], checks.map((check) => [check.ok ? 'ok' : '!!', check.what, check.finding])))
      if (!ok) process.exitCode = EXIT.failed
    })
}

interface Finding {
  what: string
  ok: boolean
  finding: string
}

/** Each look stands alone: one that fails says so, and the others still look. */
async function examine(options: CommonOptions): Promise<Finding[]> {
  const look = async (what: string, work: () => Promise<string>): Promise<Finding> => {
    try {
      return { what, ok: true, finding: await work() }
    } catch (thrown) {
      const { code, message, hint } = asHubError(thrown)
      return { what, ok: false, finding: `${code}: ${message}${hint === undefined ? '' : ` (${hint})`}` }
    }
  }
  return [
    await look('configuration', async () => `${configFile(options)}: ${readConfig(options).connections.length} connections`),
    await look('database', () => withDb(options, async (db) => (await db.query<{ version: string }>('select version()'))[0]?.version.slice(0, 40) ?? '')),
    await look('clock', () => withDb(options, clockSkew)),
    await look('queues', () => withHub(options, async ({ hub }) => `${hub.queues.backend}: ${Object.keys(await hub.queues.counts()).length} queues answer`)),
    await look('invariants', () =>
      withDb(options, async (db) => {
        const { ok, checks } = await verify(db)
        if (!ok) throw new Error(checks.filter((check) => check.violations > 0).map((check) => `${check.name} ${check.violations}`).join(', '))
        return `${checks.length} checks, no violation`
      }),
    ),
  ]
}

const CLOCK_SKEW_MS_MAX = 2_000

async function clockSkew(db: { query: <Row extends object>(sql: string) => Promise<Row[]> }): Promise<string> {
  const [row] = await db.query<{ now: Date }>('select now()')
  const skew_ms = Math.abs((row?.now.getTime() ?? 0) - systemParts().clock.now().getTime())
  if (skew_ms > CLOCK_SKEW_MS_MAX) throw new Error(`this machine and the database differ by ${skew_ms} ms`)
  return `differs from the database by ${skew_ms} ms`
}
