import type { Command } from 'commander'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import { HubError } from '../core/errors.ts'
import { ROLES, startHub, type Role, type RunningHub } from '../main.ts'
import { ORDINARY_FAULTS, startSandbox } from '../main/sandbox.ts'
import type { World } from '../sandbox/world.ts'
import { readConfig, type CommonOptions } from './options.ts'

interface StartOptions extends CommonOptions {
  role: Role
}

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('runs the hub; with a sandbox configuration also the simulated vendors and their buyers')
    .option('--role <role>', `which part runs in this process: ${ROLES.join(' | ')}`, 'all')
    .action(async (_options: StartOptions, command: Command) => {
      const options = command.optsWithGlobals<StartOptions>()
      if (!ROLES.includes(options.role))
        throw new HubError('bad_request', `there is no role "${options.role}"`, { hint: ROLES.join(' | ') })
      await start(readConfig(options), options.role)
    })
}

async function start(configured: Config, role: Role): Promise<void> {
  const log = pino({ level: configured.hub.log_level, base: null })
  const now = (): Date => new Date()
  const sandbox =
    configured.sandbox.enabled && role === 'all'
      ? await startSandbox(configured, { keep: true, faults: ORDINARY_FAULTS, now })
      : undefined
  // A hub that cannot start must not leave the simulators' servers behind, or the process would never end.
  const running = await startHub({ config: sandbox?.config ?? configured, log, role }).catch(
    async (thrown: unknown) => {
      await sandbox?.world.stop()
      throw thrown
    },
  )
  const trading = new AbortController()
  const buyers =
    sandbox === undefined || running.url === undefined
      ? undefined
      : trade(sandbox.world, running.url, configured, trading.signal)
  process.stdout.write(greeting(running, role, sandbox !== undefined))
  await stopAsked()
  trading.abort()
  await buyers
  log.info('stopping: no new work, what runs is finished')
  await sandbox?.world.stop()
  await running.close()
}

/** Buyers buy and the gateway pays out until the hub stops. */
function trade(world: World, url: string, config: Config, signal: AbortSignal): Promise<void> {
  world.connectTo(url)
  const { orders_per_second, payout_every_seconds } = config.sandbox
  let paydays = 0
  const timer = setInterval(() => payOut(world, (paydays += 1)), payout_every_seconds * 1_000)
  signal.addEventListener('abort', () => clearInterval(timer))
  return orders_per_second === 0
    ? Promise.resolve()
    : world.trade(orders_per_second).run(Number.MAX_SAFE_INTEGER, signal)
}

/** Gateways pay daily, marketplaces every other week; their reports are not to be had more often either. */
const MARKETPLACE_PAYDAYS = 14

function payOut(world: World, payday: number): void {
  world.gateway.payOut()
  if (payday % MARKETPLACE_PAYDAYS === 0) for (const marketplace of world.marketplaces) marketplace.payOut()
}

function greeting({ url, database, firstUser, queues }: RunningHub, role: Role, sandbox: boolean): string {
  const lines = [
    '',
    `Crossdock runs (${role === 'all' ? 'everything in this process' : role}${sandbox ? ', sandbox: simulated vendors and buyers' : ''})`,
    ...(url === undefined
      ? []
      : [
          `  start page   ${url}/`,
          `  queues       ${url}/queues`,
          `  API          ${url}/docs`,
          `  metrics      ${url}/metrics`,
        ]),
    `  database     ${database.place}`,
    `  queues on    ${queues.backend}`,
    ...(firstUser === undefined
      ? []
      : [`  log in as    ${firstUser.name} with password ${firstUser.password}   (shown this once)`]),
    '  stop with Ctrl-C',
    '',
  ]
  return `${lines.join('\n')}\n`
}

/** Resolves at the first Ctrl-C or SIGTERM; a second one ends the process at once. */
function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const ask = (): void => {
      if (asked) process.exit(1)
      asked = true
      resolve()
    }
    process.on('SIGINT', ask)
    process.on('SIGTERM', ask)
  })
}
