import { userError } from './faults.ts'
import { linesOf, type Env } from './orm.ts'
import { taxed } from './taxes.ts'
import { unitsToInvoice } from './sales.ts'
import { cents, idsOf, numberOf, refOf, textOf, type Row, type Value } from './values.ts'

/** Invoices and credit notes: made from orders, summed up, posted, settled. */

const NOTHING =
  'Cannot create an invoice. No items are available to invoice.\n\nTo resolve this issue, please ensure that:\n   • The products have been delivered before attempting to invoice them.\n   • The invoicing policy of the product is configured correctly.\n'

export function createInvoices(env: Env, orders: readonly number[]): Value {
  const made = orders.map((id) => {
    const order = env.need('sale.order', id)
    const lines = linesOf(env, 'sale.order.line', 'order_id', id).flatMap((line) => {
      const units = unitsToInvoice(env, line)
      return units > 0 ? [{ line, units }] : []
    })
    if (lines.length === 0) throw userError(NOTHING)
    return env.create('account.move', {
      move_type: 'out_invoice',
      partner_id: refOf(order, 'partner_invoice_id'),
      invoice_origin: textOf(order, 'name'),
      ref: textOf(order, 'client_order_ref') || textOf(order, 'name'),
      currency_id: Number(env.valueOf('sale.order', order, 'currency_id')),
      invoice_line_ids: lines.map(({ line, units }) => [
        0,
        0,
        {
          product_id: refOf(line, 'product_id'),
          name: textOf(line, 'name'),
          quantity: units,
          price_unit: numberOf(line, 'price_unit'),
          discount: numberOf(line, 'discount'),
          tax_ids: [[6, 0, idsOf(line, 'tax_ids')]],
          sale_line_id: line.id,
        },
      ]),
    })
  })
  return { type: 'ir.actions.act_window', name: 'Invoices', res_model: 'account.move', res_id: made[0] ?? false }
}

export const itemsOf = (env: Env, move: number): Row[] => linesOf(env, 'account.move.line', 'move_id', move)
export const isInvoice = (move: Row): boolean => ['out_invoice', 'out_refund'].includes(textOf(move, 'move_type'))
const productItems = (env: Env, move: number): Row[] =>
  itemsOf(env, move).filter((item) => textOf(item, 'display_type') === 'product')

export function itemAmounts(env: Env, item: Row): { net: number; tax: number } {
  const price = numberOf(item, 'price_unit') * numberOf(item, 'quantity') * (1 - numberOf(item, 'discount') / 100)
  return taxed(env, idsOf(item, 'tax_ids'), price)
}

/** Net, tax and total of an invoice; of any other entry, what stands on one of its sides. */
export function moveAmounts(env: Env, move: Row): { net: number; tax: number; total: number } {
  if (!isInvoice(move)) {
    const total = cents(itemsOf(env, move.id).reduce((sum, item) => sum + Math.max(0, numberOf(item, 'balance')), 0))
    return { net: total, tax: 0, total }
  }
  const amounts = productItems(env, move.id).map((item) => itemAmounts(env, item))
  const net = cents(amounts.reduce((sum, one) => sum + one.net, 0))
  const tax = cents(amounts.reduce((sum, one) => sum + one.tax, 0))
  return { net, tax, total: cents(net + tax) }
}

/** The sides of an invoice that follow from its lines: income, tax and what the customer owes. */
export function bookInvoice(env: Env, move: Row): void {
  const sign = textOf(move, 'move_type') === 'out_invoice' ? -1 : 1
  for (const item of itemsOf(env, move.id))
    if (textOf(item, 'display_type') !== 'product') env.unlink('account.move.line', [item.id])
  for (const item of productItems(env, move.id)) {
    const balance = cents(sign * itemAmounts(env, item).net)
    env.store.put('account.move.line', {
      ...item,
      balance,
      account_id: refOf(item, 'account_id') || accountBy(env, 'income'),
    })
  }
  const { tax, total } = moveAmounts(env, move)
  if (tax !== 0)
    addItem(env, move, {
      account_id: accountBy(env, 'liability_current'),
      balance: cents(sign * tax),
      display_type: 'tax',
    })
  addItem(env, move, {
    account_id: accountBy(env, 'asset_receivable'),
    balance: cents(-sign * total),
    display_type: 'payment_term',
  })
}

const addItem = (env: Env, move: Row, values: { account_id: number; balance: number; display_type: string }): number =>
  env.create('account.move.line', { move_id: move.id, partner_id: refOf(move, 'partner_id') || false, ...values })

export const accountBy = (env: Env, account_type: string): number =>
  env.store.all('account.account').find((account) => textOf(account, 'account_type') === account_type)?.id ?? 0

