import { HubError, type ErrorCode } from '../../core/errors.ts'
import type { HttpAnswer, HttpCall } from './define.ts'

/** What was asked, as far as it matters for what an answer or its absence means. */
export type Asked = Pick<HttpCall, 'operation' | 'repeat'>

/** Statuses with a meaning of their own; any other 4xx is `vendor_rejected`, any other 5xx `vendor_unavailable`. */
const STATUS_CODES: Readonly<Record<number, ErrorCode>> = {
  401: 'vendor_auth',
  403: 'vendor_auth',
  404: 'vendor_not_found',
  408: 'vendor_throttled',
  409: 'vendor_conflict',
  410: 'vendor_not_found',
  412: 'vendor_conflict',
  425: 'vendor_throttled',
  429: 'vendor_throttled',
}
/**
 * A crash, a gateway or a cache in front answers 5xx without knowing how far the request got, so a write that must not be repeated is
 * then in doubt. These alone say that nothing was begun: not implemented, other HTTP, a network that wants a login, an origin that was
 * not reached. 503 does so only where it names a time to come back.
 */
const REFUSED_STATUSES = new Set([501, 505, 511, 521, 523])
const RETRY_AFTER_MS_MAX = 86_400_000

/** Raised before the socket carried anything of the request. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'EPROTO',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
])

/**
 * The body as JSON. An integer beyond 2^53 arrives as text, digits intact: a rounded identifier would silently be another one.
 * Undefined when it is no JSON.
 */
export function parseJson(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    // The slow way is taken only where a number that long can occur.
    const value: unknown = /\d{16}/.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
    return { ok: true, value }
  } catch {
    return { ok: false }
  }
}

function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  return typeof value === 'number' &&
    Number.isInteger(value) &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    /^-?\d+$/.test(source)
    ? source
    : value
}

/** What an answer that is not a success means to the hub; undefined for a success. Pure. */
export function faultOfAnswer(call: HttpCall, answer: HttpAnswer, now: Date): HubError | undefined {
  const { status } = answer
  if (status >= 200 && status < 300) return readableFault(call, answer)
  if (status >= 300 && status < 400) {
    return new HubError('vendor_rejected', `${call.operation} was redirected (${status})`, {
      status,
      hint: 'redirects are not followed: correct the base URL of the connection',
    })
  }
  const wait_ms = retryAfterMs(answer.headers['retry-after'], now)
  const known = STATUS_CODES[status] ?? (status < 500 ? 'vendor_rejected' : 'vendor_unavailable')
  const begun = status >= 500 && !REFUSED_STATUSES.has(status) && !(status === 503 && wait_ms !== undefined)
  const code = call.repeat === 'once' && begun ? 'outcome_unknown' : known
  const vendorCode = vendorCodeOf(answer.body)
  return new HubError(
    code,
    `${call.operation} answered ${status}${vendorCode === undefined ? '' : ` (${vendorCode})`}`,
    {
      status,
      ...(wait_ms === undefined ? {} : { retry_after_ms: wait_ms }),
    },
  )
}

const HTML_PAGE = /^\s*(<!--[^>]*-->\s*)*<(!doctype\s+html|html)[\s>]/i

/** A success whose body is not what was asked for, such as a maintenance page, proves nothing about what was done. */
function readableFault(call: HttpCall, answer: HttpAnswer): HubError | undefined {
  if (answer.body !== undefined || answer.text.trim() === '') return undefined
  // JSON is expected unless the call itself asks for something else (a report as CSV), which is then not a page either.
  const accept = Object.entries(call.headers ?? {}).find(([name]) => name.toLowerCase() === 'accept')?.[1] ?? 'json'
  const isPage = HTML_PAGE.test(answer.text)
  if (!/json/i.test(accept) && (!isPage || /html/i.test(accept))) return undefined
  const code = call.repeat === 'once' ? 'outcome_unknown' : 'vendor_response_invalid'
  const what = isPage ? 'a page' : 'something that is not JSON'
  return new HubError(code, `${call.operation} answered ${answer.status} with ${what}`, { status: answer.status })
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3) as milliseconds from now, never negative, at most a day. */
export function retryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined
  const text = header.trim()
  const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now.getTime()
  return Number.isFinite(ms) ? Math.min(RETRY_AFTER_MS_MAX, Math.max(0, Math.ceil(ms))) : undefined
}

/** The vendor's own short word for the fault, where one of the usual places has one. Sentences are left out: they quote people. */
export function vendorCodeOf(body: unknown): string | undefined {
  const candidates = [
    at(body, 'code'),
    at(body, 'error', 'code'),
    at(body, 'errors', '0', 'code'),
    at(body, 'error'),
    at(body, 'name'),
  ]
  return candidates
    .flatMap((value) => (typeof value === 'string' || Number.isInteger(value) ? [`${value as string | number}`] : []))
    .find((word) => /^[\w.:-]{1,60}$/.test(word))
}

function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<string, unknown>)[key]
        : undefined,
    value,
  )
}

/**
 * What a call without an answer means. Before the request can have left us it is `vendor_unreachable`; afterwards a call that must
 * not be repeated is `outcome_unknown`, because the vendor may have done it.
 */
export function faultOfSilence(call: Asked, reason: { code: string; sent: boolean; timed_out: boolean }): HubError {
  const what = reason.timed_out
    ? 'had no answer in time'
    : `ended without an answer${reason.code === '' ? '' : ` (${reason.code})`}`
  if (!reason.sent || NEVER_SENT.has(reason.code)) {
    return new HubError(
      reason.timed_out ? 'vendor_timeout' : 'vendor_unreachable',
      `${call.operation} could not be sent: ${what}`,
    )
  }
  return new HubError(call.repeat === 'once' ? 'outcome_unknown' : 'vendor_timeout', `${call.operation} ${what}`)
}
