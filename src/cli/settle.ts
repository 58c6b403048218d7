import type { RunningHub } from '../main.ts'
import type { World } from '../sandbox/world.ts'

const LOOK_EVERY_MS = 150
/** Work hands over from stage to stage in the dark for a moment, so one quiet look proves nothing. */
const QUIET_LOOKS = 5

/**
 * Waits until neither the hub nor the vendors have anything left to do. Returns false when nothing has come to its end for
 * `standstill_ms_max`: how long the work itself takes is up to the machine.
 */
export async function settle(running: RunningHub, world: World, standstill_ms_max: number): Promise<boolean> {
  let seen = -1
  let moved_at = performance.now()
  for (let quiet = 0; performance.now() - moved_at < standstill_ms_max;) {
    const { open, ended } = await workOf(running)
    quiet = !world.busy() && !world.unread() && open === 0 ? quiet + 1 : 0
    if (quiet >= QUIET_LOOKS) return true
    if (ended !== seen) moved_at = performance.now()
    seen = ended
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return false
}

/** Parked rows rest until their cause is fixed, and so does work that waits for a label; everything else must be done. */
async function workOf({ hub }: RunningHub): Promise<{ open: number; ended: number }> {
  const [row] = await hub.db.query<{ open: number; ended: number }>(
    `select ((select count(*) from inbox where state = 'pending')
          + (select count(*) from outbox where state in ('pending', 'queued', 'sending') and next_attempt_at < now() + interval '1 year')
          + (select count(*) from availability a join connections c on c.id = a.connection_id
             where a.dirty_seq > a.sent_seq and a.state <> 'error'
               and exists (select 1 from listing_items li where li.listing_id = a.listing_id)))::int as open,
       ((select count(*) from inbox where state <> 'pending' and topic <> 'stock')
          + (select count(*) from outbox where state in ('done', 'dead', 'cancelled') and kind <> 'erp.stock'))::int as ended`,
  )
  return row ?? { open: 0, ended: 0 }
}
