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
import { labelNumbersOf } from './labels/parcels.ts'
import type { FactKind } from './model/fact.ts'
import { applyCancellation } from './orders/applyCancellation.ts'
import { applyOrdersAndPayments } from './orders/applyOrdersAndPayments.ts'
import { applyRefund } from './orders/applyRefund.ts'
import { applyPrivacy } from './people/applyPrivacy.ts'
import { applyReturn } from './returns/applyReturn.ts'
import { applyAnswer } from './answers/answers.ts'
import { importSettlement } from './settlement/importSettlement.ts'
import { applyReceipt } from './supply/applyReceipt.ts'
import { namesOf, parcelName } from './names.ts'
import { takeNames, takeTurn } from './turn.ts'

type Outcomes = FactOutcome[]
type ApplyAll = (tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]) => Promise<Outcomes>

interface Step {
  kinds: readonly Exclude<FactKind, 'signal'>[]
  apply: ApplyAll
}

/** In the order in which a batch is worked off: what others refer to comes first. Those without `oneByOne` are set-based. */
const STEPS: readonly Step[] = [
  { kinds: ['item'], apply: applyItems },
  { kinds: ['listing'], apply: applyListings },
  { kinds: ['order', 'payment'], apply: applyOrdersAndPayments },
  { kinds: ['cancellation'], apply: oneByOne(applyCancellation) },
  { kinds: ['refund'], apply: oneByOne(applyRefund) },
  { kinds: ['acknowledgement'], apply: oneByOne(applyAcknowledgement) },
  { kinds: ['shipment'], apply: oneByOne(applyShipment) },
  { kinds: ['tracking_event'], apply: applyTrackingEvents },
  { kinds: ['stock_change'], apply: oneByOne(applyStockChange) },
  { kinds: ['stock_count'], apply: applyErpCounts },
  { kinds: ['receipt'], apply: oneByOne(applyReceipt) },
  { kinds: ['return'], apply: oneByOne(applyReturn) },
  { kinds: ['answer'], apply: oneByOne(applyAnswer) },
  { kinds: ['settlement'], apply: oneByOne(importSettlement) },
  { kinds: ['privacy'], apply: oneByOne(applyPrivacy) },
]

/** Kinds that lock nothing others wait for, and the steps that lock once for a whole batch. */
const LOCKS_NOTHING: ReadonlySet<FactKind> = new Set(['listing', 'settlement', 'privacy', 'signal'])
const LOCKS_ONCE: Readonly<Partial<Record<FactKind, string>>> = {
  item: 'items',
  order: 'orders',
  payment: 'orders',
  stock_count: 'counts',
  tracking_event: 'scans',
}

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
  for (const { kinds, apply } of STEPS) {
    const own = facts.flatMap(({ fact }, index) => ((kinds as readonly FactKind[]).includes(fact.kind) ? index : []))
    if (own.length === 0) continue
    const results = await apply(tx, ctx, own.flatMap((index) => facts[index] ?? [])) // prettier-ignore
    for (const [place, index] of own.entries())
      outcomes[index] = results[place] ?? { kind: 'ignored', reason: 'not_ours' }
  }
  return outcomes
}

/**
 * Batches of one set-based step, and single facts, take their locks in one global order (orders, then stock, then availability) and run
 * side by side. A batch that goes through that order more than once has the company to itself, or else two of them could deadlock.
 */
async function takeTurnFor(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<void> {
  const companies = facts.flatMap(({ connection_id }) => ctx.policies.get(connection_id)?.company_id ?? [])
  const rounds = roundsOf(facts)
  if (rounds.size === 0) return
  await takeTurn(tx, companies, rounds.size > 1 ? 'alone' : 'side_by_side')
  if (rounds.size > 1) return
  const numbers = await labelNumbersOf(tx, facts.flatMap(unnumberedWork))
  await takeNames(tx, companies, [...namesOf(facts.map(({ fact }) => fact)), ...numbers.map(parcelName)])
}

/** The work of a parcel that is told without its number. */
const unnumberedWork = ({ fact }: InboundFact): string[] =>
  fact.kind === 'shipment' && fact.document.tracking_number === null ? [fact.document.fulfillment_order] : []

/** Each time that a batch goes through the order of locks: once for a set-based step, by its name; once for every other fact. */
export function roundsOf(facts: readonly Pick<InboundFact, 'fact'>[]): Set<string | object> {
  return new Set(
    facts.flatMap(({ fact }) => (LOCKS_NOTHING.has(fact.kind) ? [] : [LOCKS_ONCE[fact.kind] ?? fact.document])),
  )
}

function oneByOne(apply: (tx: Tx, ctx: CoreContext, fact: InboundFact) => Promise<FactOutcome>): ApplyAll {
  return async (tx, ctx, facts) => {
    const outcomes: Outcomes = []
    for (const fact of facts) outcomes.push(await apply(tx, ctx, fact))
    return outcomes
  }
}
