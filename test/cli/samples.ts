/** A shop's order in the REST shape, as small as it may be. */
export const shopifyOrder = {
  id: 5001,
  name: '#5001',
  created_at: '2026-03-01T09:00:00+01:00',
  updated_at: '2026-03-01T09:05:00+01:00',
  currency: 'EUR',
  financial_status: 'paid',
  line_items: [{ id: 91, sku: 'TEA', quantity: 2, price: '12.50' }],
  subtotal_price: '25.00',
  total_price: '25.00',
}

export const shopifyFulfillment = {
  id: 71,
  order_id: 5001,
  status: 'success',
  created_at: '2026-03-02T08:00:00Z',
  tracking_company: 'Post',
  tracking_number: 'T1',
  line_items: [{ id: 91, sku: 'TEA', quantity: 2 }],
}

const nowhere = { first_name: '', last_name: '', address_1: '', city: '', postcode: '', country: '' }

export const wooOrder = (id: number, total = '20.00') => ({
  id,
  number: String(id),
  status: 'processing',
  currency: 'EUR',
  date_created_gmt: '2026-03-01T08:00:00',
  date_modified_gmt: '2026-03-01T08:00:00',
  date_paid_gmt: '2026-03-01T08:00:01',
  prices_include_tax: true,
  customer_id: 0,
  discount_total: '0.00',
  discount_tax: '0.00',
  shipping_total: '0.00',
  shipping_tax: '0.00',
  total,
  total_tax: '0.00',
  billing: nowhere,
  shipping: nowhere,
  line_items: [
    {
      id: 1,
      name: 'Tea',
      product_id: 5,
      variation_id: 0,
      quantity: 2,
      subtotal: '20.00',
      subtotal_tax: '0.00',
      total: '20.00',
      total_tax: '0.00',
      sku: 'TEA',
    },
  ],
  fee_lines: [],
  shipping_lines: [],
  refunds: [],
})

export const wooRefund = (id: number) => ({
  id,
  parent_id: 12,
  date_created_gmt: '2026-03-02T08:00:00',
  amount: '10.00',
  reason: '',
  line_items: [],
})

export const stripeCharge = (id: string) => ({
  id,
  object: 'charge',
  amount: 2500,
  amount_captured: 2500,
  captured: true,
  refunded: false,
  currency: 'eur',
  created: 1_772_352_000,
  status: 'succeeded',
  payment_intent: 'pi_1',
  metadata: { order_id: '5001' },
})

export const stripeRefund = { id: 're_1', object: 'refund', amount: 500, currency: 'eur', created: 1_772_352_000, status: 'succeeded', charge: 'ch_1' } // prettier-ignore

const row = { object: 'balance_transaction', currency: 'eur', created: 1_772_352_000 }
export const stripeSettlement = {
  payout: { id: 'po_1', object: 'payout', amount: 2400, currency: 'eur', created: 1_772_438_400, automatic: true, status: 'paid' }, // prettier-ignore
  balance_transactions: [
    { ...row, id: 'txn_1', amount: 2500, fee: 100, net: 2400, type: 'charge', source: 'ch_1' },
    { ...row, id: 'txn_2', amount: -2400, fee: 0, net: -2400, type: 'payout', source: 'po_1' },
  ],
}

export const STOCK_CSV = `location_code,sku,on_hand,damaged,as_of
N1,TEA,30,1,2026-03-01T06:00:00Z
N1,MUG,12,,2026-03-01T06:00:00Z
TRAILER,2,42
`
export const SHIPMENT_CSV = `shipment_id,fulfillment_order,shipped_at,carrier,tracking_number,sku,quantity
S1,FO-1,2026-03-02T08:00:00Z,Post,T1,TEA,2
S1,FO-1,2026-03-02T08:00:00Z,Post,T1,MUG,1
TRAILER,2,3
`