const PREFIXES: Readonly<Record<string, string>> = { out_invoice: 'INV', out_refund: 'RINV' }

export function postMoves(env: Env, ids: readonly number[]): false {
  for (const id of ids) {
    const move = env.need('account.move', id)
    if (textOf(move, 'state') !== 'draft')
      throw userError(`The entry ${textOf(move, 'name')} (id ${id}) must be in draft.`)
    const today = env.now().toISOString().slice(0, 10)
    const invoice_date = isInvoice(move) ? textOf(move, 'invoice_date') || today : false
    const date = typeof invoice_date === 'string' ? invoice_date : textOf(move, 'date') || today
    const [year = '', month = ''] = date.split('-')
    const prefix = PREFIXES[textOf(move, 'move_type')]
    const code = textOf(env.row('account.journal', refOf(move, 'journal_id')) ?? { id: 0 }, 'code')
    const yearly = prefix ?? (refOf(move, 'statement_line_id') === 0 ? undefined : code)
    const name =
      yearly === undefined ? env.sequence(`${code}/${year}/${month}/`, 4) : env.sequence(`${yearly}/${year}/`, 5)
    const isBill = textOf(move, 'move_type') === 'out_invoice'
    const payment_reference = isBill ? name : (move['payment_reference'] ?? false)
    env.store.put('account.move', { ...move, state: 'posted', invoice_date, date, name, payment_reference })
    settleAgainstOrigin(env, env.need('account.move', id))
  }
  return false
}

/** A credit note of an invoice pays it as soon as it is posted. */
function settleAgainstOrigin(env: Env, move: Row): void {
  const origin = env.row('account.move', refOf(move, 'reversed_entry_id'))
  if (origin === undefined || textOf(move, 'move_type') !== 'out_refund') return
  const owed = [origin.id, move.id].flatMap((id) =>
    itemsOf(env, id).filter((item) => textOf(item, 'display_type') === 'payment_term'),
  )
  reconcile(env, owed.map(({ id }) => id)) // prettier-ignore
}

export const residualOf = (env: Env, item: Row): number => {
  const account = env.row('account.account', refOf(item, 'account_id'))
  return account?.['reconcile'] === true ? cents(numberOf(item, 'balance') - numberOf(item, 'matched')) : 0
}

export function reconcile(env: Env, ids: readonly number[]): null {
  const items = ids.map((id) => env.need('account.move.line', id))
  const [first] = items
  if (items.some((item) => item['account_id'] !== first?.['account_id']))
    throw userError('Entries are not from the same account')
  if (first !== undefined && env.need('account.account', refOf(first, 'account_id'))['reconcile'] !== true)
    throw userError(
      'The account does not allow reconciliation. First change the configuration of this account to allow it.',
    )
  const number = env.store.nextId('account.partial.reconcile')
  for (const debit of items.filter((item) => numberOf(item, 'balance') > 0)) {
    for (const credit of items.filter((item) => numberOf(item, 'balance') < 0)) {
      const [owed, paid] = [debit, credit].map((item) => residualOf(env, env.need('account.move.line', item.id)))
      const amount = Math.min(owed ?? 0, -(paid ?? 0))
      if (amount <= 0) continue
      match(env, debit.id, amount)
      match(env, credit.id, -amount)
    }
  }
  const isFull = ids.every((id) => residualOf(env, env.need('account.move.line', id)) === 0)
  for (const id of ids)
    env.store.put('account.move.line', {
      ...env.need('account.move.line', id),
      matching_number: isFull ? String(number) : `P${number}`,
    })
  return null
}

const match = (env: Env, id: number, amount: number): void => {
  const item = env.need('account.move.line', id)
  env.store.put('account.move.line', { ...item, matched: cents(numberOf(item, 'matched') + amount) })
}

/** What of an invoice is not paid yet. */
export const owedOf = (env: Env, move: Row): number =>
  isInvoice(move)
    ? cents(Math.abs(itemsOf(env, move.id).filter((item) => textOf(item, 'display_type') === 'payment_term').reduce((sum, item) => sum + residualOf(env, item), 0))) // prettier-ignore
    : 0

export function paymentState(env: Env, move: Row): string {
  if (textOf(move, 'state') !== 'posted' || !isInvoice(move)) return 'not_paid'
  const [owed, total] = [owedOf(env, move), moveAmounts(env, move).total]
  if (owed === 0 && total !== 0) return textOf(move, 'move_type') === 'out_invoice' ? 'reversed' : 'paid'
  return owed < total ? 'partial' : 'not_paid'
}
