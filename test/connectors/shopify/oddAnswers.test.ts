import nock from 'nock'
import { afterEach, describe, expect, it } from 'vitest'
import { shopify } from '../../../src/connectors/shopify/index.ts'
import { portTo } from './port.ts'

/** Answers of Shopify that the simulator never gives. */
const SETTINGS = {
  shop: 'tea.myshopify.com',
  access_token: 'shpat_x',
  webhook_secrets: ['client-secret'],
  location_id: 'gid://shopify/Location/1',
  api_url: 'http://127.0.0.1:9',
}
const LINE = {
  listing_id: 1,
  channel_sku: 'TEA',
  external: { inventory_item_id: 'gid://shopify/InventoryItem/1' },
  quantity: 4,
  expected: 5,
}

/** Answers one call after the other; collects what was asked. */
function answers(...bodies: object[]): { variables: { key?: string; input?: unknown } }[] {
  const asked: { variables: { key?: string } }[] = []
  for (const body of bodies) {
    nock('http://127.0.0.1:9')
      .post('/admin/api/2026-10/graphql.json', (json) => asked.push(json as (typeof asked)[number]) > 0)
      .reply(200, body)
  }
  return asked
}
const written = (...userErrors: object[]) => ({ data: { inventorySetQuantities: { userErrors } } })
const wholeCall = (code: string) => written({ code, field: null, message: code })
const push = async () => await shopify.availability!.push(portTo(SETTINGS).port, [LINE], 'push-1')

afterEach(() => {
  const unasked = nock.pendingMocks()
  nock.cleanAll()
  if (unasked.length > 0) throw new Error(`never asked: ${unasked.join(', ')}`)
})

describe('idempotency words', () => {
  it('takes a new key after a failed attempt, for the same rows', async () => {
    const asked = answers(wholeCall('IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED'), written())
    expect(await push()).toEqual([{ listing_id: 1, outcome: 'set' }])
    const [first, second] = asked.map(({ variables }) => variables)
    expect(first!.key).not.toBe(second!.key)
    const rows = asked.map(({ variables }) => (variables.input as { quantities: unknown }).quantities)
    expect(rows[0]).toEqual(rows[1])
    expect(rows[0]).toEqual([
      {
        inventoryItemId: 'gid://shopify/InventoryItem/1',
        locationId: 'gid://shopify/Location/1',
        quantity: 4,
        changeFromQuantity: 5,
      },
    ])
  })

  it.each([
    ['IDEMPOTENCY_CONCURRENT_REQUEST', 'vendor_unavailable', 'retry'],
    ['IDEMPOTENCY_KEY_PARAMETER_MISMATCH', 'vendor_conflict', 'park'],
    ['INVALID_REASON', 'vendor_rejected', 'park'],
  ])('%s ends the push as %s', async (word, code, next) => {
    answers(wholeCall(word))
    await expect(push()).rejects.toMatchObject({ code, next })
  })

  it('gives up when rows keep failing one after another, and has set nothing', async () => {
    answers(...Array.from({ length: 5 }, () => wholeCall('IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED')))
    await expect(push()).rejects.toMatchObject({ code: 'vendor_unavailable' })
  })

  it('sends an explicit null where nothing is proven', async () => {
    const asked = answers(written())
    await shopify.availability!.push(portTo(SETTINGS).port, [{ ...LINE, expected: null }], 'push-2')
    expect(asked[0]!.variables.input).toMatchObject({ quantities: [{ changeFromQuantity: null }] })
  })

  it('refuses a row that may not be changed and leaves the rest', async () => {
    answers(
      written({ code: 'NON_MUTABLE_INVENTORY_ITEM', field: ['input', 'quantities', '0'], message: '' }),
      written(),
    )
    const other = { ...LINE, listing_id: 2, external: { inventory_item_id: 'gid://shopify/InventoryItem/2' } }
    expect(await shopify.availability!.push(portTo(SETTINGS).port, [LINE, other], 'push-3')).toEqual([
      { listing_id: 1, outcome: 'refused', code: 'vendor_rejected', detail: 'NON_MUTABLE_INVENTORY_ITEM' },
      { listing_id: 2, outcome: 'set' },
    ])
  })
})

describe('shipments', () => {
  const notice = {
    outbox_id: 4,
    shipment_id: 's1',
    order_external_id: '5',
    order_number: '#5',
    carrier: null,
    tracking_number: 'T1',
    more_tracking_numbers: [],
    tracking_url: null,
    shipped_at: '2026-11-01T11:00:00Z',
    lines: [{ line_external_id: '6', channel_sku: 'TEA', quantity: 3 }],
    units_remaining: 0,
  }
  const work = (id: string, location: string, remainingQuantity: number, status = 'OPEN') => ({
    id,
    status,
    assignedLocation: { location: { id: location } },
    lineItems: { nodes: [{ id: `${id}-line`, remainingQuantity, lineItem: { id: 'gid://shopify/LineItem/6' } }] },
  })
  const standing = (...nodes: object[]) => ({ data: { order: { fulfillmentOrders: { nodes }, fulfillments: [] } } })
  const booked = (id: string) => ({ data: { fulfillmentCreate: { fulfillment: { id }, userErrors: [] } } })
  const send = async () => await shopify.shipments!.send(portTo(SETTINGS).port, [notice], 'key', new Date(0))

  it('asks a person about units that the shop holds back', async () => {
    answers(standing(work('A', 'L1', 1), work('D', 'L1', 9, 'ON_HOLD')), booked('F1'))
    expect(await send()).toMatchObject([{ outcome: 'refused', code: 'vendor_conflict' }])
  })

  it('books one fulfillment a location, and never against work on hold', async () => {
    const asked = answers(standing(work('A', 'L1', 1), work('B', 'L2', 5), work('C', 'L1', 1), work('D', 'L1', 9, 'ON_HOLD')), booked('F1'), booked('F2')) // prettier-ignore
    expect(await send()).toEqual([{ outbox_id: 4, outcome: 'done', external_id: 'F1' }])
    const parts = asked.slice(1).map(({ variables }) => (variables as { fulfillment: object }).fulfillment)
    expect(parts).toEqual([
      {
        lineItemsByFulfillmentOrder: [
          { fulfillmentOrderId: 'A', fulfillmentOrderLineItems: [{ id: 'A-line', quantity: 1 }] },
        ],
        trackingInfo: { number: 'T1' },
        notifyCustomer: true,
      },
      {
        lineItemsByFulfillmentOrder: [
          { fulfillmentOrderId: 'B', fulfillmentOrderLineItems: [{ id: 'B-line', quantity: 2 }] },
        ],
        trackingInfo: { number: 'T1' },
        notifyCustomer: true,
      },
    ])
  })

  it('calls a failing server inside HTTP 200 an unknown outcome', async () => {
    answers(standing(work('A', 'L1', 3)), { errors: [{ message: 'x', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] })
    await expect(send()).rejects.toMatchObject({ code: 'outcome_unknown' })
  })

  it('reports what Shopify refuses', async () => {
    answers(standing(work('A', 'L1', 3)), {
      data: { fulfillmentCreate: { fulfillment: null, userErrors: [{ message: 'no such thing' }] } },
    })
    expect(await send()).toEqual([
      { outbox_id: 4, outcome: 'refused', code: 'vendor_rejected', detail: 'no such thing' },
    ])
  })
})
