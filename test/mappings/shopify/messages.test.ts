import { describe, expect, it } from 'vitest'
import type { Mapping } from '../../../src/mappings/define.ts'
import {
  cancellation,
  moved,
  orderEdited,
  payment,
  privacy,
  shipment,
  stock,
} from '../../../src/mappings/shopify/messages.ts'

const OBSERVED = '2026-11-02T09:05:01.123Z'
const map = (mapping: Mapping, payload: unknown, settings = {}) =>
  mapping.map(payload, { observed_at: OBSERVED, settings })
const one = (mapping: Mapping, payload: unknown, settings = {}) => {
  const { facts } = map(mapping, payload, settings)
  if (facts.length !== 1) throw new Error('one fact was expected')
  return facts[0]
}

describe('messages that are not orders', () => {
  it('takes a deletion as a cancellation of that moment', () => {
    expect(one(cancellation, { id: 5 })).toEqual({
      kind: 'cancellation',
      document: { external_id: '5', version: { updated_at: OBSERVED, observed_at: OBSERVED }, reason: 'deleted' },
    })
  })

  it('asks for the order after an edit, and for listings after a product change', () => {
    expect(one(orderEdited, { order_edit: { order_id: 5 } })).toEqual({
      kind: 'signal',
      document: { stream: 'orders', reference: '5' },
    })
    expect(one(moved('listings'), { id: 1, title: 'x' })).toEqual({
      kind: 'signal',
      document: { stream: 'listings', reference: null },
    })
  })

  const transaction = { id: 7, order_id: 5, kind: 'sale', status: 'success', amount: '12.90', currency: 'EUR', payment_id: 'c5.1', authorization: 'ch_1', processed_at: '2026-11-02T10:00:00+01:00' } // prettier-ignore
  it('reads the gateway ids from a transaction', () => {
    expect(one(payment, transaction)).toEqual({
      kind: 'payment',
      document: {
        external_id: '7',
        kind: 'capture',
        status: 'succeeded',
        at: '2026-11-02T09:00:00.000Z',
        currency: 'EUR',
        amount_minor: 1290,
        references: { order_external_id: '5', order_number: null, payment_ids: ['c5.1', 'ch_1'] },
      },
    })
  })

  it.each([
    ['authorization', 'authorization'],
    ['capture', 'capture'],
    ['refund', undefined],
    ['void', undefined],
    ['change', undefined],
  ])('a transaction of kind %s is a payment of kind %s', (kind, expected) => {
    const { facts, warnings } = map(payment, { ...transaction, kind })
    expect(facts.map((fact) => fact.kind === 'payment' && fact.document.kind)).toEqual(
      expected === undefined ? [] : [expected],
    )
    expect(warnings).toEqual([])
  })

  it('warns of a transaction kind it does not know', () => {
    expect(map(payment, { ...transaction, kind: 'gift' })).toMatchObject({
      facts: [],
      warnings: [expect.stringContaining('gift')],
    })
  })

  it('maps an inventory level by its item number, a negative one as 0', () => {
    const level = { inventory_item_id: 8, location_id: 9, available: 6, updated_at: '2026-11-02T10:00:00+01:00' }
    expect(one(stock, level)).toMatchObject({
      kind: 'stock_count',
      document: { location_code: '9', as_of: '2026-11-02T09:00:00.000Z', lines: [{ sku: '8', on_hand: 6 }] },
    })
    expect(map(stock, { ...level, available: -2 })).toMatchObject({
      facts: [{ document: { lines: [{ on_hand: 0 }] } }],
      warnings: [expect.stringContaining('oversold')],
    })
  })

  it('maps a fulfillment', () => {
    const payload = {
      id: 1, order_id: 5, created_at: '2026-11-02T10:00:00Z', tracking_company: 'DHL', tracking_number: 'T1', tracking_url: null,
      line_items: [{ id: 2, sku: 'A', quantity: 2 }, { id: 3, sku: null, quantity: 1 }],
    } // prettier-ignore
    expect(one(shipment, payload)).toMatchObject({
      kind: 'shipment',
      document: {
        external_id: '1',
        fulfillment_order: '5',
        carrier: 'DHL',
        tracking_number: 'T1',
        lines: [
          { sku: 'A', quantity: 2, line_reference: '2' },
          { sku: 'line-3', quantity: 1, line_reference: '3' },
        ],
      },
    })
  })

  it.each([
    [
      'data_request' as const,
      { shop_id: 1, orders_requested: [11, 12], customer: { id: 3, email: 'a@example.org' }, data_request: { id: 99 } },
      {
        external_id: `data_request:99:${OBSERVED}`,
        buyer_external_id: '3',
        buyer_email: 'a@example.org',
        order_external_ids: ['11', '12'],
      },
    ],
    [
      'redact_person' as const,
      { shop_id: 1, orders_to_redact: [11], customer: { id: 3, email: 'a@example.org' } },
      {
        external_id: `redact_person:3:${OBSERVED}`,
        buyer_external_id: '3',
        buyer_email: 'a@example.org',
        order_external_ids: ['11'],
      },
    ],
    [
      'redact_connection' as const,
      { shop_id: 1, shop_domain: 'x.myshopify.com' },
      {
        external_id: `redact_connection:1:${OBSERVED}`,
        buyer_external_id: null,
        buyer_email: null,
        order_external_ids: [],
      },
    ],
  ])('maps the compliance topic %s', (action, payload, document) => {
    expect(one(privacy(action), payload)).toEqual({ kind: 'privacy', document: { action, ...document } })
  })
})
