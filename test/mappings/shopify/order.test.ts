import { describe, expect, it } from 'vitest'
import type { Order } from '../../../src/core/model/order.ts'
import type { Mapping } from '../../../src/mappings/define.ts'
import { orderGraphql } from '../../../src/mappings/shopify/graphql.ts'
import { order, refund, unitsAfterEdits } from '../../../src/mappings/shopify/order.ts'
import { bag, lineOrder, OLD, refundOf, RICH, RICH_NODE, type Json } from './orders.ts'

const OBSERVED = '2026-11-02T09:05:01.123Z'

function orderOf(payload: unknown, mapping: Mapping = order): Order & { warnings: string[] } {
  const { facts, warnings } = mapping.map(payload, { observed_at: OBSERVED, settings: {} })
  if (facts.length !== 1 || facts[0]?.kind !== 'order') throw new Error('one order was expected')
  return { ...facts[0].document, warnings }
}

const ADDRESS = {
  name: 'Grace Example',
  company: 'Example GmbH',
  line1: 'Lindenweg 4',
  line2: null,
  city: 'Köln',
  region: 'NW',
  postcode: '50667',
  country: 'DE',
  phone: '+49 221 000000',
}

describe('order', () => {
  it('maps a rich order to the cent', () => {
    expect(orderOf(RICH)).toEqual({
      external_id: '5001',
      number: '#2001',
      version: { updated_at: '2026-11-02T09:05:00.000Z', observed_at: OBSERVED },
      placed_at: '2026-11-02T09:00:01.000Z',
      currency: 'EUR',
      lifecycle: 'open',
      cancelled_at: null,
      payment_state: 'paid',
      taxes_included: false,
      test: false,
      buyer: { external_id: '8001', name: 'Grace Example', email: 'grace@example.org', phone: null },
      ship_to: ADDRESS,
      bill_to: ADDRESS,
      shipping_method: 'DHL + Gift wrap',
      lines: [
        {
          external_id: '9001',
          channel_sku: 'TEA',
          title: 'Green tea - 100 g',
          quantity: 3,
          unit_price_minor: 1000,
          discount_minor: 360,
          tax_minor: 211,
          total_minor: 2640,
          requires_shipping: true,
        },
        {
          external_id: '9002',
          channel_sku: 'variant-72',
          title: 'Voucher',
          quantity: 1,
          unit_price_minor: 2500,
          discount_minor: 0,
          tax_minor: 0,
          total_minor: 2500,
          requires_shipping: false,
        },
      ],
      totals: {
        subtotal_minor: 5140,
        discount_minor: 510,
        shipping_minor: 550,
        tax_minor: 211,
        total_minor: 5901,
        refunded_minor: 0,
      },
      payment_ids: ['c5001.1', 'pi_1', 'ch_1'],
      refunds: [],
      warnings: [],
    })
  })

  it('is the same document by webhook and by poll', () => {
    expect(orderOf(RICH_NODE, orderGraphql)).toEqual(orderOf(RICH))
  })

  it('is the same document by both ways with a shipment and a refund', () => {
    const item = { line_item_id: 9001, quantity: 1, restock_type: 'no_restock', subtotal: 8.8, total_tax: 0.7 }
    const webhook = {
      ...RICH,
      financial_status: 'partially_refunded',
      line_items: [{ ...RICH.line_items[0], current_quantity: 2, fulfillable_quantity: 1 }, RICH.line_items[1]],
      fulfillments: [{ id: 1, status: 'success', line_items: [{ id: 9001, quantity: 1 }] }],
      refunds: [
        {
          id: 66,
          created_at: '2026-11-02T11:00:00+01:00',
          processed_at: '2026-11-02T11:00:00+01:00',
          note: null,
          refund_line_items: [item],
          transactions: [
            {
              id: 67,
              kind: 'refund',
              status: 'success',
              amount: '9.50',
              currency: 'EUR',
              payment_id: 'c5001.2',
              authorization: 're_1',
            },
          ],
        },
      ],
    }
    const money = (amount: string) => ({ shopMoney: { amount } })
    const page = { pageInfo: { hasNextPage: false, endCursor: null } }
    const [tea, voucher] = RICH_NODE.lineItems.nodes
    const node = {
      ...RICH_NODE,
      displayFinancialStatus: 'PARTIALLY_REFUNDED',
      lineItems: { ...page, nodes: [{ ...(tea as Json), currentQuantity: 2, unfulfilledQuantity: 1 }, voucher] },
      fulfillments: [
        { status: 'SUCCESS', fulfillmentLineItems: { ...page, nodes: [{ quantity: 1, lineItem: { id: 'gid://shopify/LineItem/9001' } }] } },
      ],
      refunds: [
        {
          legacyResourceId: '66',
          createdAt: '2026-11-02T10:00:00Z',
          processedAt: '2026-11-02T10:00:00Z',
          note: null,
          refundLineItems: {
            ...page,
            nodes: [{ quantity: 1, restockType: 'NO_RESTOCK', subtotalSet: money('8.8'), totalTaxSet: money('0.7'), lineItem: { id: 'gid://shopify/LineItem/9001' } }],
          },
          transactions: {
            ...page,
            nodes: [{ id: 'gid://shopify/OrderTransaction/67', kind: 'REFUND', status: 'SUCCESS', amountSet: money('9.5'), paymentId: 'c5001.2', authorizationCode: 're_1', processedAt: null }],
          },
        },
      ],
    } // prettier-ignore
    const mapped = orderOf(webhook)
    expect(orderOf(node, orderGraphql)).toEqual(mapped)
    // Of three units one is shipped and one still to be shipped, so the refunded one was taken off unshipped.
    expect(mapped.refunds[0]).toMatchObject({
      amount_minor: 950,
      lines: [{ restock: 'cancel', quantity: 1, amount_minor: 880 }],
    })
    expect(mapped.totals).toMatchObject({ refunded_minor: 950, total_minor: 5901 })
  })

  it('parks a polled order whose lists were cut off', () => {
    const cut = { ...RICH_NODE, lineItems: { ...RICH_NODE.lineItems, pageInfo: { hasNextPage: true, endCursor: 'x' } } }
    expect(() => orderOf(cut, orderGraphql)).toThrow(
      expect.objectContaining({ code: 'payload_invalid', path: '$.lineItems' }),
    )
    const page = { pageInfo: { hasNextPage: false, endCursor: null }, nodes: [] }
    const many = Array.from({ length: 25 }, () => ({ status: 'SUCCESS', fulfillmentLineItems: page }))
    const cutOff = { ...RICH_NODE, fulfillments: many }
    expect(() => orderOf(cutOff, orderGraphql)).toThrow(expect.objectContaining({ path: '$.fulfillments' }))
  })

  it('maps a shape from before money bags and current quantities', () => {
    expect(orderOf(OLD)).toMatchObject({
      number: '#1003',
      payment_state: 'authorized',
      test: false,
      buyer: { external_id: null, name: null, email: 'old@example.org', phone: null },
      ship_to: null,
      lines: [{ quantity: 2, unit_price_minor: 750, discount_minor: 100, tax_minor: 0, total_minor: 1400 }],
      totals: { subtotal_minor: 1400, shipping_minor: 400, total_minor: 1800 },
      payment_ids: [],
    })
  })

  it.each([
    ['JPY', '1200', 1200],
    ['JPY', '1200.00', 1200],
    ['KWD', '12.345', 12345],
    ['KWD', '12.5', 12500],
  ])('reads %s %s as %i minor units', (currency, price, minor) => {
    const payload = { ...OLD, currency, line_items: [{ ...OLD.line_items[0], total_discount: '0', quantity: 1, ...bag('price', price, currency) }] } // prettier-ignore
    expect(orderOf(payload).lines[0]!.unit_price_minor).toBe(minor)
  })

  it('refuses more decimals than the currency has', () => {
    expect(() => orderOf({ ...OLD, currency: 'JPY' })).toThrow(
      expect.objectContaining({ code: 'payload_invalid', path: '$.price' }),
    )
  })

  it.each([
    ['pending', 'pending'],
    ['expired', 'pending'],
    ['authorized', 'authorized'],
    ['partially_paid', 'partially_paid'],
    ['paid', 'paid'],
    ['partially_refunded', 'partially_refunded'],
    ['refunded', 'refunded'],
    ['voided', 'voided'],
    [null, 'pending'],
  ])('financial status %s is %s', (financial_status, state) => {
    expect(orderOf({ ...OLD, financial_status })).toMatchObject({ payment_state: state, warnings: [] })
  })

  it('takes an unknown financial status as pending and says so', () => {
    expect(orderOf({ ...OLD, financial_status: 'bartered' })).toMatchObject({
      payment_state: 'pending',
      warnings: [expect.stringContaining('bartered')],
    })
  })

  it('keeps cancellation before closing', () => {
    const closed_at = '2026-11-03T01:00:00Z'
    expect(orderOf({ ...OLD, closed_at }).lifecycle).toBe('closed')
    expect(orderOf({ ...OLD, closed_at, cancelled_at: '2026-11-03T01:00:00+02:00' })).toMatchObject({
      lifecycle: 'cancelled',
      cancelled_at: '2026-11-02T23:00:00.000Z',
    })
  })

  it.each([
    ['$.line_items[0].quantity', { ...OLD, line_items: [{ ...OLD.line_items[0], quantity: -1 }] }],
    ['$.updated_at', { ...OLD, updated_at: 'yesterday' }],
    ['$.total_price', { ...OLD, total_price: '18,00' }],
    ['$', []],
  ])('parks what cannot be read with its path %s', (path, payload) => {
    expect(() => orderOf(payload)).toThrow(expect.objectContaining({ code: 'payload_invalid', path }))
  })
})

