import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  decideMovement,
  requestMovement,
  type MovementRequest,
  type MovementResult,
} from '../../../src/core/movements/movements.ts'
import { mayBeSamePerson } from '../../../src/core/movements/persons.ts'
import { kindOf, MOVEMENT_KIND_NAMES, wayOf } from '../../../src/core/movements/rulesMovement.ts'
import { listMovements } from '../../../src/core/movements/sql.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, orderOf, workOf, type World } from '../world.ts'

const LIMIT = 100

let world: World
let serial = 0
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())
afterEach(() => expectWhole())

async function expectWhole(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
}

const wish = (change: Partial<MovementRequest>): MovementRequest => ({
  key: `K${(serial += 1)}`,
  kind: 'receive',
  sku: 'TEA',
  location: 'north',
  quantity: 1,
  reason: 'delivery',
  ...change,
})

const ask = (change: Partial<MovementRequest>, by = 'user:anna'): Promise<MovementResult> =>
  inTransaction(world.db, (tx) => requestMovement(tx, world.ctx, wish(change), by, LIMIT))
const decide = (id: string, verdict: 'approve' | 'reject', by: string): Promise<MovementResult> =>
  inTransaction(world.db, (tx) => decideMovement(tx, world.ctx, id, verdict, by))

async function waiting(change: Partial<MovementRequest>, by = 'user:anna'): Promise<string> {
  const result = await ask(change, by)
  if (result.kind !== 'waiting') throw new Error(`expected to wait, got ${result.kind}`)
  return result.movement.id
}

describe('movements by hand', () => {
  it('move units between the states of the table', async () => {
    await ask({ kind: 'receive', quantity: 20 })
    await ask({ kind: 'receive', quantity: 6, to: 'quality_control', reason: 'customer_return' })
    await ask({ kind: 'put_away', quantity: 2, reason: 'inspected' })
    await ask({ kind: 'damage', quantity: 3, reason: 'broken' })
    await ask({ kind: 'repair', quantity: 1, reason: 'repaired' })
    await ask({ kind: 'quarantine', quantity: 4, reason: 'recall' })
    await ask({ kind: 'release', quantity: 1, reason: 'recall_ended' })
    await ask({ kind: 'set_safety', quantity: 5, reason: 'reserve_policy' })
    await ask({ kind: 'set_safety', quantity: 2, reason: 'reserve_policy', from: 'safety_stock' })
    await ask({ kind: 'write_off', quantity: 1, reason: 'broken', from: 'damaged' })
    await ask({ kind: 'found', quantity: 2, reason: 'found_on_shelf' })
    await ask({ kind: 'lost', quantity: 1, reason: 'stolen' })
    expect(await world.stock('TEA', 'north')).toEqual({
      available: 20 + 2 - 3 + 1 - 4 + 1 - 5 + 2 + 2 - 1,
      reserved: 0,
      committed: 0,
      damaged: 3 - 1 - 1,
      quality_control: 6 - 2 + 4 - 1,
      safety_stock: 3,
      incoming: 0,
      on_hand: 20 + 6 - 1 + 2 - 1,
    })
    const [entry] = await world.db.query(
      `select actor, action, data ->> 'reason' as reason from audit_log order by id desc limit 1`,
    )
    expect(entry).toEqual({ actor: 'user:anna', action: 'stock.move', reason: 'stolen' })
  })

  it('take only reasons and ways of their kind, and every kind has some', async () => {
    for (const kind of MOVEMENT_KIND_NAMES)
      expect(wayOf({ kind, reason: kindOf(kind).reasons[0]! })).toMatchObject({ kind: 'way' })
    await expect(ask({ reason: 'stolen' })).rejects.toMatchObject({ code: 'bad_request', path: 'reason' })
    await expect(ask({ to: 'damaged' })).rejects.toMatchObject({ code: 'bad_request', path: 'to' })
    await expect(ask({ lot: 'L1' })).rejects.toMatchObject({ code: 'bad_request', path: 'lot' })
    await expect(ask({ expires_on: '2026-12-24' })).rejects.toMatchObject({ code: 'bad_request', path: 'expires_on' })
    await expect(ask({ sku: 'NONE' })).rejects.toMatchObject({ code: 'unknown_sku', path: 'sku' })
    await expect(ask({ sku: 'GIFT' })).rejects.toMatchObject({ code: 'bad_request', path: 'sku' })
    await expect(ask({ location: 'moon' })).rejects.toMatchObject({ code: 'unknown_location' })
    await expect(ask({ occurred_at: world.at(5) })).rejects.toMatchObject({ path: 'occurred_at' })
  })

  it('answer the same again under the same key, and refuse another wish under it', async () => {
    const before = await world.stock('TEA', 'north')
    const first = await ask({ key: 'twice', quantity: 2 })
    const again = await ask({ key: 'twice', quantity: 2 })
    expect(again).toEqual(first)
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: before.on_hand + 2 })
    await expect(ask({ key: 'twice', quantity: 3 })).rejects.toMatchObject({ code: 'conflict', path: 'quantity' })
  })

  it('asked for by two at once under one key are one movement', async () => {
    const before = await world.stock('MUG', 'north').catch(() => ({ on_hand: 0 }))
    const results = await Promise.all(
      Array.from({ length: 8 }, () => ask({ key: 'race', sku: 'MUG', quantity: 5, kind: 'receive' })),
    )
    expect(new Set(results.map((result) => ('movement' in result ? result.movement.id : 'refused'))).size).toBe(1)
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: before.on_hand + 5 })
  })
})

