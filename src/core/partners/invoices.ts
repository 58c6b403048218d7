import { addEffects, type NewEffect } from '../../db/outbox.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { internalConnectionId, type CoreContext } from '../context.ts'
import { loadShipmentNotices, type EffectRef } from '../fulfillment/requests.ts'
import type { InvoiceRequest, ShipmentNotice } from '../model/effects.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { connectionsThat } from './orderAnswers.ts'
import { chargeShipment, type Sold, type SoldLine } from './rulesInvoice.ts'

/** Shipments that are older and have no invoice hold no whole unit, or came before invoices were wanted. */
const LOOK_BACK_DAYS = 30
const SEQUENCE = 'invoice'

interface DueShipment {
  id: string
  order_id: string
  company_id: string
  connection_id: string
  currency: string
}

/**
 * Makes an invoice for each shipment of partners who take them: number, amounts and lines are written down once and never change. Numbers
 * of a company have no gap, because they are given in the transaction that writes the invoice. Returns how many were made.
 */
export async function invoiceShipments(tx: Tx, ctx: CoreContext, limit: number): Promise<number> {
  const connections = connectionsThat(ctx, 'takes_invoices')
  if (connections.length === 0) return 0
  const due = await tx.query<DueShipment>(
    `select s.id, s.order_id, o.company_id, o.connection_id, o.currency from shipments s join orders o on o.id = s.order_id
     where o.connection_id = any($1::text[]) and o.currency is not null and not o.is_test
       and s.recorded_at > $2::timestamptz - ${LOOK_BACK_DAYS} * interval '1 day'
       and not exists (select 1 from partner_invoices i where i.shipment_id = s.id)
     order by s.recorded_at, s.id limit $3 for no key update of o skip locked`,
    [connections, ctx.now, limit],
  )
  if (due.length === 0) return 0
  const { notices } = await loadShipmentNotices(
    tx,
    ctx,
    due.map(({ id }, index) => ({ id: index, kind: 'shipment.send', reference: { shipment_id: id } })),
  )
  const shipped = new Map(notices.map((notice) => [notice.shipment_id, notice]))
  let made = 0
  for (const shipment of due) {
    const notice = shipped.get(shipment.id)
    // A part of a kit completes no unit: the shipment that does is invoiced.
    if (notice === undefined) continue
    await invoiceOne(tx, ctx, shipment, notice)
    made += 1
  }
  return made
}

async function invoiceOne(tx: Tx, ctx: CoreContext, due: DueShipment, notice: ShipmentNotice): Promise<void> {
  const units = new Map<string, number>()
  for (const { line_external_id, quantity } of notice.lines)
    units.set(line_external_id, (units.get(line_external_id) ?? 0) + quantity)
  const charged = chargeShipment(await loadSold(tx, due.order_id), units)
  const number = await takeInvoiceNumber(tx, due)
  const id = ctx.newId()
  await tx.query(
    `insert into partner_invoices (id, company_id, number, connection_id, order_id, shipment_id, invoiced_at, currency, lines, shipping_minor,
       tax_minor, total_minor)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10, $11, $12)`,
    [
      id,
      due.company_id,
      number,
      due.connection_id,
      due.order_id,
      due.id,
      ctx.now,
      due.currency,
      JSON.stringify(charged.lines),
      charged.shipping_minor,
      charged.tax_minor,
      charged.total_minor,
    ],
  )
  const { connection_id, order_id } = due
  const effect: NewEffect = {
    connection_id,
    kind: 'invoice.send',
    key: `invoice.send:${due.id}`,
    reference: { invoice_id: id },
    order_id,
    not_before: ctx.now,
  }
  await addEffects(tx, [effect], ctx.now)
  const data = {
    number: invoiceNumber(number),
    shipment_id: due.id,
    total_minor: charged.total_minor,
    currency: due.currency,
  }
  await recordTimeline(tx, [{ order_id, kind: 'order.invoiced', at: ctx.now, source: 'partners', data }], ctx.now)
}

/** `INV-00000042`: eight digits, and more once they are used up. */
const invoiceNumber = (number: number): string => `INV-${String(number).padStart(8, '0')}`

