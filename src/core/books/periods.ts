import { writeAudit } from '../../db/audit.ts'
import { plainRows } from '../../db/page.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { readPeriod } from './rulesPeriod.ts'

export interface PeriodLock {
  company_id: string
  period: string
  locked_at: string
  locked_by: string
}

/** What is locked, the newest first. */
export async function listLocks(q: Queryable, company_id: string | null): Promise<PeriodLock[]> {
  const rows = await q.query<PeriodLock>(
    `select company_id, period, locked_at, locked_by from period_locks where $1::text is null or company_id = $1
     order by period desc, company_id`,
    [company_id],
  )
  return plainRows(rows)
}

export interface PeriodDecision {
  company_id: string
  period: string
  by: string
}

/**
 * Closes a month: what is booked later for one of its days goes to the next open month. Waits for whoever is posting at the moment.
 * Returns whether it was open. Faults: `bad_request`.
 */
export async function lockPeriod(tx: Tx, now: Date, { company_id, period, by }: PeriodDecision): Promise<boolean> {
  readPeriod(period)
  await excludePosting(tx, company_id)
  const put = await tx.query(
    `insert into period_locks (company_id, period, locked_at, locked_by) values ($1, $2, $3, $4)
     on conflict do nothing returning period`,
    [company_id, period, now, by],
  )
  if (put.length > 0) await audited(tx, now, 'period.lock', { company_id, period, by })
  return put.length > 0
}

/** Opens a month again. Returns whether it was locked. Faults: `bad_request`. */
export async function unlockPeriod(tx: Tx, now: Date, { company_id, period, by }: PeriodDecision): Promise<boolean> {
  readPeriod(period)
  await excludePosting(tx, company_id)
  const gone = await tx.query('delete from period_locks where company_id = $1 and period = $2 returning period', [
    company_id,
    period,
  ])
  if (gone.length > 0) await audited(tx, now, 'period.unlock', { company_id, period, by })
  return gone.length > 0
}

async function audited(tx: Tx, at: Date, action: string, { company_id, period, by }: PeriodDecision): Promise<void> {
  await writeAudit(tx, { at, actor: by, action, subject: `period:${company_id}:${period}` })
}

/** Stronger than what posting takes, weaker than what a foreign key asks for: only the two exclude each other. */
async function excludePosting(tx: Tx, company_id: string): Promise<void> {
  const rows = await tx.query('select id from companies where id = $1 for no key update', [company_id])
  if (rows.length === 0) throw new HubError('not_found', 'there is no such company', { path: 'company' })
}

/** Locked months by company, which stay as they are until the transaction ends. */
export async function holdPeriods(tx: Tx, company_ids: Iterable<string>): Promise<Map<string, ReadonlySet<string>>> {
  const ids = [...new Set(company_ids)].sort()
  await tx.query('select id from companies where id = any($1) order by id for share', [ids])
  const rows = await tx.query<{ company_id: string; periods: string[] }>(
    'select company_id, array_agg(period) as periods from period_locks where company_id = any($1) group by 1',
    [ids],
  )
  const locked = new Map(rows.map(({ company_id, periods }) => [company_id, new Set(periods)]))
  return new Map(ids.map((id) => [id, locked.get(id) ?? new Set<string>()]))
}

/** The company that is meant: the one named, else the only one. Fault: `bad_request` where there are several. */
export async function companyOf(q: Queryable, named: string | undefined): Promise<string> {
  if (named !== undefined) return named
  const rows = await q.query<{ id: string }>('select id from companies order by id limit 2')
  const [only] = rows
  if (only !== undefined && rows.length === 1) return only.id
  throw new HubError('bad_request', 'there are several companies', { path: 'company', hint: 'name one of them' })
}
