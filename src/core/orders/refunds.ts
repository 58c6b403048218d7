import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { Refund } from '../model/payment.ts'
import { keepPayments, paymentRow } from './payments.ts'

export interface RefundOfOrder {
  connection_id: string
  order_id: string | null
  refund: Refund
}

/**
 * Keeps refunds and what they say about units. A refund has one id, whether it comes inside its order or by itself, so its units
 * count once. Returns the orders of refunds that are new or say something new.
 */
export async function keepRefunds(tx: Tx, refunds: readonly RefundOfOrder[], now: Date): Promise<Set<string>> {
  if (refunds.length === 0) return new Set()
  const kept = await keepPayments(
    tx,
    refunds.map(({ connection_id, order_id, refund }) => paymentRow(connection_id, 'refund', refund, order_id)),
    now,
  )
  const ids = new Map(kept.map((row) => [`${row.connection_id}:${row.external_id}`, row.id]))
  const lines = new Map<string, { payment_id: number } & Refund['lines'][number]>()
  for (const { connection_id, refund } of refunds) {
    const payment_id = ids.get(`${connection_id}:${refund.external_id}`)
    if (payment_id === undefined) continue
    for (const line of mergeLines(refund.lines)) {
      lines.set(`${payment_id}:${line.line_external_id}:${line.restock}`, { payment_id, ...line })
    }
  }
  await putRefundLines(tx, [...lines.values()])
  return new Set(kept.flatMap((row) => row.order_id ?? []))
}

function mergeLines(lines: Refund['lines']): Refund['lines'] {
  return [...Map.groupBy(lines, (line) => `${line.line_external_id}:${line.restock}`).values()].flatMap((own) => {
    const [first] = own
    if (first === undefined) return []
    const sum = (key: 'quantity' | 'amount_minor' | 'tax_minor'): number =>
      own.reduce((total, line) => total + line[key], 0)
    return [{ ...first, quantity: sum('quantity'), amount_minor: sum('amount_minor'), tax_minor: sum('tax_minor') }]
  })
}

async function putRefundLines(
  tx: Tx,
  lines: readonly ({ payment_id: number } & Refund['lines'][number])[],
): Promise<void> {
  if (lines.length === 0) return
  await tx.query(
    `insert into refund_lines (payment_id, line_external_id, restock, quantity, amount_minor, tax_minor)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::int[], $5::bigint[], $6::bigint[])
     on conflict (payment_id, line_external_id, restock) do update
     set quantity = excluded.quantity, amount_minor = excluded.amount_minor, tax_minor = excluded.tax_minor`,
    columns(lines, ['payment_id', 'line_external_id', 'restock', 'quantity', 'amount_minor', 'tax_minor']),
  )
}

/**
 * Counts the units of each line that refunds have cancelled, from the refunds themselves. Units stay cancelled when the money part
 * of a refund fails; they come back only when the refund itself was called off.
 */
export async function recountCancelled(tx: Tx, order_ids: readonly string[]): Promise<void> {
  if (order_ids.length === 0) return
  await tx.query(
    `with cancelled as (
       select p.order_id, r.line_external_id, sum(r.quantity)::int as units
       from payments p join orders o on o.id = p.order_id and o.connection_id = p.connection_id
       join refund_lines r on r.payment_id = p.id
       where p.order_id = any($1::uuid[]) and p.kind = 'refund' and p.status <> 'cancelled' and r.restock = 'cancel'
       group by 1, 2
     )
     update order_lines l set cancelled_quantity = coalesce(c.units, 0)
     from order_lines k left join cancelled c on c.order_id = k.order_id and c.line_external_id = k.external_id
     where k.order_id = any($1::uuid[]) and l.id = k.id and l.cancelled_quantity <> coalesce(c.units, 0)`,
    [order_ids],
  )
}
