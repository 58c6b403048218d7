import type { Static, TSchema } from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import type {
  AvailabilityLine,
  AvailabilityResult,
  EffectResult,
  ErpRequest,
  FulfillmentRequest,
  InvoiceRequest,
  LabelRequest,
  OrderAnswer,
  RateRequest,
  ShipmentNotice,
  SupplyAnnouncement,
} from '../../core/model/effects.ts'
import type { BankFileRead } from '../../core/model/bankStatement.ts'
import type { Stream } from '../../core/model/fact.ts'
import type { Mapping } from '../../mappings/define.ts'
import type { SettlementFormat } from '../../mappings/settlement.ts'
import type { HttpAnswer, Port } from './port.ts'

/** Contracts of their own file, under the name that connectors know them by. */
export type {
  HttpCall,
  HttpAnswer,
  Transfer,
  Http,
  FileEntry,
  FileStore,
  Numbers,
  QueueMessage,
  MessageQueue,
  Port,
} from './port.ts'

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
  /** Called once the page is committed, where the vendor wants to hear that it was taken (a queue's messages). */
  acknowledge?: () => Promise<void>
}

export interface PullRequest {
  /** The cursor of the last stored page, null at the very first pull. */
  cursor: string | null
  /** How far to reach back before the cursor, because vendors' clocks and indexes lag. */
  overlap_ms: number
  now: Date
}

export type Pull<S> = (port: Port<S>, request: PullRequest) => AsyncGenerator<PulledPage>

/**
 * A file of payouts that a vendor keeps ready behind its API. The hub reads it like one that a person brings (`settlements.formats`): its
 * bytes are kept, it is proven before it is believed, and the same bytes are taken once, whoever brought them.
 */
export interface Report {
  /** What the vendor calls it, at most 200 characters. One that was read is not fetched again unless it is announced again. */
  reference: string
  /** For people: the file name it would have. */
  name: string
  /**
   * Downloads it; called only for a report that is not known yet. Faults of the connection (throttled, unreachable, refused) end the run,
   * and the report is asked for again in the next one; a report that is not there or that cannot be read is held as a case after some
   * tries, and the others go on.
   */
  read: () => Promise<Buffer>
}

/** Reports of one page are written down before the cursor is: what was listed once is handed back in `announced` until it was read. */
export interface ReportPage {
  reports: Report[]
  cursor: string
}

export interface ReportRequest extends PullRequest {
  /**
   * References that a signal (`{ stream: 'reports', reference }`) or an earlier page named and that have not been read, oldest first. The
   * generator has to yield a report for every one of them it understands, beside those that it finds by itself.
   */
  announced: readonly string[]
}

/** Lists what there is to fetch, oldest first. A vendor that has no list yields what was announced, and any cursor. */
export type Reports<S> = (port: Port<S>, request: ReportRequest) => AsyncGenerator<ReportPage>

// ── out ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type { AvailabilityLine, AvailabilityResult, EffectResult, FulfillmentRequest, ShipmentNotice }

/** One thing that was looked at when a connection was tested. `expires_at`: a key or certificate that ends then is announced in time. */
export interface SelfCheck {
  name: string
  ok: boolean
  detail: string
  expires_at?: string
}

/** Where a vendor's queue is. `endpoint` for one that speaks the same protocol elsewhere. */
export interface MessageQueueSettings {
  region: string
  queue_url: string
  endpoint?: string
  access_key_id: string
  secret_access_key: string
}

/** One way of telling a vendor something. `confirm` settles an unknown outcome by reading back. */
export interface Effect<S, R extends { outbox_id: number }> {
  batch_max: number
  /** `key` is the effect's business key (or the batch's): sent along where the vendor honours one. */
  send: (port: Port<S>, requests: readonly R[], key: string, now: Date) => Promise<EffectResult[]>
  /** Absent only where `send` is idempotent by its key. */
  confirm?: (port: Port<S>, requests: readonly R[], key: string) => Promise<Confirmation>
}

/** What reading back has shown. Results instead of `done` where what the vendor did must be known, not only that it did it. */
export type Confirmation = 'done' | 'not_done' | 'unknown' | readonly EffectResult[]

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface FileRow {
  row: number
  topic: string
  dedupe_key: string
  payload: unknown
  /** A row that cannot be read is kept and parked with its cause; the rest of the file goes on. */
  fault?: { code: ErrorCode; message: string; path: string }
  /** The envelope (`ParsedFile.envelopes`) that it came in: it is taken once, with all its rows. */
  envelope?: string
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
  /**
   * Parts of the file that their sender numbers by themselves. The same number with the same content (a SHA-256 in hex) was sent again and
   * is not applied again; with another content it is kept for a person, and none of its rows is applied.
   */
  envelopes?: readonly { key: string; content: string }[]
  /** The connector's own notes, for its answers. */
  detail?: unknown
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
  /**
   * Any number of answers, where the protocol numbers them. Asked again for a file that comes again or whose reader died: what it makes of
   * the same file has to be the same, bytes and names.
   */
  answers?: (port: Port<S>, file: ParsedFile, result: FileResult) => Promise<readonly { name: string; bytes: Buffer }[]>
  /** Share of rows a full file may lose against the last applied one before it is held: 0.3 = 30 %. */
  shrink_max: (settings: S) => number
}

