import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { ErpRequest } from '../../core/model/effects.ts'
import { amountText, minorOf, nearestMinorOf, shownAmount } from './amounts.ts'
import type { Odoo } from './client.ts'
import { invoicesOf } from './invoices.ts'
import { ownProduct, productsBySku } from './products.ts'
import { externalId, findOurs, load, readOne, rows, search, type Cells } from './records.ts'
import { creditLines, roundingLimit, type CreditLine, type SoldAt } from './rulesCredit.ts'
import { converge } from './steps.ts'
import { saleTaxes } from './taxes.ts'
import { idOf, Ids, Maybe, Ref, Text, textOf } from './values.ts'

type Credit = Extract<ErpRequest, { kind: 'credit' }>

const ORDER = rows('sale.order', { name: Type.String(), state: Type.String(), partner_invoice_id: Ref })
const LINE = rows('sale.order.line', {
  product_id: Ref,
  product_uom_qty: Type.Number(),
  price_subtotal: Type.Number(),
  price_total: Type.Number(),
  tax_ids: Ids,
})
const MOVE = rows('account.move', {
  name: Text,
  state: Type.String(),
  amount_total: Type.Number(),
  currency_id: Ref,
  reversed_entry_id: Maybe,
})

/**
 * A credit note of exactly the amount that was given back, on the order's invoice. Loaded under an external id rather than made by the
 * wizard for reversals, which knows whole invoices only and would make a second one when its answer gets lost.
 */
export async function sendCredit(odoo: Odoo, request: Credit): Promise<string | null> {
  const order = await creditedOrder(odoo, request)
  if (order === null) return null
  let move = 0
  const isRight = async (): Promise<boolean> => {
    const { amount_total, currency_id } = await readOne(odoo, MOVE, move)
    if (currency_id === false || currency_id[1] !== request.currency)
      throw new HubError('vendor_rejected', `the credit note is not in ${request.currency}`)
    return minorOf(amount_total, request.currency, 'amount_total') === request.amount_minor
  }
  await converge([
    {
      name: 'credit note',
      done: async () => (move = (await findOurs(odoo, 'account.move', request.key)) ?? 0) !== 0,
      act: () => create(odoo, request, order),
    },
    { name: 'amount of the credit note', done: isRight, act: () => round(odoo, move, request) },
    {
      name: 'posted credit note',
      done: async () => (await readOne(odoo, MOVE, move)).state === 'posted',
      act: () => odoo.tell('account.move', 'action_post', { ids: [move] }),
    },
  ])
  return textOf((await readOne(odoo, MOVE, move)).name)
}

interface CreditedOrder {
  id: number
  partner: number
  invoice: number
}

/** What was never invoiced is not credited: a cancelled order without an invoice is done, any other has to be invoiced first. */
async function creditedOrder(odoo: Odoo, request: Credit): Promise<CreditedOrder | null> {
  const id = await findOurs(odoo, 'sale.order', request.order_external_key)
  if (id === null) throw new HubError('not_yet', 'the order is not in Odoo yet')
  const order = await readOne(odoo, ORDER, id)
  const invoice = (await invoicesOf(odoo, id)).find(({ state }) => state === 'posted')
  if (invoice !== undefined) return { id, partner: idOf(order.partner_invoice_id) ?? 0, invoice: invoice.id }
  if (order.state === 'cancel') return null
  throw new HubError('not_yet', `order ${order.name} has no invoice in Odoo yet`)
}