describe('approval', () => {
  it('is needed above the limit where on_hand changes, and moves nothing before', async () => {
    const before = await world.stock('TEA', 'north')
    const id = await waiting({ quantity: 101 })
    expect(await world.stock('TEA', 'north')).toEqual(before)
    expect((await ask({ quantity: 100 })).kind).toBe('applied')
    expect((await ask({ kind: 'quarantine', quantity: 101, reason: 'recall' })).kind).toBe('applied')
    expect((await ask({ kind: 'release', quantity: 101, reason: 'recall_ended' })).kind).toBe('applied')
    expect(await decide(id, 'approve', 'user:ben')).toMatchObject({
      kind: 'applied',
      movement: { decided_by: 'user:ben' },
    })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: before.on_hand + 201 })
    const { rows } = await listMovements(world.db, { state: 'applied', sku: 'TEA', location: 'north', limit: 200 })
    expect(rows.find((row) => row.id === id)).toMatchObject({ requested_by: 'user:anna', decided_by: 'user:ben' })
  })

  it('is not given by whoever asked, not even through a key, or a key made by a key', async () => {
    const key = (id: string, name: string, created_by: string) =>
      world.db.query(
        `insert into api_keys (id, name, role, key_sha256, created_at, created_by) values ($1, $2, 'operator', $3, now(), $4)`,
        [id, name, Buffer.from(id), created_by],
      )
    await key('a1', 'scanner', 'user:anna')
    await key('a2', 'robot', 'key:scanner')
    await key('b1', 'desk', 'user:ben')
    const id = await waiting({ quantity: 500 })
    for (const by of ['user:anna', 'cli:anna', 'key:scanner', 'key:robot'])
      await expect(decide(id, 'approve', by)).rejects.toMatchObject({ code: 'forbidden' })
    const other = await waiting({ quantity: 500 }, 'key:robot')
    await expect(decide(other, 'approve', 'user:anna')).rejects.toMatchObject({ code: 'forbidden' })
    expect(await mayBeSamePerson(world.db, 'key:robot', 'key:desk')).toBe(false)
    expect((await decide(id, 'approve', 'key:desk')).kind).toBe('applied')
    expect((await decide(other, 'reject', 'user:anna')).kind).toBe('rejected')
  })

  it('is given once, even when two race for it', async () => {
    const before = await world.stock('TEA', 'north')
    const id = await waiting({ quantity: 300 })
    const results = await Promise.allSettled([
      decide(id, 'approve', 'user:ben'),
      decide(id, 'approve', 'user:cleo'),
      decide(id, 'reject', 'user:dora'),
    ])
    const done = results.filter((result) => result.status === 'fulfilled')
    expect(done).toHaveLength(1)
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'conflict' })
    const applied = done[0]?.status === 'fulfilled' && done[0].value.kind === 'applied'
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: before.on_hand + (applied ? 300 : 0) })
  })

  it('says the same again to the same person, and finds what a count has meanwhile', async () => {
    const id = await waiting({ quantity: 150, kind: 'lost', reason: 'missing' })
    world.moveTo(10)
    await world.apply('wms', countFact(world, 'N1', 5, { TEA: 40 }))
    expect(await decide(id, 'approve', 'user:ben')).toMatchObject({ kind: 'refused', reason: 'superseded' })
    const rejected = await decide(id, 'reject', 'user:ben')
    expect(await decide(id, 'reject', 'user:ben')).toMatchObject({ kind: 'rejected' })
    expect(rejected.kind).toBe('rejected')
    await expect(decide(id, 'approve', 'user:ben')).rejects.toMatchObject({ code: 'conflict' })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 40 })
  })
})

