import { closeSync, existsSync, mkdirSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * The vendor's own memory: an append-only file of what it sold, shipped and was told. A simulator folds it at start, so that it
 * survives a kill -9 like a real vendor would, and the judge reads it instead of the hub's tables.
 */
export interface Journal<E> {
  append: (event: E) => void
  events: () => readonly E[]
  close: () => void
}

/** One JSON document a line. A torn last line (killed while writing) was never acknowledged and is dropped. */
export function openJournal<E>(path: string | null): Journal<E> {
  const events: E[] = []
  if (path === null) return { append: (event) => void events.push(event), events: () => events, close: () => undefined }
  mkdirSync(dirname(path), { recursive: true })
  if (existsSync(path)) {
    const lines = readFileSync(path, 'utf8').split('\n')
    for (const line of lines.slice(0, -1)) if (line !== '') events.push(JSON.parse(line) as E)
    const torn = Buffer.byteLength(lines.at(-1) ?? '')
    // One call, so that being killed right here loses nothing else.
    if (torn > 0) truncateSync(path, statSync(path).size - torn)
  }
  const file = openSync(path, 'a')
  return {
    append: (event) => {
      writeSync(file, `${JSON.stringify(event)}\n`)
      events.push(event)
    },
    events: () => events,
    close: () => closeSync(file),
  }
}

/** How unkind the simulated network and vendor are. Shares are of 1. */
export interface Faults {
  /** A webhook is delivered twice (same delivery id). */
  webhook_duplicate_share: number
  /** A webhook delivery is lost as if the network ate it (a vendor that retries will retry, one that does not will not). */
  webhook_drop_share: number
  /** Webhooks are delayed by a random time up to this, so that they overtake each other. */
  webhook_delay_ms_max: number
  /** API calls answered as throttled, in the vendor's own way. */
  throttle_share: number
  /** API calls answered 500/503 without having had an effect. */
  fail_share: number
  /** API calls that do have their effect, but the connection is cut before the answer. */
  cut_share: number
}

export const KIND: Faults = {
  webhook_duplicate_share: 0,
  webhook_drop_share: 0,
  webhook_delay_ms_max: 0,
  throttle_share: 0,
  fail_share: 0,
  cut_share: 0,
}

export interface SimulatorOptions {
  /** Null keeps the ledger in memory. */
  journal_path: string | null
  /** 0 = any free port. Simulators listen on 127.0.0.1 only. */
  port: number
  /** In [0, 1); seeded by the caller. */
  random: () => number
  now: () => Date
  faults: Faults
  /** Where this vendor's webhooks go; changeable, because hubs restart. */
  webhook_url: string | null
}

/** What every simulator offers the world around it. Each adds its own verbs (sell, cancel, ship, pay out) and its own ledger. */
export interface Simulator {
  readonly url: string
  /** Connection settings that reach this simulator (base URL, secrets, ids), to be merged over the configured ones. */
  readonly settings: Readonly<Record<string, unknown>>
  setWebhookUrl: (url: string) => void
  setFaults: (faults: Faults) => void
  /** True while webhooks still wait for delivery or retry. */
  busy: () => boolean
  stop: () => Promise<void>
}

// ── the words in which storefront simulators answer the judge ────────────────────────────────────────────────────────────

export interface SoldLine {
  line_id: string
  sku: string
  /** Units ordered now (after edits). */
  quantity: number
  /** The most this line ever asked for: an edit down may come after the parcel left. */
  most_quantity: number
  /** Units taken back before shipping (refunds with restock). */
  cancelled: number
  /** Units the hub told this storefront were shipped, as the storefront booked them. */
  shipped: number
}

export interface SoldOrder {
  external_id: string
  number: string
  /** Unix ms; some storefronts only know the second. */
  placed_ms: number
  cancelled: boolean
  paid: boolean
  lines: SoldLine[]
  /** Shipment notices as received, by tracking number; more than one entry of one number is a doubled effect. */
  notices: { tracking_number: string; lines: { sku: string; quantity: number }[] }[]
  total_minor: number
  currency: string
  payment_id: string | null
}

export interface StorefrontLedger {
  orders: SoldOrder[]
  /** What the storefront shows as sellable now, by SKU. */
  shown: Record<string, number>
  /** Every absolute stock write that took effect, oldest first. Kept in memory only: the lag figures are read from it. */
  stock_writes: { sku: string; quantity: number; at_ms: number }[]
}

/** A product on a storefront's shelf. */
export interface Product {
  sku: string
  title: string
  price_minor: number
  quantity: number
}

/** The verbs that the demo's buyers use on any storefront. */
export interface Storefront extends Simulator {
  readonly connection_id: string
  products: () => readonly Product[]
  /** Sells from the shelf; undefined when the storefront itself shows too little. `payment_id` is the gateway's charge. */
  sell: (order: {
    lines: { sku: string; quantity: number }[]
    buyer: { name: string; email: string; country: string }
    paid: boolean
    payment_id: string | null
  }) => SoldOrder | undefined
  pay: (external_id: string, payment_id: string | null) => void
  /** Changes the wanted quantity of one line (0 removes it). False when it is too late (shipped or cancelled). */
  edit: (external_id: string, line_id: string, quantity: number) => boolean
  cancel: (external_id: string) => boolean
  /** Refunds units; `restock: cancel` takes unshipped units off the order. */
  refund: (external_id: string, line_id: string, quantity: number, restock: 'cancel' | 'none') => boolean
  ledger: () => StorefrontLedger
}
