import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { ErpOrder } from '../../core/model/effects.ts'
import { amountText, minorOf, nearestMinorOf, shownAmount } from './amounts.ts'
import type { CallArgs, Odoo } from './client.ts'
import { ensurePartners, type Partners } from './customers.ts'
import { alignDeadlines } from './deadlines.ts'
import { ownProduct, productsBySku } from './products.ts'
import { externalId, externalIdsOf, findOurs, load, readByIds, readOne, rows, search, type Cells } from './records.ts'
import { planLines, roundingKey, taxTotal, type LinePlan } from './rulesLines.ts'
import { converge } from './steps.ts'
import { saleTaxes } from './taxes.ts'
import { warehouseOf } from './transfers.ts'
import { idOf, Ids, Maybe, nameOf, Ref, Text, textOf } from './values.ts'

const ORDER = rows('sale.order', {
  name: Type.String(),
  state: Type.String(),
  locked: Maybe,
  client_order_ref: Text,
  date_order: Text,
  partner_id: Ref,
  partner_shipping_id: Ref,
  partner_invoice_id: Ref,
  currency_id: Ref,
  amount_total: Type.Number(),
  amount_tax: Type.Number(),
  order_line: Ids,
})
const LINE = rows('sale.order.line', {
  product_id: Ref,
  product_uom_qty: Type.Number(),
  price_unit: Type.Number(),
  discount: Type.Number(),
  tax_ids: Ids,
  name: Text,
})
type Line = Awaited<ReturnType<typeof readLines>>[number]

const readLines = (odoo: Odoo, ids: readonly number[]) => readByIds(odoo, LINE, ids)

/** `done` before 18; then orders were locked instead. */
const CONFIRMED = new Set(['sale', 'done'])

/**
 * An order as it is now: customer, addresses, lines with their taxes, totals to the cent, confirmed. An order that differs from what was
 * told before is brought to what it is; a total that does not come out is refused, and an order that was a draft stays one.
 */
export async function sendOrder(odoo: Odoo, key: string, order: ErpOrder): Promise<string> {
  const partners = await ensurePartners(odoo, order)
  const plans = await placeLines(odoo, planLines(key, order, await saleTaxes(odoo)))
  const head = await headOf(odoo, key, order, partners)
  const target: Target = { key, order, partners, plans, head, id: 0, seen: undefined }
  const tell = async (method: string, args: CallArgs): Promise<void> => {
    target.seen = undefined
    await odoo.tell('sale.order', method, { ids: [target.id], ...args })
  }
  await converge([
    { name: 'order', done: () => stands(odoo, target), act: () => write(odoo, target) },
    { name: 'total', done: () => isTotalRight(odoo, target), act: () => round(odoo, target) },
    {
      name: 'confirmation',
      done: async () => CONFIRMED.has((await seenOrder(odoo, target)).state),
      act: () => tell('action_confirm', {}),
    },
    {
      // Confirming sets the date to now; reports want the day of the sale.
      name: 'date',
      done: async () => textOf((await seenOrder(odoo, target)).date_order) === momentOf(order.placed_at),
      act: () => tell('write', { args: { vals: { date_order: momentOf(order.placed_at) } } }),
    },
  ])
  return (await seenOrder(odoo, target)).name
}

interface Placed extends LinePlan {
  product_id: number
}

interface Target {
  key: string
  order: ErpOrder
  partners: Partners
  plans: readonly Placed[]
  head: Cells
  id: number
  /** As it was last read; nothing once something was written. */
  seen: Awaited<ReturnType<typeof readOrder>> | undefined
}

const seenOrder = async (odoo: Odoo, target: Target) => (target.seen ??= await readOrder(odoo, target.id))

async function placeLines(odoo: Odoo, plans: readonly LinePlan[]): Promise<Placed[]> {
  const skus = plans.flatMap(({ product }) => ('sku' in product ? [product.sku] : []))
  const bySku = await productsBySku(odoo, skus)
  const placed: Placed[] = []
  for (const plan of plans) {
    const product = 'sku' in plan.product ? bySku.get(plan.product.sku) : await ownProduct(odoo, plan.product.role)
    placed.push({ ...plan, product_id: product?.id ?? 0 })
  }
  return placed
}

/** UTC without a zone, to the second, as Odoo writes it. */
export const momentOf = (iso: string): string => new Date(iso).toISOString().slice(0, 19).replace('T', ' ')

// ── the order and its lines ───────────────────────────────────────────────────────────────────────────────────────────────

const PRICELIST = rows('product.pricelist', { currency_id: Ref })

async function headOf(odoo: Odoo, key: string, order: ErpOrder, partners: Partners): Promise<Cells> {
  const company = await odoo.company()
  const warehouse = order.warehouse_code === null ? null : (await warehouseOf(odoo, order.warehouse_code)).id
  const pricelist = order.currency === company.currency ? null : await pricelistId(odoo, order.currency)
  return {
    id: externalId(odoo, key),
    ...partnerCells(partners),
    client_order_ref: order.order_number,
    origin: `${order.channel} ${order.order_external_id}`,
    date_order: momentOf(order.placed_at),
    ...(warehouse === null ? {} : { 'warehouse_id/.id': String(warehouse) }),
    ...(pricelist === null ? {} : { 'pricelist_id/.id': String(pricelist) }),
    'company_id/.id': String(company.id),
  }
}

