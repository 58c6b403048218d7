import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  decideCycleCount,
  openCycleCount,
  submitCycleCount,
  type CycleCountRequest,
} from '../../../src/core/movements/cycleCounts.ts'
import { requestMovement } from '../../../src/core/movements/movements.ts'
import { listCycleCounts, readCycleCount } from '../../../src/core/movements/readCycleCounts.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { CATALOG, countFact, createWorld, orderFact, orderOf, shipmentFact, workOf, type World } from '../world.ts'

const LIMIT = 3

let world: World
let serial = 0
beforeAll(async () => {
  world = await createWorld()
  world.moveTo(1)
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 20, MUG: 10 }))
})
afterAll(() => world.drop())
afterEach(() => expectWhole())

async function expectWhole(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
}

const open = (change: Partial<CycleCountRequest> = {}) =>
  inTransaction(world.db, (tx) =>
    openCycleCount(tx, world.ctx, { key: `C${(serial += 1)}`, location: 'north', ...change }, 'user:anna'),
  )
const submit = (id: string, minutes: number, units: Record<string, number | [number, number]>, by = 'user:carl') => {
  const lines = Object.entries(units).map(([sku, counted]) => {
    const [on_hand, damaged] = typeof counted === 'number' ? [counted, 0] : counted
    return { sku, on_hand, damaged }
  })
  return inTransaction(world.db, (tx) =>
    submitCycleCount(tx, world.ctx, id, { counted_at: world.at(minutes), lines }, { by, limit: LIMIT }),
  )
}
const decide = (id: string, verdict: 'approve' | 'reject', by: string) =>
  inTransaction(world.db, (tx) => decideCycleCount(tx, world.ctx, id, verdict, by))

