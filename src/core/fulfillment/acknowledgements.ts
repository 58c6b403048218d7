import { cancelEffects } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Acknowledgement } from '../model/shipment.ts'
import { takeOffAdded, unitsHeld } from '../inventory/countBasis.ts'
import { dropLabels } from '../labels/parcels.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { releaseFulfillmentOrder, replanOrder } from './plan.ts'
import { isByHand, keepFromLeaving, recallFrom } from './recall.ts'
import { applyShortPick } from './shortPick.ts'
import { lockFulfillmentOrder, type FulfillmentOrderRow } from './shipments.ts'
import { cancelKey } from './work.ts'

type Verdict = Acknowledgement['verdict']

/** Work in these states waits for an answer; any other has had its last word. */
const ANSWERABLE = new Set(['OPEN', 'SCHEDULED', 'IN_PROGRESS', 'ON_HOLD'])

/**
 * Applies the 3PL's answer to work that was sent. Accepted work is in progress. Work that is refused, or was called back in time, gives
 * its units back, and the order is planned anew, never again with a place that has refused it. A cancellation that nobody asked for is
 * a refusal. Work whose picker lacks units goes on without them. An answer to work that is over changes nothing.
 */
export async function applyAcknowledgement(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, fact } = inbound
  if (fact.kind !== 'acknowledgement') return { kind: 'ignored', reason: 'not_ours' }
  const work = await lockFulfillmentOrder(tx, connection_id, fact.document.fulfillment_order)
  if (work instanceof HubError) return { kind: 'parked', error: work }
  if (!ANSWERABLE.has(work.state)) return { kind: 'ignored', reason: 'superseded' }
  const answer = fact.document
  const verdict = effectiveVerdict(answer.verdict, work)
  if (verdict === 'accepted') return accept(tx, ctx, inbound, work)
  if (verdict === 'short') return applyShortPick(tx, ctx, inbound, { work, answer })
  return giveBack(tx, ctx, inbound, { work, verdict, answer })
}

const effectiveVerdict = (verdict: Verdict, work: FulfillmentOrderRow): Verdict =>
  verdict === 'cancelled' && work.cancel_requested_at === null ? 'rejected' : verdict

async function accept(tx: Tx, ctx: CoreContext, inbound: InboundFact, work: FulfillmentOrderRow): Promise<FactOutcome> {
  const [before] = await tx.query<{ known: boolean }>(
    `select exists (select 1 from order_facts where order_id = $1 and kind = 'fulfillment_order.accepted' and data ->> 'number' = $2) as known`,
    [work.order_id, work.number],
  )
  if (before?.known === true) return { kind: 'ignored', reason: 'same' }
  if (isByHand(inbound, work)) await keepFromLeaving(tx, work)
  await setState(tx, work.id, 'IN_PROGRESS', ctx.now)
  await note(tx, ctx, inbound, { work, kind: 'fulfillment_order.accepted', reason: null })
  return { kind: 'applied', summary: `${work.number} accepted` }
}

async function giveBack(
  tx: Tx,
  ctx: CoreContext,
  inbound: InboundFact,
  { work, verdict, answer }: { work: FulfillmentOrderRow; verdict: Verdict; answer: Acknowledgement },
): Promise<FactOutcome> {
  await setState(tx, work.id, 'CANCELLED', ctx.now)
  await dropLabels(tx, ctx, [work.id])
  await recallFrom(tx, ctx, inbound, work)
  // Whoever has let go of the work need not be asked any more.
  if (work.cancel_requested_at !== null) await cancelEffects(tx, [cancelKey(work.number)])
  await note(tx, ctx, inbound, { work, kind: `fulfillment_order.${verdict}`, reason: answer.reason })
  const units = await unitsHeld(tx, work.id)
  await releaseFulfillmentOrder(tx, ctx, work.id, inbound.source)
  await takeOffAdded(tx, ctx, work, { units, at: new Date(answer.at), source: inbound.source })
  await replanOrder(tx, ctx, work.order_id, inbound.source)
  return { kind: 'applied', summary: `${work.number} ${verdict}` }
}

async function setState(tx: Tx, id: string, state: string, now: Date): Promise<void> {
  await tx.query('update fulfillment_orders set state = $2, changed_at = $3 where id = $1', [id, state, now])
}

/** The 3PL's reason is free text: it is kept with the work, not in the timeline, which must not hold words of strangers. */
async function note(
  tx: Tx,
  ctx: CoreContext,
  { source }: InboundFact,
  { work, kind, reason }: { work: FulfillmentOrderRow; kind: string; reason: string | null },
): Promise<void> {
  if (reason !== null) {
    await tx.query(
      `update fulfillment_orders
       set reasons = reasons || jsonb_build_array(jsonb_build_object('at', $2::timestamptz, 'kind', $3::text, 'text', $4::text))
       where id = $1`,
      [work.id, ctx.now, kind, reason],
    )
  }
  await recordTimeline(
    tx,
    [{ order_id: work.order_id, kind, at: ctx.now, source, data: { number: work.number } }],
    ctx.now,
  )
}