describe('quantities after edits, before refunds', () => {
  it.each([
    ['ordered', { quantity: 3, current_quantity: 3 }, 0, 3],
    ['edited down', { quantity: 3, current_quantity: 2 }, 0, 2],
    ['edited up', { quantity: 5, current_quantity: 5 }, 0, 5],
    ['refunded', { quantity: 3, current_quantity: 2 }, 1, 3],
    ['edited down, then refunded', { quantity: 3, current_quantity: 1 }, 1, 2],
    ['removed as a refund', { quantity: 3, current_quantity: 0 }, 3, 3],
    ['removed whole', { quantity: 3, current_quantity: 0 }, 0, 0],
    ['old shape', { quantity: 3 }, 1, 3],
    ['never more than was asked for', { quantity: 3, current_quantity: 3 }, 2, 3],
  ])('%s', (_, line, refunded, units) => {
    expect(unitsAfterEdits(line, refunded)).toBe(units)
  })

  it('cuts amounts and totals down to what an edit left', () => {
    const mapped = orderOf(lineOrder({ quantity: 3, current_quantity: 2, fulfillable_quantity: 2 }))
    expect(mapped.lines[0]).toMatchObject({ quantity: 2, total_minor: 200, tax_minor: 40 })
    expect(mapped.totals).toMatchObject({ subtotal_minor: 200, tax_minor: 40, total_minor: 240, refunded_minor: 0 })
  })

  it('leaves totals alone when units were refunded', () => {
    const mapped = orderOf(
      lineOrder({ quantity: 3, current_quantity: 2, fulfillable_quantity: 2 }, [refundOf(10, 1, 'cancel')]),
    )
    expect(mapped.lines[0]).toMatchObject({ quantity: 3, total_minor: 300 })
    expect(mapped.totals).toMatchObject({ total_minor: 360, refunded_minor: 120 })
  })
})