describe('a cycle count', () => {
  it('is blind: it names the items and shows no number until somebody has counted', async () => {
    const count = await open()
    expect(count).toMatchObject({ state: 'open', items: 2, location_id: 'north', created_by: 'user:anna' })
    const nothing = { counted: null, damaged: null, expected: null, variance: null }
    expect(count.lines).toEqual([
      { sku: 'MUG', ...nothing },
      { sku: 'TEA', ...nothing },
    ])
    expect(await readCycleCount(world.db, count.id)).toEqual(count)
    expect(JSON.stringify(await listCycleCounts(world.db, { location: 'north' }))).not.toContain('expected')
  })

  it('is posted at once within the limit, and says what was expected', async () => {
    const { id } = await open({ skus: ['TEA', 'MUG'] })
    world.moveTo(10)
    const posted = await submit(id, 9, { TEA: 18, MUG: [10, 2] })
    expect(posted).toMatchObject({ state: 'posted', counted_by: 'user:carl', decided_by: null })
    expect(posted.lines).toEqual([
      { sku: 'MUG', counted: 10, damaged: 2, expected: 10, variance: 0 },
      { sku: 'TEA', counted: 18, damaged: 0, expected: 20, variance: -2 },
    ])
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 18, available: 18 })
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 10, available: 8, damaged: 2 })
    expect(await submit(id, 9, { TEA: 18, MUG: [10, 2] })).toEqual(posted)
    await expect(submit(id, 9, { TEA: 17, MUG: [10, 2] })).rejects.toMatchObject({ code: 'conflict' })
    const ledger = await world.db.query(`select 1 from stock_ledger where source = $1`, [`cycle_count:${id}`])
    expect(ledger).toHaveLength(2)
  })

  it('counts what is there while orders ship: what left since does not come back, what had left is not lost twice', async () => {
    await world.apply('mall', orderFact(world, 'A', [{ sku: 'TEA', quantity: 4 }]))
    await world.apply('mall', orderFact(world, 'B', [{ sku: 'TEA', quantity: 3 }]))
    const [a] = await workOf(world, 'A')
    const [b] = await workOf(world, 'B')
    const { id } = await open({ skus: ['TEA'] })
    // A has left the shelf at 20 and is told of late; the shelf is counted at 25; B leaves at 30 and is told of at once.
    world.moveTo(30)
    await world.apply('wms', shipmentFact(world, 'SB', b!.number, { TEA: 3 }))
    world.moveTo(40)
    const posted = await submit(id, 25, { TEA: 15 })
    expect(posted.lines).toEqual([{ sku: 'TEA', counted: 15, damaged: 0, expected: 18, variance: -3 }])
    expect(posted.state).toBe('posted')
    // 15 at 25, less three of B; the four of A are still promised.
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 12, committed: 4, available: 8 })
    const shipped_at = world.at(20).toISOString()
    await world.apply('wms', shipmentFact(world, 'SA', a!.number, { TEA: 4 }, { shipped_at }))
    // The count was without them: nothing more leaves, and one unit that had seemed to be missing was found.
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 12, committed: 0, available: 12 })
  })

  it('waits above the limit for somebody else than who counted, and is posted as of its own time', async () => {
    const { id } = await open({ skus: ['TEA', 'MUG'] })
    world.moveTo(50)
    const waiting = await submit(id, 45, { TEA: 8, MUG: [9, 2] })
    expect(waiting).toMatchObject({ state: 'waiting' })
    expect(waiting.lines[1]).toMatchObject({ sku: 'TEA', expected: 12, variance: -4 })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 12 })
    await expect(decide(id, 'approve', 'cli:carl')).rejects.toMatchObject({ code: 'forbidden' })
    await inTransaction(world.db, (tx) =>
      requestMovement(
        tx,
        world.ctx,
        { key: 'M', kind: 'receive', sku: 'TEA', location: 'north', quantity: 5, reason: 'delivery' },
        'user:anna',
        100,
      ),
    )
    world.moveTo(60)
    const results = await Promise.allSettled([decide(id, 'approve', 'user:ben'), decide(id, 'approve', 'user:dora')])
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 13 })
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 9, damaged: 2 })
  })

  it('that is rejected changes nothing', async () => {
    const { id } = await open({ skus: ['TEA'] })
    world.moveTo(70)
    await submit(id, 65, { TEA: 0 })
    expect(await decide(id, 'reject', 'user:ben')).toMatchObject({ state: 'cancelled' })
    expect(await decide(id, 'reject', 'user:ben')).toMatchObject({ state: 'cancelled' })
    await expect(decide(id, 'approve', 'user:ben')).rejects.toMatchObject({ code: 'conflict' })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 13 })
  })

  it('breaks promises of units that are not there', async () => {
    await world.apply('mall', orderFact(world, 'C', [{ sku: 'TEA', quantity: 13 }]))
    const { id } = await open({ skus: ['TEA'] })
    world.moveTo(80)
    await submit(id, 75, { TEA: 11 })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 11, committed: 11, available: 0 })
    expect(await orderOf(world, 'C')).toMatchObject({ reservation_state: 'partial' })
  })

  it('leaves what is in quality control as it was', async () => {
    await world.apply('wms', countFact(world, 'N1', 79, { MUG: { on_hand: 9, damaged: 2, quality_control: 3 } }))
    const { id } = await open({ skus: ['MUG'] })
    world.moveTo(90)
    await submit(id, 85, { MUG: [8, 1] })
    expect(await world.stock('MUG', 'north')).toMatchObject({
      on_hand: 8,
      damaged: 1,
      quality_control: 3,
      available: 4,
    })
  })

  it('of one key is one count, and says what is wrong with a request', async () => {
    const first = await open({ key: 'same', skus: ['TEA'] })
    expect(await open({ key: 'same', skus: ['TEA'] })).toEqual(first)
    await expect(open({ key: 'same', skus: ['MUG'] })).rejects.toMatchObject({ code: 'conflict' })
    await expect(open({ location: 'moon' })).rejects.toMatchObject({ code: 'unknown_location' })
    await expect(open({ skus: ['TEA', 'NONE'] })).rejects.toMatchObject({ code: 'unknown_sku', path: 'skus[1]' })
    await expect(open({ skus: ['GIFT'] })).rejects.toMatchObject({ code: 'bad_request' })
    await expect(open({ location: 'south' })).rejects.toMatchObject({ code: 'bad_request', path: 'skus' })
    await expect(submit(first.id, 89, { MUG: 1 })).rejects.toMatchObject({ path: 'lines[0].sku' })
    await expect(submit(first.id, 89, { TEA: [1, 2] })).rejects.toMatchObject({ path: 'lines[0].damaged' })
    await expect(submit(first.id, 99, { TEA: 1 })).rejects.toMatchObject({ path: 'counted_at' })
    await expect(submit('019c0000-0000-7000-8000-000000000000', 1, {})).rejects.toMatchObject({ code: 'not_found' })
    expect((await readCycleCount(world.db, first.id)).state).toBe('open')
  })

  it('of a whole place counts at most 1,000 items', async () => {
    const items = Array.from({ length: 1_001 }, (_, index) => ({
      company_id: 'acme',
      sku: `MANY-${index}`,
      name: null,
      barcode: null,
    }))
    await world.sync({ items: [...CATALOG.items, ...items] })
    await world.apply('wms', countFact(world, 'S1', 89, Object.fromEntries(items.map(({ sku }) => [sku, 1]))))
    await expect(open({ location: 'south' })).rejects.toMatchObject({ code: 'bad_request', path: 'skus' })
    expect((await open({ location: 'south', skus: ['MANY-7'] })).items).toBe(1)
  })
})
