import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expireCartHolds, releaseHolds } from '../../../src/core/holds/end.ts'
import { extendHold } from '../../../src/core/holds/extend.ts'
import { showHold } from '../../../src/core/holds/read.ts'
import { reserveHolds } from '../../../src/core/holds/reserve.ts'
import type { HoldRequest, HoldVerdict } from '../../../src/core/holds/wishes.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { wish } from '../../kit/holds.ts'
import { createWorld, line, order, orderFact, policy, reservationsOf, stockOf, type World } from '../../kit/orders.ts'

let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 16 })
})
afterEach(async () => {
  const { checks } = await verify(world.db)
  await world.database.drop()
  const broken = checks.filter(({ violations }) => violations > 0).map(({ name }) => name)
  if (broken.length > 0) throw new Error(`broken: ${broken.join(', ')}`)
})

const ask = (...requests: HoldRequest[]): Promise<HoldVerdict[]> =>
  inTransaction(world.db, (tx) => reserveHolds(tx, world.ctx, requests))

async function held(request: HoldRequest): Promise<string> {
  const [verdict] = await ask(request)
  if (verdict?.kind !== 'held') throw new Error(`not held: ${JSON.stringify(verdict)}`)
  return verdict.id
}
const holdCount = async (): Promise<number> => (await world.db.query('select 1 from holds')).length
const item = (sku: string): number => world.items.get(sku) ?? 0
const minutes = (count: number): void => {
  world.clock.now = new Date(world.clock.now.getTime() + count * 60_000)
}

