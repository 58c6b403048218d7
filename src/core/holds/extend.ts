import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { policyOf } from '../inventory/reserve.ts'
import type { HoldState } from './sql.ts'

export type Extended =
  | { kind: 'extended'; expires_at: Date }
  /** Later than `latest` no hold of the channel lives. */
  | { kind: 'limit'; latest: Date; max: number }
  | { kind: 'over'; state: HoldState }
  | { kind: 'not_found' }

const MINUTE_MS = 60_000

/**
 * Lets a hold live `minutes` from now on, if that is longer than it would live anyway. Counted from its making no hold lives longer than
 * the channel's `minutes_max`, however often it is extended. One whose time is over cannot be extended, given back yet or not.
 */
export async function extendHold(tx: Tx, ctx: CoreContext, id: string, minutes: number): Promise<Extended> {
  const [hold] = await tx.query<{ connection_id: string; state: HoldState; expires_at: Date; created_at: Date }>(
    'select connection_id, state, expires_at, created_at from holds where id = $1 for no key update',
    [id],
  )
  if (hold === undefined) return { kind: 'not_found' }
  if (hold.state !== 'held') return { kind: 'over', state: hold.state }
  if (hold.expires_at <= ctx.now) return { kind: 'over', state: 'expired' }
  const max = policyOf(ctx, hold.connection_id).holds.minutes_max
  const latest = new Date(hold.created_at.getTime() + max * MINUTE_MS)
  const wanted = new Date(ctx.now.getTime() + minutes * MINUTE_MS)
  if (wanted > latest) return { kind: 'limit', latest, max }
  const expires_at = wanted > hold.expires_at ? wanted : hold.expires_at
  await tx.query('update holds set expires_at = $2, changed_at = $3 where id = $1', [id, expires_at, ctx.now])
  return { kind: 'extended', expires_at }
}
