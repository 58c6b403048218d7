import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { RoutingRules } from '../model/routing.ts'

/** The rules that hold for a company now. */
export interface ActiveRules {
  version: number
  rules: RoutingRules
}

interface Known {
  at_ms: number
  byCompany: ReadonlyMap<string, ActiveRules>
}

/** Another process's activation is heeded after so long at most. */
const REFRESH_MS = 1_000

/**
 * Kept by the process's own policies, which live exactly as long as its hub: two hubs of one process (as in tests) do not share it, and
 * nothing has to be handed through every operation. With it a company without rules costs one tiny query a second, not one a batch.
 */
const known = new WeakMap<CoreContext['policies'], Known>()

/** Active rules by company; asks the database at most once a second, and reads a document only when it is new. */
export async function activeRules(q: Queryable, ctx: CoreContext): Promise<ReadonlyMap<string, ActiveRules>> {
  const before = known.get(ctx.policies)
  const at_ms = ctx.now.getTime()
  if (before !== undefined && Math.abs(at_ms - before.at_ms) < REFRESH_MS) return before.byCompany
  const rows = await q.query<{ company_id: string; version: number }>(
    `select company_id, version from routing_rules where state = 'active'`,
  )
  const isSame = (row: { company_id: string; version: number }): boolean =>
    before?.byCompany.get(row.company_id)?.version === row.version
  const byCompany =
    before !== undefined && rows.length === before.byCompany.size && rows.every(isSame)
      ? before.byCompany
      : await loadDocuments(q)
  known.set(ctx.policies, { at_ms, byCompany })
  return byCompany
}

async function loadDocuments(q: Queryable): Promise<Map<string, ActiveRules>> {
  const rows = await q.query<{ company_id: string; version: number; document: RoutingRules }>(
    `select company_id, version, document from routing_rules where state = 'active'`,
  )
  return new Map(rows.map(({ company_id, version, document }) => [company_id, { version, rules: document }]))
}

/** What this process has just activated holds for it at once. */
export function forgetActive(ctx: CoreContext): void {
  known.delete(ctx.policies)
}
