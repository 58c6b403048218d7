import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Order } from '../../../src/core/model/order.ts'
import { decimalFromMinor } from '../../../src/core/model/money.ts'
import { amazonListing } from '../../../src/mappings/amazon/listing.ts'
import { MARKETPLACES } from '../../../src/mappings/amazon/marketplaces.ts'
import { amazonNotification } from '../../../src/mappings/amazon/notification.ts'
import { amazonOrder } from '../../../src/mappings/amazon/order.ts'
import { ITEM, money, ORDER } from './orderFixture.ts'

const CONTEXT = { observed_at: '2026-11-19T06:01:00.000Z', settings: {} }

function read(change: Readonly<Record<string, unknown>> = {}): { order: Order; warnings: string[] } {
  const { facts, warnings } = amazonOrder.map({ ...ORDER, ...change }, CONTEXT)
  const [fact] = facts
  if (facts.length !== 1 || fact?.kind !== 'order') throw new Error('not one order')
  return { order: fact.document, warnings }
}
const status = (fulfillmentStatus: string, fulfilledBy = 'MERCHANT') =>
  read({ fulfillment: { ...ORDER.fulfillment, fulfillmentStatus, fulfilledBy } })
const item = (change: Readonly<Record<string, unknown>>) => read({ orderItems: [{ ...ITEM, ...change }] })

describe('a whole order', () => {
  it('comes out as it is, to the cent and the minute', () => {
    const { order, warnings } = read()
    expect(warnings).toEqual([])
    expect(order).toEqual({
      external_id: '111-2223334-5556667',
      number: '111-2223334-5556667',
      version: { updated_at: '2026-11-19T06:00:00.250Z', observed_at: '2026-11-19T06:01:00.000Z' },
      placed_at: '2026-11-18T22:10:05.000Z',
      currency: 'USD',
      lifecycle: 'open',
      cancelled_at: null,
      payment_state: 'paid',
      taxes_included: false,
      test: false,
      buyer: { external_id: null, name: 'Grace Sample', email: 'alias77@marketplace.example', phone: null },
      ship_to: {
        name: 'Grace Sample',
        company: 'Sample & Sons',
        line1: '12 Pine Road',
        line2: 'Unit 3, Back door',
        city: 'Springfield',
        region: 'IL',
        postcode: '62701',
        country: 'US',
        phone: '+1 555 0100',
      },
      bill_to: null,
      shipping_method: 'SECOND_DAY',
      ship_by: '2026-11-20T07:59:59.000Z',
      deliver_by: '2026-11-23T07:59:59.000Z',
      lines: [
        {
          external_id: '11223344556677',
          channel_sku: 'KETTLE-17',
          title: 'Kettle, 1.7 l',
          quantity: 2,
          unit_price_minor: 2_450,
          discount_minor: 400,
          tax_minor: 390,
          total_minor: 4_500,
          requires_shipping: true,
        },
      ],
      totals: {
        subtotal_minor: 4_900,
        discount_minor: 600,
        shipping_minor: 500,
        tax_minor: 390,
        total_minor: 5_190,
        refunded_minor: 0,
      },
      payment_ids: [],
      refunds: [],
    })
  })

  it('is parked with its path where it does not fit', () => {
    const of = (change: object) => () => amazonOrder.map({ ...ORDER, ...change }, CONTEXT)
    expect(of({ orderItems: [{ ...ITEM, quantityOrdered: 1.5 }] })).toThrow(
      expect.objectContaining({ code: 'payload_invalid', path: '$.orderItems[0].quantityOrdered' }),
    )
    expect(of({ lastUpdatedTime: 'yesterday' })).toThrow(expect.objectContaining({ path: '$.lastUpdatedTime' }))
    expect(of({ proceeds: { grandTotal: money('1.005') } })).toThrow(
      expect.objectContaining({ code: 'payload_invalid', path: '$.proceeds.grandTotal.amount' }),
    )
    expect(of({ proceeds: { grandTotal: money('51.90', 'EUR') } })).toThrow(
      expect.objectContaining({ code: 'payload_invalid', path: '$.proceeds' }),
    )
  })
})

