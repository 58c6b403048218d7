import fc from 'fast-check'
import type { FactOf } from '../../../src/core/model/fact.ts'
import type { Db } from '../../../src/db/pool.ts'

export type Line = FactOf<'settlement'>['document']['lines'][number]

/** How the money of an order comes: what the channel knows of it, and how the processor writes it down. */
export const FORMS = ['single', 'split', 'merged', 'shipments', 'total', 'fx'] as const
export type Form = (typeof FORMS)[number]

export interface OrderTruth {
  form: Form
  /** Of each capture: its components (sale, shipping, tax) in minor units. */
  captures: number[][]
  promotion: number
  refund: number | null
  commission: number
}

export const orderTruth: fc.Arbitrary<OrderTruth> = fc.record({
  form: fc.constantFrom(...FORMS),
  captures: fc.array(fc.array(fc.integer({ min: 200, max: 90_000 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  }),
  promotion: fc.integer({ min: 10, max: 150 }),
  refund: fc.option(fc.integer({ min: 100, max: 190 })),
  commission: fc.integer({ min: 1, max: 90 }),
})

const COMPONENTS = ['sale', 'shipping', 'tax'] as const
const AT = '2026-03-02T00:00:00Z'

export interface Money {
  id: string
  kind: 'capture' | 'refund'
  currency: string
  amount_minor: number
}

export interface Rendered {
  external_id: string
  currency: string
  total_minor: number
  payments: Money[]
  lines: Line[]
}

const sum = (amounts: readonly number[]): number => amounts.reduce((a, b) => a + b, 0)

/** One order as its channel tells it and as its processor pays it. */
export function render(truth: OrderTruth, external_id: string): Rendered {
  const lines: Line[] = []
  const currency = truth.form === 'fx' ? 'GBP' : 'EUR'
  const add = (
    kind: Line['kind'],
    gross_minor: number,
    names: Partial<Line['references']>,
    rest: Partial<Line> = {},
  ) => {
    const fee_minor = rest.fee_minor ?? 0
    lines.push({
      external_id: `${external_id}-L${lines.length}`,
      kind,
      vendor_type: kind,
      at: AT,
      currency: 'EUR',
      gross_minor,
      fee_minor,
      net_minor: gross_minor - fee_minor,
      references: { order_external_id: null, order_number: null, payment_ids: [], ...names },
      ...rest,
    })
  }
  const byOrder = { order_external_id: external_id }
  const payments: Money[] = truth.captures.map((parts, index) => ({
    id: `${external_id}-C${index}`,
    kind: 'capture',
    currency,
    amount_minor: sum(parts) - (truth.form === 'split' ? truth.promotion : 0),
  }))
  const total_minor = sum(payments.map(({ amount_minor }) => amount_minor))
  truth.captures.forEach((parts, index) => {
    const payment_ids = [`${external_id}-C${index}`]
    const gross = sum(parts)
    if (truth.form === 'single') add('sale', gross, { payment_ids }, { fee_minor: 30 })
    if (truth.form === 'fx')
      add('sale', gross * 2, { payment_ids }, { fx: { currency, original_minor: gross, rate: '2' } })
    if (truth.form === 'split' || truth.form === 'shipments' || truth.form === 'total') {
      const names = truth.form === 'split' ? { payment_ids } : byOrder
      const rest = truth.form === 'shipments' ? { shipment_external_id: `${external_id}-S${index}` } : {}
      parts.forEach((amount, at) =>
        // Rows of one order are told apart by what they are about.
        add(COMPONENTS[at] ?? 'sale', amount, names, { ...rest, order_line_external_id: `${index}` }),
      )
      if (truth.form === 'split') add('promotion', -truth.promotion, names)
    }
  })
  if (truth.form === 'merged') add('sale', total_minor, byOrder)
  if (truth.refund !== null && truth.form !== 'fx') {
    payments.push({ id: `${external_id}-R`, kind: 'refund', currency, amount_minor: truth.refund })
    const names = truth.form === 'single' || truth.form === 'split' ? { payment_ids: [`${external_id}-R`] } : byOrder
    add('refund', -truth.refund, names)
  }
  add('commission', 0, byOrder, { fee_minor: truth.commission })
  add('fee', 0, byOrder, { fee_minor: 7, fee_type: 'fulfilment' })
  const known = truth.form === 'total' ? payments.filter(({ kind }) => kind === 'refund') : payments
  return { external_id, currency, total_minor, payments: known, lines }
}

/** Stores orders and their money as the spine does once everything has been told. */
export async function storeOrders(db: Db, orders: readonly Rendered[], connection_id: string): Promise<void> {
  await db.query(
    `insert into orders (id, company_id, connection_id, external_id, number, version_updated_at, version_observed_at, placed_at, currency, lifecycle,
       payment_state, fulfillment_state, total_minor, received_at, changed_at)
     select gen_random_uuid(), 'acme', $2, o.external_id, '#' || o.external_id, now(), now(), '2026-03-01', o.currency, 'closed', 'paid', 'fulfilled',
       o.total_minor, '2026-03-01', now() from jsonb_to_recordset($1::jsonb) as o(external_id text, currency text, total_minor bigint)`,
    [JSON.stringify(orders), connection_id],
  )
  await storePayments(db, orders, connection_id)
}

export async function storePayments(db: Db, orders: readonly Rendered[], connection_id: string): Promise<void> {
  const payments = orders.flatMap(({ external_id, payments: money }) =>
    money.map((one) => ({ ...one, order: external_id })),
  )
  await db.query(
    `insert into payments (connection_id, external_id, kind, status, at, currency, amount_minor, order_id, payment_ids, recorded_at)
     select $2, p.id, p.kind, 'succeeded', '2026-03-01', p.currency, p.amount_minor, o.id, array[p.id], now()
     from jsonb_to_recordset($1::jsonb) as p(id text, kind text, currency text, amount_minor bigint, "order" text)
     join orders o on o.external_id = p.order and o.connection_id = $2`,
    [JSON.stringify(payments), connection_id],
  )
}

export function payoutOf(external_id: string, lines: readonly Line[], currency = 'EUR'): FactOf<'settlement'> {
  return {
    kind: 'settlement',
    document: {
      external_id,
      status: 'paid',
      currency,
      payout_minor: sum(lines.map((line) => line.net_minor)),
      created_at: '2026-03-03T00:00:00Z',
      arrival_at: '2026-03-05T00:00:00Z',
      bank_reference: null,
      lines: [...lines],
    },
  }
}
