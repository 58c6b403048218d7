import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HubError } from '../../../src/core/errors.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { wooCancellation, wooOrder } from '../../../src/mappings/woocommerce/order.ts'
import { wooProduct } from '../../../src/mappings/woocommerce/product.ts'
import { wooRefund } from '../../../src/mappings/woocommerce/refund.ts'
import { wooOrderSample, wooRefundSample } from './samples.ts'

const context = { observed_at: '2026-11-20T08:20:31.000Z', settings: {} }

function orderOf(payload: unknown): { order: Order; warnings: string[]; kinds: string[] } {
  const { facts, warnings } = wooOrder.map(payload, context)
  const fact = facts.find(({ kind }) => kind === 'order')
  return { order: fact?.document as Order, warnings, kinds: facts.map(({ kind }) => kind) }
}

function faultOf(work: () => unknown): HubError {
  try {
    work()
  } catch (thrown) {
    return thrown as HubError
  }
  throw new Error('nothing was thrown')
}

describe('a WooCommerce order', () => {
  it('becomes the canonical order to the cent', () => {
    const { order, warnings, kinds } = orderOf(wooOrderSample())
    expect(kinds).toEqual(['order'])
    expect(warnings).toEqual([])
    expect(order).toEqual({
      external_id: '4711',
      number: 'SHOP-4711',
      version: { updated_at: '2026-11-20T08:20:30.000Z', observed_at: '2026-11-20T08:20:31.000Z' },
      placed_at: '2026-11-20T08:15:00.000Z',
      currency: 'EUR',
      lifecycle: 'open',
      cancelled_at: null,
      payment_state: 'paid',
      taxes_included: false,
      test: false,
      buyer: { external_id: null, name: 'Ada Example', email: 'ada@example.test', phone: '+49 40 1' },
      ship_to: address,
      bill_to: address,
      shipping_method: 'Parcel',
      lines: [
        {
          external_id: '11',
          channel_sku: 'TEA-GREEN',
          title: 'Green tea',
          quantity: 3,
          unit_price_minor: 667,
          discount_minor: 200,
          tax_minor: 342,
          total_minor: 1800,
          requires_shipping: true,
        },
        {
          external_id: '12',
          channel_sku: 'variation:23',
          title: 'Mug',
          quantity: 1,
          unit_price_minor: 900,
          discount_minor: 0,
          tax_minor: 171,
          total_minor: 900,
          requires_shipping: true,
        },
      ],
      totals: {
        subtotal_minor: 3010,
        discount_minor: 300,
        shipping_minor: 410,
        tax_minor: 591,
        total_minor: 3711,
        refunded_minor: 0,
      },
      payment_ids: ['ch_1', 'pi_1'],
      refunds: [],
    })
  })

  it('shows amounts with tax where the shop sells with tax included', () => {
    const { order, warnings } = orderOf(wooOrderSample({ prices_include_tax: true }))
    expect(warnings).toEqual([])
    expect(order.taxes_included).toBe(true)
    expect(order.lines[0]).toMatchObject({
      unit_price_minor: 793,
      discount_minor: 238,
      tax_minor: 342,
      total_minor: 2142,
    })
    expect(order.totals).toMatchObject({
      subtotal_minor: 3582,
      discount_minor: 359,
      shipping_minor: 488,
      tax_minor: 591,
      total_minor: 3711,
    })
  })

  it.each([
    ['pending', null, 'open', 'pending'],
    ['on-hold', null, 'open', 'pending'],
    ['processing', '2026-11-20T08:16:00', 'open', 'paid'],
    ['processing', null, 'open', 'authorized'],
    ['completed', '2026-11-20T08:16:00', 'closed', 'paid'],
    ['completed', null, 'closed', 'authorized'],
    ['cancelled', null, 'cancelled', 'voided'],
    ['cancelled', '2026-11-20T08:16:00', 'cancelled', 'paid'],
    ['refunded', '2026-11-20T08:16:00', 'cancelled', 'refunded'],
    ['failed', null, 'open', 'pending'],
    ['trash', null, 'cancelled', 'voided'],
  ])('in status %s, paid at %s, is %s and %s', (status, date_paid_gmt, lifecycle, payment_state) => {
    const { order, warnings } = orderOf(wooOrderSample({ status, date_paid_gmt }))
    expect(warnings).toEqual([])
    expect(order).toMatchObject({ lifecycle, payment_state })
    expect(order.cancelled_at === null).toBe(lifecycle !== 'cancelled')
  })

  it('in a status of some plug-in is open, unpaid without a payment date, and doubted aloud', () => {
    const { order, warnings } = orderOf(wooOrderSample({ status: 'awaiting-shipment', date_paid_gmt: null }))
    expect(order).toMatchObject({ lifecycle: 'open', payment_state: 'pending' })
    expect(warnings).toEqual([expect.stringContaining('unknown order status "awaiting-shipment"')])
  })

  it('that is still a checkout draft is no order yet', () => {
    expect(wooOrder.map(wooOrderSample({ status: 'checkout-draft' }), context).facts).toEqual([])
  })

  it('refunded after it was completed stays closed', () => {
    const { order } = orderOf(wooOrderSample({ status: 'refunded', date_completed_gmt: '2026-11-20T08:18:00' }))
    expect(order.lifecycle).toBe('closed')
  })

  it('asks for the details of refunds that it only sums up, and counts the money at once', () => {
    const { order, kinds } = orderOf(wooOrderSample({ refunds: [{ id: 9001, reason: '', total: '-7.14' }] }))
    expect(kinds).toEqual(['order', 'signal'])
    expect(order).toMatchObject({ payment_state: 'partially_refunded', totals: { refunded_minor: 714 }, refunds: [] })
  })

  it('tells refunded units as cancelled before completion, as gone with the goods after it, and money alone as neither', () => {
    const money = wooRefundSample({
      id: 9002,
      amount: '1.00',
      line_items: [
        {
          id: 502,
          quantity: 0,
          total: '-1.00',
          total_tax: '0.00',
          meta_data: [{ key: '_refunded_item_id', value: 12 }],
        },
      ],
    })
    const refunds = [{ id: 9001, total: '-7.14' }, { id: 9002, total: '-1.00' }] // prettier-ignore
    const refund_details = [wooRefundSample(), money]
    const { order, kinds } = orderOf(wooOrderSample({ refunds, refund_details }))
    expect(kinds).toEqual(['order'])
    expect(order.refunds).toEqual([
      {
        external_id: '9001',
        status: 'succeeded',
        at: '2026-11-20T09:00:00.000Z',
        currency: 'EUR',
        amount_minor: 714,
        reason: 'changed mind',
        lines: [{ line_external_id: '11', quantity: 1, restock: 'cancel', amount_minor: 714, tax_minor: 114 }],
        references: { order_external_id: '4711', order_number: 'SHOP-4711', payment_ids: [] },
      },
      expect.objectContaining({
        external_id: '9002',
        amount_minor: 100,
        lines: [{ line_external_id: '12', quantity: 0, restock: 'none', amount_minor: 100, tax_minor: 0 }],
      }),
    ])
    const later = orderOf(
      wooOrderSample({ status: 'completed', date_completed_gmt: '2026-11-20T08:59:00', refunds, refund_details }),
    )
    expect(later.order.refunds[0]?.lines[0]).toMatchObject({ quantity: 1, restock: 'none' })
  })

  it('says so when a refund does not name the line whose units it takes back', () => {
    const line = { id: 502, quantity: -1, total: '-6.00', total_tax: '-1.14', meta_data: [] }
    const refunds = [{ id: 9001, total: '-7.14' }]
    const { order, warnings } = orderOf(
      wooOrderSample({ refunds, refund_details: [wooRefundSample({ line_items: [line] })] }),
    )
    expect(order.refunds).toMatchObject([{ amount_minor: 714, lines: [] }])
    expect(warnings).toEqual([expect.stringContaining('refund 9001: line 502')])
  })

  it('keeps a registered buyer, a separate delivery address and its phone', () => {
    const shipping = {
      first_name: 'Bo',
      last_name: 'Else',
      address_1: 'Side 2',
      city: 'Oslo',
      postcode: '0150',
      country: 'no',
      phone: '',
    }
    const { order } = orderOf(wooOrderSample({ customer_id: 88, shipping }))
    expect(order.buyer?.external_id).toBe('88')
    expect(order.ship_to).toMatchObject({ name: 'Bo Else', line1: 'Side 2', country: 'NO', phone: '+49 40 1' })
    expect(order.bill_to?.name).toBe('Ada Example')
  })

  it('warns of a country that is not two letters and of amounts that do not add up', () => {
    const billing = { ...(wooOrderSample()['billing'] as object), country: 'Germany' }
    const { order, warnings } = orderOf(wooOrderSample({ billing, total: '37.12' }))
    expect(order.bill_to?.country).toBeNull()
    expect(warnings).toEqual(
      expect.arrayContaining([expect.stringContaining('country'), expect.stringContaining('by 1 minor units')]),
    )
  })

  it.each([
    ['$.line_items[1].total', (sample: Record<string, unknown>) => withLine(sample, 1, { total: 9 })],
    ['$.line_items[0].quantity', (sample: Record<string, unknown>) => withLine(sample, 0, { quantity: 1.5 })],
    ['$.line_items[0].subtotal', (sample: Record<string, unknown>) => withLine(sample, 0, { subtotal: '20,00' })],
    ['$.total', (sample: Record<string, unknown>) => ({ ...sample, total: '37.115' })],
    ['$.fee_lines[1].total', (sample: Record<string, unknown>) => ({ ...sample, fee_lines: [{ total: '1', total_tax: '0' }, { total: '', total_tax: '0' }] })], // prettier-ignore
    ['$.date_modified_gmt', (sample: Record<string, unknown>) => ({ ...sample, date_modified_gmt: 'yesterday' })],
    ['$.id', (sample: Record<string, unknown>) => ({ ...sample, id: undefined })],
  ])('with a fault at %s is refused with that path', (path, spoil) => {
    const fault = faultOf(() => wooOrder.map(JSON.parse(JSON.stringify(spoil(wooOrderSample()))), context))
    expect(fault).toMatchObject({ code: 'payload_invalid', path })
  })

  it('takes any amounts the shop can write without losing a cent', () => {
    const cents = fc.integer({ min: 0, max: 10_000_000 })
    const text = (minor: number): string => `${Math.trunc(minor / 100)}.${String(minor % 100).padStart(2, '0')}`
    const line = fc.record({ subtotal: cents, tax: cents, off: cents, quantity: fc.integer({ min: 1, max: 99 }) })
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), cents, fc.boolean(), (lines, shipping, prices_include_tax) => {
        const kept = lines.map((each) => ({ ...each, off: Math.min(each.off, each.subtotal) }))
        const sum = (pick: (each: (typeof kept)[number]) => number): number =>
          kept.reduce((total, each) => total + pick(each), 0)
        const total = sum((each) => each.subtotal - each.off + each.tax) + shipping
        const payload = wooOrderSample({
          prices_include_tax,
          fee_lines: [],
          discount_total: text(sum((each) => each.off)),
          discount_tax: '0.00',
          shipping_total: text(shipping),
          shipping_tax: '0.00',
          total_tax: text(sum((each) => each.tax)),
          total: text(total),
          line_items: kept.map((each, index) => ({
            id: index + 1,
            product_id: 1,
            variation_id: 0,
            quantity: each.quantity,
            subtotal: text(each.subtotal),
            subtotal_tax: text(each.tax),
            total: text(each.subtotal - each.off),
            total_tax: text(each.tax),
            sku: 'A',
          })),
        })
        const { order, warnings } = orderOf(payload)
        expect(warnings).toEqual([])
        expect(order.totals.total_minor).toBe(total)
        const lineTax = prices_include_tax ? 0 : order.totals.tax_minor
        expect(
          order.lines.reduce((all, each) => all + each.total_minor, 0) + order.totals.shipping_minor + lineTax,
        ).toBe(total)
      }),
      { numRuns: 200 },
    )
  })
})

