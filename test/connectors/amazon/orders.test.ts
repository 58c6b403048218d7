import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { amazon } from '../../../src/connectors/amazon/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import type { PulledItem, PulledPage } from '../../../src/connectors/_kit/define.ts'
import { drainPull } from '../../kit/vendorPort.ts'
import { mapped, openStage, portTo, sell, type Stage } from './simulator.ts'

let stage: Stage
beforeEach(async () => void (stage = await openStage()))
afterEach(async () => await stage.market.stop())

const idsOf = (items: readonly { payload: unknown }[]): string[] =>
  items.map(({ payload }) => (payload as { orderId: string }).orderId)
const search = (cursor: string | null, overlap_ms = 0) =>
  drainPull(amazon.pull!.orders!(portTo(stage).port, { cursor, overlap_ms, now: stage.now() }))

/** Reads the queue as the hub does: a page is removed once it is stored. */
async function listen(from: Stage = stage) {
  const items: PulledItem[] = []
  for await (const page of amazon.pull!.notifications!(portTo(from).port, {
    cursor: null,
    overlap_ms: 0,
    now: from.now(),
  })) {
    items.push(...page.items)
    await page.acknowledge?.()
  }
  return items
}

describe('the search for changed orders', () => {
  it('reads pages once, goes on where its answer ended, and shows what changed meanwhile', async () => {
    await stage.market.stop()
    stage = await openStage({ page_size: 7 })
    const sold = Array.from({ length: 20 }, () => {
      stage.clock.ms += 1_000
      return sell(stage).external_id
    })
    stage.clock.ms += 5_000
    const first = await search(null)
    expect(first.pages).toBe(3)
    expect(idsOf(first.items)).toEqual(sold)
    expect((await search(first.cursor)).items).toEqual([])
    stage.clock.ms += 5_000
    stage.market.cancel(sold[4]!)
    stage.clock.ms += 5_000
    const second = await search(first.cursor, 2_000)
    expect(idsOf(second.items)).toEqual([sold[4]])
    expect(mapped(second.items[0]!.payload).lifecycle).toBe('cancelled')
  })

  it('goes on in the middle, and begins anew when the place in the middle has lapsed', async () => {
    await stage.market.stop()
    stage = await openStage({ page_size: 2 })
    const sold = Array.from({ length: 5 }, () => sell(stage).external_id).toSorted()
    stage.clock.ms += 5_000
    const pages = amazon.pull!.orders!(portTo(stage).port, { cursor: null, overlap_ms: 0, now: stage.now() })
    const { cursor, items } = (await pages.next()).value as PulledPage
    await pages.return(undefined)
    expect(idsOf(items)).toEqual(sold.slice(0, 2))
    expect(idsOf((await search(cursor)).items)).toEqual(sold.slice(2))
    stage.clock.ms += 25 * 3_600_000
    expect(idsOf((await search(cursor)).items)).toEqual(sold)
  })

  it('leaves buyers and addresses out where they are not wanted', async () => {
    sell(stage)
    stage.clock.ms += 5_000
    const { api } = stage.market.settings as { api: object }
    const { port } = portTo(stage, { api: { ...api, personal_data: 'left_out' } })
    const { items } = await drainPull(amazon.pull!.orders!(port, { cursor: null, overlap_ms: 0, now: stage.now() }))
    expect(mapped(items[0]!.payload)).toMatchObject({ buyer: null, ship_to: null, totals: { total_minor: 1_000 } })
  })
})

describe('the queue', () => {
  it('fetches an order once for all that is told of it, as it is now, and removes what was stored', async () => {
    const order = sell(stage, [{ sku: 'TEA', quantity: 2 }], false)
    stage.clock.ms += 1_000
    stage.market.pay(order.external_id, null)
    const { port, attempts } = portTo(stage)
    const pages = amazon.pull!.notifications!(port, { cursor: null, overlap_ms: 0, now: stage.now() })
    const page = (await pages.next()).value as PulledPage
    expect(page.items.map(({ topic }) => topic)).toEqual(['order'])
    expect(attempts.filter(({ operation }) => operation === 'getOrder')).toHaveLength(1)
    expect(mapped(page.items[0]!.payload)).toMatchObject({ payment_state: 'paid', lines: [{ quantity: 2 }] })
    expect(stage.market.waiting()).toBe(2)
    await page.acknowledge?.()
    expect(stage.market.waiting()).toBe(0)
  })

  it('brings the same key as the search for the same state of an order', async () => {
    sell(stage)
    stage.clock.ms += 5_000
    const [told] = await listen()
    const [found] = (await search(null)).items
    expect(found!.dedupe_key).toBe(told!.dedupe_key)
  })

  it('gives a message again that was not removed, after its time', async () => {
    sell(stage)
    const { port } = portTo(stage)
    const pages = amazon.pull!.notifications!(port, { cursor: null, overlap_ms: 0, now: stage.now() })
    const first = (await pages.next()).value as PulledPage
    await pages.return(undefined)
    expect(await listen()).toEqual([])
    stage.clock.ms += 31_000
    expect((await listen()).map((item) => item.dedupe_key)).toEqual([first.items[0]!.dedupe_key])
    expect(stage.market.waiting()).toBe(0)
  })

  it('hears of every order through a queue that doubles and shuffles', async () => {
    await stage.market.stop()
    let seed = 0.37
    const random = (): number => (seed = (seed * 9_301 + 0.2113) % 1)
    stage = await openStage({ random, faults: { ...KIND, webhook_duplicate_share: 0.5 } })
    const sold = new Set(Array.from({ length: 25 }, () => sell(stage).external_id))
    const heard = await listen()
    expect(new Set(idsOf(heard))).toEqual(sold)
    expect(stage.market.waiting()).toBe(0)
  })

  it('keeps what it could fetch when the vendor fails in between, and leaves the rest in the queue', async () => {
    for (let sale = 0; sale < 5; sale += 1) sell(stage)
    const { port } = portTo(stage)
    let calls = 0
    const flaky = {
      ...port,
      http: {
        ...port.http,
        request: (call: Parameters<typeof port.http.request>[0]) =>
          call.operation === 'getOrder' && (calls += 1) === 4
            ? Promise.reject(new Error('cut'))
            : port.http.request(call),
      },
    }
    const items: PulledItem[] = []
    const pages = amazon.pull!.notifications!(flaky, { cursor: null, overlap_ms: 0, now: stage.now() })
    await expect(async () => {
      for await (const page of pages) {
        items.push(...page.items)
        await page.acknowledge?.()
      }
    }).rejects.toThrow('cut')
    expect(items).toHaveLength(4)
    expect(stage.market.waiting()).toBe(1)
  })
})