const partnerCells = ({ customer, shipping, invoicing }: Partners): Cells => ({
  'partner_id/.id': String(customer),
  'partner_shipping_id/.id': String(shipping ?? customer),
  'partner_invoice_id/.id': String(invoicing ?? customer),
})

async function pricelistId(odoo: Odoo, currency: string): Promise<number> {
  const [list] = await search(odoo, PRICELIST, [['currency_id.name', '=', currency]], { limit: 1, order: 'id' })
  if (list === undefined)
    throw new HubError('vendor_rejected', `Odoo has no pricelist in ${currency}, which an order in it needs`)
  return list.id
}

async function stands(odoo: Odoo, target: Target): Promise<boolean> {
  const id = await findOurs(odoo, 'sale.order', target.key)
  if (id === null) return false
  target.id = id
  const found = await readOrder(odoo, id)
  target.seen = found
  if (found.state === 'cancel' || !isPartnered(found, target.partners)) return false
  const lines = await readLines(odoo, found.order_line)
  const names = await externalIdsOf(odoo, 'sale.order.line', found.order_line)
  const { currency } = target.order
  const wanted = new Map(target.plans.map((plan) => [externalId(odoo, plan.key), plan]))
  const rounding = externalId(odoo, roundingKey(target.key))
  const ours = lines.filter(({ id: line }) => isOurs(odoo, names.get(line)) && names.get(line) !== rounding)
  const extra = ours.filter((line) => !wanted.has(names.get(line.id) ?? '') && line.product_uom_qty !== 0)
  const right = ours.filter((line) => {
    const plan = wanted.get(names.get(line.id) ?? '')
    return plan !== undefined && isAsPlanned(line, plan, currency)
  })
  return extra.length === 0 && right.length === wanted.size
}

const isOurs = (odoo: Odoo, name: string | undefined): boolean => name?.startsWith(externalId(odoo, '')) === true

function isPartnered(
  found: Pick<Awaited<ReturnType<typeof readOrder>>, 'partner_id' | 'partner_shipping_id' | 'partner_invoice_id'>,
  { customer, shipping, invoicing }: Partners,
): boolean {
  return (
    idOf(found.partner_id) === customer &&
    (shipping === null || idOf(found.partner_shipping_id) === shipping) &&
    (invoicing === null || idOf(found.partner_invoice_id) === invoicing)
  )
}

const readOrder = (odoo: Odoo, id: number) => readOne(odoo, ORDER, id)

function isAsPlanned(line: Line, plan: Placed, currency: string): boolean {
  const taxes = plan.tax === null ? [] : [plan.tax.id]
  return (
    idOf(line.product_id) === plan.product_id &&
    line.product_uom_qty === plan.quantity &&
    nearestMinorOf(line.price_unit, currency, 'price_unit') === plan.price_minor &&
    line.discount === 0 &&
    line.tax_ids.length === taxes.length &&
    line.tax_ids.every((id) => taxes.includes(id))
  )
}

async function write(odoo: Odoo, target: Target): Promise<void> {
  target.seen = undefined
  const found = target.id === 0 ? null : await readOne(odoo, ORDER, target.id)
  if (found?.state === 'cancel') await odoo.tell('sale.order', 'action_draft', { ids: [target.id] })
  if (found?.locked === true)
    throw new HubError('vendor_conflict', `order ${found.name} is locked in Odoo and has changed`)
  const cells = await lineCells(odoo, target.plans, target.order.currency)
  if (found === null) {
    await load(odoo, 'sale.order', target.head, cells)
    return
  }
  const { partners } = target
  if (CONFIRMED.has(found.state)) await alignDeadlines(odoo, target.id)
  const known = partners.shipping === null ? {} : partnerCells(partners)
  const left = await leftCells(odoo, target, found.order_line)
  await load(odoo, 'sale.order', { id: externalId(odoo, target.key), ...known }, [...cells, ...left])
}

async function lineCells(odoo: Odoo, plans: readonly Placed[], currency: string): Promise<Cells[]> {
  const { tax_ids = 'tax_ids' } = await odoo.names('sale.order.line', ['tax_ids'])
  return plans.map(({ key, product_id, name, quantity, price_minor, tax }) => ({
    'order_line/id': externalId(odoo, key),
    'order_line/product_id/.id': String(product_id),
    'order_line/name': name,
    'order_line/product_uom_qty': String(quantity),
    'order_line/price_unit': amountText(price_minor, currency),
    'order_line/discount': '0',
    [`order_line/${tax_ids ?? 'tax_ids'}/.id`]: tax === null ? '' : String(tax.id),
  }))
}