describe('the status', () => {
  it.each([
    ['PENDING_AVAILABILITY', 'open', 'pending'],
    ['PENDING', 'open', 'pending'],
    ['UNSHIPPED', 'open', 'paid'],
    ['PARTIALLY_SHIPPED', 'open', 'paid'],
    ['SHIPPED', 'closed', 'paid'],
    ['CANCELLED', 'cancelled', 'voided'],
  ])('%s is %s and %s', (word, lifecycle, payment_state) => {
    const { order, warnings } = status(word)
    expect(order).toMatchObject({ lifecycle, payment_state })
    expect(warnings).toEqual([])
  })

  it('that is unknown, missing, or cannot be, holds the order and says so', () => {
    for (const { order, warnings } of [status('TELEPORTED'), read({ fulfillment: null }), status('UNFULFILLABLE')]) {
      expect(order).toMatchObject({ lifecycle: 'open', payment_state: 'pending' })
      expect(warnings).toHaveLength(1)
    }
  })

  it('of goods on Amazon’s shelves takes none of ours, whatever it is', () => {
    for (const word of ['PENDING', 'UNSHIPPED', 'SHIPPED', 'UNFULFILLABLE']) {
      const { order, warnings } = status(word, 'AMAZON')
      expect(order.lines).toMatchObject([{ channel_sku: 'fba:KETTLE-17', requires_shipping: false }])
      expect(warnings).toEqual([])
    }
  })
})

describe('the units that are wanted', () => {
  it.each([
    ['as ordered', {}, 2],
    ['an item cancelled whole', { cancellation: { cancellationExecution: { cancelledBy: 'AMAZON' } }, fulfillment: { quantityFulfilled: 0, quantityUnfulfilled: 0 } }, 0],
    ['the rest of an item cancelled', { cancellation: { cancellationExecution: { cancelledBy: 'MERCHANT' } }, fulfillment: { quantityFulfilled: 1, quantityUnfulfilled: 0 } }, 1],
    ['fewer counted than ordered', { fulfillment: { quantityFulfilled: 0, quantityUnfulfilled: 1 } }, 1],
    ['nothing counted', { fulfillment: null }, 2],
    ['more counted than ordered', { fulfillment: { quantityFulfilled: 2, quantityUnfulfilled: 2 } }, 2],
  ])('%s', (_, change, quantity) => {
    const [line] = item(change).order.lines
    expect(line).toMatchObject({ quantity })
    expect(line!.total_minor + line!.discount_minor).toBe(line!.unit_price_minor * quantity)
  }) // prettier-ignore

  it('stay as they are when a cancellation is only asked for, with a word to the operator', () => {
    const { order, warnings } = item({ cancellation: { cancellationRequest: { requester: 'BUYER' } } })
    expect(order).toMatchObject({ lifecycle: 'open', lines: [{ quantity: 2 }] })
    expect(warnings).toEqual([expect.stringContaining('asked for a cancellation')])
  })
})

describe('money', () => {
  const breakdowns = (parts: Readonly<Record<string, string>>, currency = 'EUR') =>
    Object.entries(parts).map(([type, amount]) => ({ type, subtotal: money(amount, currency) }))
  const totals = (parts: Readonly<Record<string, string>>, total: string, more: object = {}) =>
    read({
      salesChannel: { channelName: 'AMAZON', marketplaceId: 'A1PA6795UKMFR9' },
      proceeds: { grandTotal: money(total, 'EUR'), breakdowns: breakdowns(parts) },
      orderItems: [],
      ...more,
    })

  it('has its tax inside or on top, as the total tells', () => {
    expect(totals({ ITEM: '11.90', TAX: '1.90' }, '11.90').order).toMatchObject({ taxes_included: true })
    expect(totals({ ITEM: '10.00', TAX: '1.90' }, '11.90').order).toMatchObject({ taxes_included: false })
    expect(totals({ ITEM: '10.00' }, '10.00').order).toMatchObject({ taxes_included: true })
    expect(totals({ ITEM: '10.00', DISCOUNT: '2.00', SHIPPING: '1.00' }, '9.00').warnings).toEqual([])
  })

  it('that does not add up is kept as stated, with the difference', () => {
    const { order, warnings } = totals({ ITEM: '10.00', TAX: '1.90' }, '12.00')
    expect(order.totals.total_minor).toBe(1_200)
    expect(warnings).toEqual(["the order's amounts do not add up to its total by 10 minor units"])
    expect(totals({ ITEM: '10.00', SURPRISE: '1.00' }, '11.00').warnings).toEqual([
      'unknown kind of proceeds "SURPRISE" taken as goods',
    ])
  })

  it('of a pending order is none, in the currency of its store', () => {
    const { product, orderItemId, quantityOrdered } = ITEM
    const bare = { orderItemId, quantityOrdered, product: { ...product, price: null } }
    const { order } = read({ proceeds: null, orderItems: [bare], recipient: null, buyer: null })
    expect(order).toMatchObject({ currency: 'USD', totals: { total_minor: 0 }, buyer: null, ship_to: null })
    const unknown = { salesChannel: { channelName: 'AMAZON', marketplaceId: 'A0NOWHERE' } }
    expect(() => read({ ...unknown, proceeds: null, orderItems: [bare] })).toThrow(
      expect.objectContaining({ path: '$.salesChannel.marketplaceId' }),
    )
  })

  it('in any currency comes out to the last digit', () => {
    const currencies = fc.constantFrom('EUR', 'JPY', 'KWD')
    const amounts = fc.integer({ min: 0, max: 90_000_000_000 })
    fc.assert(
      fc.property(currencies, amounts, amounts, (currency, goods, shipping) => {
        const text = (minor: number): string => decimalFromMinor(minor, currency)
        const { order } = read({
          proceeds: {
            grandTotal: money(text(goods + shipping), currency),
            breakdowns: breakdowns({ ITEM: text(goods), SHIPPING: text(shipping) }, currency),
          },
          orderItems: [],
        })
        expect(order.totals).toMatchObject({
          subtotal_minor: goods,
          shipping_minor: shipping,
          total_minor: goods + shipping,
        })
      }),
    )
  })
})

