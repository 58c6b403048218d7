import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { odoo } from '../../src/connectors/odoo/index.ts'
import { postJournals } from '../../src/core/books/post.ts'
import { noteErpDone } from '../../src/core/erp/done.ts'
import { loadErpRequests } from '../../src/core/erp/requests.ts'
import { checkErp } from '../../src/core/erp/check.ts'
import { tellStock } from '../../src/core/erp/tellStock.ts'
import type { EffectResult } from '../../src/core/model/effects.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { startOdooSimulator, type OdooSimulator } from '../../src/sandbox/odoo/index.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { ERP, merchantWithErp, pending } from '../core/erp/merchant.ts'
import { countFact, orderFact, shipmentFact, workOf, type World } from '../core/world.ts'
import { vendorPort } from '../kit/vendorPort.ts'

/** Core, connector and ERP together: what the hub decides is due, told over HTTP, and what the ERP has of it in its own books. */

const POLICY = { ...ERP, invoices: 'when_shipped' as const, bank_statements: true }
let world: World
let erp: OdooSimulator
let port: ReturnType<typeof vendorPort>['port']
let serial = 0
let id = ''

beforeAll(async () => {
  world = await merchantWithErp(POLICY)
  erp = await startOdooSimulator({
    connection_id: 'ledger',
    journal_path: null,
    port: 0,
    random: seededRandom(7),
    now: () => new Date(),
    faults: KIND,
    webhook_url: null,
    seed: {
      currency: 'EUR',
      warehouses: [
        { code: 'WH-N', name: 'North' },
        { code: 'WH-S', name: 'South' },
      ],
      taxes: [{ name: '20% inside', percent: 20, included: true }],
      products: [
        { sku: 'TEA', name: 'Tea', price: 10 },
        { sku: 'MUG', name: 'Mug', price: 10 },
        { sku: 'SPOON', name: 'Spoon', price: 10 },
        {
          sku: 'GIFT',
          name: 'Gift',
          price: 10,
          kit: [
            { sku: 'TEA', quantity: 2 },
            { sku: 'MUG', quantity: 1 },
          ],
        },
      ],
      accounts: [],
    },
  })
  const accounts = { 'clearing:*': '101500', bank: '101401', sales: '121000', refunds: '121000', '*': '600000' }
  port = vendorPort(odoo, { ...erp.settings, accounts, calls_per_second: 1_000 }).port
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 1_000, MUG: 1_000, SPOON: 1_000 }))
})
beforeEach(() => {
  serial += 1
  id = `F${serial}`
  world.moveTo(serial * 5)
})
afterAll(async () => {
  await erp.stop()
  await world.drop()
})

/** What is due now, as the queue would send it. A connection that is cut leaves the effect where it is: it is sent again. */
async function tell(): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  for (const row of await pending(world)) {
    const [request] = await loadErpRequests(world.db, world.ctx, 'ledger', [row])
    if (request === undefined) {
      await world.db.query(`update outbox set state = 'cancelled' where id = $1`, [row.id])
      continue
    }
    const [result] = (await odoo.erp?.send(port, [request], row.kind, world.ctx.now).catch(() => [])) ?? []
    if (result === undefined) continue
    results.push(result)
    await inTransaction(world.db, async (tx) => {
      await tx.query('select 1 from orders where id = $1 for no key update', [row.order_id])
      await tx.query(`update outbox set state = $2 where id = $1`, [
        row.id,
        result.outcome === 'done' ? 'done' : 'dead',
      ])
      if (result.outcome === 'done')
        await noteErpDone(tx, world.ctx, [{ effect: row, external_id: result.external_id }])
    })
  }
  return results
}

async function tellAll(): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  while ((await pending(world)).length > 0) results.push(...(await tell()))
  return results
}

const refusals = (results: readonly EffectResult[]): EffectResult[] =>
  results.filter(({ outcome }) => outcome === 'refused')
const orderThere = (external_id: string) => erp.ledger().orders.filter(({ origin }) => origin === `shop ${external_id}`)
const parcelsOf = (external_id: string) =>
  erp.ledger().deliveries.filter(({ order }) => order === orderThere(external_id)[0]?.name)

async function ship(external_id: string, name: string, units: Record<string, number>): Promise<void> {
  const [work] = await workOf(world, external_id)
  await world.apply('wms', shipmentFact(world, name, work?.number ?? '', units))
}

