import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import { casesOfChecks, type CheckResult } from './rulesChecks.ts'

const BY = 'self test'

/**
 * Keeps what a connection's self test has shown, in place of what the one before did, with a case for each check that failed and each
 * key that ends soon. Cases whose cause is gone are closed.
 */
export async function noteChecks(
  tx: Tx,
  connection: { id: string; company_id: string },
  checks: readonly CheckResult[],
  now: Date,
): Promise<void> {
  // Two tests at once would each open and close by what they saw; one waits for the other.
  await tx.query('select 1 from connections where id = $1 for no key update', [connection.id])
  const before = await tx.query<{ name: string }>('delete from self_checks where connection_id = $1 returning name', [connection.id]) // prettier-ignore
  await tx.query(
    `insert into self_checks (connection_id, name, ok, detail, expires_at, checked_at)
     select $1, c.name, c.ok, c.detail, c.expires_at, $3
     from jsonb_to_recordset($2::jsonb) as c(name text, ok boolean, detail text, expires_at timestamptz)`,
    [connection.id, JSON.stringify(checks), now],
  )
  const { open, close } = casesOfChecks(checks, before.map(({ name }) => name), now) // prettier-ignore
  const subjectOf = (name: string): string => `connection:${connection.id}:${name}`
  await openCases(
    tx,
    open.map(({ kind, name, data }) => ({ company_id: connection.company_id, kind, subject: subjectOf(name), connection_id: connection.id, data })), // prettier-ignore
    now,
  )
  for (const kind of ['check_failed', 'key_expires'] as const)
    await closeCases(tx, { kind, subjects: close[kind].map(subjectOf) }, BY, now)
}
