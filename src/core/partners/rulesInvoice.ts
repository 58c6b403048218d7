import type { InvoiceRequest } from '../model/effects.ts'

/** A line as it was sold, and what of it earlier invoices have charged. */
export interface SoldLine {
  line_external_id: string
  channel_sku: string
  title: string | null
  /** Units that the amounts below are for. */
  quantity: number
  unit_price_minor: number
  /** All of its units, after discounts and without tax. */
  net_minor: number
  tax_minor: number
  invoiced: { quantity: number; amount_minor: number }
}

export interface Sold {
  lines: readonly SoldLine[]
  shipping_minor: number
  invoiced: { shipping_minor: number; tax_minor: number }
}

type Charged = Pick<InvoiceRequest, 'lines' | 'shipping_minor' | 'tax_minor' | 'total_minor'>

/**
 * What one shipment is charged. Amounts are shares of what the order came to, counted from its beginning: after the last shipment the
 * invoices together come to the order's total, to the minor unit, however it was split. Shipping is charged once, with the first. Units
 * that were sold for nothing, or that an edit took off the order, are charged with nothing.
 */
export function chargeShipment(sold: Sold, shipped: ReadonlyMap<string, number>): Charged {
  const charged = sold.lines.flatMap((line) => {
    const quantity = shipped.get(line.line_external_id) ?? 0
    if (quantity === 0) return []
    const after = line.invoiced.quantity + quantity
    const amount_minor = Math.max(0, share(line.net_minor, after, line.quantity) - line.invoiced.amount_minor)
    const taxed =
      share(line.tax_minor, after, line.quantity) - share(line.tax_minor, line.invoiced.quantity, line.quantity)
    const { line_external_id, channel_sku, title, unit_price_minor } = line
    // What it costs may not be more than its price says, or the discount would be a surcharge.
    const price = Math.max(unit_price_minor, Math.ceil(amount_minor / quantity))
    return [{ line: { line_external_id, channel_sku, title, quantity, unit_price_minor: price, amount_minor }, taxed }]
  })
  const lines = charged.map(({ line }) => line)
  const shipping_minor = Math.max(0, sold.shipping_minor - sold.invoiced.shipping_minor)
  const tax_minor = charged.reduce((sum, { taxed }) => sum + taxed, 0)
  const goods = lines.reduce((sum, { amount_minor }) => sum + amount_minor, 0)
  return { lines, shipping_minor, tax_minor, total_minor: goods + shipping_minor + tax_minor }
}

/** `total` × units / all, rounded half up, in integers; all of it once all units are there. */
function share(total: number, units: number, all: number): number {
  if (all <= 0 || units >= all) return total
  const [t, u, a] = [BigInt(total), BigInt(units), BigInt(all)]
  return Number((t * u * 2n + a) / (a * 2n))
}
