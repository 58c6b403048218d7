import { netOf, taxOf, type SaleTax } from './rulesTax.ts'

/** What the order has of a product: with its tax, and what the line came to. */
export interface SoldAt {
  product: number
  tax: SaleTax | null
  net_minor: number
  gross_minor: number
}

export interface RefundedLine {
  sku: string
  quantity: number
  amount_minor: number
  product: number
  sold: SoldAt | null
}

export interface CreditLine {
  product: number
  name: string
  quantity: number
  price_minor: number
  tax: number | null
}

/**
 * Pure: lines of a credit note that come to the amount that was given back, tax included. Channels give a line's amount with or without
 * tax; without it is believed where that explains the whole sum. What no line explains is shipping if any was sold, else an adjustment.
 * A price before tax cannot reach every sum with tax, and a server rounds by line or by document: the minor units that are missing in the
 * end are a line of their own, once the server has said what it comes to.
 */
export function creditLines(
  amount_minor: number,
  lines: readonly RefundedLine[],
  own: { shipping: SoldAt | null; adjustment: number },
): CreditLine[] {
  const withTax = lines.map(({ amount_minor: net, sold }) => net + taxOn(net, sold?.tax ?? null))
  const isNet =
    Math.abs(sum(withTax) - amount_minor) <= lines.length &&
    sum(lines.map(({ amount_minor: at }) => at)) !== amount_minor
  const gross = lines.map((line, index) => (isNet ? (withTax[index] ?? 0) : line.amount_minor))
  const goods = lines.map((line, index) => reach(gross[index] ?? 0, line))
  const rest = amount_minor - sum(gross)
  const more = rest > lines.length || (rest > 0 && !isNet) ? [restLine(rest, lines, own)] : []
  return [...goods, ...more].filter(({ price_minor }) => price_minor !== 0)
}

/** How far a total may be off by rounding alone. */
export const roundingLimit = (lines: readonly unknown[]): number => lines.length + 1

function restLine(
  rest: number,
  lines: readonly RefundedLine[],
  own: { shipping: SoldAt | null; adjustment: number },
): CreditLine {
  if (own.shipping !== null)
    return taxed(rest, { product: own.shipping.product, name: 'Shipping', quantity: 1 }, own.shipping.tax)
  const tax = lines.find(({ sold }) => sold?.tax !== undefined && sold.tax !== null)?.sold?.tax ?? null
  return taxed(rest, { product: own.adjustment, name: 'Refund', quantity: 1 }, tax)
}

function reach(gross_minor: number, { product, sku, quantity, sold }: RefundedLine): CreditLine {
  return taxed(gross_minor, { product, name: sku, quantity }, sold?.tax ?? null)
}

function taxed(
  gross_minor: number,
  line: { product: number; name: string; quantity: number },
  tax: SaleTax | null,
): CreditLine {
  const price = tax === null || tax.included ? gross_minor : netOf(gross_minor, tax.rate_e4)
  const whole = line.quantity > 0 && price % line.quantity === 0
  return {
    product: line.product,
    name: whole || line.quantity <= 1 ? line.name : `${line.quantity} × ${line.name}`,
    quantity: whole ? line.quantity : 1,
    price_minor: whole ? price / line.quantity : price,
    tax: tax?.id ?? null,
  }
}

function taxOn(net_minor: number, tax: SaleTax | null): number {
  return tax === null ? 0 : taxOf(net_minor, tax.rate_e4)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