describe('the smaller WooCommerce payloads', () => {
  it('a deletion is a cancellation as of the word itself', () => {
    expect(wooCancellation.map({ id: 4711 }, context).facts).toEqual([
      {
        kind: 'cancellation',
        document: {
          external_id: '4711',
          version: { updated_at: context.observed_at, observed_at: context.observed_at },
          reason: 'deleted in the shop',
        },
      },
    ])
  })

  it('a refund alone finds its order by its link and its currency in the settings', () => {
    const { facts } = wooRefund.map(wooRefundSample(), { ...context, settings: { currency: 'EUR' } })
    expect(facts).toMatchObject([
      { kind: 'refund', document: { amount_minor: 714, references: { order_external_id: '4711' } } },
    ])
    expect(faultOf(() => wooRefund.map(wooRefundSample(), context))).toMatchObject({
      code: 'payload_invalid',
      path: '$.currency',
    })
  })

  it.each([
    [{ id: 5, type: 'simple', sku: 'A', name: 'Tea', manage_stock: true, stock_quantity: 7 }, { channel_sku: 'A', external: { product_id: '5' }, quantity: 7 }],
    [{ id: 6, type: 'variation', parent_id: 5, sku: 'B', manage_stock: true, stock_quantity: -2 }, { channel_sku: 'B', external: { product_id: '5', variation_id: '6' }, quantity: 0 }],
    [{ id: 7, parent_id: 5, sku: '', manage_stock: 'parent', stock_quantity: 3 }, { channel_sku: 'variation:7', external: { product_id: '5', variation_id: '7' }, quantity: null }],
    [{ id: 8, type: 'simple', parent_id: 3, sku: null, manage_stock: false, stock_quantity: null }, { channel_sku: 'product:8', external: { product_id: '8' }, quantity: null }],
  ])('a product %j is a listing', (product, listing) => {
    expect(wooProduct.map(product, context).facts).toMatchObject([{ kind: 'listing', document: listing }])
  }) // prettier-ignore

  it('a product with variations asks for the listings pull, a grouped one is nothing to stock, half a unit is not a count', () => {
    expect(wooProduct.map({ id: 9, type: 'variable', sku: '' }, context).facts).toMatchObject([
      { kind: 'signal', document: { stream: 'listings' } },
    ])
    expect(wooProduct.map({ id: 9, type: 'grouped', sku: '' }, context).facts).toEqual([])
    const half = wooProduct.map({ id: 9, sku: 'H', manage_stock: true, stock_quantity: 1.5 }, context)
    expect(half.facts).toMatchObject([{ document: { quantity: null } }])
    expect(half.warnings).toHaveLength(1)
  })
})

const address = {
  name: 'Ada Example',
  company: null,
  line1: 'Main Street 1',
  line2: null,
  city: 'Hamburg',
  region: null,
  postcode: '20095',
  country: 'DE',
  phone: '+49 40 1',
}

function withLine(
  sample: Record<string, unknown>,
  index: number,
  change: Record<string, unknown>,
): Record<string, unknown> {
  const lines = sample['line_items'] as Record<string, unknown>[]
  return { ...sample, line_items: lines.map((line, at) => (at === index ? { ...line, ...change } : line)) }
}
