import { OPEN_SHELF } from '../../kit/orders.ts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { computeAvailability } from '../../../src/core/availability/load.ts'
import {
  claimDue,
  dueConnections,
  recordResults,
  releaseClaims,
  type ClaimedLine,
} from '../../../src/core/availability/push.ts'
import { PUSH_ATTEMPTS_MAX } from '../../../src/core/availability/rulesBelief.ts'
import { HubError } from '../../../src/core/errors.ts'
import { mapListing } from '../../../src/core/inventory/listings.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import type { AvailabilityResult } from '../../../src/core/model/effects.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { CATALOG, countFact, createWorld, orderFact, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.apply('shop', listing('TEA'), listing('GIFT'), listing('ODD'))
  await world.apply('mall', listing('TEA'))
  await world.apply(
    'wms',
    countFact(world, 'N1', 0, { TEA: 21, MUG: 4 }),
    countFact(world, 'S1', 0, { TEA: 3, MUG: 9 }),
  )
})
afterEach(() => world.drop())

const listing = (channel_sku: string, external: Record<string, string> = {}): Fact => ({
  kind: 'listing',
  document: { channel_sku, title: channel_sku, external, quantity: null },
})
const claim = (connection_id: string, limit = 10): Promise<ClaimedLine[]> =>
  claimDue(world.db, world.ctx, { connection_id, limit, lease_ms: 60_000 })
const record = (claimed: ClaimedLine[], results: AvailabilityResult[]) =>
  inTransaction(world.db, (tx) => recordResults(tx, world.ctx, claimed, results))
const setAll = (claimed: ClaimedLine[]) =>
  record(
    claimed,
    claimed.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const })),
  )
const only = (lines: ClaimedLine[], sku: string): ClaimedLine => {
  const line = lines.find(({ channel_sku }) => channel_sku === sku)
  if (line === undefined) throw new Error(`${sku} was not claimed`)
  return line
}
const rowOf = async (connection_id: string, sku: string) => {
  const [row] = await world.db.query<{
    proven_quantity: number | null
    sold_since_proof: number
    unseen: number
    state: string
    error_code: string | null
    attempts: number
    due: boolean
  }>(
    `select a.proven_quantity, a.sold_since_proof, a.unseen, a.state, a.error_code, a.attempts, a.dirty_seq > a.sent_seq as due
     from availability a join listings l on l.id = a.listing_id where l.connection_id = $1 and l.channel_sku = $2`,
    [connection_id, sku],
  )
  if (row === undefined) throw new Error(`no availability of ${sku}`)
  return row
}

describe('what is due', () => {
  it('is computed from the places that serve the connection, by kit and multipack', async () => {
    const shop = await claim('shop')
    const shown = shop.map(({ channel_sku, quantity, expected }) => `${channel_sku} ${quantity} ${String(expected)}`)
    expect(shown.sort()).toEqual(['GIFT 5 null', 'TEA 24 null', 'TEA-4PACK 5 null'])
    expect((await claim('mall')).map(({ channel_sku, quantity }) => [channel_sku, quantity])).toEqual([['TEA', 21]])
  })

  it('follows the policy and explains itself', async () => {
    world.policy('mall', { availability: { ...OPEN_SHELF, push: true, buffer: 3, cap: 5, share_percent: 50 } })
    const [computed] = await computeAvailability(world.db, world.ctx, { connection_id: 'mall' })
    expect(computed?.quantity).toBe(2)
    expect(computed?.terms.map(({ name, value }) => [name, value])).toEqual([
      ['on_hand', 21],
      ['available', 21],
      ['sellable_units', 21],
      ['share', -11],
      ['cap', -5],
      ['buffer', -3],
    ])
    world.policy('mall', { availability: { ...OPEN_SHELF, push: false, cap: null, share_percent: 100 } })
    expect(await claim('mall')).toEqual([])
  })

  it('never pushes a listing without items, and pushes it once it has some', async () => {
    expect((await claim('shop')).map((line) => line.channel_sku)).not.toContain('ODD')
    await inTransaction(world.db, (tx) =>
      mapListing(tx, world.ctx, { connection_id: 'shop', channel_sku: 'ODD', items: [{ sku: 'MUG', quantity: 2 }] }),
    )
    expect((await claim('shop')).map((line) => [line.channel_sku, line.quantity])).toEqual([['ODD', 6]])
  })

  it('makes listings due when a kit or the serving places change, and is quiet after a second run', async () => {
    await setAll(await claim('shop'))
    await setAll(await claim('mall'))
    await world.sync()
    expect(await dueConnections(world.db, ['shop', 'mall'], world.ctx.now)).toEqual([])
    await world.sync({
      kits: [{ company_id: 'acme', sku: 'GIFT', components: [{ sku: 'TEA', quantity: 3 }] }],
      connections: CATALOG.connections.map((row) =>
        row.id === 'mall' ? { ...row, serves_from: ['north', 'south'] } : row,
      ),
    })
    expect((await claim('shop')).map((line) => [line.channel_sku, line.quantity])).toEqual([['GIFT', 8]])
    expect((await claim('mall')).map((line) => [line.channel_sku, line.quantity])).toEqual([['TEA', 24]])
  })
})

