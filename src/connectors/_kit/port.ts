// What a connector is handed: its only ways out.

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
  /** Which of the definition's `bases` is meant, for vendors that spread their API over several hosts; absent: `baseUrl`. */
  base?: string
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

/** A document that the vendor keeps elsewhere, behind an address it has just handed out: a report, a feed, a label. */
export interface Transfer {
  operation: string
  method: 'GET' | 'PUT'
  /** Absolute. Its host must be one of the definition's `transfer_hosts`; the connection's credentials are not sent along. */
  url: string
  headers?: Readonly<Record<string, string>>
  /** Of a PUT. */
  bytes?: Buffer
  /** An answer that is larger is `vendor_response_invalid`. */
  bytes_max: number
}

/** The one way out (connectors/_kit/http.ts). Any answer that is not a success arrives as a coded HubError. */
export interface Http {
  request: (call: HttpCall) => Promise<HttpAnswer>
  transfer: (transfer: Transfer) => Promise<Buffer>
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

/** Numbers without a gap that a protocol counts by (control numbers). The same key is given the same number again, whoever asks. */
export interface Numbers {
  next: (sequence: string, key: string) => Promise<number>
}

/** One message of a vendor's queue; `handle` is what it is deleted by. */
export interface QueueMessage {
  id: string
  handle: string
  body: string
}

/** A queue at the vendor's that we read (connectors/_kit/messages.ts). */
export interface MessageQueue {
  /** At most 10 at once; waits up to `wait_ms` for the first one. */
  receive: (request: { messages_max: number; wait_ms: number }) => Promise<QueueMessage[]>
  /** After what they said has been stored. */
  remove: (handles: readonly string[]) => Promise<void>
}

/** All that a connector's operations can reach: no database, no clock, no logger, no environment. */
export interface Port<S = unknown> {
  readonly http: Http
  readonly files: FileStore
  readonly numbers: Numbers
  readonly messages: MessageQueue
  readonly settings: S
}