describe('what became of refunded units', () => {
  const shipped = (quantity: number, status = 'success') => ({
    fulfillments: [{ id: 1, status, line_items: [{ id: 302, quantity }] }],
  })
  it.each([
    ['cancelled', 'cancel', { quantity: 2, current_quantity: 1, fulfillable_quantity: 1 }, {}, 'cancel'],
    ['to come back', 'return', { quantity: 2, current_quantity: 1, fulfillable_quantity: 0 }, shipped(2), 'return'],
    [
      'kept by the buyer',
      'no_restock',
      { quantity: 2, current_quantity: 1, fulfillable_quantity: 0 },
      shipped(2),
      'none',
    ],
    [
      'not restocked, yet never shipped',
      'no_restock',
      { quantity: 2, current_quantity: 1, fulfillable_quantity: 1 },
      {},
      'cancel',
    ],
    [
      'the same after the rest was shipped',
      'no_restock',
      { quantity: 2, current_quantity: 1, fulfillable_quantity: 0 },
      shipped(1),
      'cancel',
    ],
    [
      'a shipment that was called back does not count',
      'no_restock',
      { quantity: 2, current_quantity: 1, fulfillable_quantity: 1 },
      shipped(2, 'cancelled'),
      'cancel',
    ],
    [
      'restocked the old way, unshipped',
      'legacy_restock',
      { quantity: 2, current_quantity: 1, fulfillable_quantity: 1 },
      {},
      'cancel',
    ],
    [
      'restocked the old way, shipped',
      'legacy_restock',
      { quantity: 2, current_quantity: 1, fulfillable_quantity: 0 },
      shipped(2),
      'return',
    ],
    ['nothing told of shipping', 'no_restock', { quantity: 2 }, {}, 'none'],
  ])('%s', (_, word, line, more, restock) => {
    const mapped = orderOf(lineOrder(line, [refundOf(10, 1, word)], more))
    expect(mapped.refunds[0]!.lines[0]!.restock).toBe(restock)
  })
})

