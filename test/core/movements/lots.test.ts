import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { quarantineExpired } from '../../../src/core/inventory/expiredLots.ts'
import { listLots } from '../../../src/core/inventory/lots.ts'
import { requestMovement, type MovementRequest } from '../../../src/core/movements/movements.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { CATALOG, countFact, createWorld, orderFact, shipmentFact, workOf, type World } from '../world.ts'

let world: World
let serial = 0
const item = (sku: string, days_left_min?: number) => ({
  company_id: 'acme',
  sku,
  name: null,
  barcode: null,
  lots: days_left_min === undefined ? null : { days_left_min },
})

/** The world begins on 2026-03-01. */
beforeAll(async () => {
  world = await createWorld()
  await world.apply('wms', countFact(world, 'N1', -5, { MUG: 7 }))
  await world.sync({ items: [...CATALOG.items, item('MILK', 5), item('JAM', 0), item('MUG', 0)] })
})
afterAll(() => world.drop())
afterEach(() => expectWhole())

async function expectWhole(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
}

const move = (change: Partial<MovementRequest>) =>
  inTransaction(world.db, (tx) =>
    requestMovement(
      tx,
      world.ctx,
      {
        key: `L${(serial += 1)}`,
        kind: 'receive',
        sku: 'MILK',
        location: 'north',
        quantity: 1,
        reason: 'delivery',
        ...change,
      },
      'user:anna',
      1_000,
    ),
  )
const sweep = () => inTransaction(world.db, (tx) => quarantineExpired(tx, world.ctx, 100))

async function lotsOf(sku: string, location = 'north'): Promise<string[]> {
  const { rows } = await listLots(world.db, { sku, location }, world.ctx.now)
  return rows.map(
    ({ lot, quantity, quarantined, expires_on, too_old }) =>
    [lot === '' ? '-' : lot, quantity, ...(quarantined > 0 ? [`q${quarantined}`] : []), expires_on?.slice(5) ?? 'never', ...(too_old ? ['old'] : [])].join(' '), // prettier-ignore
  )
}
const cases = () =>
  world.db.query<{ state: string; units: number }>(
    `select state, (data ->> 'units')::int as units from cases where kind = 'lot_expired_promised' order by id`,
  )

describe('lots', () => {
  it('begin with all that is here unnamed, and are forgotten when the item has them no more', async () => {
    expect(await lotsOf('MUG')).toEqual(['- 7 never'])
    await world.sync()
    expect(await lotsOf('MUG')).toEqual([])
    await world.sync({ items: [...CATALOG.items, item('MILK', 5), item('JAM', 0)] })
    expect(await lotsOf('MUG')).toEqual([])
  })

  it('come in named and leave first expired first', async () => {
    await move({ quantity: 10, lot: 'B', expires_on: '2026-04-20' })
    await move({ quantity: 6, lot: 'A', expires_on: '2026-04-10' })
    await move({ quantity: 4 })
    await move({ kind: 'lost', quantity: 8, reason: 'missing' })
    expect(await lotsOf('MILK')).toEqual(['- 4 never', 'B 8 04-20'])
    await move({ kind: 'write_off', quantity: 3, lot: 'B', reason: 'broken' })
    expect(await lotsOf('MILK')).toEqual(['- 4 never', 'B 5 04-20'])
    expect(await move({ kind: 'write_off', quantity: 6, lot: 'B', reason: 'broken' })).toMatchObject({
      reason: 'lot_insufficient',
      short_by: 1,
    })
    expect(await move({ lot: 'B', expires_on: '2026-04-21' })).toMatchObject({ reason: 'lot_expiry_differs' })
  })

  it('leave with a shipment: the one it names, else the first to expire', async () => {
    await move({ quantity: 5, lot: 'C', expires_on: '2026-04-15' })
    await world.apply('mall', orderFact(world, 'M1', [{ sku: 'MILK', quantity: 6 }]))
    const [work] = await workOf(world, 'M1')
    const line = { sku: 'MILK', quantity: 2, line_reference: null }
    await world.apply(
      'wms',
      shipmentFact(
        world,
        'SM1',
        work!.number,
        {},
        {
          lines: [
            { ...line, lot: 'B' },
            { ...line, lot: null },
          ],
        },
      ),
    )
    expect(await lotsOf('MILK')).toEqual(['- 4 never', 'B 3 04-20', 'C 3 04-15'])
    await world.apply('wms', shipmentFact(world, 'SM2', work!.number, { MILK: 2 }))
    expect(await lotsOf('MILK')).toEqual(['- 4 never', 'B 3 04-20', 'C 1 04-15'])
  })

  it('that a count had without come back as what they were', async () => {
    await world.apply('mall', orderFact(world, 'M2', [{ sku: 'MILK', quantity: 1 }]))
    const [work] = await workOf(world, 'M2')
    world.moveTo(20)
    await world.apply('wms', countFact(world, 'N1', 15, { MILK: 7 }))
    expect(await lotsOf('MILK')).toEqual(['- 4 never', 'B 3 04-20'])
    const shipped_at = world.at(10).toISOString()
    const lines = [{ sku: 'MILK', quantity: 1, line_reference: null, lot: 'B' }]
    await world.apply('wms', shipmentFact(world, 'SM3', work!.number, {}, { shipped_at, lines }))
    expect(await lotsOf('MILK')).toEqual(['- 4 never', 'B 3 04-20'])
  })

  it('follow counts: what is found is unnamed, what is missing is the first to expire', async () => {
    world.moveTo(30)
    await world.apply('wms', countFact(world, 'N1', 25, { MILK: 9 }))
    expect(await lotsOf('MILK')).toEqual(['- 6 never', 'B 3 04-20'])
    await world.apply('wms', countFact(world, 'N1', 26, { MILK: { on_hand: 7, damaged: 1, quality_control: 1 } }))
    expect(await lotsOf('MILK')).toEqual(['- 6 never', 'B 1 04-20'])
  })

  it('remember which of them are in quality control', async () => {
    await move({ sku: 'JAM', quantity: 8, lot: 'X', expires_on: '2026-09-01', to: 'quality_control' })
    await move({ sku: 'JAM', quantity: 2, lot: 'Y', expires_on: '2026-08-01' })
    expect(await lotsOf('JAM')).toEqual(['X 8 q8 09-01', 'Y 2 08-01'])
    await move({ sku: 'JAM', kind: 'put_away', quantity: 3, lot: 'X', reason: 'inspected' })
    await move({ sku: 'JAM', kind: 'put_away', quantity: 1, reason: 'inspected' })
    await move({ sku: 'JAM', kind: 'quarantine', quantity: 1, lot: 'Y', reason: 'recall' })
    expect(await lotsOf('JAM')).toEqual(['X 8 q4 09-01', 'Y 2 q1 08-01'])
    await move({ sku: 'JAM', kind: 'write_off', quantity: 2, from: 'quality_control', reason: 'contaminated' })
    expect(await lotsOf('JAM')).toEqual(['X 7 q3 09-01', 'Y 1 08-01'])
  })
})

