import { minorFromDecimal } from '../../core/model/money.ts'
import type { Order, OrderLine } from '../../core/model/order.ts'
import type { MappingContext } from '../define.ts'
import type { AmazonBreakdown, AmazonItem, AmazonMoney, AmazonOrder } from './payloads.ts'

/**
 * Money of an order: Amazon breaks the proceeds down by type, for the order and for each item. Whether the tax is inside the other
 * amounts is not said: the sum that meets the total tells, and the store's custom where there is no tax to tell by.
 */

type Part = 'goods' | 'shipping' | 'tax' | 'discount'

/** Wrapping, fees and tips are part of what was sold, as nothing else of ours has a place for them. An unknown type is one of these. */
const PARTS: Readonly<Record<string, Part>> = {
  ITEM: 'goods',
  GIFT_WRAP: 'goods',
  COD_FEE: 'goods',
  DELIVERY_TIP: 'goods',
  OTHER: 'goods',
  SHIPPING: 'shipping',
  TAX: 'tax',
  DISCOUNT: 'discount',
}

type Sums = Record<Part, number>

const minor = (money: AmazonMoney, currency: string, path: string): number =>
  minorFromDecimal(money.amount, currency, `${path}.amount`)

const partOf = (type: string): Part => (Object.hasOwn(PARTS, type) ? PARTS[type] : undefined) ?? 'goods'

/** Discounts come without a sign or with a minus; either way they lower the total. */
function sumsOf(breakdowns: readonly AmazonBreakdown[], currency: string, path: string): Sums {
  const sums: Sums = { goods: 0, shipping: 0, tax: 0, discount: 0 }
  for (const [index, { type, subtotal }] of breakdowns.entries()) {
    const amount = minor(subtotal, currency, `${path}.breakdowns[${index}].subtotal`)
    const part = partOf(type)
    sums[part] += part === 'discount' ? Math.abs(amount) : amount
  }
  return sums
}

const orderSums = ({ proceeds }: AmazonOrder, currency: string): Sums =>
  sumsOf(proceeds?.breakdowns ?? [], currency, '$.proceeds')

/** What an item costs by itself: `goods_minor` is undefined while Amazon does not tell, as with a pending order. */
export function moneyOfItem(
  item: AmazonItem,
  currency: string,
  path: string,
): { goods_minor: number | undefined; discount_minor: number; tax_minor: number } {
  const breakdowns = item.proceeds?.breakdowns ?? []
  const own = breakdowns.filter(({ type }) => type === 'ITEM')
  const sums = sumsOf(breakdowns, currency, `${path}.proceeds`)
  return {
    goods_minor: own.length === 0 ? undefined : sumsOf(own, currency, `${path}.proceeds`).goods,
    discount_minor: discountOnGoods(breakdowns, sums.discount, currency, path),
    tax_minor: sums.tax,
  }
}

/** A discount may also be on the shipping of an item; the detail says which. Without details all of it is on the goods. */
function discountOnGoods(
  breakdowns: readonly AmazonBreakdown[],
  whole: number,
  currency: string,
  path: string,
): number {
  const details = breakdowns
    .filter(({ type }) => type === 'DISCOUNT')
    .flatMap(({ detailedBreakdowns }) => detailedBreakdowns ?? [])
  const onShipping = details.flatMap(({ subtype, value }) =>
    subtype === 'SHIPPING' && value ? [Math.abs(minor(value, currency, `${path}.proceeds`))] : [],
  )
  return Math.max(0, whole - onShipping.reduce((sum, amount) => sum + amount, 0))
}

/** `true` when the total is met without the tax. */
export function taxesOf(order: AmazonOrder, currency: string, custom: boolean): boolean {
  const total = order.proceeds?.grandTotal
  const { goods, shipping, tax, discount } = orderSums(order, currency)
  if (!total || tax === 0) return custom
  const net = goods + shipping - discount
  const told = minor(total, currency, '$.proceeds.grandTotal')
  if (told === net + tax) return false
  return told === net || custom
}

/** A pending order may show no proceeds at all: its lines are then all that is known. */
export function totalsOf(
  order: AmazonOrder,
  lines: readonly OrderLine[],
  currency: string,
  context: MappingContext,
): Order['totals'] {
  const known = (order.proceeds?.breakdowns ?? []).length > 0
  const add = (field: 'discount_minor' | 'tax_minor' | 'total_minor'): number =>
    lines.reduce((sum, line) => sum + line[field], 0)
  const sums: Sums = known
    ? orderSums(order, currency)
    : {
        goods: add('total_minor') + add('discount_minor'),
        shipping: 0,
        tax: add('tax_minor'),
        discount: add('discount_minor'),
      }
  const told = order.proceeds?.grandTotal
  const net = sums.goods + sums.shipping - sums.discount
  const total = told ? minor(told, currency, '$.proceeds.grandTotal') : net + sums.tax
  for (const { type } of order.proceeds?.breakdowns ?? [])
    if (!Object.hasOwn(PARTS, type)) context.warn(`unknown kind of proceeds "${type.slice(0, 60)}" taken as goods`)
  if (known && total !== net && total !== net + sums.tax)
    context.warn(`the order's amounts do not add up to its total by ${total - net - sums.tax} minor units`)
  return {
    subtotal_minor: sums.goods,
    discount_minor: sums.discount,
    shipping_minor: sums.shipping,
    tax_minor: sums.tax,
    total_minor: total,
    refunded_minor: 0,
  }
}