describe('a push', () => {
  it('is claimed by one at a time, and again when the lease has run out', async () => {
    const first = await claim('shop', 2)
    const second = await claim('shop', 2)
    expect([first.length, second.length]).toEqual([2, 1])
    expect(await claim('shop')).toEqual([])
    world.moveTo(2)
    const third = await claim('shop')
    expect(third).toHaveLength(3)
    // The first claim's answer comes too late: the row belongs to the third.
    expect(await setAll(first)).toMatchObject({ set: 0 })
    expect(await setAll(third)).toMatchObject({ set: 3 })
  })

  it('proves a number; orders of the channel lower what it must show', async () => {
    await setAll(await claim('mall'))
    await world.apply('mall', orderFact(world, 'A', [{ sku: 'TEA', quantity: 3 }]))
    expect(await rowOf('mall', 'TEA')).toMatchObject({
      proven_quantity: 21,
      sold_since_proof: 3,
      state: 'ok',
      due: true,
    })
    const line = only(await claim('mall'), 'TEA')
    expect(line).toMatchObject({ quantity: 18, expected: 18 })
    // While the call is under way another order arrives: it stays counted, and its number stays due.
    await world.apply('mall', orderFact(world, 'B', [{ sku: 'TEA', quantity: 1 }]))
    await setAll([line])
    expect(await rowOf('mall', 'TEA')).toMatchObject({ proven_quantity: 18, sold_since_proof: 1, due: true })
    expect(only(await claim('mall'), 'TEA')).toMatchObject({ quantity: 17, expected: 17 })
  })

  it('is spared when the number is proven and nothing was sold since', async () => {
    world.policy('mall', { availability: { ...OPEN_SHELF, push: true, cap: 5, share_percent: 100 } })
    await setAll(await claim('mall'))
    await world.apply('wms', countFact(world, 'N1', 1, { TEA: 30 }))
    expect(await rowOf('mall', 'TEA')).toMatchObject({ due: true })
    expect(await claim('mall')).toEqual([])
    expect(await rowOf('mall', 'TEA')).toMatchObject({ due: false, state: 'ok' })
    world.moveTo(25 * 60)
    await world.apply('wms', countFact(world, 'N1', 25 * 60, { TEA: 31 }))
    expect(await claim('mall')).toHaveLength(1)
  })

  it('holds back what the channel has sold unseen until the order comes', async () => {
    await setAll(await claim('mall'))
    await world.apply('wms', countFact(world, 'N1', 1, { TEA: 30 }))
    const line = only(await claim('mall'), 'TEA')
    expect(line).toMatchObject({ quantity: 30, expected: 21 })
    // The channel had sold 2 of the 21.
    await record([line], [{ listing_id: line.listing_id, outcome: 'stale', actual: 19 }])
    expect(await rowOf('mall', 'TEA')).toMatchObject({ proven_quantity: 19, unseen: 2, state: 'unknown', due: true })
    const next = only(await claim('mall'), 'TEA')
    expect(next).toMatchObject({ quantity: 28, expected: 19 })
    await setAll([next])
    await world.apply('mall', orderFact(world, 'LATE', [{ sku: 'TEA', quantity: 2 }]))
    expect(await rowOf('mall', 'TEA')).toMatchObject({ proven_quantity: 28, unseen: 0, sold_since_proof: 0 })
    // 30 - 2 is what is proven: no call is needed.
    expect(await claim('mall')).toEqual([])
  })

  it('gives unseen units up once a later pull of orders has ended and the inbox is empty', async () => {
    await setAll(await claim('mall'))
    await world.apply('wms', countFact(world, 'N1', 1, { TEA: 30 }))
    const line = only(await claim('mall'), 'TEA')
    await record([line], [{ listing_id: line.listing_id, outcome: 'stale', actual: 19 }])
    await setAll(await claim('mall'))
    world.moveTo(5)
    expect(await dueConnections(world.db, ['mall'], world.ctx.now)).toEqual([])
    const pulled = (minutes: number) =>
      world.db.query(
        `insert into cursors (connection_id, stream, updated_at, pulled_at) values ('mall', 'orders', $1, $1)
         on conflict (connection_id, stream) do update set pulled_at = excluded.pulled_at`,
        [world.at(minutes)],
      )
    await pulled(0)
    expect(await dueConnections(world.db, ['mall'], world.ctx.now)).toEqual([])
    await pulled(4)
    await world.db.query(
      `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at)
       values ('mall', 'poll', 'order', 'x', '\\x00', now(), now(), now())`,
    )
    expect(await dueConnections(world.db, ['mall'], world.ctx.now)).toEqual([])
    await world.db.query(`update inbox set state = 'done', processed_at = now()`)
    expect(await dueConnections(world.db, ['mall'], world.ctx.now)).toEqual(['mall'])
    expect(only(await claim('mall'), 'TEA')).toMatchObject({ quantity: 30, expected: 28 })
  })

  it('reckons with an answer that got lost, unless nothing can have been sent', async () => {
    await setAll(await claim('mall'))
    await world.apply('wms', countFact(world, 'N1', 1, { TEA: 30 }))
    const lost = await claim('mall')
    await inTransaction(world.db, (tx) =>
      releaseClaims(tx, world.ctx, lost, new HubError('outcome_unknown', 'no answer')),
    )
    expect(await rowOf('mall', 'TEA')).toMatchObject({ due: true, attempts: 1, error_code: 'outcome_unknown' })
    expect(await claim('mall')).toEqual([])
    world.moveTo(1)
    const again = only(await claim('mall'), 'TEA')
    // It may show 30 by now and have sold 9 of them; 21 is safe in either case.
    expect(again).toMatchObject({ quantity: 21, expected: 21 })
    await record([again], [{ listing_id: again.listing_id, outcome: 'stale', actual: 30 }])
    expect(await rowOf('mall', 'TEA')).toMatchObject({ proven_quantity: 30, unseen: 0 })
    expect(await claim('mall')).toMatchObject([{ quantity: 30, expected: 30 }])

    await world.apply('wms', countFact(world, 'S1', 1, { TEA: 5 }))
    const open = await claim('shop')
    await inTransaction(world.db, (tx) =>
      releaseClaims(tx, world.ctx, open, new HubError('circuit_open', 'not called', { retry_after_ms: 90_000 })),
    )
    world.moveTo(2)
    expect(await claim('shop')).toEqual([])
    world.moveTo(3)
    expect(only(await claim('shop'), 'TEA')).toMatchObject({ quantity: 35, expected: null })
  })

  it('shows a refusal, waits longer each time, and rests after many until the number moves', async () => {
    for (let attempt = 1; attempt <= PUSH_ATTEMPTS_MAX; attempt += 1) {
      const [line] = await claim('mall')
      await record(
        [line!],
        [{ listing_id: line!.listing_id, outcome: 'refused', code: 'vendor_rejected', detail: 'no such offer' }],
      )
      expect(await rowOf('mall', 'TEA')).toMatchObject({
        state: 'error',
        error_code: 'vendor_rejected',
        attempts: attempt,
      })
      expect(await claim('mall')).toEqual([])
      world.moveTo(attempt * 20)
    }
    expect(await rowOf('mall', 'TEA')).toMatchObject({ due: false, state: 'error' })
    expect(await claim('mall')).toEqual([])
    await world.apply('wms', countFact(world, 'N1', 1, { TEA: 22 }))
    await setAll(await claim('mall'))
    expect(await rowOf('mall', 'TEA')).toMatchObject({
      state: 'ok',
      error_code: null,
      attempts: 0,
      proven_quantity: 22,
    })
  })

  it('gives back a line that the channel did not answer for', async () => {
    const claimed = await claim('shop')
    const [first] = claimed
    expect(await record(claimed, [{ listing_id: first!.listing_id, outcome: 'set' }])).toEqual({
      set: 1,
      stale: 0,
      refused: 0,
      missing: 2,
    })
    expect(await claim('shop')).toEqual([])
    world.moveTo(1)
    expect(await claim('shop')).toHaveLength(2)
  })
})

