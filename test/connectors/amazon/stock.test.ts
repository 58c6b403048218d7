import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { amazon } from '../../../src/connectors/amazon/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import type { AvailabilityLine } from '../../../src/core/model/effects.ts'
import { drainPull } from '../../kit/vendorPort.ts'
import { openStage, portTo, type Stage } from './simulator.ts'

let stage: Stage
beforeEach(async () => void (stage = await openStage()))
afterEach(async () => await stage.market.stop())

const line = (listing_id: number, channel_sku: string, quantity: number, product_type?: string): AvailabilityLine => ({
  listing_id,
  channel_sku,
  external: product_type === undefined ? {} : { product_type },
  quantity,
  expected: null,
})
const push = (lines: readonly AvailabilityLine[], port = portTo(stage).port) =>
  amazon.availability!.push(port, lines, 'push-1')
const shown = () => stage.market.ledger().shown

describe('listings', () => {
  it('are the offers that we ship, with their product type; what Amazon ships is left out', async () => {
    const { items } = await drainPull(
      amazon.pull!.listings!(portTo(stage).port, { cursor: null, overlap_ms: 0, now: stage.now() }),
    )
    const facts = items.flatMap(
      ({ payload }) =>
        amazon.inbound['listing']!.map(payload, { observed_at: '2026-11-20T08:00:00Z', settings: {} }).facts,
    )
    expect(facts.map(({ document }) => document)).toEqual([
      {
        channel_sku: 'TEA',
        title: 'Nice tea',
        external: { asin: 'B000000001', product_type: 'GROCERY' },
        quantity: 500,
      },
      {
        channel_sku: 'MUG',
        title: 'Nice mug',
        external: { asin: 'B000000002', product_type: 'GROCERY' },
        quantity: 500,
      },
      {
        channel_sku: 'POT',
        title: 'Nice pot',
        external: { asin: 'B000000003', product_type: 'GROCERY' },
        quantity: 500,
      },
    ])
  })
})

describe('a few quantities', () => {
  it('go one by one, each refusal for itself, and can be read back', async () => {
    const { port, attempts } = portTo(stage)
    const lines = [line(1, 'TEA', 7, 'GROCERY'), line(2, 'MUG', 0), line(3, 'POT', 3, 'LUGGAGE'), line(4, 'GONE', 1)]
    const results = await push(lines, port)
    expect(results.toSorted((a, b) => a.listing_id - b.listing_id)).toEqual([
      { listing_id: 1, outcome: 'set' },
      { listing_id: 2, outcome: 'set' },
      { listing_id: 3, outcome: 'refused', code: 'vendor_rejected', detail: 'INVALID 4000001' },
      { listing_id: 4, outcome: 'refused', code: 'vendor_not_found', detail: 'Amazon has no listing GONE' },
    ])
    expect(shown()).toEqual({ TEA: 7, MUG: 0, POT: 500 })
    expect(attempts.map(({ operation }) => operation)).not.toContain('createFeed')
    expect(await amazon.availability!.read!(port, lines)).toEqual([
      { listing_id: 1, quantity: 7 },
      { listing_id: 2, quantity: 0 },
      { listing_id: 3, quantity: 500 },
    ])
  })

  it('are never told of goods that Amazon keeps: they would become ours to ship', async () => {
    expect(await push([line(1, 'JAR', 5)])).toEqual([
      expect.objectContaining({ listing_id: 1, outcome: 'refused', code: 'vendor_rejected' }),
    ])
  })

  it('stop at the account’s quota, with what was told until then', async () => {
    await stage.market.stop()
    stage = await openStage({ raised: { rate: 0.001, burst: 2 } })
    const lines = [1, 2, 3, 4].map((id) => line(id, 'TEA', id, 'GROCERY'))
    expect(await push(lines)).toEqual([1, 2].map((listing_id) => ({ listing_id, outcome: 'set' })))
    await expect(push(lines)).rejects.toMatchObject({ code: 'vendor_throttled', retry_after_ms: 1_000 })
  })
})

describe('many quantities', () => {
  const skus = Array.from({ length: 300 }, (_, index) => `SKU-${index}`)
  const products = skus.map((sku) => ({ sku, title: sku, price_minor: 100, quantity: 1 }))
  const lines = skus.map((sku, index) => line(index + 1, sku, index, 'GROCERY'))
  const openMany = async (more = {}): Promise<void> => {
    await stage.market.stop()
    stage = await openStage({ products, ...more })
  }

  it('go as one feed, and its processing report says what became of each', async () => {
    await openMany()
    const { port, attempts } = portTo(stage)
    const spoiled = [...lines.slice(0, 299), line(300, 'NOWHERE', 4, 'GROCERY')]
    const results = await push(spoiled, port)
    expect(results).toHaveLength(300)
    expect(results.filter(({ outcome }) => outcome === 'set')).toHaveLength(299)
    expect(results[299]).toEqual({
      listing_id: 300,
      outcome: 'refused',
      code: 'vendor_rejected',
      detail: 'refused by the feed: 13013',
    })
    expect(shown()['SKU-298']).toBe(298)
    const operations = attempts.map(({ operation }) => operation).filter((name) => name !== 'token')
    expect(operations).toEqual([
      'getFeeds',
      'createFeedDocument',
      'feed.upload',
      'createFeed',
      'getFeed',
      'getFeedDocument',
      'getFeedDocument.download',
    ])
  })

  it('are of unknown outcome while the feed is under way, and no second feed overtakes it', async () => {
    await openMany({ feed_ms: 3_600_000 })
    const { port: hasty } = portTo(stage, { feed_wait_seconds: 1 })
    await expect(push(lines, hasty)).rejects.toMatchObject({ code: 'outcome_unknown' })
    expect(await amazon.availability!.read!(portTo(stage).port, lines.slice(0, 1))).toEqual([
      { listing_id: 1, quantity: 1 },
    ])
    await expect(push(lines, hasty)).rejects.toMatchObject({ code: 'vendor_throttled', retry_after_ms: 30_000 })
    stage.clock.ms += 3_600_000
    expect(await amazon.availability!.read!(portTo(stage).port, lines.slice(7, 8))).toEqual([
      { listing_id: 8, quantity: 7 },
    ])
    const later = lines.map((each) => ({ ...each, quantity: each.quantity + 1_000 }))
    stage.clock.ms += 1
    await expect(push(later, hasty)).rejects.toMatchObject({ code: 'outcome_unknown' })
    stage.clock.ms += 3_600_000
    expect(shown()['SKU-9']).toBe(1_009)
  })

  it('are of unknown outcome when the answer to their making is lost', async () => {
    await openMany()
    const { port } = portTo(stage)
    await push(lines.slice(0, 1), port)
    const roll = { throw: false }
    const cut = {
      ...port,
      http: {
        ...port.http,
        request: async (call: Parameters<typeof port.http.request>[0]) => {
          if (call.operation !== 'createFeed') return port.http.request(call)
          stage.market.setFaults({ ...KIND, cut_share: 1 })
          try {
            return await port.http.request(call)
          } finally {
            roll.throw = true
            stage.market.setFaults(KIND)
          }
        },
      },
    }
    await expect(push(lines, cut)).rejects.toMatchObject({ code: 'outcome_unknown' })
    expect(roll.throw).toBe(true)
    expect(await amazon.availability!.read!(port, lines.slice(4, 5))).toEqual([{ listing_id: 5, quantity: 4 }])
  })
})
