import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { computeAvailability } from '../../../src/core/availability/load.ts'
import { claimDue, recordResults, type ClaimedLine } from '../../../src/core/availability/push.ts'
import {
  listStockRules,
  setStockRule,
  syncStockRules,
  unsetStockRule,
  type StockRuleWish,
} from '../../../src/core/availability/ruleChanges.ts'
import { loadStockRules } from '../../../src/core/availability/stockRules.ts'
import { explainSku } from '../../../src/core/inventory/read.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { OPEN_SHELF } from '../../kit/orders.ts'
import { countFact, createWorld, orderFact, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.apply('shop', listing('TEA'), listing('MUG'), listing('GIFT'))
  await world.apply('mall', listing('TEA'))
  await world.apply(
    'wms',
    countFact(world, 'N1', 0, { TEA: 21, MUG: 4 }),
    countFact(world, 'S1', 0, { TEA: 3, MUG: 9 }),
  )
  for (const channel of ['shop', 'mall']) await tell(channel)
})
afterEach(() => world.drop())

const listing = (channel_sku: string): Fact => ({
  kind: 'listing',
  document: { channel_sku, title: channel_sku, external: {}, quantity: null },
})
const claim = (connection_id: string): Promise<ClaimedLine[]> =>
  claimDue(world.db, world.ctx, { connection_id, limit: 50, lease_ms: 60_000 })
async function tell(connection_id: string): Promise<string[]> {
  const lines = await claim(connection_id)
  const results = lines.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const }))
  await inTransaction(world.db, (tx) => recordResults(tx, world.ctx, lines, results))
  return lines.map(({ channel_sku, quantity }) => `${channel_sku} ${quantity}`).toSorted()
}
const dueRows = async (): Promise<string[]> =>
  (
    await world.db.query<{ name: string }>(
      `select a.connection_id || ' ' || l.channel_sku as name from availability a join listings l on l.id = a.listing_id
       where a.due order by 1`,
    )
  ).map((row) => row.name)

const BLANK: StockRuleWish = {
  company_id: 'acme', connection_id: null, sku: null, location_id: null, safety_units: null, buffer_units: null,
  buffer_percent: null, share_percent: null, cap: null, zero_below: null, backorder: null, backorder_units_max: null,
} // prettier-ignore
const set = (change: Partial<StockRuleWish>, by = 'user:anna') =>
  inTransaction(world.db, (tx) => setStockRule(tx, { ...BLANK, ...change }, by, world.ctx.now))
const unset = (change: Partial<StockRuleWish>) =>
  inTransaction(world.db, (tx) => unsetStockRule(tx, { ...BLANK, ...change }, 'user:anna', world.ctx.now))
const sync = (...rules: Partial<StockRuleWish>[]) =>
  inTransaction(world.db, (tx) =>
    syncStockRules(
      tx,
      rules.map((rule) => ({ ...BLANK, ...rule })),
      world.ctx.now,
    ),
  )
const numberOf = async (connection_id: string, channel_sku: string): Promise<number | undefined> => {
  const [row] = await world.db.query<{ id: number }>(
    'select id from listings where connection_id = $1 and channel_sku = $2',
    [connection_id, channel_sku],
  )
  return (await computeAvailability(world.db, world.ctx, { listing_ids: [row!.id] }))[0]?.quantity
}

