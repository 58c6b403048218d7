import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { tellStock } from '../../../src/core/erp/tellStock.ts'
import type { Item } from '../../../src/core/model/item.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { CATALOG, countFact, orderFact, shipmentFact, workOf, type World } from '../world.ts'
import { ERP, merchantWithErp, tellAll, tellNow } from './merchant.ts'

let world: World
const WITH_ERP = {
  connections: [...CATALOG.connections, { id: 'ledger', connector: 'sample', company_id: 'acme', serves_from: [] }],
}
beforeAll(async () => {
  world = await merchantWithErp({ invoices: 'none', credits: false })
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 100 }))
})
afterAll(() => world.drop())

const item = (sku: string, changes: Partial<Item> = {}): Fact => ({
  kind: 'item',
  document: { sku, name: `${sku} of the ERP`, barcode: null, weight_g: 120, kit: null, active: true, ...changes },
})
const kit = (sku: string, ...parts: string[]): Fact =>
  item(sku, { kit: parts.map((part) => ({ sku: part, quantity: 2 })) })
const openCases = (kind: string) =>
  world.db.query<{ subject: string; times: number }>(
    `select subject, times from cases where kind = $1 and state = 'open'`,
    [kind],
  )
const partsOf = async (sku: string): Promise<string[]> =>
  (
    await world.db.query<{ sku: string }>(
      `select c.sku from kit_components k join items i on i.id = k.kit_item_id join items c on c.id = k.component_item_id where i.sku = $1 order by 1`,
      [sku],
    )
  ).map((row) => row.sku)

describe('items that an ERP brings', () => {
  it('are taken with their kits, whatever order they come in, and wake what waited for them', async () => {
    const [parked] = await world.apply('shop', orderFact(world, 'early', [{ sku: 'BOX', quantity: 1 }]))
    expect(parked?.kind).toBe('parked')
    const outcomes = await world.apply('ledger', kit('SET', 'BOX', 'TEA'), item('BOX'))
    expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'applied'])
    expect(await partsOf('SET')).toEqual(['BOX', 'TEA'])
    const [listed] = await world.apply('shop', orderFact(world, 'early', [{ sku: 'BOX', quantity: 1 }]))
    expect(listed?.kind).toBe('applied')
    const [row] = await world.db.query(`select name, weight_g, source from items where sku = 'BOX'`)
    expect(row).toEqual({ name: 'BOX of the ERP', weight_g: 120, source: 'erp' })
  })

  it('wait for a part that nobody knows', async () => {
    const [outcome] = await world.apply('ledger', kit('CRATE', 'NAILS'))
    expect(outcome).toMatchObject({
      kind: 'parked',
      error: { code: 'unknown_sku', path: '$.kit[0].sku', wake_key: 'item:acme:NAILS' },
    })
  })

  it('are no kits of kits: that is refused with one case, and what the kit was stays', async () => {
    await world.apply('ledger', kit('SET', 'GIFT'), kit('SET', 'GIFT'))
    await world.apply('ledger', kit('SET', 'SET'))
    expect(await partsOf('SET')).toEqual(['BOX', 'TEA'])
    expect(await openCases('kit_refused')).toEqual([{ subject: 'item:acme:SET', times: 2 }])
    await world.apply('ledger', kit('SET', 'MUG'))
    expect(await partsOf('SET')).toEqual(['MUG'])
    expect(await openCases('kit_refused')).toEqual([])
    await world.apply('ledger', item('SET'))
    expect(await partsOf('SET')).toEqual([])
  })

  it('do not go over the configuration, nor come from anybody else', async () => {
    await world.apply('ledger', item('TEA', { name: 'another name' }), kit('GIFT', 'SPOON'))
    expect(await world.db.query(`select name from items where sku = 'TEA'`)).toEqual([{ name: 'TEA' }])
    expect(await partsOf('GIFT')).toEqual(['MUG', 'TEA'])
    expect(await world.apply('wms', item('NEW'))).toMatchObject([{ kind: 'ignored' }])
    await world.sync({ ...WITH_ERP, items: [...CATALOG.items, { company_id: 'acme', sku: 'BOX', name: 'Box', barcode: null }] }) // prettier-ignore
    await world.apply('ledger', item('BOX', { name: 'late' }))
    expect(await world.db.query(`select name, source from items where sku = 'BOX'`)).toEqual([
      { name: 'Box', source: 'config' },
    ])
  })
})