describe('notifications', () => {
  const map = (payload: unknown) => amazonNotification.map(payload, CONTEXT)
  const change = { AmazonOrderId: '111-2223334-5556667' }

  it('of an order wake the search, however their names are written', () => {
    const signal = { kind: 'signal', document: { stream: 'orders', reference: '111-2223334-5556667' } }
    expect(map({ NotificationType: 'ORDER_CHANGE', Payload: { OrderChangeNotification: change } }).facts).toEqual([
      signal,
    ])
    const lower = {
      notificationType: 'ORDER_CHANGE',
      payload: { orderChangeNotification: { amazonOrderId: change.AmazonOrderId } },
    }
    expect(map(lower).facts).toEqual([signal])
  })

  it('of a settlement report announce it, of any other report nothing', () => {
    const report = (reportType: string, processingStatus = 'DONE') => ({
      notificationType: 'REPORT_PROCESSING_FINISHED',
      payload: { reportProcessingFinishedNotification: { reportId: '54517018502', reportType, processingStatus } },
    })
    expect(map(report('GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2')).facts).toEqual([
      { kind: 'signal', document: { stream: 'reports', reference: '54517018502' } },
    ])
    expect(map(report('GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2', 'FATAL')).facts).toEqual([])
    expect(map(report('GET_MERCHANT_LISTINGS_ALL_DATA'))).toEqual({ facts: [], warnings: [] })
  })

  it('of unknown types mean nothing and are named; what is none is parked', () => {
    expect(map({ NotificationType: 'ANY_OFFER_CHANGED' })).toEqual({ facts: [], warnings: [] })
    expect(map({ NotificationType: 'BRAND_NEW' })).toEqual({
      facts: [],
      warnings: ['notification BRAND_NEW is not used'],
    })
    expect(() => map({ hello: 1 })).toThrow(expect.objectContaining({ path: '$.NotificationType' }))
    expect(() => map('not JSON')).toThrow(expect.objectContaining({ code: 'payload_invalid' }))
  })
})

describe('listings', () => {
  const map = (fulfillmentAvailability: unknown) =>
    amazonListing.map({ sku: 'KETTLE-17', summaries: [{ asin: 'B0EXAMPLE1', productType: 'KETTLE', itemName: ' Kettle ' }], fulfillmentAvailability }, CONTEXT).facts // prettier-ignore

  it('are ours where we ship, alone or beside Amazon', () => {
    const external = { asin: 'B0EXAMPLE1', product_type: 'KETTLE' }
    const document = { channel_sku: 'KETTLE-17', title: 'Kettle', external, quantity: 7 }
    const own = { fulfillmentChannelCode: 'DEFAULT', quantity: 7 }
    expect(map([own])).toEqual([{ kind: 'listing', document }])
    expect(map([{ fulfillmentChannelCode: 'AMAZON_EU', quantity: 90 }, own])).toEqual([{ kind: 'listing', document }])
    expect(map(null)).toEqual([{ kind: 'listing', document: { ...document, quantity: null } }])
    expect(map([{ fulfillmentChannelCode: 'AMAZON_NA', quantity: 90 }])).toEqual([])
  })
})

it('every store has a region, a country and a currency, each id once', () => {
  const stores = Object.values(MARKETPLACES)
  expect(stores).toHaveLength(23)
  for (const { country, currency } of stores) expect([country, currency]).toEqual([expect.stringMatching(/^[A-Z]{2}$/), expect.stringMatching(/^[A-Z]{3}$/)]) // prettier-ignore
  expect(new Set(stores.map(({ country }) => country)).size).toBe(23)
})