describe('a batch of wishes', () => {
  it('keeps units for the cart and says until when', async () => {
    await world.addItem('A', { north: 3 })
    const [verdict] = await ask(wish({ A: 2 }))
    expect(verdict).toMatchObject({
      kind: 'held',
      state: 'held',
      again: false,
      expires_at: new Date('2026-03-01T09:10:00Z'),
      lines: [{ channel_sku: 'A', quantity: 2, held: 2, short_by: 0 }],
    })
    expect(await stockOf(world.db, item('A'))).toEqual({
      north: { available: 1, reserved: 2, committed: 0 },
      south: { available: 0, reserved: 0, committed: 0 },
    })
  })

  it('writes one ledger line for an item and place, however many holds there are', async () => {
    await world.addItem('A', { north: 10 })
    await ask(wish({ A: 1 }), wish({ A: 2 }), wish({ A: 3 }))
    const lines = await world.db.query(
      `select quantity, source like 'holds:%' as batch from stock_ledger where reason = 'hold'`,
    )
    expect(lines).toEqual([{ quantity: 6, batch: true }])
  })

  it('gives all or nothing, says how many are missing, and leaves nothing behind', async () => {
    await world.addItem('A', { north: 1, south: 1 })
    await world.addItem('B', { north: 5 })
    const [verdict] = await ask(wish({ A: 3, B: 2 }))
    expect(verdict).toEqual({
      kind: 'refused',
      reason: 'insufficient',
      lines: [
        { channel_sku: 'A', quantity: 3, held: 0, short_by: 1 },
        { channel_sku: 'B', quantity: 2, held: 0, short_by: 0 },
      ],
    })
    expect(await holdCount()).toBe(0)
    expect(await world.db.query(`select 1 from stock_ledger where reason = 'hold'`)).toEqual([])
    expect((await stockOf(world.db, item('B')))['north']).toEqual({ available: 5, reserved: 0, committed: 0 })
  })

  it('gives a loser nothing and the next one everything, within one batch', async () => {
    await world.addItem('A', { north: 2 })
    const verdicts = await ask(wish({ A: 3 }), wish({ A: 2 }), wish({ A: 1 }))
    expect(verdicts.map(({ kind }) => kind)).toEqual(['refused', 'held', 'refused'])
    expect(await holdCount()).toBe(1)
  })

  it('gives what there is where part of it is enough', async () => {
    await world.addItem('A', { north: 2 })
    await world.addItem('B', { north: 0 })
    const [verdict, nothing] = await ask(
      wish({ A: 5, B: 1 }, { shortfall: 'partial' }),
      wish({ A: 1 }, { shortfall: 'partial' }),
    )
    expect(verdict).toMatchObject({
      kind: 'held',
      lines: [
        { channel_sku: 'A', held: 2, short_by: 3 },
        { channel_sku: 'B', held: 0, short_by: 1 },
      ],
    })
    expect(nothing).toMatchObject({ kind: 'refused', reason: 'insufficient' })
  })

  it('serves kits that share a component, whole and from one place', async () => {
    await world.addItem('A', { north: 1, south: 2 })
    await world.addItem('B', { north: 2, south: 1 })
    await world.addKit('K', { A: 1, B: 1 })
    await world.addKit('L', { A: 2 })
    expect(await ask(wish({ K: 3 }))).toMatchObject([{ kind: 'refused', lines: [{ short_by: 1 }] }])
    const verdicts = await ask(wish({ K: 2 }), wish({ L: 1 }), wish({ A: 1 }))
    expect(verdicts.map(({ kind }) => kind)).toEqual(['held', 'refused', 'held'])
    expect(await stockOf(world.db, item('B'))).toMatchObject({ north: { reserved: 1 }, south: { reserved: 1 } })
  })

  it('sums two lines of one SKU', async () => {
    await world.addItem('A', { north: 3 })
    const verdicts = await ask(wish([['A', 2], ['A', 2]]), wish([['A', 2], ['A', 1]])) // prettier-ignore
    expect(verdicts).toMatchObject([
      { kind: 'refused', lines: [{ short_by: 0 }, { short_by: 1 }] },
      { kind: 'held', lines: [{ held: 2 }, { held: 1 }] },
    ])
  })

  it('serves the more urgent channel first, then the order of asking', async () => {
    await world.db.query(`insert into connections (id, connector, company_id) values ('b2b', 'shop', 'acme')`)
    world.policies.set('b2b', policy('b2b', { priority: 1 }))
    await world.addItem('A', { north: 2 })
    const verdicts = await ask(wish({ A: 1 }), wish({ A: 1 }), wish({ A: 1 }, { connection_id: 'b2b' }))
    expect(verdicts.map(({ kind }) => kind)).toEqual(['held', 'refused', 'held'])
  })

  it('names the line whose SKU nobody knows', async () => {
    await world.addItem('A', { north: 2 })
    expect(await ask(wish({ A: 1, Z: 1 }), wish({ A: 1 }))).toMatchObject([
      { kind: 'unknown_sku', channel_sku: 'Z', path: '$.lines[1].channel_sku' },
      { kind: 'held' },
    ])
  })

  it('makes the listing due on its channel', async () => {
    await world.addItem('A', { north: 2 })
    await world.db.query('update availability set sent_seq = dirty_seq')
    await held(wish({ A: 1 }))
    expect(await world.db.query('select due from availability')).toEqual([{ due: true }])
  })
})

describe('units that somebody more urgent waits for', () => {
  it('are kept for him: a cart of the webstore does not get them', async () => {
    await world.addItem('A', { north: 2 })
    await world.db.query(`insert into connections (id, connector, company_id) values ('contract', 'shop', 'acme')`)
    world.policies.set('contract', policy('contract', { priority: 10, shortfall: 'all_or_nothing' }))
    await world.apply([orderFact(order('big', [line('1', 'A', 3)]))], 'contract')
    const [verdict] = await ask(wish({ A: 1 }))
    expect(verdict).toMatchObject({ kind: 'refused', reason: 'insufficient', lines: [{ short_by: 1 }] })
    expect((await stockOf(world.db, item('A')))['north']).toEqual({ available: 2, reserved: 0, committed: 0 })
  })
})

