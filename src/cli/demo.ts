import { mkdtempSync, rmSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import { startHub, type RunningHub } from '../main.ts'
import { ORDINARY_FAULTS, startSandbox } from '../main/sandbox.ts'
import type { World } from '../sandbox/world.ts'
import { restock } from './demoRestock.ts'
import { judgeWorld, type WorldJudged } from './judgeWorld.ts'

export interface DemoOptions {
  seconds: number
  orders_per_second: number
  seed: number
}

export type DemoResult = WorldJudged

/**
 * Runs hub and sandbox on a temporary database, trades, waits until everything has come to rest, pays out, and lets the vendors' own
 * ledgers judge. Everything it started is gone when it returns.
 */
export async function runDemo(
  configured: Config,
  options: DemoOptions,
  tell: (line: string) => void,
): Promise<DemoResult> {
  const folder = mkdtempSync(join(tmpdir(), 'crossdock-demo-'))
  // The built-in PostgreSQL runs as a user of its own when the demo is run by root, so the folder must let it pass.
  chmodSync(folder, 0o755)
  const now = (): Date => new Date()
  const config: Config = {
    ...configured,
    hub: { ...configured.hub, host: '127.0.0.1', port: 0 },
    database: { ...configured.database, url: '', data_dir: join(folder, 'postgres') },
    vault_key_file: join(folder, 'vault-key'),
    sandbox: { ...configured.sandbox, data_dir: join(folder, 'sandbox'), seed: options.seed },
  }
  const sandbox = await startSandbox(config, { keep: false, faults: ORDINARY_FAULTS, now })
  let running: RunningHub | undefined
  try {
    running = await startHub({
      config: sandbox.config,
      log: pino({ level: 'error' }, pino.destination(2)),
      role: 'all',
      queue_prefix: `demo-${process.pid}`,
    })
    if (running.url === undefined) throw new Error('the demo hub has no address')
    sandbox.world.connectTo(running.url)
    tell('waiting for the first stock count to reach the shelves')
    await shelvesFilled(sandbox.world)
    return await tradeAndJudge(sandbox.world, running, options, tell)
  } finally {
    await sandbox.world.stop()
    await running?.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function tradeAndJudge(
  world: World,
  running: RunningHub,
  options: DemoOptions,
  tell: (line: string) => void,
): Promise<DemoResult> {
  const trade = world.trade(options.orders_per_second)
  tell(`trading for ${options.seconds} s at ${options.orders_per_second} orders a second`)
  const trade_ms = options.seconds * 1_000
  const over = new AbortController()
  await Promise.all([trade.run(trade_ms, over.signal), restock(world, trade, running, trade_ms)])
  tell('trade is over; waiting until everything has come to rest')
  return judgeWorld(world, running, { moves: trade.moves(), trade_seconds: options.seconds }, tell)
}

async function shelvesFilled(world: World): Promise<void> {
  const end = performance.now() + 30_000
  while (performance.now() < end) {
    if (world.shops.every(({ storefront }) => storefront.products().every((product) => product.quantity > 0))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the shelves stayed empty: no stock reached the storefronts within 30 s')
}
