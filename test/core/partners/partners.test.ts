import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import { announceSupplies, loadAnnouncements } from '../../../src/core/partners/announcements.ts'
import { invoiceShipments, loadInvoices } from '../../../src/core/partners/invoices.ts'
import { answerOrders, loadOrderAnswers } from '../../../src/core/partners/orderAnswers.ts'
import { cancelSupply, putSupply } from '../../../src/core/supply/put.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, shipmentFact, workOf, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  world.policy('mall', { takes_order_answers: true, takes_invoices: true, shortfall: 'backorder' })
  world.policy('wms', { takes_announcements: true })
  const policies = world.ctx.policies as Map<string, ReturnType<typeof internalPolicy>>
  policies.set(internalConnectionId('acme'), internalPolicy('acme'))
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 10, MUG: 2 }))
})
afterEach(async () => {
  await expectSound()
  await world.drop()
})

async function expectSound(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
}

const sweep = (work: typeof answerOrders): Promise<number> => inTransaction(world.db, (tx) => work(tx, world.ctx, 100))
const effects = (
  kind: string,
): Promise<{ id: number; kind: string; key: string; state: string; reference: Record<string, string | number> }[]> =>
  world.db.query('select id, kind, key, state, reference from outbox where kind = $1 order by id', [kind])
const later = (minutes: number): void => world.moveTo(minutes)

describe('answers to orders', () => {
  test('come once when an order is settled, and again when they change', async () => {
    await world.apply(
      'mall',
      orderFact(world, 'PO-1', [
        { sku: 'TEA', quantity: 4 },
        { sku: 'MUG', quantity: 5 },
      ]),
    )
    expect(await sweep(answerOrders)).toBe(1)
    expect(await sweep(answerOrders)).toBe(0)
    const [first] = await loadOrderAnswers(world.db, await effects('order.answer'))
    expect(first).toMatchObject({
      order_external_id: 'PO-1', revision: 1, verdict: 'changed', currency: 'EUR',
      lines: [{ line_external_id: 'L1', ordered: 4, accepted: 4, backordered: 0 }, { line_external_id: 'L2', ordered: 5, accepted: 2, backordered: 3, expected_at: null }],
    }) // prettier-ignore
    // What is on its way gives the rest a date; what has come serves it.
    later(5)
    await inTransaction(world.db, (tx) =>
      putSupply(
        tx,
        world.ctx,
        {
          company_id: 'acme',
          kind: 'purchase',
          reference: 'B-1',
          location_id: 'north',
          expected_at: world.at(2_000),
          lines: [{ sku: 'MUG', quantity: 9 }],
        },
        'ada',
      ),
    )
    later(6)
    await world.apply('wms', {
      kind: 'receipt',
      document: {
        external_id: 'R1',
        location_code: 'N1',
        received_at: world.at(6).toISOString(),
        reference: 'B-1',
        lines: [{ sku: 'MUG', quantity: 9, to: 'available', lot: null, expires_on: null }],
      },
    })
    expect(await sweep(answerOrders)).toBe(1)
    const all = await effects('order.answer')
    expect(all.map(({ state, reference }) => [state, reference['revision']])).toEqual([
      ['cancelled', 1],
      ['pending', 2],
    ])
    expect(await loadOrderAnswers(world.db, all)).toMatchObject([
      { revision: 2, verdict: 'accepted', lines: [{}, { accepted: 5, backordered: 0 }] },
    ])
  })

  test('wait for orders that nobody has promised yet, and say nothing of what is not theirs', async () => {
    world.policy('mall', { unpaid: 'hold' })
    await world.apply('mall', orderFact(world, 'PO-2', [{ sku: 'TEA', quantity: 1 }], { payment_state: 'pending' }))
    await world.apply('mall', orderFact(world, 'PO-3', [{ sku: 'TEA', quantity: 1 }], { test: true }))
    await world.apply('shop', orderFact(world, 'S-1', [{ sku: 'TEA', quantity: 1 }]))
    expect(await sweep(answerOrders)).toBe(0)
    await world.apply('mall', orderFact(world, 'PO-2', [{ sku: 'TEA', quantity: 1 }]))
    expect(await sweep(answerOrders)).toBe(1)
  })
})

describe('invoices', () => {
  test('are made once a shipment, numbered without a gap, and come to the order', async () => {
    const lines = [{ sku: 'TEA', quantity: 3 }]
    const totals = {
      subtotal_minor: 1_000,
      discount_minor: 0,
      shipping_minor: 450,
      tax_minor: 190,
      total_minor: 1_640,
      refunded_minor: 0,
    }
    const wanted = orderFact(world, 'PO-5', lines, { taxes_included: false, totals })
    if (wanted.kind !== 'order') throw new Error('not an order')
    wanted.document.lines = wanted.document.lines.map((one) => ({
      ...one,
      unit_price_minor: 334,
      discount_minor: 2,
      tax_minor: 190,
      total_minor: 1_000,
    }))
    await world.apply('mall', wanted)
    const [work] = await workOf(world, 'PO-5')
    later(10)
    await world.apply('wms', shipmentFact(world, 'SH-1', work?.number ?? '', { TEA: 1 }))
    await Promise.all([sweep(invoiceShipments), sweep(invoiceShipments)])
    later(20)
    await world.apply('wms', shipmentFact(world, 'SH-2', work?.number ?? '', { TEA: 2 }))
    await sweep(invoiceShipments)
    const made = await loadInvoices(world.db, await effects('invoice.send'))
    expect(
      made.map(({ number, lines: own, shipping_minor, tax_minor, total_minor }) => [
        number,
        own.map((one) => [one.quantity, one.unit_price_minor, one.amount_minor]),
        shipping_minor,
        tax_minor,
        total_minor,
      ]),
    ).toEqual([
      ['INV-00000001', [[1, 334, 333]], 450, 63, 846],
      ['INV-00000002', [[2, 334, 667]], 0, 127, 794],
    ])
    expect(made.reduce((sum, { total_minor }) => sum + total_minor, 0)).toBe(1_640)
    expect(await sweep(invoiceShipments)).toBe(0)
  })
})

