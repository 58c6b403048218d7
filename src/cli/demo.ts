import { mkdtempSync, rmSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Config } from '../config.ts'
import { readPromises } from '../core/orders/promises.ts'
import { verify } from '../core/verify.ts'
import { startHub, type RunningHub } from '../main.ts'
import { ORDINARY_FAULTS, startSandbox } from '../main/sandbox.ts'
import { wakePull, forceAll } from '../queues/wake.ts'
import { judge, type Judgement } from '../sandbox/judge.ts'
import { KIND } from '../sandbox/simulator.ts'
import type { World } from '../sandbox/world.ts'
import { settle } from './settle.ts'

export interface DemoOptions {
  seconds: number
  orders_per_second: number
  seed: number
}

export type DemoResult = Judgement & { verified: boolean; backend: string; settled_after_ms: number }

const SETTLE_MS_MAX = 90_000

/**
 * Runs hub and sandbox on a temporary database, trades, waits until everything has come to rest, pays out, and lets the vendors' own
 * ledgers judge. Everything it started is gone when it returns.
 */
export async function runDemo(configured: Config, options: DemoOptions, tell: (line: string) => void): Promise<DemoResult> {
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
    running = await startHub({ config: sandbox.config, log: pino({ level: 'error' }, pino.destination(2)), role: 'all', queue_prefix: `demo-${process.pid}` })
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

async function tradeAndJudge(world: World, running: RunningHub, options: DemoOptions, tell: (line: string) => void): Promise<DemoResult> {
  const { hub } = running
  const trade = world.trade(options.orders_per_second)
  tell(`trading for ${options.seconds} s at ${options.orders_per_second} orders a second`)
  await trade.run(options.seconds * 1_000, new AbortController().signal)
  tell('trade is over; waiting until everything has come to rest')
  // The vendors stay unkind while the rest is worked off; only then does a last calm round show what was left behind.
  const quiet = () => settle(running, world, SETTLE_MS_MAX)
  const started = performance.now()
  await quiet()
  world.setFaults(KIND)
  await pullEverything(running)
  await quiet()
  const settled_after_ms = Math.round(performance.now() - started)
  tell('the gateway pays out')
  world.gateway.payOut()
  await quiet()
  await pullEverything(running)
  await quiet()
  const judgement = judge({
    shops: world.shops,
    warehouse: world.warehouse.ledger(),
    gateway: world.gateway.ledger(),
    hub: { orders: await readPromises(hub.db, [...hub.connections.keys()]), settlements: await settlementsOf(running) },
    stock: world.stock,
    moves: trade.moves(),
    trade_seconds: options.seconds,
  })
  const verified = await verify(hub.db)
  return { ...judgement, ok: judgement.ok && verified.ok, verified: verified.ok, backend: running.queues.backend, settled_after_ms }
}

async function shelvesFilled(world: World): Promise<void> {
  const end = performance.now() + 30_000
  while (performance.now() < end) {
    if (world.shops.every(({ storefront }) => storefront.products().every((product) => product.quantity > 0))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the shelves stayed empty: no stock reached the storefronts within 30 s')
}

/** The safe path after the fast one: whatever a lost webhook left out is asked for. */
async function pullEverything({ hub }: RunningHub): Promise<void> {
  const wakes = [...hub.connections.values()].flatMap(({ id, connector }) => Object.keys(connector.pull ?? {}).map((stream) => wakePull(id, stream)))
  await forceAll(hub, wakes)
  await new Promise((resolve) => setTimeout(resolve, 500))
}

async function settlementsOf({ hub }: RunningHub): Promise<{ external_id: string; payout_minor: number; lines: number; unmatched: number; difference_minor: number }[]> {
  return hub.db.query(
    `select s.external_id, s.payout_minor, s.difference_minor, count(l.id) as lines,
       count(l.id) filter (where l.match_state = 'unmatched') as unmatched
     from settlements s left join settlement_lines l on l.settlement_id = s.id group by s.id`,
  )
}