describe('stock between hub and ERP', () => {
  beforeEach(() => tellAll(world))

  const stockDue = (minutes: number) => {
    world.moveTo(minutes)
    return inTransaction(world.db, (tx) => tellStock(tx, world.ctx, ERP))
  }

  it('is told where the hub knows it: what moved, at most once a period, in the newest numbers', async () => {
    expect(await stockDue(10)).toBeGreaterThan(0)
    await world.apply('wms', countFact(world, 'N1', 10, { TEA: 90 }))
    expect(await stockDue(10.2)).toBe(0)
    const [request] = await tellNow(world)
    expect(request).toMatchObject({ kind: 'stock', warehouse_code: 'WH-N', lines: [{ sku: 'TEA', on_hand: 90 }] })
    expect(await stockDue(15)).toBe(1)
    await tellAll(world)
    expect(await stockDue(20)).toBe(0)
  })

  it('counts for the ERP what it was not told to have left', async () => {
    world.moveTo(30)
    await world.apply('shop', orderFact(world, 'S1', [{ sku: 'TEA', quantity: 5 }]))
    await tellAll(world)
    const [work] = await workOf(world, 'S1')
    await world.apply('wms', shipmentFact(world, 'S1-1', work?.number ?? '', { TEA: 5 }))
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 85 })
    await stockDue(31)
    const told = await tellNow(world)
    const stock = told.find(({ kind }) => kind === 'stock')
    // The delivery was told first of the two: had it not been, the goods would still be there.
    expect(told.map(({ kind }) => kind)).toEqual(['delivery', 'stock'])
    expect(stock).toMatchObject({ lines: [{ sku: 'TEA', on_hand: 85 }] })
    await world.db.query(`update erp_links set told_version = null, told_at = null where kind = 'delivery'`)
    await world.db.query(
      `update outbox set state = 'pending' where kind = 'erp.stock' and id = (select max(id) from outbox)`,
    )
    expect(await tellNow(world)).toMatchObject([{ kind: 'stock', lines: [{ sku: 'TEA', on_hand: 90 }] }])
    await world.db.query(`update erp_links set told_version = version, told_at = due_at where kind = 'delivery'`)
  })

  it('is taken from the ERP only where the ERP knows it, less what left unheard', async () => {
    world.moveTo(40)
    const counted = (code: string, on_hand: number) => countFact(world, code, 40, { MUG: on_hand })
    expect(await world.apply('ledger', counted('WH-S', 20))).toMatchObject([{ kind: 'applied' }])
    expect(await world.stock('MUG', 'south')).toMatchObject({ on_hand: 20 })
    expect(await world.apply('ledger', counted('WH-N', 7), counted('WH-X', 7))).toMatchObject([
      { kind: 'ignored' },
      { kind: 'ignored' },
    ])
    await world.apply('ledger', counted('WH-N', 7))
    expect(await openCases('erp_stock_ignored')).toEqual([{ subject: 'location:north', times: 2 }])
    world.moveTo(41)
    await world.apply('shop', orderFact(world, 'S2', [{ sku: 'MUG', quantity: 4 }]))
    await tellAll(world)
    const [work] = await workOf(world, 'S2')
    await world.apply('wms', shipmentFact(world, 'S2-1', work?.number ?? '', { MUG: 4 }))
    world.moveTo(42)
    await world.apply('ledger', countFact(world, 'WH-S', 42, { MUG: 20 }))
    expect(await world.stock('MUG', 'south')).toMatchObject({ on_hand: 16 })
    await tellAll(world)
    world.moveTo(43)
    await world.apply('ledger', countFact(world, 'WH-S', 43, { MUG: 16 }))
    expect(await world.stock('MUG', 'south')).toMatchObject({ on_hand: 16 })
  })
})
