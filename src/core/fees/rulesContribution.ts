import { allocate } from './rulesAmounts.ts'

/** Parts of a contribution. Income is positive in `sales`; every other part is a cost and positive where it costs. */
export const MEASURES = ['sales', 'tax', 'promotions', 'commission', 'fees', 'shipping', 'refunds', 'landed'] as const
export type Measure = (typeof MEASURES)[number]

/** One amount and what it belongs to, as closely as it is known. */
export interface Charge {
  measure: Measure
  currency: string
  amount_minor: number
  /** Null: of no order that is known. */
  order: string | null
  channel: string
  /** Null: of the whole order. */
  line: string | null
}

export interface ContributionOrder {
  id: string
  channel: string
  lines: readonly { id: string; sku: string; quantity: number; total_minor: number }[]
}

export interface ContributionRow {
  /** Order id, SKU or channel; null: what could not be given to any. */
  key: string | null
  currency: string
  sales_minor: number
  tax_minor: number
  promotions_minor: number
  commission_minor: number
  fees_minor: number
  shipping_minor: number
  refunds_minor: number
  landed_minor: number
  /** sales − tax − promotions − commission − fees − shipping − refunds − landed. */
  contribution_minor: number
}

export const VIEWS = ['order', 'sku', 'channel'] as const
export type View = (typeof VIEWS)[number]

/**
 * Adds charges up by order, SKU or channel and currency. Amounts of a whole order are split over its lines by their totals (their
 * quantities, where all totals are zero), exact to the cent, so that every view sums to the same.
 */
export function contributionBy(
  view: View,
  orders: ReadonlyMap<string, ContributionOrder>,
  charges: readonly Charge[],
): ContributionRow[] {
  const rows = new Map<string, ContributionRow>()
  for (const charge of charges) {
    for (const { key, amount_minor } of placesOf(view, charge, orders)) add(rows, key, charge, amount_minor)
  }
  return [...rows.values()].toSorted(byContribution)
}

interface Place {
  key: string | null
  amount_minor: number
}

function placesOf(view: View, charge: Charge, orders: ReadonlyMap<string, ContributionOrder>): Place[] {
  const { amount_minor, order } = charge
  const known = order === null ? undefined : orders.get(order)
  if (known === undefined) return [{ key: null, amount_minor }]
  if (view === 'order') return [{ key: known.id, amount_minor }]
  if (view === 'channel') return [{ key: known.channel, amount_minor }]
  const named = known.lines.find((line) => line.id === charge.line)
  if (named !== undefined) return [{ key: named.sku, amount_minor }]
  const parts =
    allocate(
      amount_minor,
      known.lines.map((line) => line.total_minor),
    ) ??
    allocate(
      amount_minor,
      known.lines.map((line) => line.quantity),
    )
  if (parts === null) return [{ key: null, amount_minor }]
  return known.lines.map((line, index) => ({ key: line.sku, amount_minor: parts[index] ?? 0 }))
}

const emptyRow = (key: string | null, currency: string): ContributionRow => ({
  key,
  currency,
  sales_minor: 0,
  tax_minor: 0,
  promotions_minor: 0,
  commission_minor: 0,
  fees_minor: 0,
  shipping_minor: 0,
  refunds_minor: 0,
  landed_minor: 0,
  contribution_minor: 0,
})

function add(rows: Map<string, ContributionRow>, key: string | null, charge: Charge, amount_minor: number): void {
  if (amount_minor === 0) return
  const id = JSON.stringify([key, charge.currency])
  const row = rows.get(id) ?? emptyRow(key, charge.currency)
  rows.set(id, row)
  row[`${charge.measure}_minor`] += amount_minor
  row.contribution_minor += charge.measure === 'sales' ? amount_minor : -amount_minor
  if (!Number.isSafeInteger(row[`${charge.measure}_minor`]) || !Number.isSafeInteger(row.contribution_minor))
    throw new RangeError('a sum is too large to be kept exactly')
}

/** What could not be placed comes last; the best first. */
function byContribution(a: ContributionRow, b: ContributionRow): number {
  if ((a.key === null) !== (b.key === null)) return a.key === null ? 1 : -1
  if (a.currency !== b.currency) return a.currency < b.currency ? -1 : 1
  if (a.contribution_minor !== b.contribution_minor) return b.contribution_minor - a.contribution_minor
  return (a.key ?? '') < (b.key ?? '') ? -1 : 1
}
