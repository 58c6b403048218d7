import { HubError } from '../../core/errors.ts'
import type { ErpOrder } from '../../core/model/effects.ts'
import { mulDiv, netOf, pickTax, RATE_ONE, shownRate, type SaleTax } from './rulesTax.ts'

/** One line of the order there. What has no SKU stands on a product of the hub's. */
export interface LinePlan {
  key: string
  product: { sku: string } | { role: 'shipping' | 'discount' }
  name: string
  quantity: number
  price_minor: number
  tax: SaleTax | null
}

/**
 * Pure: the lines by which an order comes to its amounts there. Discounts are lines of their own, because a percentage of two decimals
 * cannot say every amount. Where the order's prices are with tax and the tax there comes on top (or the other way round), the line
 * carries the price in the tax's own way and its discount line what rounding a single price loses.
 */
export function planLines(key: string, order: ErpOrder, taxes: readonly SaleTax[]): LinePlan[] {
  const goods = order.lines.flatMap((line): LinePlan[] => {
    const { line_external_id, sku, quantity, unit_price_minor, discount_minor, tax_minor } = line
    const tax = taxFor(
      { amount_minor: unit_price_minor * quantity - discount_minor, tax_minor, quantity },
      order,
      taxes,
      sku,
    )
    const price_minor = inTaxesWay(unit_price_minor, order, tax)
    const target = targetOf(unit_price_minor * quantity - discount_minor, tax_minor, order, tax)
    const name = line.title ?? sku
    const plan: LinePlan = { key: lineKey(key, line_external_id), product: { sku }, name, quantity, price_minor, tax }
    const off = target - price_minor * quantity
    if (off === 0) return [plan]
    const discount = {
      product: { role: 'discount' },
      name: `Discount: ${name}`,
      quantity: 1,
      price_minor: off,
      tax,
    } as const
    return [plan, { key: `${key}:discount:${line_external_id}`, ...discount }]
  })
  const { shipping_minor, shipping_tax_minor } = order
  if (shipping_minor === 0) return goods
  const tax = taxFor(
    { amount_minor: shipping_minor, tax_minor: shipping_tax_minor, quantity: 1 },
    order,
    taxes,
    'shipping',
  )
  const price_minor = targetOf(shipping_minor, shipping_tax_minor, order, tax)
  const shipping = { product: { role: 'shipping' }, name: 'Shipping', quantity: 1, price_minor, tax } as const
  return [...goods, { key: `${key}:shipping`, ...shipping }]
}

export const lineKey = (key: string, line_external_id: string): string => `${key}:line:${line_external_id}`
export const roundingKey = (key: string): string => `${key}:rounding`

function taxFor(
  line: { amount_minor: number; tax_minor: number; quantity: number },
  { prices_include_tax, currency }: ErpOrder,
  taxes: readonly SaleTax[],
  what: string,
): SaleTax | null {
  const { amount_minor, tax_minor, quantity } = line
  const taxed = { net_minor: prices_include_tax ? amount_minor - tax_minor : amount_minor, tax_minor, quantity }
  const tax = pickTax(taxes, taxed, prices_include_tax)
  if (tax !== undefined) return tax
  throw new HubError('vendor_rejected', `${what}: Odoo has no sale tax of about ${shownRate(taxed)} (${currency})`, {
    hint: 'make the tax in Odoo, or name it in the settings under taxes',
  })
}

function inTaxesWay(price_minor: number, { prices_include_tax }: ErpOrder, tax: SaleTax | null): number {
  if (tax === null || tax.included === prices_include_tax) return price_minor
  return tax.included ? mulDiv(price_minor, RATE_ONE + tax.rate_e4, RATE_ONE) : netOf(price_minor, tax.rate_e4)
}

/** What the line has to come to, before tax is put on top or with it inside. */
function targetOf(
  amount_minor: number,
  tax_minor: number,
  { prices_include_tax }: ErpOrder,
  tax: SaleTax | null,
): number {
  if (tax === null || tax.included === prices_include_tax) return amount_minor
  return tax.included ? amount_minor + tax_minor : amount_minor - tax_minor
}

export const taxTotal = (order: ErpOrder): number =>
  order.lines.reduce((sum, { tax_minor }) => sum + tax_minor, order.shipping_tax_minor)
