import type { Queryable, Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import type { Signal } from '../model/fact.ts'

/** More than this at once are handed to a connector in the next run. */
const ANNOUNCED_MAX = 500

/**
 * Writes down the reports that messages announced, in the transaction that finishes the messages: a report whose wake-up gets lost is
 * fetched all the same. One that is announced once more is fetched once more, because a vendor announces a corrected report like a new one.
 */
export async function announceReports(
  tx: Tx,
  now: Date,
  signals: readonly { connection_id: string; signal: Signal }[],
): Promise<void> {
  const named = signals.flatMap(({ connection_id, signal: { stream, reference } }) =>
    stream === 'reports' && reference !== null ? [{ connection_id, reference }] : [],
  )
  if (named.length === 0) return
  await tx.query(
    `insert into reports as r (connection_id, reference, announced_at)
     select distinct n.connection_id, n.reference, $2::timestamptz from jsonb_to_recordset($1::jsonb) as n(connection_id text, reference text)
     on conflict (connection_id, reference) do update set
       state = 'announced', attempts = 0, error_code = null, announced_at = excluded.announced_at, decided_at = null`,
    [JSON.stringify(named), now],
  )
}

/** What was named and not read yet, oldest first. */
export async function announcedReports(q: Queryable, connection_id: string): Promise<string[]> {
  const rows = await q.query<{ reference: string }>(
    `select reference from reports where connection_id = $1 and state = 'announced' order by id limit ${ANNOUNCED_MAX}`,
    [connection_id],
  )
  return rows.map((row) => row.reference)
}

/** Adds what a list shows to what is known, and says which of them still have to be read. */
export async function listReports(
  tx: Tx,
  now: Date,
  connection_id: string,
  listed: readonly { reference: string; name: string }[],
): Promise<ReadonlySet<string>> {
  if (listed.length === 0) return new Set()
  await tx.query(
    `insert into reports as r (connection_id, reference, name, announced_at)
     select distinct on (n.reference) $1, n.reference, n.name, $3::timestamptz from jsonb_to_recordset($2::jsonb) as n(reference text, name text)
     on conflict (connection_id, reference) do update set name = excluded.name where r.name is distinct from excluded.name`,
    [connection_id, JSON.stringify(listed), now],
  )
  const rows = await tx.query<{ reference: string }>(
    `select reference from reports where connection_id = $1 and reference = any($2::text[]) and state = 'announced'`,
    [connection_id, listed.map(({ reference }) => reference)],
  )
  return new Set(rows.map((row) => row.reference))
}

export interface ReportName {
  connection_id: string
  reference: string
}

export async function reportRead(tx: Tx, now: Date, report: ReportName & { file_id: number }): Promise<void> {
  const { connection_id, reference, file_id } = report
  await tx.query(
    `update reports set state = 'fetched', file_id = $3, error_code = null, decided_at = $4 where connection_id = $1 and reference = $2`,
    [connection_id, reference, file_id, now],
  )
  await closeCases(tx, { kind: 'report_held', subjects: [subjectOf(report)] }, 'hub', now)
}

/** Counts a try that failed. Returns how many there were. */
export async function reportFailed(
  q: Queryable,
  { connection_id, reference, code }: ReportName & { code: string },
): Promise<number> {
  const [row] = await q.query<{ attempts: number }>(
    `update reports set attempts = attempts + 1, error_code = $3 where connection_id = $1 and reference = $2 returning attempts`,
    [connection_id, reference, code],
  )
  return row?.attempts ?? 0
}

/** Gives a report up until a person has looked: it is announced again, its file is confirmed, or somebody brings it by hand. */
export async function holdReport(
  tx: Tx,
  now: Date,
  report: ReportName & { company_id: string; name: string; file_id: number | null; code: string; detail: string },
): Promise<void> {
  const { connection_id, reference, company_id, name, file_id, code, detail } = report
  await tx.query(
    `update reports set state = 'held', file_id = $3, error_code = $4, decided_at = $5 where connection_id = $1 and reference = $2`,
    [connection_id, reference, file_id, code, now],
  )
  const data = { report: name.slice(0, 200), file_id, code, detail: detail.slice(0, 500) }
  await openCases(tx, [{ company_id, kind: 'report_held', subject: subjectOf(report), connection_id, data }], now)
}

const subjectOf = ({ connection_id, reference }: ReportName): string => `report:${connection_id}:${reference}`

/** The bytes of a held report were read after all: a person confirmed them or brought them by hand. */
export async function reportsOfFileRead(
  tx: Tx,
  now: Date,
  file: { connection_id: string; file_id: number },
): Promise<void> {
  for (const reference of await heldReportsOf(tx, file)) await reportRead(tx, now, { ...file, reference })
}

/** A person refused the bytes of a held report for good. */
export async function reportsOfFileRefused(
  tx: Tx,
  now: Date,
  file: { connection_id: string; file_id: number },
  by: string,
): Promise<void> {
  const subjects = (await heldReportsOf(tx, file)).map((reference) => subjectOf({ ...file, reference }))
  await closeCases(tx, { kind: 'report_held', subjects }, by, now)
}

async function heldReportsOf(
  tx: Tx,
  { connection_id, file_id }: { connection_id: string; file_id: number },
): Promise<string[]> {
  const rows = await tx.query<{ reference: string }>(
    `select reference from reports where connection_id = $1 and file_id = $2 and state = 'held'`,
    [connection_id, file_id],
  )
  return rows.map((row) => row.reference)
}
