import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { checkErp } from '../../../src/core/erp/check.ts'
import { listErpDocuments, resendErpDocument, showErpDocument } from '../../../src/core/erp/read.ts'
import { noteErpCalledOff, noteErpRefused } from '../../../src/core/erp/done.ts'
import type { ErpRequest } from '../../../src/core/model/effects.ts'
import { tellErp } from '../../../src/core/erp/tell.ts'
import type { Tx } from '../../../src/db/pool.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, orderFact, shipmentFact, workOf, type World } from '../world.ts'
import { ERP, kindsDue, merchantWithErp, pending, tellAll, tellNow } from './merchant.ts'

let world: World
let serial = 0
let id = ''

beforeAll(async () => {
  world = await merchantWithErp()
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 1_000, MUG: 1_000, SPOON: 1_000 }))
})
beforeEach(async () => {
  world.ctx.erps = new Map([['acme', ERP]])
  await tellAll(world)
  serial += 1
  id = `O${serial}`
  world.moveTo(serial)
})
afterAll(() => world.drop())

async function shipAll(external_id: string, units: Record<string, number>, name = `${external_id}-1`): Promise<void> {
  const [work] = await workOf(world, external_id)
  await world.apply('wms', shipmentFact(world, name, work?.number ?? '', units))
}

const only = <K extends ErpRequest['kind']>(told: readonly ErpRequest[], kind: K) =>
  told.flatMap((one) => (one.kind === kind ? [one as Extract<ErpRequest, { kind: K }>] : []))

const money = (total_minor: number, more: object = {}) => ({
  subtotal_minor: total_minor,
  discount_minor: 0,
  shipping_minor: 0,
  tax_minor: 0,
  total_minor,
  refunded_minor: 0,
  ...more,
})

