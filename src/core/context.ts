import type { HubError } from './errors.ts'
import type { Fact, Signal } from './model/fact.ts'
import type { Vault } from './people/vault.ts'

/** What the core needs to know of a connection: the merchant's choices, never the vendor's name. */
export interface ConnectionPolicy {
  connection_id: string
  company_id: string
  /** Locations that may fulfil its orders, best first. */
  serves_from: readonly string[]
  /** `by_sku`: a channel SKU equal to an item's SKU is listed by itself. */
  listings: 'by_sku' | 'explicit'
  /** What an unpaid order does to stock: held until paid (or expired), or committed at once. */
  unpaid: 'hold' | 'commit'
  hold_minutes: number
  shortfall: 'partial' | 'all_or_nothing'
  /** Grace before work is sent to the 3PL, so that an edit or a cancellation costs nothing. */
  release_after_seconds: number
  availability: { push: boolean; buffer: number; cap: number | null; share_percent: number }
  /** Whether the connector can be told about shipments, and whether it takes fulfillment orders. */
  takes_shipment_notices: boolean
  takes_fulfillment_orders: boolean
}

/** Time, identity and the merchant's choices, handed to every core operation. */
export interface CoreContext {
  now: Date
  newId: () => string
  vault: Vault
  policies: ReadonlyMap<string, ConnectionPolicy>
}

/** One canonical fact on its way into the core, and where it came from. */
export interface InboundFact {
  connection_id: string
  /** `inbox:123`: written into the timeline and the ledger. */
  source: string
  fact: Fact
}

/** Expected endings are values. `parked` carries the coded cause, with the wake key where one exists. */
export type FactOutcome =
  | { kind: 'applied'; summary: string }
  | { kind: 'ignored'; reason: 'older' | 'same' | 'superseded' | 'duplicate' | 'not_ours' }
  | { kind: 'parked'; error: HubError }

export interface ApplyResult {
  /** Parallel to the facts handed in. */
  outcomes: FactOutcome[]
  /** Pulls to be started after commit. */
  signals: { connection_id: string; signal: Signal }[]
}
