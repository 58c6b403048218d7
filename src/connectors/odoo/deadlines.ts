import Type from 'typebox'
import type { Odoo } from './client.ts'
import { readOne, rows, search } from './records.ts'
import { idOf, Maybe, Ref, Text, textOf } from './values.ts'

const ORDER = rows('sale.order', { date_order: Text, commitment_date: Maybe })
const LINE = rows('sale.order.line', { customer_lead: Type.Number() })
const MOVE = rows('stock.move', { sale_line_id: Ref, date_deadline: Text })

const DAY_MS = 86_400_000

/** Pure: a time of Odoo, so many days later. */
const daysLater = (moment: string, days: number): string =>
  new Date(Date.parse(`${moment.replace(' ', 'T')}Z`) + Math.round(days * DAY_MS))
    .toISOString()
    .slice(0, 19)
    .replace('T', ' ')

/**
 * Gives the open goods of a confirmed order the deadline that Odoo would give them now. It takes units off a transfer only where the
 * deadlines are the same, and plans a receipt of them otherwise; but the deadline was reckoned from the moment of the confirmation, and the
 * order has since been dated to the day of the sale. Called before an order is changed.
 */
export async function alignDeadlines(odoo: Odoo, order: number): Promise<void> {
  const { date_deadline } = await odoo.names('stock.move', ['date_deadline'])
  const { customer_lead } = await odoo.names('sale.order.line', ['customer_lead'])
  if (typeof date_deadline !== 'string' || typeof customer_lead !== 'string') return
  const { date_order, commitment_date } = await readOne(odoo, ORDER, order)
  const promised = typeof commitment_date === 'string' ? commitment_date : null
  const lines = await search(odoo, LINE, [['order_id', '=', order]])
  const leads = new Map(lines.map((line) => [line.id, line.customer_lead]))
  const open = await search(odoo, MOVE, [['sale_line_id.order_id', '=', order], ['state', 'not in', ['done', 'cancel']]], { order: 'id' }) // prettier-ignore
  const wanted = Map.groupBy(
    open,
    (move) => promised ?? daysLater(textOf(date_order) ?? '', leads.get(idOf(move.sale_line_id) ?? 0) ?? 0),
  )
  for (const [deadline, moves] of wanted) {
    const ids = moves.filter((move) => textOf(move.date_deadline) !== deadline).map(({ id }) => id)
    if (ids.length > 0) await odoo.tell('stock.move', 'write', { ids, args: { vals: { [date_deadline]: deadline } } })
  }
}