const totals = (total_minor: number, tax_minor = 0) => ({
  subtotal_minor: total_minor,
  discount_minor: 0,
  shipping_minor: 0,
  tax_minor,
  total_minor,
  refunded_minor: 0,
})

describe('an order on its way through the ERP', () => {
  it('is there once with its total, leaves in two parcels with its kit in parts, and is invoiced', async () => {
    const lines = [
      { sku: 'GIFT', quantity: 2 },
      { sku: 'TEA-4PACK', quantity: 1 },
      { sku: 'SPOON', quantity: 3 },
    ]
    await world.apply('shop', orderFact(world, id, lines, { totals: totals(6_000) }))
    await ship(id, `${id}-1`, { TEA: 4, MUG: 2, SPOON: 1 })
    await ship(id, `${id}-2`, { TEA: 4, SPOON: 2 })
    expect(refusals(await tellAll())).toEqual([])
    expect(orderThere(id)).toMatchObject([{ state: 'sale', reference: `#${id}`, total_minor: 6_000 }])
    expect(orderThere(id)[0]?.lines).toEqual([
      { sku: 'GIFT', quantity: 2, delivered: 2 },
      { sku: 'TEA', quantity: 4, delivered: 4 },
      { sku: 'SPOON', quantity: 3, delivered: 3 },
    ])
    expect(parcelsOf(id).map(({ tracking }) => tracking)).toEqual([`T-${id}-1`, `T-${id}-2`])
    expect(erp.ledger().invoices.filter(({ order }) => order === orderThere(id)[0]?.name)).toMatchObject([{ state: 'posted', total_minor: 6_000 }]) // prettier-ignore
    expect(await checkErp(world.db, POLICY)).toMatchObject({ ok: true, missing_count: 0 })
  })

  it('follows edits and cancellations', async () => {
    const line = (quantity: number) => [{ sku: 'TEA', quantity }]
    await world.apply('shop', orderFact(world, id, line(5), { totals: totals(5_000) }))
    await tellAll()
    await world.apply('shop', orderFact(world, id, line(2), { totals: totals(2_000) }))
    expect(refusals(await tellAll())).toEqual([])
    expect(orderThere(id)).toMatchObject([{ total_minor: 2_000, lines: [{ quantity: 2 }] }])
    await world.apply('shop', orderFact(world, id, line(2), { lifecycle: 'cancelled', totals: totals(2_000) }))
    expect(refusals(await tellAll())).toEqual([])
    expect(orderThere(id)).toMatchObject([{ state: 'cancel' }])
    await world.apply('shop', orderFact(world, id, line(3), { totals: totals(3_000) }))
    expect(refusals(await tellAll())).toEqual([])
    expect(orderThere(id)).toMatchObject([{ state: 'sale', total_minor: 3_000, lines: [{ quantity: 3 }] }])
  })

  it('takes tax as the channel reckoned it', async () => {
    const taxed = orderFact(world, id, [{ sku: 'TEA', quantity: 3 }], { totals: totals(3_000, 500) })
    if (taxed.kind === 'order') for (const line of taxed.document.lines) line.tax_minor = 500
    await world.apply('shop', taxed)
    expect(refusals(await tellAll())).toEqual([])
    expect(orderThere(id)).toMatchObject([{ total_minor: 3_000 }])
  })

  it('comes back, and its refund is a credit note', async () => {
    await world.apply('shop', orderFact(world, id, [{ sku: 'MUG', quantity: 2 }], { totals: totals(2_000) }))
    await ship(id, `${id}-1`, { MUG: 2 })
    await tellAll()
    const [work] = await workOf(world, id)
    const at = world.ctx.now.toISOString()
    const line = { sku: 'MUG', line_reference: null, quantity: 1, disposition: 'restock' as const }
    const back = {
      external_id: `R${id}`,
      order_external_id: null,
      fulfillment_order: work?.number ?? '',
      location_code: 'N1',
    }
    await world.apply('wms', { kind: 'return', document: { ...back, received_at: at, lines: [line] } })
    const refunded = {
      line_external_id: 'L1',
      quantity: 1,
      restock: 'return' as const,
      amount_minor: 1_000,
      tax_minor: 0,
    }
    const references = { order_external_id: id, order_number: null, payment_ids: [] }
    await world.apply('shop', { kind: 'refund', document: { external_id: `RF${id}`, status: 'succeeded', at, currency: 'EUR', amount_minor: 1_000, reason: null, lines: [refunded], references } }) // prettier-ignore
    expect(refusals(await tellAll())).toEqual([])
    expect(erp.ledger().returns.at(-1)).toMatchObject({
      order: orderThere(id)[0]?.name,
      lines: [{ sku: 'MUG', quantity: 1 }],
    })
    expect(erp.ledger().invoices.at(-1)).toMatchObject({ kind: 'credit', state: 'posted', total_minor: 1_000 })
  })
})