describe('listings', () => {
  it('merges external ids, keeps titles, and tells what is unmapped', async () => {
    const outcomes = await world.apply('shop', listing('TEA', { a: '1' }), listing('TEA', { b: '2' }), listing('ODD'))
    expect(outcomes).toEqual([
      { kind: 'applied', summary: 'listing' },
      { kind: 'applied', summary: 'listing' },
      { kind: 'applied', summary: 'listing, unmapped' },
    ])
    const [row] = await world.db.query(
      `select external, title from listings where connection_id = 'shop' and channel_sku = 'TEA'`,
    )
    expect(row).toEqual({ external: { a: '1', b: '2' }, title: 'TEA' })
  })

  it('wakes what waited when a listing is mapped or its item appears', async () => {
    const park = (wake_key: string) =>
      world.db.query(
        `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at, state, cause_code, wake_key)
         values ('shop', 'webhook', 'order', $1, '\\x00', now(), now(), now(), 'parked', 'unknown_sku', $1)`,
        [wake_key],
      )
    const asleep = async () =>
      (await world.db.query<{ wake_key: string }>(`select wake_key from inbox where state = 'parked' order by 1`)).map(
        (row) => row.wake_key,
      )
    for (const key of [
      'listing:shop:ODD',
      'listing:shop:LAMP',
      'item:acme:LAMP',
      'location:wms:E1',
      'location:shop:east',
    ])
      await park(key)
    await world.apply('shop', listing('LAMP'))
    expect(await asleep()).toHaveLength(5)
    await inTransaction(world.db, (tx) =>
      mapListing(tx, world.ctx, { connection_id: 'shop', channel_sku: 'ODD', items: [{ sku: 'MUG', quantity: 1 }] }),
    )
    expect(await asleep()).not.toContain('listing:shop:ODD')
    const east = { ...CATALOG.locations[0]!, id: 'east', external_code: 'E1' }
    await world.sync({
      items: [...CATALOG.items, { company_id: 'acme', sku: 'LAMP', name: null, barcode: null }],
      locations: [...CATALOG.locations, east],
    })
    expect(await asleep()).toEqual([])
    expect((await claim('shop')).map((line) => line.channel_sku)).toContain('LAMP')
  })

  it('refuses a mapping to nothing or to an unknown item', async () => {
    const map = (items: { sku: string; quantity: number }[]) =>
      inTransaction(world.db, (tx) => mapListing(tx, world.ctx, { connection_id: 'shop', channel_sku: 'ODD', items }))
    await expect(map([])).rejects.toMatchObject({ code: 'bad_request' })
    await expect(map([{ sku: 'NOPE', quantity: 1 }])).rejects.toMatchObject({ code: 'unknown_sku' })
  })

  it('refuses a kit of items that do not exist, and lets a location go that left the catalog', async () => {
    const kits = [{ company_id: 'acme', sku: 'GIFT', components: [{ sku: 'NOPE', quantity: 1 }] }]
    await expect(world.sync({ kits })).rejects.toMatchObject({ code: 'config_invalid' })
    await world.sync({ locations: [CATALOG.locations[0]!] })
    const [tea] = await computeAvailability(world.db, world.ctx, { connection_id: 'mall' })
    expect(tea?.quantity).toBe(21)
    expect(await world.db.query('select id from locations where active')).toEqual([{ id: 'north' }])
  })
})
