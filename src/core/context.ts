import type { ErpPolicies } from './erp/policy.ts'
import type { HubError } from './errors.ts'
import type { Fact, Signal } from './model/fact.ts'
import type { Vault } from './people/vault.ts'

/** What the core needs to know of a connection: the merchant's choices, never the vendor's name. */
export interface ConnectionPolicy {
  connection_id: string
  company_id: string
  /** Locations that may fulfil its orders, best first. */
  serves_from: readonly string[]
  /** Those of them that drop-ship: asked last, and only for items that may be sold so. */
  last_resort: readonly string[]
  /** `by_sku`: a channel SKU equal to an item's SKU is listed by itself. */
  listings: 'by_sku' | 'explicit'
  /** What an unpaid order does to stock: held until paid (or expired), or committed at once. */
  unpaid: 'hold' | 'commit'
  hold_minutes: number
  /** What an order does that cannot be served whole: take what is there, wait for everything, or wait as a backorder. */
  shortfall: 'partial' | 'all_or_nothing' | 'backorder'
  /** Lower is served first. */
  priority: number
  /** The promise to buyers where an order names no date of its own; null: none. */
  ship_within_hours: number | null
  /** Service level by the channel's shipping methods that mean it; `*` stands for any text. */
  service_levels: Readonly<Record<string, readonly string[]>>
  /** Bounds of cart holds. */
  holds: { minutes_max: number; units_max: number; units_per_item_max: number }
  /** Grace before work is sent to the 3PL, so that an edit or a cancellation costs nothing. */
  release_after_seconds: number
  /** Days after its delivery for which the people of an order may be kept; null or absent: as long as the order. */
  personal_data_days?: number | null
  availability: AvailabilityPolicy
  /** Whether the connector can be told about shipments, and whether it takes fulfillment orders. */
  takes_shipment_notices: boolean
  takes_fulfillment_orders: boolean
  /** Whether its partner hears what becomes of his orders, gets invoices, is told what is on its way. */
  takes_order_answers: boolean
  takes_invoices: boolean
  takes_announcements: boolean
}

/** What a channel may see of the stock, as far as no stock rule says it more closely. */
export interface AvailabilityPolicy {
  push: boolean
  /** Units kept back. */
  buffer: number
  /** Share of the sellable units kept back, whole percent. */
  buffer_percent: number
  cap: number | null
  share_percent: number
  /** A number below this is shown as zero. */
  zero_below: number
  /** Buffer by measured risk; null: none. */
  adaptive: { oversell_weight: number; units_max: number } | null
}

/** The connection that stands for a company's own wishes: transfers between its places have no channel. */
export const internalConnectionId = (company_id: string): string => `internal-${company_id}`

/** What holds for those wishes. Where the units come from is said by each transfer itself. */
export function internalPolicy(company_id: string): ConnectionPolicy {
  return {
    connection_id: internalConnectionId(company_id),
    company_id,
    serves_from: [],
    last_resort: [],
    listings: 'explicit',
    unpaid: 'commit',
    hold_minutes: 1,
    shortfall: 'partial',
    priority: 1_000,
    ship_within_hours: null,
    service_levels: {},
    holds: { minutes_max: 1, units_max: 1, units_per_item_max: 1 },
    release_after_seconds: 0,
    availability: {
      push: false,
      buffer: 0,
      buffer_percent: 0,
      cap: null,
      share_percent: 100,
      zero_below: 0,
      adaptive: null,
    },
    takes_shipment_notices: false,
    takes_fulfillment_orders: false,
    takes_order_answers: false,
    takes_invoices: false,
    takes_announcements: false,
  }
}

/** Time, identity and the merchant's choices, handed to every core operation. */
export interface CoreContext {
  now: Date
  newId: () => string
  vault: Vault
  policies: ReadonlyMap<string, ConnectionPolicy>
  /** By company, where it has an ERP. */
  erps?: ErpPolicies
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
