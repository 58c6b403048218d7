import type { Queryable, Tx } from '../../db/pool.ts'
import type { AvailabilityTerm } from './rules.ts'

export interface Published {
  listing_id: number
  connection_id: string
  quantity: number
  terms: readonly AvailabilityTerm[]
}

/**
 * Writes down numbers that a channel has taken, with the sum behind each. One that it had been told before is no news: an assertion
 * that is repeated for ever leaves one row.
 */
export async function publish(tx: Tx, lines: readonly Published[], now: Date): Promise<void> {
  if (lines.length === 0) return
  await tx.query(
    `insert into publications (listing_id, connection_id, quantity, terms, at)
     select n.listing_id, n.connection_id, n.quantity, n.terms, $2
     from jsonb_to_recordset($1::jsonb) as n(listing_id bigint, connection_id text, quantity int, terms jsonb)
     where n.quantity is distinct from (
       select p.quantity from publications p where p.listing_id = n.listing_id order by p.id desc limit 1)
     order by n.listing_id`,
    [
      JSON.stringify(
        lines.map(({ listing_id, connection_id, quantity, terms }) => ({ listing_id, connection_id, quantity, terms })),
      ),
      now,
    ],
  )
}

export interface PublicationRow {
  quantity: number
  at: string
  terms: AvailabilityTerm[]
}

/** The newest publications of each listing, newest first. */
export async function lastPublications(
  q: Queryable,
  listing_ids: readonly number[],
  limit: number,
): Promise<Map<number, PublicationRow[]>> {
  const rows = await q.query<{ listing_id: number; quantity: number; at: Date; terms: AvailabilityTerm[] }>(
    `select l.id as listing_id, p.quantity, p.at, p.terms
     from unnest($1::bigint[]) as l(id)
     join lateral (select * from publications where listing_id = l.id order by id desc limit $2) p on true
     order by l.id, p.id desc`,
    [listing_ids, limit],
  )
  const found = new Map<number, PublicationRow[]>()
  for (const { listing_id, quantity, at, terms } of rows)
    found.set(listing_id, [...(found.get(listing_id) ?? []), { quantity, at: at.toISOString(), terms }])
  return found
}