async function create(odoo: Odoo, request: Credit, order: CreditedOrder): Promise<void> {
  const { key, currency, at } = request
  const skus = request.lines.map(({ sku }) => sku)
  const products = await productsBySku(odoo, skus)
  const sold = await soldAt(odoo, order.id, currency)
  const byProduct = new Map(sold.map((line) => [line.product, line]))
  const shipping = byProduct.get((await ownProduct(odoo, 'shipping')).id) ?? null
  const discount = (await ownProduct(odoo, 'discount')).id
  const lines = creditLines(
    request.amount_minor,
    request.lines.map((line) => {
      const product = products.get(line.sku)?.id ?? 0
      return { ...line, product, sold: byProduct.get(product) ?? null }
    }),
    { shipping, adjustment: discount },
  )
  const company = await odoo.company()
  const foreign = currency === company.currency ? null : await currencyId(odoo, currency)
  await load(
    odoo,
    'account.move',
    {
      id: externalId(odoo, key),
      move_type: 'out_refund',
      'partner_id/.id': String(order.partner),
      invoice_date: at.slice(0, 10),
      ref: `Refund ${request.refund_id}`,
      'reversed_entry_id/.id': String(order.invoice),
      ...(foreign === null ? {} : { 'currency_id/.id': String(foreign) }),
    },
    lines.map((line, index) => lineCells(odoo, `${key}:line:${index}`, line, currency)),
  )
}

const lineCells = (odoo: Odoo, key: string, line: CreditLine, currency: string): Cells => ({
  'invoice_line_ids/id': externalId(odoo, key),
  'invoice_line_ids/product_id/.id': String(line.product),
  'invoice_line_ids/name': line.name,
  'invoice_line_ids/quantity': String(line.quantity),
  'invoice_line_ids/price_unit': amountText(line.price_minor, currency),
  'invoice_line_ids/tax_ids/.id': line.tax === null ? '' : String(line.tax),
})

/** What each product of the order was sold at, with its tax as the order has it. */
async function soldAt(odoo: Odoo, order: number, currency: string): Promise<SoldAt[]> {
  const taxes = new Map((await saleTaxes(odoo)).map((tax) => [tax.id, tax]))
  const lines = await search(odoo, LINE, [['order_id', '=', order]], { order: 'id' })
  return lines.flatMap((line): SoldAt[] => {
    const product = idOf(line.product_id)
    const [tax] = line.tax_ids
    return product === null
      ? []
      : [
          {
            product,
            tax: tax === undefined ? null : (taxes.get(tax) ?? null),
            net_minor: nearestMinorOf(line.price_subtotal, currency, 'price_subtotal'),
            gross_minor: nearestMinorOf(line.price_total, currency, 'price_total'),
          },
        ]
  })
}

const CURRENCY = rows('res.currency', { name: Type.String() })

export async function currencyId(odoo: Odoo, currency: string): Promise<number> {
  const [found] = await search(odoo, CURRENCY, [['name', '=', currency]], { limit: 1 })
  if (found === undefined) throw new HubError('vendor_rejected', `Odoo does not use the currency ${currency}`)
  return found.id
}

const ITEM = rows('account.move.line', { price_unit: Type.Number() })

/** What rounding has left becomes a line without tax; a larger difference is told, and the credit note stays a draft. */
async function round(odoo: Odoo, move: number, { key, lines, amount_minor, currency }: Credit): Promise<void> {
  const { amount_total, state } = await readOne(odoo, MOVE, move)
  const there = minorOf(amount_total, currency, 'amount_total')
  const off = amount_minor - there
  if (state !== 'draft' || Math.abs(off) > roundingLimit(lines)) {
    throw new HubError(
      'vendor_rejected',
      `credit note ${move} comes to ${shownAmount(there, currency)} in Odoo, the refund is ${shownAmount(amount_minor, currency)}; it is ${state}`,
    )
  }
  const rounding = `${key}:rounding`
  const line = await findOurs(odoo, 'account.move.line', rounding)
  const before = line === null ? 0 : minorOf((await readOne(odoo, ITEM, line)).price_unit, currency, 'price_unit')
  const product = (await ownProduct(odoo, 'discount')).id
  const plan = { product, name: 'Rounding', quantity: 1, price_minor: before + off, tax: null }
  await load(odoo, 'account.move', { id: externalId(odoo, key) }, [lineCells(odoo, rounding, plan, currency)])
}
