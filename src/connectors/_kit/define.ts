import type { Static, TSchema } from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import type {
  AvailabilityLine,
  AvailabilityResult,
  EffectResult,
  FulfillmentRequest,
  ShipmentNotice,
} from '../../core/model/effects.ts'
import type { BankFileRead } from '../../core/model/bankStatement.ts'
import type { Stream } from '../../core/model/fact.ts'
import type { Mapping } from '../../mappings/define.ts'
import type { SettlementFormat } from '../../mappings/settlement.ts'

// ── what a connector is handed ────────────────────────────────────────────────────────────────────────────────────────────

export interface HttpCall {
  /** Name of the vendor operation, for limits, metrics and the attempt log: `inventorySetQuantities`. */
  operation: string
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Relative to the connector's base URL; absolute URLs are refused. */
  path: string
  query?: Readonly<Record<string, string | number | boolean | undefined>>
  headers?: Readonly<Record<string, string>>
  /** At most one of the two bodies. */
  json?: unknown
  form?: Readonly<Record<string, string>>
  /**
   * `safe`: may be repeated at once inside one exchange (reads, and writes that carry a key the vendor honours).
   * `once`: never repeated inside the exchange; an answer that got lost is `outcome_unknown`.
   */
  repeat: 'safe' | 'once'
  /** `realtime` calls find room in the limit even while bulk work uses up its share; default `bulk`. */
  lane?: 'realtime' | 'bulk'
  timeout_ms?: number
}

export interface HttpAnswer {
  status: number
  headers: Readonly<Record<string, string | undefined>>
  /** Parsed JSON, or undefined when the body is not JSON (then `classify` and `text` decide). */
  body: unknown
  text: string
}

/** The one way out (connectors/_kit/http.ts). Any answer that is not a success arrives as a coded HubError. */
export interface Http {
  request: (call: HttpCall) => Promise<HttpAnswer>
}

export interface FileEntry {
  name: string
  bytes: number
  modified_at_ms: number
}

/** A folder on disk or over SFTP. Names are relative to the connection's root and never leave it. */
export interface FileStore {
  list: (folder: string) => Promise<FileEntry[]>
  read: (path: string, bytes_max: number) => Promise<Buffer>
  /** Writes under a temporary name, then renames: a reader never sees half a file. */
  write: (path: string, bytes: Buffer) => Promise<void>
  /** Atomic. `false` when the source is gone: somebody else took it. */
  rename: (from: string, to: string) => Promise<boolean>
  exists: (path: string) => Promise<boolean>
  close: () => Promise<void>
}

/** All that a connector's operations can reach: no database, no clock, no logger, no environment. */
export interface Port<S = unknown> {
  readonly http: Http
  readonly files: FileStore
  readonly settings: S
}

// ── in ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface WebhookRequest {
  body: Buffer
  /** Lower-case names; a header sent twice is joined by the server and then fails verification. */
  headers: Readonly<Record<string, string | undefined>>
  received_at_ms: number
}

export type Verdict = { ok: true } | { ok: false; reason: string }

export interface WebhookDefinition<S> {
  /** Exact content types without parameters. */
  content_types: readonly string[]
  /** A request that must be answered 200 and means nothing (WooCommerce's unsigned ping). Nothing is stored. */
  acknowledges?: (request: WebhookRequest) => boolean
  verify: (request: WebhookRequest, settings: S) => Verdict
  /** The vendor's own words for what to subscribe to, for the documents. */
  topics?: readonly string[]
  /** Which entry of `inbound` maps the body; `ignore` is answered 200 and kept nowhere. Only asked after verify. */
  topic: (request: WebhookRequest) => string
  /** Stable over redeliveries of the same message, different for every other message. */
  dedupeKey: (request: WebhookRequest) => string
  /** When the vendor took this picture; absent: when it arrived. */
  observedAt?: (request: WebhookRequest) => string | undefined
}

export interface PulledItem {
  /** Entry of `inbound` that maps it. */
  topic: string
  /** Same document in the same state → same key, so that an overlapping window stores nothing twice. */
  dedupe_key: string
  payload: unknown
}

/** One page; the cursor is stored in the same transaction as its items, so a pull resumes where it stopped. */
export interface PulledPage {
  items: PulledItem[]
  cursor: string
}

export interface PullRequest {
  /** The cursor of the last stored page, null at the very first pull. */
  cursor: string | null
  /** How far to reach back before the cursor, because vendors' clocks and indexes lag. */
  overlap_ms: number
  now: Date
}

export type Pull<S> = (port: Port<S>, request: PullRequest) => AsyncGenerator<PulledPage>

// ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type { AvailabilityLine, AvailabilityResult, EffectResult, FulfillmentRequest, ShipmentNotice }

/** One way of telling a vendor something. `confirm` settles an unknown outcome by reading back. */
export interface Effect<S, R extends { outbox_id: number }> {
  batch_max: number
  /** `key` is the effect's business key (or the batch's): sent along where the vendor honours one. */
  send: (port: Port<S>, requests: readonly R[], key: string, now: Date) => Promise<EffectResult[]>
  /** Absent only where `send` is idempotent by its key. */
  confirm?: (port: Port<S>, requests: readonly R[], key: string) => Promise<'done' | 'not_done' | 'unknown'>
}

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface FileRow {
  row: number
  topic: string
  dedupe_key: string
  payload: unknown
  /** A row that cannot be read is kept and parked with its cause; the rest of the file goes on. */
  fault?: { code: ErrorCode; message: string; path: string }
}