describe('a stock rule', () => {
  it('changes the number at once, and touches only the listings that it speaks of', async () => {
    expect(await dueRows()).toEqual([])
    await set({ connection_id: 'shop', sku: 'TEA', buffer_units: 5 })
    // The kit and the multipack take TEA too, and are looked at again; what comes out the same is settled without a call.
    expect(await dueRows()).toEqual(['shop GIFT', 'shop TEA', 'shop TEA-4PACK'])
    // The multipack is a listing of TEA: five packs are kept back of it.
    expect(await tell('shop')).toEqual(['TEA 19', 'TEA-4PACK 0'])
    expect(await tell('mall')).toEqual([])
    await set({ location_id: 'south', safety_units: 2 })
    expect(await dueRows()).toEqual(['shop GIFT', 'shop MUG', 'shop TEA', 'shop TEA-4PACK'])
    expect(await numberOf('shop', 'TEA')).toBe(17)
    expect(await numberOf('shop', 'MUG')).toBe(11)
    await tell('shop')
    await set({ cap: 3 })
    expect(await dueRows()).toEqual(['mall TEA', 'shop GIFT', 'shop MUG', 'shop TEA', 'shop TEA-4PACK'])
    expect(await numberOf('mall', 'TEA')).toBe(3)
    expect(await unset({ cap: 3 })).toBe(true)
    expect(await unset({})).toBe(false)
    expect(await numberOf('mall', 'TEA')).toBe(21)
  })

  it('is written down with who set it, and setting it again changes nothing', async () => {
    const first = await set({ sku: 'TEA', cap: 9 })
    expect(await set({ sku: 'TEA', cap: 9 }, 'user:ben')).toEqual(first)
    await set({ sku: 'TEA', cap: 8 }, 'user:ben')
    const { rows } = await listStockRules(world.db, { sku: 'TEA' })
    expect(rows).toMatchObject([{ sku: 'TEA', cap: 8, source: 'user', changed_by: 'user:ben' }])
    expect(await world.db.query('select actor, action, subject, data from audit_log order by id')).toEqual([
      { actor: 'user:anna', action: 'stock_rule.set', subject: 'stock-rule:acme/*/TEA/*', data: { before: {}, after: { cap: 9 } } }, // prettier-ignore
      { actor: 'user:ben', action: 'stock_rule.set', subject: 'stock-rule:acme/*/TEA/*', data: { before: { cap: 9 }, after: { cap: 8 } } }, // prettier-ignore
    ])
    const [{ id } = { id: 0 }] = await world.db.query<{ id: number }>(`select id from items where sku = 'MUG'`)
    expect(await loadStockRules(world.db, { company_ids: ['acme'], item_ids: [id] })).toEqual([])
  })

  it.each([
    ['sets nothing', {}, 'bad_request'],
    ['caps one place', { location_id: 'north', cap: 4 }, 'bad_request'],
    ['names an unknown company', { company_id: 'nobody', cap: 4 }, 'not_found'],
    ['names an unknown SKU', { sku: 'NOPE', cap: 4 }, 'not_found'],
    ['names an unknown connection', { connection_id: 'nope', cap: 4 }, 'not_found'],
    ['names an unknown location', { location_id: 'nope', safety_units: 4 }, 'not_found'],
  ])('is refused when it %s', async (_, change, code) => {
    await expect(set(change)).rejects.toMatchObject({ code })
  })
})

describe('rules of the configuration', () => {
  it('come and go with the file; what a person has set stays', async () => {
    expect(await sync({ sku: 'TEA', cap: 9 }, { connection_id: 'mall', buffer_units: 1 })).toBe(2)
    expect(await sync({ sku: 'TEA', cap: 9 }, { connection_id: 'mall', buffer_units: 1 })).toBe(0)
    expect(await numberOf('mall', 'TEA')).toBe(8)
    await expect(unset({ connection_id: 'mall' })).rejects.toMatchObject({ code: 'conflict' })
    await set({ sku: 'TEA', cap: 7 })
    expect(await sync({ sku: 'TEA', cap: 10 })).toBe(1)
    expect(await numberOf('mall', 'TEA')).toBe(7)
    expect((await listStockRules(world.db, {})).rows).toMatchObject([{ sku: 'TEA', cap: 7, source: 'user' }])
    await unset({ sku: 'TEA' })
    expect(await sync({ sku: 'TEA', cap: 10 })).toBe(1)
    expect(await numberOf('mall', 'TEA')).toBe(10)
    await expect(sync({ sku: 'NOPE', cap: 1 })).rejects.toMatchObject({ code: 'config_invalid' })
    await world.sync({ stock_rules: [] })
    expect(await numberOf('mall', 'TEA')).toBe(21)
  })
})