describe('what an ERP is told of an order', () => {
  it('is the order once it is paid, in items, with the customer out of the vault', async () => {
    const buyer = { external_id: 'C9', name: 'Ada Byron', email: 'ada@example.org', phone: null }
    const unpaid = orderFact(world, id, [{ sku: 'TEA-4PACK', quantity: 2 }, { sku: 'GIFT', quantity: 1 }], { payment_state: 'pending', buyer }) // prettier-ignore
    await world.apply('shop', unpaid)
    expect(await kindsDue(world)).toEqual([])
    world.moveTo(serial + 0.5)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA-4PACK', quantity: 2 }, { sku: 'GIFT', quantity: 1 }], { buyer, totals: money(3_000) })) // prettier-ignore
    const [request] = only(await tellNow(world), 'order')
    expect(request).toMatchObject({
      key: `order:shop:${id}`,
      order: {
        channel: 'shop',
        order_number: `#${id}`,
        total_minor: 3_000,
        warehouse_code: 'WH-N',
        customer: { name: 'Ada Byron', email: 'ada@example.org', ship_to: { city: 'Bonn' } },
        lines: [
          { line_external_id: 'L1', sku: 'TEA', quantity: 8, unit_price_minor: 250, discount_minor: 0 },
          { line_external_id: 'L2', sku: 'GIFT', quantity: 1, unit_price_minor: 1_000 },
        ],
      },
    })
    const rows = await world.db.query<{ reference: object }>(`select reference from outbox where kind = 'erp.order'`)
    expect(JSON.stringify(rows)).not.toContain('Ada')
  })

  it('tells an edit as a new version once the former one is there, and nothing when nothing changed', async () => {
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 2 }]))
    world.moveTo(serial + 0.2)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 3 }]))
    // The first version has not left: it will carry the newest state.
    expect(await kindsDue(world)).toEqual(['erp.order'])
    const first = await tellNow(world)
    expect(only(first, 'order')[0]?.order.lines[0]?.quantity).toBe(3)
    await tellAll(world)
    world.moveTo(serial + 0.4)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }]))
    const again = await tellNow(world)
    expect(only(again, 'order')[0]).toMatchObject({ key: `order:shop:${id}`, order: { lines: [{ quantity: 1 }] } })
    world.moveTo(serial + 0.6)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }], { payment_state: 'paid', shipping_method: 'express' })) // prettier-ignore
    expect(await kindsDue(world)).toEqual([])
  })

  it('lets deliveries wait for their order, and invoices for their delivery', async () => {
    await world.apply(
      'shop',
      orderFact(world, id, [
        { sku: 'GIFT', quantity: 2 },
        { sku: 'SPOON', quantity: 1 },
      ]),
    )
    await shipAll(id, { TEA: 2, MUG: 1, SPOON: 1 })
    expect(await kindsDue(world)).toEqual(['erp.order'])
    expect((await tellNow(world)).map(({ kind }) => kind)).toEqual(['order'])
    const [delivery] = only(await tellNow(world), 'delivery')
    expect(delivery).toMatchObject({
      order_external_key: `order:shop:${id}`,
      warehouse_code: 'WH-N',
      tracking_number: `T-${id}-1`,
      units_remaining: 1,
      lines: expect.arrayContaining([
        { sku: 'TEA', line_external_id: 'L1', quantity: 2, lot: null },
        { sku: 'MUG', line_external_id: 'L1', quantity: 1, lot: null },
        { sku: 'SPOON', line_external_id: 'L2', quantity: 1, lot: null },
      ]) as unknown,
    })
    expect((await tellAll(world)).map(({ kind }) => kind)).toEqual(['invoice'])
    await shipAll(id, { TEA: 2, MUG: 1 }, `${id}-2`)
    const rest = await tellAll(world)
    expect(rest.map(({ kind }) => kind)).toEqual(['delivery', 'invoice'])
    expect(only(rest, 'delivery')[0]?.units_remaining).toBe(0)
  })

  it('tells a cancellation only of an order that is there; one that came back is told anew', async () => {
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }]))
    world.moveTo(serial + 0.2)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }], { lifecycle: 'cancelled' }))
    expect(await tellAll(world)).toEqual([])
    const other = `${id}-b`
    await world.apply('shop', orderFact(world, other, [{ sku: 'TEA', quantity: 1 }]))
    await tellAll(world)
    world.moveTo(serial + 0.4)
    await world.apply('shop', orderFact(world, other, [{ sku: 'TEA', quantity: 1 }], { lifecycle: 'cancelled' }))
    expect(only(await tellAll(world), 'cancellation')).toMatchObject([{ order_external_key: `order:shop:${other}` }])
    world.moveTo(serial + 0.6)
    await world.apply('shop', orderFact(world, other, [{ sku: 'TEA', quantity: 1 }]))
    expect((await tellAll(world)).map(({ kind }) => kind)).toEqual(['order'])
    world.moveTo(serial + 0.8)
    await world.apply('shop', orderFact(world, other, [{ sku: 'TEA', quantity: 1 }], { lifecycle: 'cancelled' }))
    expect((await tellAll(world)).map(({ kind }) => kind)).toEqual(['cancellation'])
  })

  it('keeps as an order what left of a cancelled one, with only those units', async () => {
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 3 }], { totals: money(3_000) }))
    await tellAll(world)
    await shipAll(id, { TEA: 1 })
    await tellAll(world)
    world.moveTo(serial + 0.2)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 3 }], { lifecycle: 'cancelled', totals: money(3_000) })) // prettier-ignore
    const told = await tellAll(world)
    expect(told.map(({ kind }) => kind)).toEqual(['order'])
    expect(only(told, 'order')[0]?.order).toMatchObject({ total_minor: 1_000, lines: [{ quantity: 1 }] })
  })

  it('tells returns after the deliveries, and credits each refund once, whoever reports it', async () => {
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 2 }], { totals: money(2_000), payment_ids: [`ch-${id}`] })) // prettier-ignore
    await shipAll(id, { TEA: 2 })
    const [work] = await workOf(world, id)
    await world.apply('wms', {
      kind: 'return',
      document: {
        external_id: `R${id}`,
        order_external_id: null,
        fulfillment_order: work?.number ?? '',
        location_code: 'N1',
        received_at: world.ctx.now.toISOString(),
        lines: [{ sku: 'TEA', line_reference: null, quantity: 1, disposition: 'restock' }],
      },
    })
    const refund = (external_id: string, lines: boolean) => ({
      kind: 'refund' as const,
      document: {
        external_id,
        status: 'succeeded' as const,
        at: world.ctx.now.toISOString(),
        currency: 'EUR',
        amount_minor: 1_000,
        reason: null,
        lines: lines
          ? [{ line_external_id: 'L1', quantity: 1, restock: 'return' as const, amount_minor: 1_000, tax_minor: 0 }]
          : [],
        references: { order_external_id: lines ? id : null, order_number: null, payment_ids: [`ch-${id}`] },
      },
    })
    await world.apply('bank', refund(`gw-${id}`, false))
    await world.apply('shop', refund(`sf-${id}`, true))
    const told = await tellAll(world)
    expect(told.map(({ kind }) => kind)).toEqual(['order', 'delivery', 'return', 'invoice', 'credit'])
    expect(only(told, 'credit')).toMatchObject([{ refund_id: `sf-${id}`, amount_minor: 1_000, lines: [{ sku: 'TEA', quantity: 1 }] }]) // prettier-ignore
    expect(only(told, 'return')).toMatchObject([{ warehouse_code: 'WH-N', lines: [{ sku: 'TEA', quantity: 1, disposition: 'restock' }] }]) // prettier-ignore
  })

  it('tells nothing, and asks nothing, where the company has no ERP', async () => {
    delete world.ctx.erps
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }]))
    expect(await kindsDue(world)).toEqual([])
    const refuse: Tx = { inTransaction: true, query: () => Promise.reject(new Error('asked the database')) }
    const orders = [{ id, connection_id: 'shop' }]
    for (const erps of [undefined, new Map(), new Map([['another', ERP]])])
      expect(await tellErp(refuse, { ...world.ctx, ...(erps === undefined ? {} : { erps }) }, orders)).toBe(0)
  })
})

