import type { Queryable } from './pool.ts'

/** Who did what to what. `data` holds ids, states and words of ours, never a person's data and never a secret. */
export interface AuditEntry {
  at: Date
  /** `user:anna`, `key:warehouse`, `cli`. */
  actor: string
  /** `connection.pause`, `person.read`. */
  action: string
  /** `connection:webstore-eu`, `order:<id>`. */
  subject: string
  data?: Readonly<Record<string, unknown>>
}

/** Appends to the audit log, in the caller's transaction where there is one. */
export async function writeAudit(q: Queryable, entry: AuditEntry): Promise<void> {
  await q.query('insert into audit_log (at, actor, action, subject, data) values ($1, $2, $3, $4, $5::jsonb)', [
    entry.at,
    entry.actor,
    entry.action,
    entry.subject,
    JSON.stringify(entry.data ?? {}),
  ])
}