describe('promised units', () => {
  it('are taken by a fact, which breaks promises as a count does', async () => {
    world.moveTo(20)
    await world.apply('wms', countFact(world, 'N1', 19, { SPOON: 10 }))
    await world.apply('mall', orderFact(world, 'P1', [{ sku: 'SPOON', quantity: 8 }]))
    expect(await ask({ sku: 'SPOON', kind: 'lost', quantity: 5, reason: 'stolen' })).toMatchObject({ kind: 'applied' })
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 5, available: 0, committed: 5 })
    expect(await orderOf(world, 'P1')).toMatchObject({ reservation_state: 'partial' })
    expect(await ask({ sku: 'SPOON', kind: 'damage', quantity: 1, reason: 'broken' })).toMatchObject({
      kind: 'applied',
    })
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 5, available: 0, committed: 4, damaged: 1 })
    expect(await ask({ sku: 'SPOON', kind: 'write_off', quantity: 6, reason: 'broken' })).toEqual({
      kind: 'refused',
      reason: 'insufficient',
      short_by: 2,
    })
  })

  it('are not taken by a wish, which says how much it lacks and leaves no trace', async () => {
    const key = 'no-trace'
    for (const change of [
      { kind: 'quarantine', reason: 'recall' },
      { kind: 'set_safety', reason: 'reserve_policy' },
    ] as const)
      expect(await ask({ key, sku: 'SPOON', quantity: 3, ...change })).toEqual({
        kind: 'refused',
        reason: 'insufficient',
        short_by: 3,
      })
    expect(await world.db.query('select 1 from stock_movements where key = $1', [key])).toEqual([])
    expect(await ask({ sku: 'SPOON', kind: 'repair', quantity: 2, reason: 'repaired' })).toMatchObject({ short_by: 1 })
  })

  it('that came in serve those who wait', async () => {
    await ask({ sku: 'SPOON', quantity: 10 })
    expect(await orderOf(world, 'P1')).toMatchObject({ reservation_state: 'committed' })
    expect(await world.stock('SPOON', 'north')).toMatchObject({ committed: 8, available: 6 })
    expect((await workOf(world, 'P1')).filter((work) => work.state === 'OPEN')).toHaveLength(1)
  })

  it('survive orders, losses and finds that race', async () => {
    await ask({ sku: 'MUG', quantity: 40 })
    const tasks = Array.from({ length: 24 }, (_, index) =>
      index % 3 === 0
        ? world.apply('mall', orderFact(world, `R${index}`, [{ sku: 'MUG', quantity: 3 }]))
        : index % 3 === 1
          ? ask({ sku: 'MUG', kind: 'lost', quantity: 4, reason: 'missing' })
          : ask({ sku: 'MUG', kind: 'found', quantity: 2, reason: 'found_on_shelf' }),
    )
    const settled = await Promise.allSettled(tasks)
    expect(settled.filter((one) => one.status === 'rejected')).toEqual([])
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 45 - 32 + 16 })
  })

  it('make the number of their channels due', async () => {
    await world.db.query('update availability set sent_seq = dirty_seq')
    await ask({ quantity: 1, kind: 'found', reason: 'found_on_shelf' })
    expect((await world.db.query('select 1 from availability where due')).length).toBeGreaterThan(0)
  })
})
