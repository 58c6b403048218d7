import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { freePorts, runCommand, type Variables } from '../kit/program.ts'
import { hasRedis, startRedis } from '../kit/redis.ts'

const SECONDS = Number(process.env['CROSSDOCK_DEMO_SECONDS'] ?? 5)
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
    payouts: { unmatched: 0, difference_minor: 0, misstated: 4 },
    // One fault of each sort in what the gateway and the bank tell; some are seen in two places.
    labels_twice: 0,
    labels_idle: 0,
    labels_not_used: 0,
    numbers_told_wrong: 0,
    deliveries_missed: 0,
    erp_orders_lost: 0,
    erp_orders_doubled: 0,
    erp_orders_wrong: 0,
    erp_deliveries_wrong: 0,
    erp_books_wrong: 0,
    erp_stock_wrong: 0,
    breaks_planted: 10,
    breaks_found: 10,
    breaks_missed: 0,
    breaks_unplanted: 0,
    break_types: {
      payout_identity_failed: 4,
      missing_in_ledger: 1,
      duplicate: 1,
      bank_amount_diff: 2,
      payout_not_in_bank: 1,
      bank_without_payout: 1,
    },
    orders_accepted: result['orders_sent'],
  })
  expect(result['orders_sent']).toBeGreaterThan((SECONDS * RATE) / 2)
  // There was something to get wrong: every place shipped, goods ran out, businesses waited and were served by the restock.
  expect(Object.keys(result['locations'] as object).toSorted()).toEqual(['berlin', 'hamburg', 'leipzig', 'rotterdam'])
  expect(Math.min(...Object.values(result['locations'] as Record<string, number>))).toBeGreaterThan(0)
  expect(result['labels_bought']).toBeGreaterThan(0)
  expect(result['erp_orders']).toBeGreaterThan((SECONDS * RATE) / 2)
  expect(result['sold_out_skus']).toBeGreaterThan(0)
  expect(result['restocked_units']).toBeGreaterThan(0)
  expect((result['backorders'] as { filled: number }).filled).toBeGreaterThan(0)
  expect((result['payouts'] as { lines: number }).lines).toBeGreaterThan((SECONDS * RATE) / 3)
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
