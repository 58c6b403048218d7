import type { Tx } from '../db/pool.ts'
import type { ApplyResult, CoreContext, FactOutcome, InboundFact } from './context.ts'
import { applyAcknowledgement } from './fulfillment/acknowledgements.ts'
import { applyShipment } from './fulfillment/shipments.ts'
import { applyTrackingEvents } from './fulfillment/tracking.ts'
import { applyStockChange } from './inventory/changes.ts'
import { applyErpCounts } from './erp/counts.ts'
import { applyItems } from './erp/items.ts'
import { touchOnce } from './inventory/ledger.ts'
import { applyListings } from './inventory/listings.ts'
import type { FactKind } from './model/fact.ts'
import { applyCancellation } from './orders/applyCancellation.ts'
import { applyOrders } from './orders/applyOrders.ts'
import { applyPayments } from './orders/applyPayments.ts'
import { applyRefund } from './orders/applyRefund.ts'
import { applyPrivacy } from './people/applyPrivacy.ts'
import { applyReturn } from './returns/applyReturn.ts'
import { applyAnswer } from './answers/answers.ts'
import { importSettlement } from './settlement/importSettlement.ts'
import { applyReceipt } from './supply/applyReceipt.ts'
import { takeSearch, takeTurn, type Sought } from './turn.ts'

type Outcomes = FactOutcome[]
type ApplyAll = (tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]) => Promise<Outcomes>

/** Kinds in the order in which a batch is worked off: what others refer to comes first. Those without `oneByOne` are set-based. */
const STEPS: readonly { kind: Exclude<FactKind, 'signal'>; apply: ApplyAll }[] = [
  { kind: 'item', apply: applyItems },
  { kind: 'listing', apply: applyListings },
  { kind: 'order', apply: ordersOf },
  { kind: 'cancellation', apply: oneByOne(applyCancellation) },
  { kind: 'payment', apply: applyPayments },
  { kind: 'refund', apply: oneByOne(applyRefund) },
  { kind: 'acknowledgement', apply: oneByOne(applyAcknowledgement) },
  { kind: 'shipment', apply: oneByOne(applyShipment) },
  { kind: 'tracking_event', apply: applyTrackingEvents },
  { kind: 'stock_change', apply: oneByOne(applyStockChange) },
  { kind: 'stock_count', apply: applyErpCounts },
  { kind: 'receipt', apply: oneByOne(applyReceipt) },
  { kind: 'return', apply: oneByOne(applyReturn) },
  { kind: 'answer', apply: oneByOne(applyAnswer) },
  { kind: 'settlement', apply: oneByOne(importSettlement) },
  { kind: 'privacy', apply: oneByOne(applyPrivacy) },
]

/** Kinds that look for an order, or for a parcel, and may not find it; and kinds that bring one. */
const SEARCHES: Readonly<Partial<Record<FactKind, { sought: Sought; manner: 'seek' | 'bring' }>>> = {
  order: { sought: 'orders', manner: 'bring' },
  payment: { sought: 'orders', manner: 'seek' },
  refund: { sought: 'orders', manner: 'seek' },
  shipment: { sought: 'parcels', manner: 'bring' },
  tracking_event: { sought: 'parcels', manner: 'seek' },
}
/** Kinds that lock nothing others wait for, and those that lock once for a whole batch. */
const LOCKS_NOTHING: ReadonlySet<FactKind> = new Set(['listing', 'settlement', 'privacy', 'signal'])
const LOCKS_ONCE: ReadonlySet<FactKind> = new Set(['item', 'order', 'payment', 'stock_count', 'tracking_event'])

/**
 * Applies a batch of facts in one transaction. Expected endings are in the outcomes, parallel to the facts: a fact that is parked has
 * left no trace and the rest went on. Anything thrown is a fault of the whole batch. Signals are handed back to be acted on after
 * the commit.
 */
export async function applyFacts(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<ApplyResult> {
  await takeTurnFor(tx, ctx, facts)
  const outcomes = await touchOnce(tx, ctx.now, () => applySteps(tx, ctx, facts))
  const signals = facts.flatMap(({ connection_id, fact }, index) => {
    if (fact.kind !== 'signal') return []
    outcomes[index] = { kind: 'applied', summary: `pull ${fact.document.stream}` }
    return [{ connection_id, signal: fact.document }]
  })
  return { outcomes, signals }
}

async function applySteps(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<Outcomes> {
  const outcomes: Outcomes = []
  const positions = Map.groupBy(facts.keys(), (index) => facts[index]?.fact.kind)
  for (const { kind, apply } of STEPS) {
    const own = positions.get(kind) ?? []
    if (own.length === 0) continue
    const results = await apply(
      tx,
      ctx,
      own.flatMap((index) => facts[index] ?? []),
    )
    for (const [place, index] of own.entries())
      outcomes[index] = results[place] ?? { kind: 'ignored', reason: 'not_ours' }
  }
  return outcomes
}

/**
 * Batches of one set-based kind, and single facts, take their locks in one global order (orders, then stock, then availability) and run
 * side by side. A batch that goes through that order more than once has the company to itself, or else two of them could deadlock.
 */
async function takeTurnFor(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<void> {
  const companies = facts.flatMap(({ connection_id }) => ctx.policies.get(connection_id)?.company_id ?? [])
  const rounds = roundsOf(facts)
  if (rounds === 0) return
  await takeTurn(tx, companies, rounds > 1 ? 'alone' : 'side_by_side')
  // Of one round, so of one kind.
  const [search] = rounds > 1 ? [] : facts.flatMap(({ fact }) => SEARCHES[fact.kind] ?? [])
  if (search !== undefined) await takeSearch(tx, companies, search)
}

/** How often a batch goes through the order of locks: once for each set-based kind, once for every other fact. */
export function roundsOf(facts: readonly Pick<InboundFact, 'fact'>[]): number {
  const kinds = facts.map(({ fact }) => fact.kind).filter((kind) => !LOCKS_NOTHING.has(kind))
  const once = new Set(kinds.filter((kind) => LOCKS_ONCE.has(kind)))
  return kinds.filter((kind) => !LOCKS_ONCE.has(kind)).length + once.size
}

async function ordersOf(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<Outcomes> {
  return applyOrders(
    tx,
    ctx,
    facts.flatMap(({ connection_id, source, fact }) =>
      fact.kind === 'order' ? [{ connection_id, source, order: fact.document }] : [],
    ),
  )
}

function oneByOne(apply: (tx: Tx, ctx: CoreContext, fact: InboundFact) => Promise<FactOutcome>): ApplyAll {
  return async (tx, ctx, facts) => {
    const outcomes: Outcomes = []
    for (const fact of facts) outcomes.push(await apply(tx, ctx, fact))
    return outcomes
  }
}
