/**
 * One table of fault codes. The code tells the hub what to do next, so that no caller ever has to read a message:
 * `retry` (later, with backoff) · `park` (needs a person or a fix) · `pause` (stop the whole connection) · `refuse` (the caller's mistake).
 * `http` is the status the REST API answers with when such a fault reaches it.
 */
const CODES = {
  // input
  bad_request: { next: 'refuse', http: 400 },
  unauthorized: { next: 'refuse', http: 401 },
  forbidden: { next: 'refuse', http: 403 },
  not_found: { next: 'refuse', http: 404 },
  conflict: { next: 'refuse', http: 409 },
  payload_too_large: { next: 'refuse', http: 413 },
  unsupported_media_type: { next: 'refuse', http: 415 },
  rate_limited: { next: 'refuse', http: 429 },
  unsupported: { next: 'refuse', http: 422 },
  insufficient_stock: { next: 'refuse', http: 409 },
  limit_exceeded: { next: 'refuse', http: 422 },
  config_invalid: { next: 'refuse', http: 500 },
  // mapping
  payload_invalid: { next: 'park', http: 422 },
  mapping_broken: { next: 'park', http: 500 },
  // domain causes that wake by themselves once fixed
  unknown_sku: { next: 'park', http: 422 },
  unknown_location: { next: 'park', http: 422 },
  unknown_order: { next: 'park', http: 422 },
  unknown_order_line: { next: 'park', http: 422 },
  unknown_fulfillment_order: { next: 'park', http: 422 },
  unknown_message: { next: 'park', http: 422 },
  stale: { next: 'park', http: 409 },
  over_shipped: { next: 'park', http: 422 },
  invariant_broken: { next: 'park', http: 500 },
  poison: { next: 'park', http: 500 },
  // files
  file_invalid: { next: 'park', http: 422 },
  control_total_mismatch: { next: 'park', http: 422 },
  snapshot_shrank: { next: 'park', http: 409 },
  control_number_reused: { next: 'park', http: 409 },
  // vendor calls
  vendor_timeout: { next: 'retry', http: 504 },
  vendor_unreachable: { next: 'retry', http: 502 },
  vendor_throttled: { next: 'retry', http: 503 },
  vendor_unavailable: { next: 'retry', http: 502 },
  vendor_rejected: { next: 'park', http: 502 },
  vendor_not_found: { next: 'park', http: 502 },
  vendor_conflict: { next: 'park', http: 502 },
  vendor_response_invalid: { next: 'retry', http: 502 },
  vendor_auth: { next: 'pause', http: 502 },
  circuit_open: { next: 'retry', http: 503 },
  address_refused: { next: 'park', http: 502 },
  outcome_unknown: { next: 'retry', http: 504 },
  /** What the call hangs on is not there yet: a delivery before its order. */
  not_yet: { next: 'retry', http: 409 },
  // our own house
  database_unavailable: { next: 'retry', http: 503 },
  queue_unavailable: { next: 'retry', http: 503 },
  schema_newer_than_code: { next: 'refuse', http: 500 },
  database_version: { next: 'refuse', http: 500 },
  vault_sealed: { next: 'park', http: 500 },
  internal: { next: 'retry', http: 500 },
} as const

export type ErrorCode = keyof typeof CODES
export type NextStep = (typeof CODES)[ErrorCode]['next']

export interface ErrorDetail {
  /** JSON path or file position of the fault: `$.line_items[2].sku`, `row 14, column quantity`. */
  path?: string
  /** What the reader can do about it. */
  hint?: string
  /** A parked row with this key wakes by itself when the thing it names appears: `listing:webstore-eu:SKU-1`. */
  wake_key?: string
  /** Obeyed before the next attempt, from Retry-After or a vendor's throttle answer. */
  retry_after_ms?: number
  /** HTTP status of the vendor's answer, where there was one. */
  status?: number
  cause?: unknown
}

/** The only error class of the hub. Messages and details carry ids and field names, never personal data or row contents. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly next: NextStep
  readonly http: number
  readonly path: string | undefined
  readonly hint: string | undefined
  readonly wake_key: string | undefined
  readonly retry_after_ms: number | undefined
  readonly status: number | undefined

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause })
    this.name = 'HubError'
    this.code = code
    this.next = CODES[code].next
    this.http = CODES[code].http
    this.path = detail.path
    this.hint = detail.hint
    this.wake_key = detail.wake_key
    this.retry_after_ms = detail.retry_after_ms
    this.status = detail.status
  }
}

/** Turns anything thrown into a coded fault; what is not ours becomes `internal` and keeps its cause for the log. */
export function asHubError(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new HubError('internal', message, { cause: thrown })
}
