import type { Queryable } from '../db/pool.ts'
import { CHECKS } from './checks.ts'

export interface CheckResult {
  name: string
  /** Things looked at: a check that has looked at nothing proves nothing. */
  checked: number
  violations: number
  examples?: string[]
}

export interface Verification {
  ok: boolean
  checks: CheckResult[]
}

const EXAMPLES_MAX = 5

/**
 * Recomputes every invariant from the data. Each check is one statement and so sees one moment, also while the hub is at work. Full
 * scans: for proofs, nights and doubts. Examples name ids, never anything about a person.
 */
export async function verify(db: Queryable): Promise<Verification> {
  const checks: CheckResult[] = []
  for (const { name, checked, broken } of CHECKS) {
    const [row] = await db.query<{ checked: number; violations: number; examples: string[] | null }>(
      `with broken as materialized (select example from (${broken}) as b(example))
       select (${checked})::int as checked, (select count(*) from broken)::int as violations,
         (select array_agg(example) from (select example from broken order by example limit ${EXAMPLES_MAX}) e) as examples`,
    )
    const { violations = 0, examples = null } = row ?? {}
    checks.push({ name, checked: row?.checked ?? 0, violations, ...(examples === null ? {} : { examples }) })
  }
  return { ok: checks.every((check) => check.violations === 0), checks }
}
