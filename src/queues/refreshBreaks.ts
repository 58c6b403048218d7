import { auditFees } from '../core/fees/audit.ts'
import { refreshBreaks, type Refreshed } from '../core/breaks/refresh.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'

/** Judges the fees of what has changed and brings the breaks of every company (or one) in line with the data. */
export async function refreshAllBreaks(
  hub: Hub,
  options: { company_id?: string; signal?: AbortSignal } = {},
): Promise<Refreshed> {
  await auditFees(hub.db, coreContext(hub), null, options.signal)
  const total: Refreshed = { found: 0, opened: 0, reopened: 0, resolved: 0 }
  for (const { id } of hub.config.companies) {
    if (options.signal?.aborted === true) break
    if (options.company_id !== undefined && options.company_id !== id) continue
    const one = await inTransaction(hub.db, (tx) => refreshBreaks(tx, coreContext(hub), id, hub.config.finance))
    for (const key of ['found', 'opened', 'reopened', 'resolved'] as const) total[key] += one[key]
  }
  return total
}