describe('the same key', () => {
  it('answers the same again, also within a batch and after the hold is over', async () => {
    await world.addItem('A', { north: 5 })
    const request = wish({ A: 2 })
    const [first, twin] = await ask(request, request)
    const [again] = await ask(request)
    expect(twin).toEqual({ ...first, again: true })
    expect(again).toEqual({ ...first, again: true })
    expect(await holdCount()).toBe(1)
    if (first?.kind !== 'held') throw new Error('not held')
    await inTransaction(world.db, (tx) => releaseHolds(tx, world.ctx, [first.id]))
    expect(await ask(request)).toMatchObject([{ kind: 'held', id: first.id, state: 'released', again: true }])
  })

  it('is a conflict with another wish', async () => {
    await world.addItem('A', { north: 5 })
    const request = wish({ A: 2 })
    const other = { ...request, minutes: 11 }
    expect(await ask(request, other)).toMatchObject([{ kind: 'held' }, { kind: 'conflict' }])
    expect(await ask(other)).toEqual([{ kind: 'conflict' }])
  })

  it('makes one hold when it is asked for from many sides at once', async () => {
    await world.addItem('A', { north: 50 })
    const request = wish({ A: 1 })
    const answers = (await Promise.all(Array.from({ length: 12 }, () => ask(request)))).flat()
    expect(new Set(answers.map((answer) => (answer.kind === 'held' ? answer.id : answer.kind))).size).toBe(1)
    expect((await stockOf(world.db, item('A')))['north']).toMatchObject({ available: 49, reserved: 1 })
  })

  it('is free again after a refusal', async () => {
    await world.addItem('A', { north: 1 })
    const request = wish({ A: 2 })
    expect(await ask(request)).toMatchObject([{ kind: 'refused' }])
    expect(await ask({ ...request, lines: [{ channel_sku: 'A', quantity: 1 }] })).toMatchObject([{ kind: 'held' }])
  })
})

describe('limits', () => {
  const limit = (holds: Partial<{ minutes_max: number; units_max: number; units_per_item_max: number }>): void => {
    world.policies.set(
      'shop',
      policy('shop', { holds: { minutes_max: 30, units_max: 1_000, units_per_item_max: 1_000, ...holds } }),
    )
  }

  it('bounds how long, how many of the channel, and how many of an item', async () => {
    limit({ units_max: 10, units_per_item_max: 6 })
    await world.addItem('A', { north: 100 })
    await world.addItem('B', { north: 100 })
    expect(await ask(wish({ A: 1 }, { minutes: 31 }), wish({ A: 4 }), wish({ A: 3 }), wish({ A: 2 }), wish({ B: 5 }), wish({ B: 4 }))).toMatchObject([
      { kind: 'refused', reason: 'limit', limit: 'minutes_max', max: 30, asked: 31 },
      { kind: 'held' },
      { kind: 'refused', limit: 'units_per_item_max', max: 6, asked: 3, left: 2 },
      { kind: 'held' },
      { kind: 'refused', limit: 'units_max', max: 10, asked: 5, left: 4 },
      { kind: 'held' },
    ]) // prettier-ignore
  })

  it('counts what a key keeps over all channels, and forgets what is over', async () => {
    await world.addItem('A', { north: 100 })
    const api_key = { id: 'k1', units_max: 3 }
    const first = await held(wish({ A: 2 }, { api_key }))
    const more = wish({ A: 2 }, { api_key, connection_id: 'bank' })
    expect(await ask(more, wish({ A: 2 }))).toMatchObject([{ limit: 'hold_units_max', left: 1 }, { kind: 'held' }])
    await inTransaction(world.db, (tx) => releaseHolds(tx, world.ctx, [first]))
    expect(await ask(more)).toMatchObject([{ kind: 'held' }])
  })

  it.each([
    { name: 'a channel', bound: { units_max: 25 }, api_key: null },
    { name: 'an item of a channel', bound: { units_per_item_max: 25 }, api_key: null },
    { name: 'a key', bound: {}, api_key: { id: 'k', units_max: 25 } },
  ])('keeps the bound of $name exactly under a race', async ({ bound, api_key }) => {
    limit(bound)
    await world.addItem('A', { north: 60, south: 60 })
    await world.addItem('B', { north: 60 })
    const lines = (n: number): Record<string, number> =>
      'units_per_item_max' in bound || n % 2 === 0 ? { A: 1 } : { B: 1 }
    const verdicts = (
      await Promise.all(
        Array.from({ length: 12 }, () => ask(...Array.from({ length: 5 }, (_, n) => wish(lines(n), { api_key })))),
      )
    ).flat()
    expect(verdicts.filter(({ kind }) => kind === 'held')).toHaveLength(25)
    expect(verdicts.filter((verdict) => verdict.kind === 'refused' && verdict.reason === 'limit')).toHaveLength(35)
  })
})