describe('what depends on who waits', () => {
  it('leaves to a more urgent channel what it waits for, and shows what may be ordered ahead', async () => {
    world.policy('mall', { priority: 10, shortfall: 'all_or_nothing' })
    // 25 are wanted from `north` alone, where 21 are: nothing is taken, and the less urgent channel may not sell them.
    await world.apply('mall', orderFact(world, 'BIG', [{ sku: 'TEA', quantity: 25 }]))
    await world.db.query(`update reservations set priority = 10`)
    expect(await numberOf('shop', 'TEA')).toBe(3)
    expect(await numberOf('mall', 'TEA')).toBe(21)
    await set({ connection_id: 'shop', sku: 'TEA', backorder: 'backorder', backorder_units_max: 6 })
    expect(await numberOf('shop', 'TEA')).toBe(9)
    await world.db.query(`update reservations set backordered = true, quantity = 4`)
    expect(await numberOf('shop', 'TEA')).toBe(22)
  })

  it('counts places of last resort only where drop-shipping is allowed, and other places only where a transfer is', async () => {
    world.policy('shop', { last_resort: ['south'] })
    expect(await numberOf('shop', 'TEA')).toBe(21)
    await set({ connection_id: 'shop', sku: 'TEA', backorder: 'drop_ship', backorder_units_max: 0 })
    expect(await numberOf('shop', 'TEA')).toBe(24)
    await set({ connection_id: 'mall', sku: 'TEA', backorder: 'transfer' })
    expect(await numberOf('mall', 'TEA')).toBe(24)
  })
})

describe('the explanation of a SKU', () => {
  it('adds up, names the rule behind each field, and what was published when', async () => {
    world.policy('mall', { availability: { ...OPEN_SHELF, push: true, buffer: 2 } })
    await set({ sku: 'TEA', share_percent: 50 })
    await set({ location_id: 'north', safety_units: 1 })
    world.moveTo(3)
    expect(await tell('mall')).toEqual(['TEA 8'])
    world.moveTo(4)
    await world.apply('mall', orderFact(world, 'A1', [{ sku: 'TEA', quantity: 2 }]))
    await tell('mall')
    const explained = await explainSku(world.db, world.ctx, 'TEA')
    const mall = explained.listings.find(({ connection_id }) => connection_id === 'mall')
    expect(mall).toMatchObject({ due_quantity: 7, proven_quantity: 7 })
    expect(mall?.publications.map(({ at, quantity }) => [at, quantity])).toEqual([
      [world.at(4).toISOString(), 7],
      [world.at(3).toISOString(), 8],
      [world.at(0).toISOString(), 21],
    ])
    expect(mall?.publications[0]?.terms).toEqual(mall?.terms)
    const total = mall?.terms.reduce((sum, { sku, location_id, value }) => sum + ((sku ?? location_id) ? 0 : value), 0)
    expect(total).toBe(7)
    const named = { connection_id: null, sku: 'TEA', location_id: null }
    expect(mall?.rules).toEqual([
      { field: 'share_percent', value: 50, sku: 'TEA', location_id: null, source: 'user', rule: named, changed_by: 'user:anna', changed_at: world.at(0).toISOString() }, // prettier-ignore
      { field: 'buffer_units', value: 2, sku: 'TEA', location_id: null, source: 'connection', rule: null, changed_by: null, changed_at: null }, // prettier-ignore
      { field: 'safety_units', value: 1, sku: 'TEA', location_id: 'north', source: 'user', rule: { ...named, sku: null, location_id: 'north' }, changed_by: 'user:anna', changed_at: world.at(0).toISOString() }, // prettier-ignore
    ])
    expect(explained.promises).toMatchObject([{ connection_id: 'mall', quantity: 2, state: 'committed' }])
  })

  it('leaves one row for a number that is told again and again', async () => {
    const before = await world.db.query('select 1 from publications')
    for (const minutes of [30 * 60, 60 * 60]) {
      world.moveTo(minutes)
      await world.db.query('update availability set dirty_seq = dirty_seq + 1')
      expect(await tell('mall')).toEqual(['TEA 21'])
    }
    expect(await world.db.query('select 1 from publications')).toHaveLength(before.length)
  })
})
