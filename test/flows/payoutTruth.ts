import fc from 'fast-check'
import type { Entry, Source } from './payoutSources.ts'

/** What was sold, in order form: captures in parts, money given back, disputes, and what the processor keeps beside. */
export interface SoldTruth {
  /** Of each capture: goods, shipping, tax. */
  captures: number[][]
  refund_minor: number | null
  dispute_minor: number | null
  fee_minor: number
  /** All captures in one row, where the vendor names orders and not payments. */
  merged: boolean
}

export interface PayoutTruth {
  orders: SoldTruth[]
  fee_minor: number
  reserve_minor: number
}

const sold: fc.Arbitrary<SoldTruth> = fc.record({
  captures: fc.array(fc.uniqueArray(fc.integer({ min: 1_000, max: 90_000 }), { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
  refund_minor: fc.option(fc.integer({ min: 100, max: 190 })),
  dispute_minor: fc.option(fc.integer({ min: 200, max: 290 })),
  fee_minor: fc.integer({ min: 1, max: 90 }),
  merged: fc.boolean(),
}) // prettier-ignore

export const payoutTruth: fc.Arbitrary<PayoutTruth> = fc.record({
  orders: fc.array(sold, { minLength: 1, maxLength: 4 }),
  fee_minor: fc.integer({ min: 1, max: 90 }),
  reserve_minor: fc.integer({ min: 1, max: 90 }),
})

export interface SoldOrder {
  external_id: string
  total_minor: number
  payments: { id: string; kind: 'capture' | 'refund' | 'dispute'; amount_minor: number }[]
}

const PARTS = ['sale', 'shipping', 'tax'] as const
const sum = (amounts: readonly number[]): number => amounts.reduce((a, b) => a + b, 0)

/** The orders as their channel tells them, and the rows of the payout as this source would have them. */
export function played(truth: PayoutTruth, source: Source, prefix: string): { orders: SoldOrder[]; entries: Entry[] } {
  const entries: Entry[] = []
  const add = (what: Entry['what'], gross_minor: number, rest: Partial<Entry> = {}): void => {
    if (!source.words.includes(what)) return
    entries.push({ at: entries.length, what, order: '', payment: '', capture: '', gross_minor, fee_minor: 0, ...rest })
  }
  const orders = truth.orders.map((one, index) => orderOf(one, source, `${prefix}O${index}`, add))
  add('fee', 0, { fee_minor: truth.fee_minor })
  add('reserve_hold', -truth.reserve_minor)
  add('reserve_release', truth.reserve_minor)
  return { orders, entries }
}

type Add = (what: Entry['what'], gross_minor: number, rest?: Partial<Entry>) => void

function orderOf(truth: SoldTruth, source: Source, order: string, add: Add): SoldOrder {
  const payments: SoldOrder['payments'] = truth.captures.map((parts, index) => ({
    id: `${order}C${index}`,
    kind: 'capture',
    amount_minor: sum(parts),
  }))
  const total_minor = sum(payments.map(({ amount_minor }) => amount_minor))
  const capture = payments[0]?.id ?? ''
  if (source.names === 'payment')
    for (const { id, amount_minor } of payments)
      add('sale', amount_minor, { order, payment: id, capture: id, fee_minor: truth.fee_minor })
  else {
    const inParts = !truth.merged && source.words.includes('tax')
    const rows = inParts ? truth.captures : truth.merged ? [[total_minor]] : payments.map((one) => [one.amount_minor])
    for (const parts of rows) parts.forEach((minor, part) => add(PARTS[part] ?? 'sale', minor, { order }))
    add('commission', 0, { order, fee_minor: truth.fee_minor })
  }
  for (const [kind, minor] of [
    ['refund', truth.refund_minor],
    ['dispute', truth.dispute_minor],
  ] as const) {
    if (minor === null) continue
    const id = `${order}${kind === 'refund' ? 'R' : 'D'}`
    payments.push({ id, kind, amount_minor: minor })
    add(kind, -minor, { order, payment: id, capture })
  }
  return { external_id: order, total_minor, payments }
}