describe('when the ERP has a bad day', () => {
  it('has everything once all the same', async () => {
    erp.setFaults({ ...KIND, cut_share: 0.15 })
    const ids = Array.from({ length: 4 }, (_, index) => `${id}-${index}`)
    for (const one of ids) {
      await world.apply('shop', orderFact(world, one, [{ sku: 'TEA', quantity: 2 }], { totals: totals(2_000) }))
      await ship(one, `${one}-1`, { TEA: 1 })
      await ship(one, `${one}-2`, { TEA: 1 })
    }
    expect(refusals(await tellAll())).toEqual([])
    erp.setFaults(KIND)
    for (const one of ids) {
      expect(orderThere(one)).toMatchObject([{ state: 'sale', total_minor: 2_000 }])
      expect(parcelsOf(one).map(({ tracking, lines }) => [tracking, lines])).toEqual([
        [`T-${one}-1`, [{ sku: 'TEA', quantity: 1 }]],
        [`T-${one}-2`, [{ sku: 'TEA', quantity: 1 }]],
      ])
    }
    const { invoices } = erp.ledger()
    expect(invoices.filter(({ order }) => ids.some((one) => order === orderThere(one)[0]?.name))).toHaveLength(
      ids.length,
    )
  }, 60_000)
})

it('believes of every place what the hub knows, after the last parcel', async () => {
  await tellAll()
  world.moveTo(serial * 5 + 4)
  await inTransaction(world.db, (tx) => tellStock(tx, world.ctx, POLICY))
  expect(refusals(await tellAll())).toEqual([])
  for (const sku of ['TEA', 'MUG', 'SPOON']) {
    const { on_hand } = await world.stock(sku, 'north')
    expect(erp.ledger().stock['WH-N']?.[sku]).toBe(on_hand)
  }
})

it('has the books of payouts, and the money that arrived', async () => {
  const at = world.ctx.now.toISOString()
  await world.db.query(
    `with s as (insert into settlements (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor,
       difference_minor, created_at, recorded_at, changed_at, proof)
       values (gen_random_uuid(), 'bank', 'po_1', 'paid', 'EUR', 9750, 10000, 250, 9750, 0, $1, $1, $1, 'proven') returning id)
     insert into settlement_lines (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, match_state)
     select id, 'l1', 'sale', 'x', $1, 'EUR', 10000, 250, 9750, 'not_needed' from s`,
    [at],
  )
  await world.db.query(
    `with t as (insert into bank_statements (id, connection_id, external_id, account, currency, recorded_at)
       values (gen_random_uuid(), 'bank', 'st', 'a', 'EUR', now()) returning id)
     insert into bank_lines (statement_id, connection_id, external_id, booked_on, currency, amount_minor, settlement_id, match_state)
     select t.id, 'bank', 'b1', '2026-03-02', 'EUR', 9750, s.id, 'matched' from t, settlements s where s.external_id = 'po_1'`,
  )
  await postJournals(world.db, world.ctx, { timezone: 'UTC', by: 'test' })
  expect(refusals(await tellAll())).toEqual([])
  const { entries, statements } = erp.ledger()
  expect(entries.filter(({ journal }) => journal === 'MISC')).toMatchObject([{ state: 'posted', off_minor: 0, reference: expect.stringContaining('settlement:') as unknown }]) // prettier-ignore
  expect(statements).toEqual([{ name: 'po_1', begin_minor: 0, end_minor: 9_750, declared_minor: 9_750 }])
  expect(await checkErp(world.db, POLICY)).toMatchObject({ ok: true })
})
