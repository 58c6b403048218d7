import type { Queryable } from './pool.ts'

/** One call to the outside, as the attempt log keeps it: structure, ids and numbers, never what a person wrote or is called. */
export interface NewAttempt {
  connection_id: string
  /** What the call was about: `outbox:<batch key>`, `availability:<push key>`, `pull:orders`. */
  subject: string
  operation: string
  at: Date
  duration_ms: number
  /** `done`, `refused`, `not_done`, `unknown`, `failed`, or a count such as `250 set, 1 stale`. */
  outcome: string
  status?: number | undefined
  error_code?: string | undefined
  request?: Readonly<Record<string, unknown>>
  response?: Readonly<Record<string, unknown>>
}

/** Appends one line to the attempt log. */
export async function recordAttempt(db: Queryable, attempt: NewAttempt): Promise<void> {
  await db.query(
    `insert into attempts (connection_id, subject, operation, at, duration_ms, outcome, status, error_code, request, response)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9::jsonb, $10::jsonb)`,
    [
      attempt.connection_id,
      attempt.subject,
      attempt.operation,
      attempt.at,
      Math.max(0, Math.round(attempt.duration_ms)),
      attempt.outcome,
      attempt.status ?? null,
      attempt.error_code ?? null,
      attempt.request === undefined ? null : JSON.stringify(attempt.request),
      attempt.response === undefined ? null : JSON.stringify(attempt.response),
    ],
  )
}
