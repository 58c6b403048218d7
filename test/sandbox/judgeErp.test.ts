import { expect, it } from 'vitest'
import { erpIsWhole, judgeErp, type ErpEvidence } from '../../src/sandbox/judgeErp.ts'
import type { ErpLedger } from '../../src/sandbox/odoo/ledger.ts'
import type { SoldOrder } from '../../src/sandbox/simulator.ts'
import type { Shop } from '../../src/sandbox/trade.ts'

/** One order of two cups and a set (a cup and a lid), in two parcels; and one that was cancelled in time. */
const offers = [
  { sku: 'CUP', title: 'Cup', price_minor: 500, takes: { CUP: 1 } },
  { sku: 'SET', title: 'Set', price_minor: 700, takes: { CUP: 1, LID: 1 } },
]
const line = (sku: string, quantity: number) => ({
  line_id: sku,
  sku,
  quantity,
  most_quantity: quantity,
  cancelled: 0,
  shipped: quantity,
})
const sold: SoldOrder = {
  external_id: '1',
  number: '#1',
  placed_ms: 0,
  cancelled: false,
  paid: true,
  lines: [line('CUP', 2), line('SET', 1)],
  notices: [],
  total_minor: 1_700,
  currency: 'EUR',
  payment_id: null,
}
const parcel = (tracking_number: string, units: Record<string, number>) => ({
  shipment_id: tracking_number,
  fulfillment_order: 'F1',
  tracking_number,
  lines: Object.entries(units).map(([sku, quantity]) => ({ sku, quantity })),
})

function whole(): ErpEvidence {
  const orders = [sold, { ...sold, external_id: '2', number: '#2', cancelled: true }]
  const shop = {
    offers,
    storefront: { connection_id: 'shop', ledger: () => ({ orders, shown: {}, stock_writes: [] }) },
  } as unknown as Shop
  const ledger = {
    received: [{ fulfillment_order: 'F1', order_number: '#1', times: 1, lines: [], received_ms: 0 }],
    arrived: [],
    shipped: [parcel('T1', { CUP: 2 }), parcel('T2', { CUP: 1, LID: 1 })],
    rejected: [],
    on_hand: { CUP: 7, LID: 4 },
    refused_units: 0,
  }
  const there = (origin: string, state: string) => ({ name: `S${origin}`, reference: '', origin: `shop ${origin}`, state, total_minor: 1_700, lines: [{ sku: 'CUP', quantity: 2, delivered: 2 }, { sku: 'SET', quantity: 1, delivered: 1 }] }) // prettier-ignore
  const erp: ErpLedger = {
    orders: [there('1', 'sale'), there('2', 'cancel')],
    deliveries: [
      { name: 'OUT/1', order: 'S1', tracking: 'T1', lines: [{ sku: 'CUP', quantity: 2 }] },
      {
        name: 'OUT/2',
        order: 'S1',
        tracking: 'T2',
        lines: [
          { sku: 'LID', quantity: 1 },
          { sku: 'CUP', quantity: 1 },
        ],
      },
    ],
    returns: [],
    invoices: [],
    entries: [{ name: 'MISC/1', reference: 'settlement:1:1', state: 'posted', journal: 'MISC', off_minor: 0 }],
    statements: [{ name: 'po_1', begin_minor: 0, end_minor: 900, declared_minor: 900 }],
    stock: { ONE: { CUP: 7, LID: 4 } },
  }
  const hub = { orders: ['shop 1', 'shop 2'], journals: ['settlement:1:1'], arrivals: ['po_1'], on_hand: new Map() }
  return { erp, shops: [shop], places: [{ erp_code: 'ONE', ledger }], hub }
}

it('finds nothing where everything is told', () => {
  const judged = judgeErp(whole())
  expect(judged.erp_faults).toEqual([])
  expect(erpIsWhole(judged)).toBe(true)
  expect(judged).toMatchObject({ erp_orders: 2, erp_deliveries: 2, erp_entries: 1 })
})

const first = <T>(rows: readonly T[]): T => rows[0] as T

it.each<[string, (evidence: ErpEvidence) => void, Record<string, number>]>([
  ['an order that is not there', ({ erp }) => void erp.orders.shift(), { erp_orders_lost: 1 }],
  ['an order that is there twice', ({ erp }) => void erp.orders.push(first(erp.orders)), { erp_orders_doubled: 1 }],
  ['another total', ({ erp }) => void (first(erp.orders).total_minor = 1_699), { erp_orders_wrong: 1 }],
  ['other units', ({ erp }) => void (first(first(erp.orders).lines).quantity = 3), { erp_orders_wrong: 1 }],
  ['an order that was left a draft', ({ erp }) => void (first(erp.orders).state = 'draft'), { erp_orders_wrong: 1 }],
  ['a cancellation that was not told', ({ erp }) => void ((erp.orders[1] ?? first(erp.orders)).state = 'sale'), { erp_orders_wrong: 1 }],
  ['a parcel that is no delivery', ({ erp }) => void erp.deliveries.pop(), { erp_deliveries_wrong: 1 }],
  ['a parcel that is two deliveries', ({ erp }) => void erp.deliveries.push(first(erp.deliveries)), { erp_deliveries_wrong: 1 }],
  ['a delivery of other units', ({ erp }) => void (first(first(erp.deliveries).lines).quantity = 3), { erp_deliveries_wrong: 1 }],
  ['a delivery without a parcel', ({ erp }) => void erp.deliveries.push({ name: 'OUT/9', order: 'S1', tracking: '', lines: [] }), { erp_deliveries_wrong: 1 }],
  ['a journal that is not there', ({ erp }) => void erp.entries.pop(), { erp_books_wrong: 1 }],
  ['a journal that is there twice', ({ erp }) => void erp.entries.push(first(erp.entries)), { erp_books_wrong: 1 }],
  ['an entry that does not balance', ({ erp }) => void (first(erp.entries).off_minor = 1), { erp_books_wrong: 1 }],
  ['an entry that was not posted', ({ erp }) => void (first(erp.entries).state = 'draft'), { erp_books_wrong: 1 }],
  ['a statement that does not come to its end', ({ erp }) => void (first(erp.statements).end_minor = 901), { erp_books_wrong: 1 }],
  ['money that arrived and was not told', ({ erp }) => void erp.statements.pop(), { erp_books_wrong: 1 }],
  ['stock that is believed wrongly', ({ erp }) => void ((erp.stock['ONE'] ?? {})['CUP'] = 8), { erp_stock_wrong: 1 }],
])('finds %s', (_, spoil, found) => {
  const evidence = whole()
  spoil(evidence)
  const judged = judgeErp(evidence)
  expect(judged).toMatchObject(found)
  expect(erpIsWhole(judged)).toBe(false)
}) // prettier-ignore