describe('orders of the marketplace', () => {
  it('are held while they are pending, told of a wish to cancel, and closed when they are shipped', async () => {
    const order = sell(stage, [{ sku: 'TEA', quantity: 1 }], false)
    expect(mapped((await listen())[0]!.payload)).toMatchObject({
      payment_state: 'pending',
      lifecycle: 'open',
      currency: 'EUR',
      ship_to: null,
      lines: [{ channel_sku: 'TEA', quantity: 1, requires_shipping: true }],
    })
    stage.market.pay(order.external_id, null)
    expect(mapped((await listen())[0]!.payload)).toMatchObject({
      payment_state: 'paid',
      ship_by: '2026-11-22T08:00:00.000Z',
      deliver_by: '2026-11-25T08:00:00.000Z',
      buyer: { name: 'Ada Example', external_id: null },
      ship_to: { line1: 'Street 7919', country: 'DE' },
    })
    stage.market.askToCancel(order.external_id)
    const [asked] = await listen()
    const { warnings } = amazon.inbound['order']!.map(asked!.payload, {
      observed_at: '2026-11-20T09:00:00Z',
      settings: {},
    })
    expect(warnings).toEqual([
      'the buyer has asked for a cancellation: answer it in Seller Central before the goods leave',
    ])
    expect(mapped(asked!.payload)).toMatchObject({ lifecycle: 'open', lines: [{ quantity: 1 }] })
    stage.market.cancel(order.external_id)
    expect(mapped((await listen())[0]!.payload)).toMatchObject({ lifecycle: 'cancelled', payment_state: 'voided' })
  })

  it('that Amazon ships take nothing of ours', async () => {
    stage.market.sellByAmazon('JAR', 3)
    const order = mapped((await listen())[0]!.payload)
    expect(order).toMatchObject({
      lifecycle: 'closed',
      lines: [{ channel_sku: 'fba:JAR', quantity: 3, requires_shipping: false }],
    })
  })
})

describe('the token', () => {
  it('is renewed when Amazon refuses it with a 403 that says it has expired', async () => {
    sell(stage)
    const { port, attempts } = portTo(stage)
    const pull = () => drainPull(amazon.pull!.orders!(port, { cursor: null, overlap_ms: 0, now: stage.now() }))
    await pull()
    stage.market.revokeTokens()
    stage.clock.ms += 5_000
    expect((await pull()).items).toHaveLength(1)
    expect(attempts.filter(({ operation }) => operation === 'token')).toHaveLength(2)
  })
})

describe('a connection that reads files alone', () => {
  it('pulls nothing, and says so', async () => {
    const { port } = portTo(stage, { api: undefined, queue: undefined })
    const request = { cursor: null, overlap_ms: 0, now: stage.now() }
    for (const pull of Object.values(amazon.pull!))
      expect(await drainPull(pull(port, request))).toMatchObject({ items: [] })
    expect(await amazon.selfTest!(port, stage.now())).toEqual([
      { name: 'account', ok: true, detail: 'none: payout files alone are read' },
    ])
    await expect(port.http.request({ operation: 'x', method: 'GET', path: '/', repeat: 'safe' })).rejects.toMatchObject(
      {
        code: 'config_invalid',
      },
    )
  })
})

describe('the self-test', () => {
  it('looks at the stores, the clock and the queue', async () => {
    const { api } = stage.market.settings as { api: { marketplace_ids: string[] } }
    const { port } = portTo(stage, { api: { ...api, marketplace_ids: ['A1PA6795UKMFR9', 'ATVPDKIKX0DER'] } })
    const checks = await amazon.selfTest!(port, new Date())
    expect(checks.map(({ name, ok }) => [name, ok])).toEqual([
      ['clock', true],
      ['store A1PA6795UKMFR9', true],
      ['store ATVPDKIKX0DER', false],
      ['queue', true],
    ])
    expect(await amazon.test!(port)).toBe('sells in 1 stores: Amazon.de')
  })
})
