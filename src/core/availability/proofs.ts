import type { Queryable, Tx } from '../../db/pool.ts'
import { openCases } from '../cases/cases.ts'
import { REASSERT_AFTER_MS, UNSEEN_HOLD_MS, UNSEEN_LAG_MS } from './rulesBelief.ts'
import { judgeShown, type DriftVerdict } from './rulesDrift.ts'
import { touchListings } from './touch.ts'

/** Looks at what has been proven, while nothing moves: old proofs are made due, a sample is read back. */

const REASSERT_ROWS_MAX = 2_000

/**
 * Makes listings due whose proof is older than `REASSERT_AFTER_MS`, the oldest first and a bounded number at a time, so that a channel
 * that was wiped by its owner is told everything again within a day without being told everything at once. Returns how many.
 */
export async function reassertStale(tx: Tx, connection_ids: readonly string[], now: Date): Promise<number> {
  const rows = await tx.query<{ listing_id: number }>(
    `select a.listing_id from unnest($1::text[]) as c(id)
     join lateral (
       select a.listing_id from availability a join listings l on l.id = a.listing_id and l.active
       where a.connection_id = c.id and not a.due and a.state = 'ok' and a.proven_at < $2
       order by a.proven_at limit $3) a on true`,
    [connection_ids, new Date(now.getTime() - REASSERT_AFTER_MS), REASSERT_ROWS_MAX],
  )
  await touchListings(
    tx,
    rows.map((row) => row.listing_id).toSorted((a, b) => a - b),
    now,
  )
  return rows.length
}

/** A listing at rest: proven, nothing due and no call under way. */
export interface ProofToCheck {
  listing_id: number
  channel_sku: string
  external: Record<string, string>
  fence: number
  proven_quantity: number
  sold_since_proof: number
}

/** The listings of a connection whose proofs are oldest, those first that have been seen low. */
export async function proofsToCheck(q: Queryable, connection_id: string, limit: number): Promise<ProofToCheck[]> {
  return q.query<ProofToCheck>(
    `select a.listing_id, l.channel_sku, l.external, a.fence, a.proven_quantity, a.sold_since_proof
     from availability a join listings l on l.id = a.listing_id and l.active
     where a.connection_id = $1 and not a.due and a.state = 'ok' and a.claimed_until is null and a.proven_quantity is not null
     order by a.low_since nulls last, a.proven_at, a.listing_id limit $2`,
    [connection_id, limit],
  )
}

interface CheckedRow {
  listing_id: number
  company_id: string
  fence: number
  proven_quantity: number
  sold_since_proof: number
  low_since: Date | null
  orders_complete: boolean
}

/**
 * Compares what a channel shows with what is proven and with the orders that came meanwhile. An agreement is a proof of now. A number
 * that no order explains opens a case with both numbers and makes the listing due: the push compares, and its answer is dealt with
 * like that of any other. A row that was pushed during the question says nothing. Returns the listings by verdict.
 */
export async function recordReadBack(
  tx: Tx,
  connection_id: string,
  checked: readonly ProofToCheck[],
  shown: readonly { listing_id: number; quantity: number }[],
  now: Date,
): Promise<Record<DriftVerdict, number[]>> {
  const asked = new Map(checked.map((proof) => [proof.listing_id, proof]))
  const numbers = new Map(shown.map((line) => [line.listing_id, line.quantity]))
  const rows = await lockChecked(tx, connection_id, checked, now)
  const verdicts: Record<DriftVerdict, number[]> = { agrees: [], may_be_sold: [], drifted: [] }
  const exact: number[] = []
  const cases = []
  for (const row of rows) {
    const proof = asked.get(row.listing_id)
    const number = numbers.get(row.listing_id)
    if (proof === undefined || number === undefined || proof.fence !== row.fence) continue
    const verdict = judgeShown({
      shown: number,
      proven_quantity: row.proven_quantity,
      sold_before: proof.sold_since_proof,
      sold_now: row.sold_since_proof,
      low_since_ms: row.low_since?.getTime() ?? null,
      orders_complete: row.orders_complete,
    })
    verdicts[verdict].push(row.listing_id)
    const expected = row.proven_quantity - row.sold_since_proof
    if (number === expected) exact.push(row.listing_id)
    if (verdict !== 'drifted') continue
    const data = { listing_id: row.listing_id, channel_sku: proof.channel_sku, expected, shown: number }
    const subject = `listing:${row.listing_id}`
    cases.push({ company_id: row.company_id, kind: 'channel_drift' as const, subject, connection_id, data })
  }
  await writeChecked(tx, verdicts, exact, now)
  await touchListings(tx, verdicts.drifted, now)
  await openCases(tx, cases, now)
  return verdicts
}

async function lockChecked(
  tx: Tx,
  connection_id: string,
  checked: readonly ProofToCheck[],
  now: Date,
): Promise<CheckedRow[]> {
  return tx.query<CheckedRow>(
    `select a.listing_id, c.company_id, a.fence, a.proven_quantity, a.sold_since_proof, a.low_since,
            a.low_since <= $3::timestamptz - $4 * interval '1 millisecond' or (
              exists (select 1 from cursors k where k.connection_id = a.connection_id and k.stream = 'orders'
                and k.pulled_at >= a.low_since + $5 * interval '1 millisecond')
              and not exists (select 1 from inbox i where i.connection_id = a.connection_id and i.state = 'pending'))
              as orders_complete
     from availability a join connections c on c.id = a.connection_id
     where a.connection_id = $1 and a.listing_id = any($2::bigint[]) and not a.due and a.claimed_until is null
       and a.proven_quantity is not null
     order by a.listing_id for no key update of a`,
    [connection_id, checked.map((proof) => proof.listing_id), now, UNSEEN_HOLD_MS, UNSEEN_LAG_MS],
  )
}

/** Only a number that is right to the unit is a proof; one that is right within the orders of the last second is just not a fault. */
async function writeChecked(
  tx: Tx,
  verdicts: Record<DriftVerdict, number[]>,
  exact: readonly number[],
  now: Date,
): Promise<void> {
  const settled = [...verdicts.agrees, ...verdicts.drifted]
  await tx.query(
    `update availability set
       proven_at = case when listing_id = any($1::bigint[]) then $3 else proven_at end,
       low_since = case when listing_id = any($2::bigint[]) then coalesce(low_since, $3) end,
       -- What is proven is proven no more, or the push would be spared.
       state = case when listing_id = any($5::bigint[]) then 'unknown' else state end
     where listing_id = any($2::bigint[]) or listing_id = any($4::bigint[])`,
    [exact, verdicts.may_be_sold, now, settled, verdicts.drifted],
  )
}
