import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import { judgeSource, type Distrust } from './rulesDistrust.ts'
import { touchScopes } from './touch.ts'

interface SourceRow {
  id: string
  company_id: string
  connection_id: string | null
  stale_after_minutes: number | null
  distrusted_because: string | null
  counted_as_of: Date | null
  down_since: Date | null
}

const subjectOf = (location_id: string): string => `location:${location_id}`

/**
 * Looks which places have fallen silent and which speak again. A place that becomes distrusted opens a case; one that is counted again
 * heals by itself and closes it. Every listing that the place serves is due in either case. Returns how many places changed.
 */
export async function judgeSources(tx: Tx, now: Date): Promise<{ distrusted: number; healed: number }> {
  const rows = await tx.query<SourceRow>(
    `select l.id, l.company_id, l.connection_id, case when l.active then l.stale_after_minutes end as stale_after_minutes,
            l.distrusted_because, s.counted_as_of,
            case when c.state <> 'active' then c.state_at end as down_since
     from locations l
     left join connections c on c.id = l.connection_id
     left join lateral (
       select s.counted_as_of from stock s where s.location_id = l.id and s.counted_as_of is not null
       order by s.counted_as_of desc limit 1) s on true
     where l.stale_after_minutes is not null or l.distrusted_since is not null
     order by l.id for no key update of l`,
  )
  const judged = rows.map((row) => ({ row, verdict: verdictOf(row, now) }))
  const fallen = judged.filter(({ row, verdict }) => verdict !== null && row.distrusted_because !== verdict.because)
  const fresh = fallen.filter(({ row }) => row.distrusted_because === null)
  const healed = judged.filter(({ row, verdict }) => verdict === null && row.distrusted_because !== null)
  await write(tx, [...fallen, ...healed], now)
  const changed = [...fresh, ...healed].map(({ row }) => row)
  await touchScopes(
    tx,
    changed.map(({ id, company_id }) => ({ company_id, connection_id: null, item_id: null, location_id: id })),
    now,
  )
  await openCases(tx, fallen.map(caseOf), now)
  await closeCases(tx, { kind: 'source_stale', subjects: healed.map(({ row }) => subjectOf(row.id)) }, 'hub', now)
  return { distrusted: fresh.length, healed: healed.length }
}

interface Judged {
  row: SourceRow
  verdict: Distrust
}

function verdictOf(row: SourceRow, now: Date): Distrust {
  return judgeSource({
    now_ms: now.getTime(),
    stale_after_minutes: row.stale_after_minutes,
    counted_ms: row.counted_as_of?.getTime() ?? null,
    connection_down_since_ms: row.down_since?.getTime() ?? null,
  })
}

async function write(tx: Tx, changed: readonly Judged[], now: Date): Promise<void> {
  if (changed.length === 0) return
  await tx.query(
    `update locations l set distrusted_because = n.because,
       distrusted_since = case when n.because is null then null else coalesce(l.distrusted_since, $3) end
     from unnest($1::text[], $2::text[]) as n(id, because) where l.id = n.id`,
    [changed.map(({ row }) => row.id), changed.map(({ verdict }) => verdict?.because ?? null), now],
  )
}

function caseOf({ row, verdict }: Judged) {
  const silent_since = verdict === null ? null : new Date(verdict.silent_since_ms).toISOString()
  const { id, company_id, connection_id, stale_after_minutes } = row
  const data = { location_id: id, because: verdict?.because ?? null, silent_since, stale_after_minutes }
  return { company_id, kind: 'source_stale' as const, subject: subjectOf(id), connection_id, data }
}
