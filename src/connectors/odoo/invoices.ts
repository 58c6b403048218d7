import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { ErpRequest } from '../../core/model/effects.ts'
import type { Odoo } from './client.ts'
import { confirmedOrder } from './orders.ts'
import { readByIds, readOne, rows, search } from './records.ts'
import { converge } from './steps.ts'
import { Ids, Text, textOf } from './values.ts'

type Invoice = Extract<ErpRequest, { kind: 'invoice' }>

const ORDER = rows('sale.order', { invoice_ids: Ids, invoice_status: Type.String() })
const LINE = rows('sale.order.line', { qty_to_invoice: Type.Number() })
const MOVE = rows('account.move', {
  name: Text,
  state: Type.String(),
  move_type: Type.String(),
  invoice_date: Text,
})

/**
 * Invoices what the order has to be invoiced, and posts it. What makes this safe to repeat is Odoo's own count of what is still to be
 * invoiced: it is nought as soon as an invoice has been made, even a draft.
 */
export async function sendInvoice(odoo: Odoo, { order_external_key, at }: Invoice): Promise<string | null> {
  const order = await confirmedOrder(odoo, order_external_key)
  const drafts = async () => (await invoicesOf(odoo, order.id)).filter(({ state }) => state === 'draft')
  await converge([
    {
      name: 'invoice',
      done: async () => isInvoiced(odoo, order.id),
      act: () => runWizard(odoo, order.id),
    },
    {
      name: 'invoice date',
      done: async () => (await drafts()).every(({ invoice_date }) => textOf(invoice_date) === at.slice(0, 10)),
      act: async () =>
        odoo.tell('account.move', 'write', {
          ids: (await drafts()).map(({ id }) => id),
          args: { vals: { invoice_date: at.slice(0, 10) } },
        }),
    },
    {
      name: 'posted invoice',
      done: async () => (await drafts()).length === 0,
      act: async () => odoo.tell('account.move', 'action_post', { ids: (await drafts()).map(({ id }) => id) }),
    },
  ])
  const posted = (await invoicesOf(odoo, order.id)).filter(({ state }) => state === 'posted')
  return posted.map(({ name }) => textOf(name)).at(-1) ?? null
}

/** Invoices of an order, oldest first; credit notes are not among them. */
export async function invoicesOf(odoo: Odoo, order: number) {
  const { invoice_ids } = await readOne(odoo, ORDER, order)
  const moves = await readByIds(odoo, MOVE, invoice_ids)
  return moves.filter(({ move_type }) => move_type === 'out_invoice').toSorted((a, b) => a.id - b.id)
}

async function isInvoiced(odoo: Odoo, order: number): Promise<boolean> {
  const open = (await search(odoo, LINE, [['order_id', '=', order]])).filter(({ qty_to_invoice }) => qty_to_invoice > 0)
  if (open.length > 0) return false
  const invoices = (await invoicesOf(odoo, order)).filter(({ state }) => state !== 'cancel')
  if (invoices.length === 0) throw new HubError('not_yet', 'the order has nothing in Odoo that could be invoiced yet')
  return true
}

const readWizard = (value: unknown): number => {
  const id: unknown = Array.isArray(value) ? (value as unknown[])[0] : value
  if (typeof id !== 'number') throw new HubError('vendor_response_invalid', 'the wizard has no id')
  return id
}

/** The wizard is what may be called from outside; the method that it calls is private. */
async function runWizard(odoo: Odoo, order: number): Promise<void> {
  const names = await odoo.names('sale.advance.payment.inv', ['sale_order_ids'])
  const context = { active_model: 'sale.order', active_id: order, active_ids: [order] }
  const vals = {
    advance_payment_method: 'delivered',
    ...(names['sale_order_ids'] === null ? {} : { sale_order_ids: [[6, 0, [order]]] }),
  }
  const wizard = readWizard(
    await odoo.tell('sale.advance.payment.inv', 'create', { args: { vals_list: [vals] }, context }),
  )
  await odoo.tell('sale.advance.payment.inv', 'create_invoices', { ids: [wizard], context })
}
