import type { Tx } from '../../db/pool.ts'
import { arrayText, columns } from '../columns.ts'
import type { Payment, Refund } from '../model/payment.ts'

/** A payment or refund as it is kept. `order_id` is null until an order is found that it belongs to. */
export interface PaymentRow {
  connection_id: string
  external_id: string
  kind: Payment['kind'] | 'refund'
  status: string
  at: string
  currency: string
  amount_minor: number
  order_id: string | null
  order_external_id: string | null
  order_number: string | null
  payment_ids: readonly string[]
}

export interface KeptPayment {
  id: number
  connection_id: string
  kind: PaymentRow['kind']
  external_id: string
  order_id: string | null
}

type PaymentName = Pick<PaymentRow, 'connection_id' | 'kind' | 'external_id'>

export const paymentKey = ({ connection_id, kind, external_id }: PaymentName): string =>
  `${connection_id}:${kind}:${external_id}`

/** The latest word on each payment, by `paymentKey`. */
export function newestPayments(rows: readonly PaymentRow[]): Map<string, PaymentRow> {
  return new Map(rows.toSorted(byFinality).map((row) => [paymentKey(row), row]))
}

const COLUMNS = `connection_id, kind, external_id, status, at, currency, amount_minor, order_id, order_external_id, order_number, payment_ids`

/** Its own id is among the ids that may join it to an order: channels name the gateway's payment by that id. */
export function paymentRow(
  connection_id: string,
  kind: PaymentRow['kind'],
  document: Payment | Refund,
  order_id: string | null,
): PaymentRow {
  const { external_id, status, at, currency, amount_minor, references } = document
  const { order_external_id, order_number, payment_ids } = references
  const ids = [...new Set([...payment_ids, external_id])]
  return {
    connection_id,
    external_id,
    kind,
    status,
    at,
    currency,
    amount_minor,
    order_id,
    order_external_id,
    order_number,
    payment_ids: ids,
  }
}

/**
 * Keeps payments by (connection, kind, external id). A later word replaces an earlier one; of two at the same moment the more final
 * status wins, so that the order of arrival does not matter. Returns only the rows that changed.
 */
export async function keepPayments(tx: Tx, rows: readonly PaymentRow[], now: Date): Promise<KeptPayment[]> {
  const unique = [...newestPayments(rows)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => ({ ...row, payment_ids: arrayText(row.payment_ids) }))
  if (unique.length === 0) return []
  const rank = (table: string): string =>
    `(${table}.at, array_position(array['pending', 'failed', 'cancelled', 'succeeded'], ${table}.status), ${table}.amount_minor)`
  return tx.query<KeptPayment>(
    `insert into payments as p (${COLUMNS}, recorded_at)
     select n.connection_id, n.kind, n.external_id, n.status, n.at, n.currency, n.amount_minor, n.order_id, n.order_external_id,
       n.order_number, n.payment_ids::text[], $12
     from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::bigint[], $8::uuid[], $9::text[],
       $10::text[], $11::text[]) as n(${COLUMNS})
     on conflict (connection_id, kind, external_id) do update
     set status = case when ${rank('p')} < ${rank('excluded')} then excluded.status else p.status end,
       amount_minor = case when ${rank('p')} < ${rank('excluded')} then excluded.amount_minor else p.amount_minor end,
       at = greatest(p.at, excluded.at), order_id = coalesce(p.order_id, excluded.order_id)
     where ${rank('p')} < ${rank('excluded')} or (p.order_id is null and excluded.order_id is not null)
     returning p.id, p.connection_id, p.kind, p.external_id, p.order_id`,
    [
      ...columns(unique, [
        'connection_id',
        'kind',
        'external_id',
        'status',
        'at',
        'currency',
        'amount_minor',
        'order_id',
        'order_external_id',
        'order_number',
        'payment_ids',
      ]),
      now,
    ],
  )
}

const FINALITY = ['pending', 'failed', 'cancelled', 'succeeded']

function byFinality(a: PaymentRow, b: PaymentRow): number {
  return (
    Date.parse(a.at) - Date.parse(b.at) ||
    FINALITY.indexOf(a.status) - FINALITY.indexOf(b.status) ||
    a.amount_minor - b.amount_minor
  )
}

/** The order of each that has one, by the payment's id. */
export async function ordersOfPayments(tx: Tx, payment_ids: readonly number[]): Promise<Map<number, string>> {
  if (payment_ids.length === 0) return new Map()
  const rows = await tx.query<{ id: number; order_id: string }>(
    'select id, order_id from payments where id = any($1::bigint[]) and order_id is not null',
    [payment_ids],
  )
  return new Map(rows.map(({ id, order_id }) => [id, order_id]))
}

/** Payments without an order that one of these orders may be the owner of. */
export async function unlinkedPayments(
  tx: Tx,
  orders: readonly { external_id: string; number: string; payment_ids: readonly string[] }[],
): Promise<number[]> {
  const rows = await tx.query<{ id: number }>(
    `select id from payments where order_id is null and order_external_id = any($1::text[])
     union select id from payments where order_id is null and order_number = any($2::text[])
     union select id from payments where order_id is null and payment_ids && $3::text[]`,
    [
      orders.map((order) => order.external_id),
      orders.map((order) => order.number),
      orders.flatMap((order) => order.payment_ids),
    ],
  )
  return rows.map((row) => row.id)
}

/**
 * Joins payments to the orders of their company. Evidence by strength: a shared gateway id, the order's id at the same connection, its
 * id at another connection, its number. Two orders with the same evidence are no evidence. Returns the order of each that found one.
 */
export async function linkPayments(tx: Tx, payment_ids: readonly number[]): Promise<Map<number, string>> {
  if (payment_ids.length === 0) return new Map()
  const candidates = await tx.query<{ id: number; order_id: string; strength: number }>(
    `with unlinked as (
       select p.*, c.company_id from payments p join connections c on c.id = p.connection_id
       where p.id = any($1::bigint[]) and p.order_id is null
     )
     select u.id, o.id as order_id, 4 as strength from unlinked u
     join orders o on o.payment_ids && u.payment_ids and o.payment_ids <> '{}' and o.company_id = u.company_id
     union all
     select u.id, o.id, case when o.connection_id = u.connection_id then 3 else 2 end from unlinked u
     join connections c on c.company_id = u.company_id
     join orders o on o.connection_id = c.id and o.external_id = u.order_external_id
     union all
     select u.id, o.id, 1 from unlinked u join orders o on o.number = u.order_number and o.company_id = u.company_id`,
    [payment_ids],
  )
  const links = [...Map.groupBy(candidates, (row) => row.id)].flatMap(([id, own]) => {
    const strongest = Math.max(...own.map((row) => row.strength))
    const orders = new Set(own.filter((row) => row.strength === strongest).map((row) => row.order_id))
    const [order_id] = orders
    return orders.size === 1 && order_id !== undefined ? [{ id, order_id }] : []
  })
  if (links.length === 0) return new Map()
  await tx.query(
    `update payments p set order_id = n.order_id from unnest($1::bigint[], $2::uuid[]) as n(id, order_id)
     where p.id = n.id and p.order_id is null`,
    columns(links, ['id', 'order_id']),
  )
  return new Map(links.map(({ id, order_id }) => [id, order_id]))
}
