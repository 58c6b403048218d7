import { writeAudit } from '../../db/audit.ts'
import { plainRows } from '../../db/page.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { touchScopes } from './touch.ts'

export interface PeakMode {
  company_id: string
  peak_mode: boolean
  changed_at: string | null
  changed_by: string | null
  /** Connections whose buffer the switch moves: those that keep one by measured risk. */
  connections: string[]
}

/**
 * Throws a company's switch for days on which everything sells at once: adaptive buffers count three times. Every number that it moves
 * is due. Throwing it again to where it is changes nothing. Faults: `not_found`.
 */
export async function setPeakMode(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'policies'>,
  { company_id, mode, by }: { company_id: string; mode: 'on' | 'off'; by: string },
): Promise<PeakMode> {
  const on = mode === 'on'
  const moved = await tx.query(
    `update companies set peak_mode = $2, peak_changed_at = $3, peak_changed_by = $4 where id = $1 and peak_mode <> $2 returning 1`,
    [company_id, on, ctx.now, by],
  )
  const rows = await tx.query(
    `select id as company_id, peak_mode, peak_changed_at as changed_at, peak_changed_by as changed_by from companies where id = $1`,
    [company_id],
  )
  const [shown] = plainRows<Omit<PeakMode, 'connections'>>(rows)
  if (shown === undefined) throw new HubError('not_found', `there is no company ${company_id}`)
  const connections = [...ctx.policies.values()]
    .filter((policy) => policy.company_id === company_id && policy.availability.adaptive !== null)
    .map((policy) => policy.connection_id)
  if (moved.length > 0) {
    const scope = { company_id, item_id: null, location_id: null }
    await writeAudit(tx, { at: ctx.now, actor: by, action: `peak.${mode}`, subject: `company:${company_id}` })
    await touchScopes(
      tx,
      connections.map((connection_id) => ({ ...scope, connection_id })),
      ctx.now,
    )
  }
  return { ...shown, connections }
}