describe('lots that are too old', () => {
  const DAY = 24 * 60

  it('leave sale when fewer days are left than the item needs, not before', async () => {
    await move({ quantity: 4, lot: 'D', expires_on: '2026-03-15' })
    world.moveTo(9 * DAY)
    // 2026-03-10: five days are left, and five are enough.
    expect(await sweep()).toEqual({ places: 0, units: 0 })
    world.moveTo(10 * DAY)
    const before = await world.stock('MILK', 'north')
    expect(await sweep()).toEqual({ places: 1, units: 4 })
    expect(await world.stock('MILK', 'north')).toMatchObject({
      available: before.available - 4,
      quality_control: before.quality_control + 4,
      on_hand: before.on_hand,
    })
    expect(await lotsOf('MILK')).toContain('D 4 q4 03-15 old')
    expect(await sweep()).toEqual({ places: 0, units: 0 })
    await move({ kind: 'write_off', from: 'quality_control', quantity: 4, lot: 'D', reason: 'expired' })
    expect((await lotsOf('MILK')).filter((text) => text.startsWith('D'))).toEqual([])
  })

  it('break no promise: what is promised leaves sale when it is free, and a case says so until then', async () => {
    await move({ sku: 'JAM', kind: 'write_off', from: 'quality_control', quantity: 3, reason: 'contaminated' })
    await move({ sku: 'JAM', quantity: 10, lot: 'Z', expires_on: '2026-03-20' })
    // Four good ones of X, one of Y, ten of Z.
    await world.apply('mall', orderFact(world, 'J1', [{ sku: 'JAM', quantity: 9 }]))
    world.moveTo(20 * DAY)
    const { units } = await sweep()
    expect(units).toBe(6)
    expect(await world.stock('JAM', 'north')).toMatchObject({ available: 0, committed: 9, quality_control: 6 })
    expect(await cases()).toEqual([{ state: 'open', units: 4 }])
    expect((await sweep()).units).toBe(0)
    expect(await cases()).toEqual([{ state: 'open', units: 4 }])
    const [work] = await workOf(world, 'J1')
    await world.apply('wms', shipmentFact(world, 'SJ1', work!.number, { JAM: 3 }))
    // Whoever packs takes what may be sold.
    expect(await lotsOf('JAM')).toEqual(['X 2 09-01', 'Z 10 q6 03-20 old'])
    await world.apply('wms', {
      kind: 'acknowledgement',
      document: { fulfillment_order: work!.number, verdict: 'rejected', reason: null, at: world.ctx.now.toISOString() },
    })
    expect((await sweep()).units).toBe(4)
    expect(await lotsOf('JAM')).toEqual(['X 2 09-01', 'Z 10 q10 03-20 old'])
    await sweep()
    expect(await cases()).toEqual([{ state: 'resolved', units: 4 }])
  })

  it('stay as they are while orders and sweeps race', async () => {
    await move({ sku: 'JAM', quantity: 30, lot: 'OLD', expires_on: '2026-03-01' })
    await move({ sku: 'JAM', quantity: 30, lot: 'NEW', expires_on: '2026-12-01' })
    const tasks = Array.from({ length: 12 }, (_, index) =>
      index % 4 === 3 ? sweep() : world.apply('mall', orderFact(world, `JR${index}`, [{ sku: 'JAM', quantity: 3 }])),
    )
    const settled = await Promise.allSettled(tasks)
    expect(settled.filter((one) => one.status === 'rejected')).toEqual([])
    await sweep()
    expect(await lotsOf('JAM')).toContain('OLD 30 q30 03-01 old')
    const { checks } = await verify(world.db)
    expect(checks.find((check) => check.name === 'lots_equal_on_hand')?.checked).toBe(2)
  })
})
