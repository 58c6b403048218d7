type Loose = Record<string, unknown>

const CREATED = 1_763_625_600

export const chargeSample = (change: Loose = {}): Loose => ({
  id: 'ch_1',
  object: 'charge',
  amount: 3711,
  amount_captured: 3711,
  amount_refunded: 0,
  balance_transaction: 'txn_1',
  billing_details: { email: 'ada@example.test', name: 'Ada Example' },
  captured: true,
  created: CREATED,
  currency: 'eur',
  metadata: { order_id: '4711', order_number: 'SHOP-4711' },
  paid: true,
  payment_intent: 'pi_1',
  refunded: false,
  status: 'succeeded',
  ...change,
})

export const refundSample = (change: Loose = {}): Loose => ({
  id: 're_1',
  object: 'refund',
  amount: 714,
  balance_transaction: 'txn_2',
  charge: 'ch_1',
  created: CREATED + 60,
  currency: 'eur',
  metadata: {},
  payment_intent: { id: 'pi_1', object: 'payment_intent' },
  reason: 'requested_by_customer',
  status: 'succeeded',
  ...change,
})

export const disputeSample = (change: Loose = {}): Loose => ({
  id: 'dp_1',
  object: 'dispute',
  amount: 3711,
  charge: 'ch_1',
  created: CREATED + 120,
  currency: 'eur',
  metadata: {},
  payment_intent: 'pi_1',
  reason: 'fraudulent',
  status: 'needs_response',
  ...change,
})

export const payoutSample = (change: Loose = {}): Loose => ({
  id: 'po_1',
  object: 'payout',
  amount: 0,
  arrival_date: CREATED + 172_800,
  automatic: true,
  created: CREATED + 86_400,
  currency: 'eur',
  method: 'standard',
  reconciliation_status: 'completed',
  status: 'paid',
  trace_id: { status: 'supported', value: 'BANK-1' },
  ...change,
})

export const rowSample = (change: Loose & { amount: number; fee: number }): Loose => ({
  id: 'txn_1',
  object: 'balance_transaction',
  available_on: CREATED + 86_400,
  created: CREATED,
  currency: 'eur',
  exchange_rate: null,
  fee_details: [],
  net: change.amount - change.fee,
  reporting_category: 'charge',
  source: 'ch_1',
  status: 'available',
  type: 'charge',
  ...change,
})

export const eventSample = (type: string, object: unknown, change: Loose = {}): Loose => ({
  id: 'evt_1',
  object: 'event',
  api_version: '2026-10-28.endive',
  created: CREATED + 5,
  data: { object },
  livemode: false,
  pending_webhooks: 1,
  type,
  ...change,
})
