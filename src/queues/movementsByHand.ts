import { HubError } from '../core/errors.ts'
import {
  decideCycleCount,
  openCycleCount,
  submitCycleCount,
  type CycleCountLines,
  type CycleCountRequest,
} from '../core/movements/cycleCounts.ts'
import {
  decideMovement,
  requestMovement,
  type MovementRequest,
  type MovementResult,
} from '../core/movements/movements.ts'
import type { CycleCountShown } from '../core/movements/readCycleCounts.ts'
import type { MovementRefusal } from '../core/movements/rulesMovement.ts'
import { shownMovement, type MovementShown } from '../core/movements/sql.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import { relayDue } from './relay.ts'
import { wakePushes } from './wake.ts'

/** What a person or a program moves and counts over the API or the command line: one transaction, then the channels are told. */
export type Verdict = 'approve' | 'reject'

/** What was refused, in words: the caller's mistake or a state of the stock that he did not know. */
function refusalText(refusal: MovementRefusal): [message: string, hint: string] {
  switch (refusal.reason) {
    case 'insufficient':
      return [
        `${refusal.short_by} units more than there are to move`,
        'crossdock stock explain shows where the units are',
      ]
    case 'lot_insufficient':
      return [`the lot is short by ${refusal.short_by} units`, 'GET /api/v1/stock/lots shows the lots']
    case 'lot_expiry_differs':
      return [`the lot is known to expire on ${refusal.expires_on}`, 'leave the date out, or name another lot']
    case 'superseded':
      return [
        `a count of ${refusal.counted_as_of} was taken after it happened and has it already`,
        'leave it as it is, or reject it if it waits',
      ]
  }
}

function shown(result: MovementResult): MovementShown {
  if (result.kind !== 'refused') return shownMovement(result.movement)
  const [message, hint] = refusalText(result)
  throw new HubError('conflict', message, { path: result.reason.startsWith('lot') ? 'lot' : 'quantity', hint })
}

/** Channels hear of the stock that changed, places of work that was made or lost. */
async function tell(hub: Hub): Promise<void> {
  try {
    await relayDue(hub)
    await wakePushes(hub)
  } catch (thrown) {
    hub.log.warn({ reason: String(thrown) }, 'channels and effects were not woken; the sweeper will do it')
  }
}

/** Faults: those of `requestMovement`, and `conflict` for what the stock refuses. */
export async function moveByHand(hub: Hub, request: MovementRequest, by: string): Promise<MovementShown> {
  const limit = hub.config.inventory.approval_above_units
  const movement = shown(await inTransaction(hub.db, (tx) => requestMovement(tx, coreContext(hub), request, by, limit)))
  if (movement.state === 'applied') await tell(hub)
  return movement
}

export async function decideMovementByHand(hub: Hub, id: string, verdict: Verdict, by: string): Promise<MovementShown> {
  const movement = shown(await inTransaction(hub.db, (tx) => decideMovement(tx, coreContext(hub), id, verdict, by)))
  if (movement.state === 'applied') await tell(hub)
  return movement
}

export async function openCountByHand(hub: Hub, request: CycleCountRequest, by: string): Promise<CycleCountShown> {
  return inTransaction(hub.db, (tx) => openCycleCount(tx, coreContext(hub), request, by))
}

export async function submitCountByHand(
  hub: Hub,
  id: string,
  lines: CycleCountLines,
  by: string,
): Promise<CycleCountShown> {
  const who = { by, limit: hub.config.inventory.approval_above_units }
  const count = await inTransaction(hub.db, (tx) => submitCycleCount(tx, coreContext(hub), id, lines, who))
  if (count.state === 'posted') await tell(hub)
  return count
}

export async function decideCountByHand(hub: Hub, id: string, verdict: Verdict, by: string): Promise<CycleCountShown> {
  const count = await inTransaction(hub.db, (tx) => decideCycleCount(tx, coreContext(hub), id, verdict, by))
  if (count.state === 'posted') await tell(hub)
  return count
}
