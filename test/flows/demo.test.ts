import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePorts, runCommand, type Variables } from '../kit/program.ts'
import { hasRedis, startRedis } from '../kit/redis.ts'

const SECONDS = Number(process.env['CROSSDOCK_DEMO_SECONDS'] ?? 6)
const RATE = 10
const WIPE_EVERY_MS = 2_500
/** From the start until some time after the trade: shelves being filled, orders coming in, parcels going out. */
const WIPES_MAX = 10

async function demo(variables: Variables): Promise<Record<string, unknown>> {
  const ports = await freePorts()
  const args = ['demo', '--seconds', String(SECONDS), '--rate', String(RATE), '--json']
  const { code, stdout, stderr } = await runCommand(args, { SANDBOX_PORT_BASE: String(ports), ...variables })
  expect(code, `${stdout}\n${stderr}`).toBe(0)
  return JSON.parse(stdout) as Record<string, unknown>
}

/** Every storefront, warehouse and gateway agrees with the hub, and there was something to agree on. */
function expectNothingWrong(result: Record<string, unknown>): void {
  expect(result).toMatchObject({
    ok: true,
    verified: true,
    orders_lost: 0,
    orders_doubled: 0,
    units_oversold: 0,
    units_undersold: 0,
    availability_wrong: 0,
    shipments_lost: 0,
    priority_inversions: 0,
    explained_wrong: 0,
    payouts: { unmatched: 0, difference_minor: 0 },
    orders_accepted: result['orders_sent'],
  })
  expect(result['orders_sent']).toBeGreaterThan((SECONDS * RATE) / 2)
  // There was something to get wrong: every place shipped, goods ran out, businesses waited and were served by the restock.
  expect(Object.keys(result['locations'] as object).toSorted()).toEqual(['berlin', 'hamburg', 'leipzig'])
  expect(Math.min(...Object.values(result['locations'] as Record<string, number>))).toBeGreaterThan(0)
  expect(result['sold_out_skus']).toBeGreaterThan(0)
  expect(result['restocked_units']).toBeGreaterThan(0)
  expect((result['backorders'] as { filled: number }).filled).toBeGreaterThan(0)
  expect((result['payouts'] as { lines: number }).lines).toBeGreaterThan((SECONDS * RATE) / 2)
}

test('the demo ends with nothing wrong on PostgreSQL alone', { timeout: 150_000 + SECONDS * 2_000 }, async () => {
  const result = await demo({})
  expectNothingWrong(result)
  expect(result['backend']).toBe('postgres')
})

test.skipIf(!hasRedis())(
  'the demo ends with nothing wrong on a Redis that is emptied again and again',
  { timeout: 180_000 + SECONDS * 2_000 },
  async () => {
    const redis = await startRedis()
    const over = new AbortController()
    let wipes = 0
    const wiping = (async () => {
      while (wipes < WIPES_MAX) {
        await sleep(WIPE_EVERY_MS, undefined, { signal: over.signal }).catch(() => undefined)
        if (over.signal.aborted) return
        await redis.flushAll()
        wipes += 1
      }
    })()
    try {
      const result = await demo({ REDIS_URL: redis.url })
      expectNothingWrong(result)
      expect(result['backend']).toBe('redis')
      expect(wipes).toBeGreaterThan(2)
    } finally {
      over.abort()
      await wiping
      await redis.stop()
    }
  },
)