/** The next number of the company's own sequence; the same shipment is given the same one. Held until the transaction ends. */
async function takeInvoiceNumber(tx: Tx, { company_id, id }: DueShipment): Promise<number> {
  const connection_id = internalConnectionId(company_id)
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`numbers:${connection_id}:${SEQUENCE}`])
  const [row] = await tx.query<{ number: number }>(
    `insert into numbers (connection_id, sequence, key, number)
     select $1, $2, $3, coalesce(max(number), 0) + 1 from numbers where connection_id = $1 and sequence = $2
     on conflict (connection_id, sequence, key) do update set key = excluded.key returning number`,
    [connection_id, SEQUENCE, id],
  )
  return row?.number ?? 0
}

/** What the order came to, and what invoices have charged of it so far. */
async function loadSold(tx: Tx, order_id: string): Promise<Sold> {
  const [order] = await tx.query<{
    shipping_minor: number | null
    tax_minor: number | null
    total_minor: number | null
  }>('select shipping_minor, tax_minor, total_minor from orders where id = $1', [order_id])
  const lines = await tx.query<Omit<SoldLine, 'net_minor' | 'invoiced'> & { total_minor: number }>(
    `select external_id as line_external_id, channel_sku, title, quantity, unit_price_minor, tax_minor, total_minor
     from order_lines where order_id = $1 order by id`,
    [order_id],
  )
  const earlier = await tx.query<Pick<InvoiceRequest, 'lines' | 'shipping_minor' | 'tax_minor'>>(
    'select lines, shipping_minor, tax_minor from partner_invoices where order_id = $1',
    [order_id],
  )
  const shipping_minor = order?.shipping_minor ?? 0
  const goods = lines.reduce((sum, line) => sum + line.total_minor, 0)
  // Lines that come to the order's total together with shipping have their tax inside.
  const inside = (order?.tax_minor ?? 0) !== 0 && goods + shipping_minor === order?.total_minor
  const charged = new Map<string, { quantity: number; amount_minor: number }>()
  for (const { line_external_id, quantity, amount_minor } of earlier.flatMap((invoice) => invoice.lines)) {
    const known = charged.get(line_external_id) ?? { quantity: 0, amount_minor: 0 }
    charged.set(line_external_id, {
      quantity: known.quantity + quantity,
      amount_minor: known.amount_minor + amount_minor,
    })
  }
  return {
    shipping_minor,
    invoiced: {
      shipping_minor: earlier.reduce((sum, invoice) => sum + invoice.shipping_minor, 0),
      tax_minor: earlier.reduce((sum, invoice) => sum + invoice.tax_minor, 0),
    },
    lines: lines.map(({ total_minor, ...line }) => ({
      ...line,
      net_minor: inside ? total_minor - line.tax_minor : total_minor,
      invoiced: charged.get(line.line_external_id) ?? { quantity: 0, amount_minor: 0 },
    })),
  }
}

/** Invoices as they were made. */
export async function loadInvoices(q: Queryable, effects: readonly EffectRef[]): Promise<InvoiceRequest[]> {
  const rows = await q.query<
    Pick<InvoiceRequest, 'currency' | 'lines' | 'shipping_minor' | 'tax_minor' | 'total_minor'> & {
      id: string
      number: number
      external_id: string
      order_number: string
      placed_at: Date
      invoiced_at: Date
    }
  >(
    `select i.id, i.number, i.currency, i.lines, i.shipping_minor, i.tax_minor, i.total_minor, i.invoiced_at, o.external_id,
       coalesce(o.number, o.external_id) as order_number, coalesce(o.placed_at, o.received_at) as placed_at
     from partner_invoices i join orders o on o.id = i.order_id where i.id = any($1::uuid[])`,
    [effects.map(({ reference }) => String(reference['invoice_id']))],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return effects.flatMap(({ id, reference }): InvoiceRequest[] => {
    const row = byId.get(String(reference['invoice_id']))
    if (row === undefined) return []
    const { currency, lines, shipping_minor, tax_minor, total_minor } = row
    return [
      {
        outbox_id: id,
        number: invoiceNumber(row.number),
        order_external_id: row.external_id,
        order_number: row.order_number,
        order_placed_at: row.placed_at.toISOString(),
        invoiced_at: row.invoiced_at.toISOString(),
        currency,
        lines,
        shipping_minor,
        tax_minor,
        total_minor,
      },
    ]
  })
}
