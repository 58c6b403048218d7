import { addEffects, type NewEffect } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { ErpPolicy } from './policy.ts'

/** Items in one call: an ERP that has to look each of them up answers in seconds. */
const ITEMS_MAX = 200
/** A movement that was recorded so long ago is committed or will never be; younger ones are looked at again next time. */
const SETTLED_AFTER_MS = 60_000

/**
 * Makes the stock of the hub's own places due at the ERP: one effect a place and period for all that moved since, whose numbers are read
 * when it leaves. Nothing is written on the way of an order. What was delivered or returned there meanwhile is named once more: a number
 * that left while such a document was on its way may have missed it. While numbers of a place are on their way no newer ones follow: of
 * two at once the older might be the last.
 */
export async function tellStock(tx: Tx, ctx: Pick<CoreContext, 'now'>, erp: ErpPolicy): Promise<number> {
  let items = 0
  for (const [location_id, { authority, code }] of erp.places) {
    if (authority === 'hub' && code !== null) items += await tellPlace(tx, ctx.now, erp, location_id)
  }
  return items
}

async function tellPlace(tx: Tx, now: Date, erp: ErpPolicy, location_id: string): Promise<number> {
  const { connection_id } = erp
  const [told] = await tx.query<{ ledger_id: number; at: Date }>(
    `insert into erp_stock_told as t (connection_id, location_id, ledger_id, at) values ($1, $2, 0, to_timestamp(0))
     on conflict (connection_id, location_id) do update set at = t.at returning ledger_id, at`,
    [connection_id, location_id],
  )
  if (told === undefined || now.getTime() - told.at.getTime() < erp.stock_every_seconds * 1_000) return 0
  if (await isMoving(tx, connection_id, location_id)) return 0
  const settled = new Date(now.getTime() - SETTLED_AFTER_MS)
  const moved = await tx.query<{ item_id: number }>(
    `select distinct item_id from stock_ledger where id > $3 and location_id = $2
     union
     select x.item_id from erp_links k join shipments s on s.id = case when k.kind = 'delivery' then k.subject::uuid end
     join fulfillment_orders f on f.id = s.fulfillment_order_id and f.location_id = $2
     join shipment_lines x on x.shipment_id = s.id
     where k.connection_id = $1 and k.kind = 'delivery' and k.told_at >= $4
     union
     select i.id from erp_links k
     join returns r on r.id = case when k.kind = 'return' then k.subject::uuid end and r.location_id = $2
     cross join lateral jsonb_to_recordset(r.lines) as l(sku text) join items i on i.company_id = $5 and i.sku = l.sku
     where k.connection_id = $1 and k.kind = 'return' and k.told_at >= $4
     order by 1`,
    [
      connection_id,
      location_id,
      told.ledger_id,
      new Date(Math.min(told.at.getTime(), settled.getTime())),
      erp.company_id,
    ],
  )
  await tx.query(
    `update erp_stock_told set at = $3, ledger_id = greatest(ledger_id, coalesce(
       (select min(id) - 1 from stock_ledger where id > $4 and recorded_at > $5), (select max(id) from stock_ledger), 0))
     where connection_id = $1 and location_id = $2`,
    [connection_id, location_id, now, told.ledger_id, settled],
  )
  const ids = moved.map(({ item_id }) => item_id)
  await addEffects(tx, chunksOf(ids).map((chunk, index) => effectOf(erp, location_id, now, { chunk, index })), now) // prettier-ignore
  return ids.length
}

async function isMoving(tx: Tx, connection_id: string, location_id: string): Promise<boolean> {
  const moving = await tx.query(
    `select 1 from outbox where connection_id = $1 and kind = 'erp.stock' and reference ->> 'location_id' = $2
       and state in ('pending', 'queued', 'sending') limit 1`,
    [connection_id, location_id],
  )
  return moving.length > 0
}

function effectOf(erp: ErpPolicy, location_id: string, now: Date, part: { chunk: number[]; index: number }): NewEffect {
  const key = `stock:${location_id}:${now.getTime()}:${part.index}`
  return {
    connection_id: erp.connection_id,
    kind: 'erp.stock',
    key: `erp.${key}:${erp.connection_id}`,
    reference: { key, location_id, items: part.chunk.join(' ') },
    order_id: null,
    not_before: now,
  }
}

const chunksOf = (ids: readonly number[]): number[][] =>
  Array.from({ length: Math.ceil(ids.length / ITEMS_MAX) }, (_, index) => ids.slice(index * ITEMS_MAX, (index + 1) * ITEMS_MAX)) // prettier-ignore