export interface ParsedFile {
  type: string
  sequence: string | null
  as_of: string
  /** `full`: the file claims to name everything there is; a shrunken one is held for confirmation. */
  scope: 'full' | 'partial'
  /** `zero`: a full file also says that what it leaves out is gone. Absent: what it leaves out keeps its number. */
  absent?: 'zero'
  rows: FileRow[]
  totals: Readonly<Record<string, number>>
}

export interface FileDefinition<S> {
  store: (settings: S) => FileStoreSettings
  folders: (settings: S) => {
    incoming: string
    outgoing: string
    processed: string
    error: string
    acknowledgements: string
  }
  /** Whether this name is one of ours to read, and of which type. Temporary names and dot files never get here. */
  accepts: (name: string, settings: S) => { type: string; sequence: string | null } | undefined
  /** Topic → type of the files that carry it, for reading a file whose name says nothing (`crossdock preview`). */
  types?: Readonly<Record<string, string>>
  /**
   * Throws `file_invalid` or `control_total_mismatch` when the whole file cannot be trusted. With `type` the file is read as one of
   * that type, whatever it is called.
   */
  parse: (file: { name: string; bytes: Buffer; modified_at_ms: number; type?: string }, settings: S) => ParsedFile
  acknowledgement?: (file: ParsedFile, result: FileResult) => { name: string; bytes: Buffer }
  /** Share of rows a full file may lose against the last applied one before it is held: 0.3 = 30 %. */
  shrink_max: (settings: S) => number
}

export interface FileResult {
  name: string
  accepted: number
  rejected: { row: number; code: string; message: string }[]
}

export type FileStoreSettings =
  | { kind: 'folder'; root: string }
  | {
      kind: 'sftp'
      host: string
      port: number
      username: string
      password?: string
      private_key?: string
      /** SHA-256 of the server's host key, base64 as ssh-keygen -lf prints it. A server with another key is refused. */
      host_key_sha256: string
      root: string
    }

// ── the literal ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface HttpDefinition<S> {
  baseUrl: (settings: S) => string
  headers: (settings: S) => Record<string, string>
  /** Calls per window, shared by every process of the hub. */
  limit: (settings: S) => { calls: number; per_ms: number }
  timeout_ms?: number
  /** Vendor quirks before the default table by status: e.g. throttled inside HTTP 200. Undefined = default. */
  classify?: (answer: HttpAnswer) => { code: ErrorCode; detail: string; retry_after_ms?: number } | undefined
}

export const CONNECTOR_KINDS = ['storefront', 'marketplace', '3pl', 'carrier', 'gateway', 'bank', 'erp'] as const

/** One vendor as data and a few functions. A capability that is absent is not supported; there are no stubs. */
export interface ConnectorDefinition<S> {
  id: string
  label: string
  kind: (typeof CONNECTOR_KINDS)[number]
  /** Where the connector has been proven: against fixtures, our simulator, or the vendor's sandbox account. */
  grade: 'fixtures' | 'simulator' | 'sandbox_account'
  settings: TSchema
  http?: HttpDefinition<S>
  webhook?: WebhookDefinition<S>
  /** Topic → mapping. The words of `crossdock preview` (order, stock, shipment, settlement, refund) are used where they fit. */
  inbound: Readonly<Record<string, Mapping>>
  /** Topic → keys under which the vendor's API wraps such documents. webhooks and pulls bring them bare, but what came in one is opened. */
  envelopes?: Readonly<Record<string, readonly string[]>>
  pull?: Partial<Readonly<Record<Stream, Pull<S>>>>
  /** A cheap authenticated call; returns one line that shows a real record. */
  test?: (port: Port<S>) => Promise<string>
  availability?: {
    batch_max: number
    compare_and_set: boolean
    push: (port: Port<S>, lines: readonly AvailabilityLine[], key: string) => Promise<AvailabilityResult[]>
    /** What the channel shows now, for read-back and for unknown outcomes. */
    read?: (port: Port<S>, lines: readonly AvailabilityLine[]) => Promise<{ listing_id: number; quantity: number }[]>
  }
  fulfillment?: Effect<S, FulfillmentRequest>
  shipments?: Effect<S, ShipmentNotice>
  files?: FileDefinition<S>
  /** Files of payouts that `crossdock settlement` reads, the most particular format first. */
  settlements?: { formats: readonly SettlementFormat[] }
  /** Files of a bank account. Faults of rows are in the answer; `file_invalid` when the file as a whole is none of ours. */
  statements?: { read: (bytes: Buffer, settings: S) => BankFileRead }
}

/** A connector as the hub holds it: its settings have been checked, their type is the connector's own business. */
export type Connector = ConnectorDefinition<unknown>

/** Keeps the settings' type inside the literal and hides it outside. */
export function defineConnector<const T extends TSchema>(
  definition: Omit<ConnectorDefinition<Static<T>>, 'settings'> & { settings: T },
): Connector {
  return definition as unknown as Connector
}