export interface FileResult {
  name: string
  accepted: number
  rejected: { row: number; code: string; message: string }[]
  /** When the file was first read. */
  received_at: string
  /** What each envelope was; one that was refused is not among them. */
  envelopes: ReadonlyMap<string, EnvelopeSeen>
}

/** Taken from this very file, known with this content, or known with another one; and when it was taken. */
export interface EnvelopeSeen {
  state: 'new' | 'same' | 'other'
  received_at: string
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

export interface CallLimit {
  calls: number
  per_ms: number
}

/** How a bearer token is come by (RFC 6749 §4.4 and §6). Tokens are kept sealed, and one process refreshes for all. */
export interface TokenGrant {
  /** Absolute; its host may be another than the API's. */
  url: string
  client: { id: string; secret: string; sent_as: 'form' | 'basic' }
  grant:
    | { kind: 'client_credentials'; scope?: string }
    /** `rotates`: every answer brings the next refresh token, and the one before it is void. */
    | { kind: 'refresh_token'; refresh_token: string; rotates: boolean; scope?: string }
  headers?: Readonly<Record<string, string>>
  /** The headers that carry the token; absent: `Authorization: Bearer …`. */
  carry?: (access_token: string) => Record<string, string>
}

export interface HttpDefinition<S> {
  baseUrl: (settings: S) => string
  /** Further hosts of the same API, by the name that `HttpCall.base` uses. */
  bases?: Readonly<Record<string, (settings: S) => string>>
  headers: (settings: S) => Record<string, string>
  /** OAuth: the token is fetched, kept, refreshed and sent by the kit. An answer 401 renews it once and asks again. */
  token?: (settings: S) => TokenGrant
  /** Whether an answer says that the token is no longer good, where a vendor says so otherwise than by 401. Nothing was done then. */
  tokenRefused?: (answer: HttpAnswer) => boolean
  /** Hosts that `transfer` may reach: exact, or a suffix that begins with a dot. */
  transfer_hosts?: (settings: S) => readonly string[]
  /** Calls per window, shared by every process of the hub. */
  limit: (settings: S) => CallLimit
  /** Tighter limits of single operations, by `HttpCall.operation`. */
  limits?: (settings: S) => Readonly<Record<string, CallLimit>>
  /** What an answer's headers say of the operation's limit; it replaces the table's until the process ends. */
  limitOf?: (answer: HttpAnswer) => CallLimit | undefined
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
  /** Other names under which people keep its samples (`crossdock conformance`): `edi` for X12. */
  sample_folders?: readonly string[]
  http?: HttpDefinition<S>
  webhook?: WebhookDefinition<S>
  /** Topic → mapping. The words of `crossdock preview` (order, stock, shipment, settlement, refund) are used where they fit. */
  inbound: Readonly<Record<string, Mapping>>
  /** Topic → keys under which the vendor's API wraps such documents. webhooks and pulls bring them bare, but what came in one is opened. */
  envelopes?: Readonly<Record<string, readonly string[]>>
  /** By stream; for `reports` see `settlements`. */
  pull?: Partial<Readonly<Record<Stream, Pull<S>>>>
  /** What the vendor's terms allow of keeping buyers' data; the configuration of a connection may say otherwise. */
  personal_data?: { days_after_delivery: number }
  /** A cheap authenticated call; returns one line that shows a real record. */
  test?: (port: Port<S>) => Promise<string>
  /** More than one call can show: rights, modules, clocks, keys that end. Run when the connection is tested, and once a day. */
  selfTest?: (port: Port<S>, now: Date) => Promise<SelfCheck[]>
  /** A queue at the vendor's, read by `pull.notifications`. */
  messages?: (settings: S) => MessageQueueSettings
  availability?: {
    batch_max: number
    compare_and_set: boolean
    push: (port: Port<S>, lines: readonly AvailabilityLine[], key: string) => Promise<AvailabilityResult[]>
    /** What the channel shows now, for read-back and for unknown outcomes. */
    read?: (port: Port<S>, lines: readonly AvailabilityLine[]) => Promise<{ listing_id: number; quantity: number }[]>
  }
  fulfillment?: Effect<S, FulfillmentRequest>
  shipments?: Effect<S, ShipmentNotice>
  /** What carriers would take for a parcel; creates the vendor's own record of it, which buys nothing yet. */
  rates?: Effect<S, RateRequest>
  /** Buys or voids the label of a rate. */
  labels?: Effect<S, LabelRequest>
  /** Tells a warehouse what is on its way to it. */
  announcements?: Effect<S, SupplyAnnouncement>
  /** Answers a buyer's order: taken, taken in part, refused. */
  orderAnswers?: Effect<S, OrderAnswer>
  invoices?: Effect<S, InvoiceRequest>
  /** Keeps an ERP's orders, deliveries, credits, stock and books in step. */
  erp?: Effect<S, ErpRequest>
  files?: FileDefinition<S>
  /**
   * Files of payouts that `crossdock settlement` reads, the most particular format first. `reports`: the vendor keeps such files ready;
   * they are fetched as the stream `reports` (its pace is `pull.reports_every_seconds`) and imported without anybody's help.
   */
  settlements?: { formats: readonly SettlementFormat[]; reports?: Reports<S> }
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