describe('announcements', () => {
  const put = (quantity: number, expected: number) =>
    inTransaction(world.db, (tx) =>
      putSupply(
        tx,
        world.ctx,
        {
          company_id: 'acme',
          kind: 'purchase',
          reference: 'B-7',
          location_id: 'south',
          expected_at: world.at(expected),
          lines: [{ sku: 'TEA', quantity }],
        },
        'ada',
      ),
    )

  test('tell the place of what is expected, once and whenever that changes, not of what it reported itself', async () => {
    await put(30, 1_000)
    expect(await sweep(announceSupplies)).toBe(1)
    expect(await sweep(announceSupplies)).toBe(0)
    expect(await loadAnnouncements(world.db, await effects('supply.announce'))).toMatchObject([
      {
        reference: 'B-7',
        location_code: 'S1',
        action: 'announce',
        expected_at: world.at(1_000).toISOString(),
        lines: [{ sku: 'TEA', quantity: 30 }],
      },
    ])
    later(5)
    await world.apply('wms', {
      kind: 'receipt',
      document: {
        external_id: 'R7',
        location_code: 'S1',
        received_at: world.at(5).toISOString(),
        reference: 'B-7',
        lines: [{ sku: 'TEA', quantity: 10, to: 'available', lot: null, expires_on: null }],
      },
    })
    expect(await sweep(announceSupplies)).toBe(0)
    later(6)
    await put(40, 1_000)
    expect(await sweep(announceSupplies)).toBe(1)
    later(7)
    await inTransaction(world.db, (tx) =>
      cancelSupply(tx, world.ctx, { company_id: 'acme', kind: 'purchase', reference: 'B-7' }, 'ada'),
    )
    expect(await sweep(announceSupplies)).toBe(1)
    const all = await effects('supply.announce')
    expect(all.map(({ state }) => state)).toEqual(['cancelled', 'cancelled', 'pending'])
    expect(await loadAnnouncements(world.db, all)).toMatchObject([
      { action: 'withdraw', lines: [{ sku: 'TEA', quantity: 0 }] },
    ])
  })

  test('say nothing of a supply that was over before anybody looked', async () => {
    await put(30, 1_000)
    await inTransaction(world.db, (tx) =>
      cancelSupply(tx, world.ctx, { company_id: 'acme', kind: 'purchase', reference: 'B-7' }, 'ada'),
    )
    expect(await sweep(announceSupplies)).toBe(0)
  })
})

describe('receipts', () => {
  const receipt = (external_id: string, minutes: number, lines: Record<string, number>, reference: string | null = null, to: 'available' | 'damaged' = 'available') =>
    world.apply('wms', {
      kind: 'receipt',
      document: { external_id, location_code: 'N1', received_at: world.at(minutes).toISOString(), reference, lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity, to, lot: null, expires_on: null })) },
    }) // prettier-ignore

  test('take what was expected off its way and the rest from outside, once', async () => {
    await inTransaction(world.db, (tx) =>
      putSupply(
        tx,
        world.ctx,
        {
          company_id: 'acme',
          kind: 'purchase',
          reference: 'B-2',
          location_id: 'north',
          expected_at: null,
          lines: [{ sku: 'TEA', quantity: 5 }],
        },
        'ada',
      ),
    )
    later(5)
    expect(await receipt('R1', 5, { TEA: 6, SPOON: 3 }, 'B-2')).toMatchObject([
      { kind: 'applied', summary: 'received 9 units of B-2' },
    ])
    expect(await world.stock('TEA', 'north')).toMatchObject({ available: 16, incoming: 0 })
    expect(await world.stock('SPOON', 'north')).toMatchObject({ available: 3 })
    later(6)
    expect(await receipt('R1', 5, { TEA: 6, SPOON: 3 }, 'B-2')).toMatchObject([
      { kind: 'ignored', reason: 'duplicate' },
    ])
    expect(await world.db.query(`select key from supply_receipts`)).toEqual([{ key: 'wms:R1' }])
  })

  test('know damaged goods, goods that a count has had, and names of nothing', async () => {
    later(10)
    await world.apply('wms', countFact(world, 'N1', 9, { TEA: 12, MUG: 2 }))
    expect(await receipt('R2', 8, { TEA: 2 }, 'NOBODY')).toMatchObject([{ kind: 'applied' }])
    expect(await world.stock('TEA', 'north')).toMatchObject({ available: 12 })
    await receipt('R3', 10, { MUG: 1 }, null, 'damaged')
    expect(await world.stock('MUG', 'north')).toMatchObject({ available: 2, damaged: 1 })
    expect(await receipt('R4', 10, { UNKNOWN: 1 })).toMatchObject([{ kind: 'parked', error: { code: 'unknown_sku' } }])
  })
})
