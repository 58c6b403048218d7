import { addEffects, cancelEffects, type NewEffect } from '../../db/outbox.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import type { EffectRef } from '../fulfillment/requests.ts'
import type { SupplyAnnouncement } from '../model/effects.ts'
import { wishHash } from '../supply/sql.ts'
import { connectionsThat } from './orderAnswers.ts'

const announceKey = (supply_id: string, revision: number): string => `supply.announce:${supply_id}:${revision}`

interface DueSupply {
  id: string
  reference: string
  state: string
  connection_id: string
  location_code: string
  expected_at: Date | null
  order_id: string | null
  changed_at: Date
  lines: { sku: string; quantity: number }[]
  revision: number
  told: Buffer | null
}

/**
 * Finds purchases and transfers to places whose operators want to know what is on its way, and writes down what they are to be told: once, and
 * again whenever what is expected changes. What has come in already is not taken off: the operator reported that himself. Returns how
 * many announcements became due.
 */
export async function announceSupplies(tx: Tx, ctx: CoreContext, limit: number): Promise<number> {
  const connections = connectionsThat(ctx, 'takes_announcements')
  if (connections.length === 0) return 0
  const due = await tx.query<DueSupply>(
    `select s.id, s.reference, s.state, p.connection_id, coalesce(p.external_code, p.id) as location_code, s.expected_at, s.order_id, s.changed_at,
       coalesce(a.revision, 0) as revision, a.content_sha256 as told,
       (select coalesce(jsonb_agg(jsonb_build_object('sku', i.sku, 'quantity', l.quantity) order by i.sku), '[]')
        from supply_lines l join items i on i.id = l.item_id where l.supply_id = s.id) as lines
     from supplies s join locations p on p.id = s.location_id
     left join supply_announcements a on a.supply_id = s.id
     where p.connection_id = any($1::text[]) and (a.supply_id is null or s.changed_at > a.seen_at)
       and (s.state = 'open' or (s.state = 'cancelled' and a.supply_id is not null))
     order by s.changed_at, s.id limit $2 for no key update of s skip locked`,
    [connections, limit],
  )
  const news = due.filter((supply) => !(supply.told?.equals(contentOf(supply)) ?? nothingToSay(supply)))
  await tx.query(
    `update supply_announcements a set seen_at = n.changed_at from unnest($1::uuid[], $2::timestamptz[]) as n(id, changed_at) where a.supply_id = n.id`,
    columns(due, ['id', 'changed_at']),
  )
  await write(tx, ctx, news)
  return news.length
}

const nothingToSay = ({ state, lines }: DueSupply): boolean =>
  state !== 'open' || lines.every(({ quantity }) => quantity === 0)

/** What the operator would read; the same again is no news. */
const contentOf = ({ state, location_code, expected_at, lines }: DueSupply): Buffer =>
  wishHash({ open: state === 'open', location_code, expected_at: expected_at?.toISOString() ?? null, lines })

async function write(tx: Tx, ctx: CoreContext, news: readonly DueSupply[]): Promise<void> {
  if (news.length === 0) return
  const rows = news.map((supply) => ({
    supply_id: supply.id,
    connection_id: supply.connection_id,
    revision: supply.revision + 1,
    content_sha256: contentOf(supply),
    seen_at: supply.changed_at,
  }))
  await tx.query(
    `insert into supply_announcements (supply_id, connection_id, revision, content_sha256, seen_at, announced_at)
     select n.*, $6 from unnest($1::uuid[], $2::text[], $3::int[], $4::bytea[], $5::timestamptz[]) as n
     on conflict (supply_id) do update set connection_id = excluded.connection_id, revision = excluded.revision,
       content_sha256 = excluded.content_sha256, seen_at = excluded.seen_at, announced_at = excluded.announced_at`,
    [...columns(rows, ['supply_id', 'connection_id', 'revision', 'content_sha256', 'seen_at']), ctx.now],
  )
  await cancelEffects(
    tx,
    rows.filter(({ revision }) => revision > 1).map(({ supply_id, revision }) => announceKey(supply_id, revision - 1)),
  )
  const effects = news.map((supply, index): NewEffect => {
    const revision = rows[index]?.revision ?? 1
    return {
      connection_id: supply.connection_id,
      kind: 'supply.announce',
      key: announceKey(supply.id, revision),
      reference: { supply_id: supply.id, revision },
      order_id: supply.order_id,
      not_before: ctx.now,
    }
  })
  await addEffects(tx, effects, ctx.now)
}

/** What an operator is told of a supply as it is now. An announcement that a later one has replaced is left out. */
export async function loadAnnouncements(q: Queryable, effects: readonly EffectRef[]): Promise<SupplyAnnouncement[]> {
  const rows = await q.query<{
    id: string
    reference: string
    state: string
    location_code: string
    expected_at: Date | null
    announced_at: Date
    revision: number
    lines: { sku: string; quantity: number }[]
  }>(
    `select s.id, s.reference, s.state, coalesce(p.external_code, p.id) as location_code, s.expected_at, a.announced_at, a.revision,
       (select coalesce(jsonb_agg(jsonb_build_object('sku', i.sku, 'quantity', l.quantity) order by i.sku), '[]')
        from supply_lines l join items i on i.id = l.item_id where l.supply_id = s.id) as lines
     from supplies s join locations p on p.id = s.location_id join supply_announcements a on a.supply_id = s.id
     where s.id = any($1::uuid[])`,
    [effects.map(({ reference }) => String(reference['supply_id']))],
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return effects.flatMap(({ id, reference }): SupplyAnnouncement[] => {
    const row = byId.get(String(reference['supply_id']))
    if (row === undefined || row.revision !== reference['revision']) return []
    const withdrawn = row.state === 'cancelled'
    return [
      {
        outbox_id: id,
        supply_id: row.id,
        reference: row.reference,
        location_code: row.location_code,
        expected_at: row.expected_at?.toISOString() ?? null,
        announced_at: row.announced_at.toISOString(),
        action: withdrawn ? 'withdraw' : 'announce',
        lines: row.lines.map(({ sku, quantity }) => ({ sku, quantity: withdrawn ? 0 : quantity, lot: null })),
      },
    ]
  })
}
