import type { RunningHub } from '../main.ts'
import type { World } from '../sandbox/world.ts'

const LOOK_EVERY_MS = 150
/** Work hands over from stage to stage in the dark for a moment, so one quiet look proves nothing. */
const QUIET_LOOKS = 5

/** Waits until neither the hub nor the vendors have anything left to do. Returns false when it takes too long. */
export async function settle(running: RunningHub, world: World, milliseconds_max: number): Promise<boolean> {
  const end = performance.now() + milliseconds_max
  for (let quiet = 0; performance.now() < end;) {
    quiet = !world.busy() && !world.unread() && (await hubIsQuiet(running)) ? quiet + 1 : 0
    if (quiet >= QUIET_LOOKS) return true
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return false
}

/** Parked rows rest until their cause is fixed; everything else must be done. */
async function hubIsQuiet({ hub }: RunningHub): Promise<boolean> {
  const [row] = await hub.db.query<{ open: number }>(
    `select (select count(*) from inbox where state = 'pending')
          + (select count(*) from outbox where state in ('pending', 'queued', 'sending'))
          + (select count(*) from availability a join connections c on c.id = a.connection_id
             where a.dirty_seq > a.sent_seq and a.state <> 'error' and exists (select 1 from listing_items li where li.listing_id = a.listing_id)) as open`,
  )
  return row?.open === 0
}