/** Lines that are no longer part of the order stay with nothing on them: Odoo does not let go of a line that was confirmed. */
async function leftCells(odoo: Odoo, target: Target, ids: readonly number[]): Promise<Cells[]> {
  const names = await externalIdsOf(odoo, 'sale.order.line', ids)
  const keep = new Set([
    ...target.plans.map(({ key }) => externalId(odoo, key)),
    externalId(odoo, roundingKey(target.key)),
  ])
  const left = (await readLines(odoo, ids)).filter(
    ({ id }) => isOurs(odoo, names.get(id)) && !keep.has(names.get(id) ?? ''),
  )
  const { tax_ids = 'tax_ids' } = await odoo.names('sale.order.line', ['tax_ids'])
  return left.map((line) => ({
    'order_line/id': names.get(line.id) ?? '',
    'order_line/product_id/.id': String(idOf(line.product_id)),
    'order_line/name': textOf(line.name) ?? '',
    'order_line/product_uom_qty': '0',
    'order_line/price_unit': '0',
    'order_line/discount': '0',
    [`order_line/${tax_ids ?? 'tax_ids'}/.id`]: '',
  }))
}

// ── totals ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function isTotalRight(odoo: Odoo, target: Target): Promise<boolean> {
  const { total_off, tax_off } = await differenceOf(odoo, target)
  return total_off === 0 && Math.abs(tax_off) <= (odoo.settings.rounding_minor_max ?? 0)
}

async function differenceOf(odoo: Odoo, target: Target) {
  const { order } = target
  const found = await seenOrder(odoo, target)
  const currency = nameOf(found.currency_id)
  if (currency !== order.currency)
    throw new HubError(
      'vendor_rejected',
      `order ${found.name} is in ${currency ?? 'no currency'}, not in ${order.currency}`,
    )
  const total = minorOf(found.amount_total, currency, 'amount_total')
  const tax = minorOf(found.amount_tax, currency, 'amount_tax')
  return { name: found.name, total, tax, total_off: order.total_minor - total, tax_off: taxTotal(order) - tax }
}

/** A difference within the limit of the settings becomes a line without tax; any other is told and left to people. */
async function round(odoo: Odoo, target: Target): Promise<void> {
  const { order, key } = target
  const { name, total, tax, total_off, tax_off } = await differenceOf(odoo, target)
  const rounding = externalId(odoo, roundingKey(key))
  const found = await readOne(odoo, ORDER, target.id)
  const names = await externalIdsOf(odoo, 'sale.order.line', found.order_line)
  const [line] = (await readLines(odoo, found.order_line)).filter(({ id }) => names.get(id) === rounding)
  const before = line === undefined ? 0 : nearestMinorOf(line.price_unit, order.currency, 'price_unit')
  const limit = odoo.settings.rounding_minor_max ?? 0
  if (Math.abs(before + total_off) > limit || Math.abs(tax_off) > limit) {
    const shown = (minor: number): string => shownAmount(minor, order.currency)
    throw new HubError(
      'vendor_rejected',
      `order ${name}: Odoo comes to ${shown(total)} with ${shown(tax)} tax, the channel to ${shown(order.total_minor)} with ${shown(taxTotal(order))}`,
      {
        hint: 'see that taxes are rounded by line in Odoo and that no rule changes lines, or allow rounding_minor_max',
      },
    )
  }
  target.seen = undefined
  const { id: product_id } = await ownProduct(odoo, 'discount')
  const plan: Placed = {
    key: roundingKey(key),
    product: { role: 'discount' },
    product_id,
    name: 'Rounding',
    quantity: 1,
    price_minor: before + total_off,
    tax: null,
  }
  await load(odoo, 'sale.order', { id: externalId(odoo, key) }, await lineCells(odoo, [plan], order.currency))
}

// ── finding and taking back ───────────────────────────────────────────────────────────────────────────────────────────────

export interface FoundOrder {
  id: number
  name: string
  state: string
}

/** The order that another document is about; `not_yet` where it has not been told or was not confirmed. */
export async function confirmedOrder(odoo: Odoo, key: string): Promise<FoundOrder> {
  const id = await findOurs(odoo, 'sale.order', key)
  if (id === null) throw new HubError('not_yet', 'the order is not in Odoo yet')
  const found = await readOne(odoo, ORDER, id)
  if (found.state === 'cancel') throw new HubError('vendor_conflict', `order ${found.name} is cancelled in Odoo`)
  if (!CONFIRMED.has(found.state)) throw new HubError('not_yet', `order ${found.name} is not confirmed in Odoo yet`)
  return { id, name: found.name, state: found.state }
}

/**
 * Cancels the order with its open transfers. What was delivered stays delivered. Of an order whose telling was given up half-way there may
 * be nothing, and then there is nothing to cancel: no telling of it is on its way any more.
 */
export async function sendCancellation(odoo: Odoo, order_key: string): Promise<string | null> {
  const id = await findOurs(odoo, 'sale.order', order_key)
  if (id === null) return null
  await converge([
    {
      name: 'cancellation',
      done: async () => (await readOne(odoo, ORDER, id)).state === 'cancel',
      // Servers before 19 ask whether a mail is wanted, unless told that nobody is there to answer.
      act: () => odoo.tell('sale.order', 'action_cancel', { ids: [id], context: { disable_cancel_warning: true } }),
    },
  ])
  return (await readOne(odoo, ORDER, id)).name
}