describe('the end of a hold', () => {
  const expire = (): Promise<number> => inTransaction(world.db, (tx) => expireCartHolds(tx, world.ctx, 1_000))

  it('comes by itself when its time is over', async () => {
    await world.addItem('A', { north: 3 })
    const soon = await held(wish({ A: 1 }, { minutes: 5 }))
    const later = await held(wish({ A: 1 }, { minutes: 15 }))
    minutes(10)
    expect([await expire(), await expire()]).toEqual([1, 0])
    expect((await showHold(world.db, soon))?.state).toBe('expired')
    expect((await showHold(world.db, later))?.state).toBe('held')
    expect((await stockOf(world.db, item('A')))['north']).toEqual({ available: 2, reserved: 1, committed: 0 })
  })

  it('gives the units to the order that waits for them', async () => {
    await world.addItem('A', { north: 1 })
    const id = await held(wish({ A: 1 }))
    await world.apply([orderFact(order('1', [line('1', 'A', 1)]))])
    expect(await reservationsOf(world.db, '1')).toEqual(['shortfall - A 1'])
    expect(await inTransaction(world.db, (tx) => releaseHolds(tx, world.ctx, [id, id]))).toEqual([id])
    expect(await inTransaction(world.db, (tx) => releaseHolds(tx, world.ctx, [id]))).toEqual([])
    expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 1'])
  })

  it('is put off at most to the longest life of a hold, counted from its making', async () => {
    await world.addItem('A', { north: 1 })
    const id = await held(wish({ A: 1 }))
    const extend = (count: number) => inTransaction(world.db, (tx) => extendHold(tx, world.ctx, id, count))
    minutes(5)
    expect(await extend(2)).toEqual({ kind: 'extended', expires_at: new Date('2026-03-01T09:10:00Z') })
    expect(await extend(25)).toEqual({ kind: 'extended', expires_at: new Date('2026-03-01T09:30:00Z') })
    expect(await extend(26)).toEqual({ kind: 'limit', latest: new Date('2026-03-01T09:30:00Z'), max: 30 })
    minutes(25)
    expect(await extend(1)).toEqual({ kind: 'over', state: 'expired' })
  })

  it('comes earlier when a count finds less, the youngest first, before any order loses its units', async () => {
    await world.addItem('A', { south: 6 })
    await world.apply([orderFact(order('1', [line('1', 'A', 2)]))])
    const old = await held(wish({ A: 2 }))
    const young = await held(wish({ A: 2 }))
    const count = { external_id: 'c1', location_code: 'S1', as_of: '2026-03-01T09:01:00Z' }
    minutes(2)
    await world.apply([{ kind: 'stock_count', document: { ...count, lines: [{ sku: 'A', on_hand: 3, damaged: 0, quality_control: 0 }] } }], 'depot') // prettier-ignore
    expect((await showHold(world.db, young))?.state).toBe('released')
    expect(await showHold(world.db, old)).toMatchObject({ state: 'held', lines: [{ held: 1, short_by: 1 }] })
    expect(await reservationsOf(world.db, '1')).toEqual(['committed south A 2'])
    expect((await stockOf(world.db, item('A')))['south']).toEqual({ available: 0, reserved: 1, committed: 2 })
  })
})