describe('refund', () => {
  const mapRefund = (payload: unknown, settings = {}) =>
    refund.map(payload, { observed_at: OBSERVED, settings }).facts[0]!.document

  it('maps refunds/create', () => {
    expect(mapRefund(refundOf(10, 2, 'return'))).toEqual({
      external_id: '10',
      status: 'succeeded',
      at: '2026-11-03T00:00:00.000Z',
      currency: 'EUR',
      amount_minor: 220,
      reason: 'changed my mind',
      lines: [{ line_external_id: '302', quantity: 2, restock: 'return', amount_minor: 200, tax_minor: 40 }],
      references: { order_external_id: '301', order_number: null, payment_ids: ['c301.2', 're_1'] },
    })
  })

  it('takes unrestocked units of a line that was never fulfilled off the order', () => {
    const payload = refundOf(10, 1, 'no_restock')
    const [item] = payload['refund_line_items'] as Json[]
    const line_item = { id: 302, quantity: 1, price: '1.00', fulfillment_status: null }
    expect(mapRefund({ ...payload, refund_line_items: [{ ...item, line_item }] })).toMatchObject({
      lines: [{ restock: 'cancel' }],
    })
    const sent = { ...line_item, fulfillment_status: 'fulfilled' }
    expect(mapRefund({ ...payload, refund_line_items: [{ ...item, line_item: sent }] })).toMatchObject({
      lines: [{ restock: 'none' }],
    })
  })

  it.each([
    ['pending', 'pending', 220],
    ['failure', 'failed', 0],
    ['error', 'failed', 0],
  ])('a %s transaction makes it %s', (word, status, amount_minor) => {
    const transactions = [{ id: 1, kind: 'refund', status: word, amount: '2.20', currency: 'EUR' }]
    expect(mapRefund({ ...refundOf(10, 2, 'cancel'), transactions })).toMatchObject({ status, amount_minor })
  })

  it('is worth nothing when it is a removal without money', () => {
    expect(mapRefund({ ...refundOf(10, 2, 'cancel'), transactions: [] }, { currency: 'EUR' })).toMatchObject({
      status: 'succeeded',
      amount_minor: 0,
    })
  })

  it('does not read another currency as the order’s', () => {
    const transactions = [{ id: 1, kind: 'refund', status: 'success', amount: '300', currency: 'JPY' }]
    const mapped = orderOf(
      lineOrder({ quantity: 3, current_quantity: 2 }, [{ ...refundOf(10, 1, 'cancel'), transactions }]),
    )
    expect(mapped.refunds[0]).toMatchObject({ amount_minor: 100, currency: 'EUR' })
    expect(mapped.warnings).toHaveLength(1)
  })

  it('parks a refund that names no currency anywhere', () => {
    expect(() => mapRefund({ ...refundOf(10, 2, 'cancel'), transactions: [] })).toThrow(
      expect.objectContaining({ code: 'payload_invalid' }),
    )
  })
})
