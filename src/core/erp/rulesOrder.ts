import type { ErpOrderLine } from '../model/effects.ts'

/** A line as the channel sold it, and the items that one unit of it takes: kits as kits, because an ERP knows them as such. */
export interface SoldLine {
  external_id: string
  channel_sku: string
  title: string | null
  /** As ordered, which the amounts are of, and as the ERP's order has them: less what was taken off. */
  quantity: number
  units: number
  unit_price_minor: number
  discount_minor: number
  tax_minor: number
  /** Empty where nobody knows the SKU: then the channel's own word is all there is. */
  items: readonly { sku: string; quantity: number }[]
}

export interface SoldTotals {
  shipping_minor: number
  tax_minor: number
  total_minor: number
}

interface ErpAmounts {
  lines: ErpOrderLine[]
  shipping_minor: number
  shipping_tax_minor: number
  total_minor: number
  prices_include_tax: boolean
}

/**
 * The order in items and integer amounts. Units that were taken off a line take their share of its discount and tax with them, rounded
 * down; what the lines never explained of the channel's total (an adjustment, rounding) stays as it is. Of goods that left although the
 * channel no longer wants them, its total may or may not still hold the price: whichever leaves less unexplained.
 */
export function erpAmounts(sold: readonly SoldLine[], totals: SoldTotals): ErpAmounts {
  const { shipping_minor } = totals
  const prices_include_tax = includesTax(sold, totals)
  const shipping_tax_minor = Math.max(0, totals.tax_minor - sumOf(sold, (line) => line.tax_minor))
  const taxed = (line: Amounts): number => line.gross - line.discount + (prices_include_tax ? 0 : line.tax)
  const worth = (units: (line: SoldLine) => number): number =>
    sumOf(sold, (line) => taxed(amountsOf(line, units(line))))
  const explained = shipping_minor + (prices_include_tax ? 0 : shipping_tax_minor)
  const unexplained = (goods: number): number => Math.abs(totals.total_minor - explained - goods)
  const before = [worth(({ quantity }) => quantity), worth(({ quantity, units }) => Math.max(quantity, units))]
  const [nearest = 0] = before.toSorted((a, b) => unexplained(a) - unexplained(b))
  return {
    lines: sold.filter(({ units }) => units > 0).flatMap(splitLine),
    shipping_minor,
    shipping_tax_minor,
    total_minor: totals.total_minor - nearest + worth(({ units }) => units),
    prices_include_tax,
  }
}

interface Amounts {
  gross: number
  discount: number
  tax: number
}

function amountsOf(line: SoldLine, units: number): Amounts {
  return {
    gross: line.unit_price_minor * units,
    discount: shareOf(line.discount_minor, units, line.quantity),
    tax: shareOf(line.tax_minor, units, line.quantity),
  }
}

/** Exact for amounts whose product with a quantity is beyond what a number holds. */
function shareOf(amount_minor: number, units: number, of: number): number {
  if (units === 0) return 0
  return units === of || of === 0 ? amount_minor : Number((BigInt(amount_minor) * BigInt(units)) / BigInt(of))
}

/** The channel's total says whether tax is in its prices or on top of them: whichever of the two comes nearer. */
function includesTax(sold: readonly SoldLine[], { shipping_minor, tax_minor, total_minor }: SoldTotals): boolean {
  if (tax_minor === 0) return false
  const net = sumOf(sold, (line) => line.unit_price_minor * line.quantity - line.discount_minor) + shipping_minor
  return Math.abs(total_minor - net) < Math.abs(total_minor - net - tax_minor)
}

/** The name of the part of a line that is one item of several. The first keeps the line's own. */
export const partIdOf = (line_external_id: string, index: number, sku: string): string =>
  index === 0 ? line_external_id : `${line_external_id}/${sku}`

/**
 * One line an item. A multipack becomes its units at a price that is rounded up, with the difference as discount, so that the line's
 * amount is the channel's to the cent. Of a set that is no item itself, the first item carries the money.
 */
function splitLine(line: SoldLine): ErpOrderLine[] {
  const { external_id, title, units } = line
  const { gross, discount, tax } = amountsOf(line, units)
  const items = line.items.length === 0 ? [{ sku: line.channel_sku, quantity: 1 }] : line.items
  return items.map(({ sku, quantity: per_unit }, index) => {
    const quantity = units * per_unit
    const unit_price_minor = index > 0 ? 0 : Math.ceil(gross / quantity)
    const own =
      index > 0
        ? { discount_minor: 0, tax_minor: 0 }
        : { discount_minor: discount + unit_price_minor * quantity - gross, tax_minor: tax }
    return { line_external_id: partIdOf(external_id, index, sku), sku, title, quantity, unit_price_minor, ...own }
  })
}

const sumOf = <T>(rows: readonly T[], value: (row: T) => number): number =>
  rows.reduce((sum, row) => sum + value(row), 0)