describe('what operators see', () => {
  it('proves that nothing is missing, and names what is', async () => {
    await tellAll(world)
    expect(await checkErp(world.db, ERP)).toMatchObject({ ok: false, missing: [{ kind: 'order' }] })
    const [order] = await world.db.query<{ id: string }>(`select id from orders where external_id = 'O7'`)
    await world.db.query('update orders set is_test = true where id = $1', [order?.id])
    expect(await checkErp(world.db, ERP)).toMatchObject({ ok: true, missing_count: 0 })
  })

  it('opens a case for what is refused, tells it again on request, and closes the case when it is taken', async () => {
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }]))
    const [row] = await pending(world)
    if (row === undefined) throw new Error('nothing is due')
    await world.db.query(`update outbox set state = 'dead', error_code = 'vendor_rejected' where id = $1`, [row.id])
    await inTransaction(world.db, (tx) => noteErpRefused(tx, world.ctx, [{ effect: row, code: 'vendor_rejected' }]))
    const [refused] = (await listErpDocuments(world.db, { state: 'refused' })).rows
    expect(refused).toMatchObject({ kind: 'order', order_number: `#${id}`, error_code: 'vendor_rejected' })
    expect((await checkErp(world.db, ERP)).ok).toBe(false)
    // An edit does not overtake what waits for a person.
    world.moveTo(serial + 0.2)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 2 }]))
    expect(await kindsDue(world)).toEqual([])
    const again = () => inTransaction(world.db, (tx) => resendErpDocument(tx, refused?.id ?? 0, 'ada', world.ctx.now))
    expect(await again()).toMatchObject({ version: 2, resent: true })
    expect(await again()).toMatchObject({ version: 2, resent: false })
    expect(only(await tellAll(world), 'order')[0]?.order.lines[0]?.quantity).toBe(2)
    const open = await world.db.query(`select 1 from cases where kind = 'erp_refused' and state = 'open'`)
    expect(open).toEqual([])
    expect(await showErpDocument(world.db, refused?.id ?? 0)).toMatchObject({
      state: 'told',
      told_version: 3,
      effects: [{}, {}, {}],
    })
  })
})

describe('a document that was called off', () => {
  /** As the queue ends an effect that has nothing to tell any more. */
  const callOff = async (how: { begun: boolean }): Promise<void> => {
    const rows = await pending(world)
    await inTransaction(world.db, async (tx) => {
      await tx.query(`update outbox set state = 'cancelled' where id = any($1)`, [rows.map((row) => row.id)])
      await noteErpCalledOff(tx, world.ctx, rows.map((row) => ({ ...row, ...how }))) // prettier-ignore
    })
  }
  const say = async (minute: number, lifecycle: 'open' | 'cancelled'): Promise<void> => {
    world.moveTo(serial + minute)
    await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 1 }], { lifecycle }))
  }
  const kindsTold = async (): Promise<string[]> => (await tellAll(world)).map(({ kind }) => kind)

  it('is forgotten where nobody had begun with it', async () => {
    await say(0.1, 'open')
    await say(0.2, 'cancelled')
    await callOff({ begun: false })
    expect(await kindsDue(world)).toEqual([])
    await say(0.3, 'open')
    expect(await kindsTold()).toEqual(['order'])
  })

  it('is taken back where an attempt may have left something of it, and told anew if it is wanted again', async () => {
    await say(0.1, 'open')
    await say(0.2, 'cancelled')
    await callOff({ begun: true })
    expect(await kindsDue(world)).toEqual(['erp.cancellation'])
    // It comes back while its cancellation is begun: the ERP may have the order cancelled, open, or not at all.
    await say(0.3, 'open')
    await callOff({ begun: true })
    expect(await kindsTold()).toEqual(['order'])
    await say(0.4, 'cancelled')
    expect(await kindsTold()).toEqual(['cancellation'])
  })

  it('is told anew also when the cancellation was not even begun', async () => {
    await say(0.1, 'open')
    await say(0.2, 'cancelled')
    await callOff({ begun: true })
    await say(0.3, 'open')
    await callOff({ begun: false })
    expect(await kindsTold()).toEqual(['order'])
  })
})
