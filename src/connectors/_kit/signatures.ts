import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Verdict, WebhookRequest } from './define.ts'

export type SignatureEncoding = 'base64' | 'hex'

/** What is signed is these, one after another, as bytes. `time` is the text of the time as it was sent. */
export type SignedPart = 'body' | 'time' | { header: string } | { text: string }

/** When a message was signed, and how far from our own clock that may be. */
export interface SignedTime {
  /** A header, or in the layout `pairs` one of the pairs. */
  name: string
  format: 'seconds' | 'milliseconds' | 'date'
  past_ms: number
  /** Absent: a time ahead of ours is their clock's matter and not an attacker's, because it is signed. */
  future_ms?: number
}

/** How a vendor signs with a shared secret. */
export interface SignatureScheme {
  algorithm: 'sha1' | 'sha256' | 'sha512'
  encoding: SignatureEncoding
  /** Lower case. */
  header: string
  /**
   * What the header looks like: one signature, or several while a secret is rotated. `list`: `v1,<signature> v1,<signature>`, where other
   * labels are ignored; `pairs`: `t=<time>,v1=<signature>,v1=<signature>`.
   */
  layout?: { kind: 'one'; prefix: string } | { kind: 'list'; label: string } | { kind: 'pairs'; signature: string }
  parts: readonly SignedPart[]
  time?: SignedTime
  /** How the key is made of the secret. `nfkd`: Unicode normal form KD; `base64`: decoded, without the prefix `whsec_`. Absent: as it is. */
  key?: 'nfkd' | 'hex' | 'base64'
  /**
   * `float_weights`: the sender writes weights as floats and signs that; whoever has passed the message on may have read and written
   * it, which leaves integers. Such a body is checked as it came, and as it was.
   */
  body?: 'float_weights'
}

/** An HMAC-SHA256 of the raw body, base64, in a header of its own: what most storefronts do. */
export const bodySignature = (header: string): SignatureScheme => ({ algorithm: 'sha256', encoding: 'base64', header, parts: ['body'] }) // prettier-ignore

/** Stripe signs `<t>.<raw body>` with the whole secret and limits only past age, to 300 s, as its own libraries do. */
export const STRIPE: SignatureScheme = {
  algorithm: 'sha256',
  encoding: 'hex',
  header: 'stripe-signature',
  layout: { kind: 'pairs', signature: 'v1' },
  parts: ['time', { text: '.' }, 'body'],
  time: { name: 't', format: 'seconds', past_ms: 300_000 },
}

/** standardwebhooks.com, version 1.0.0, symmetric signatures. */
export const STANDARD_WEBHOOKS: SignatureScheme = {
  algorithm: 'sha256',
  encoding: 'base64',
  header: 'webhook-signature',
  layout: { kind: 'list', label: 'v1' },
  parts: [{ header: 'webhook-id' }, { text: '.' }, 'time', { text: '.' }, 'body'],
  time: { name: 'webhook-timestamp', format: 'seconds', past_ms: 300_000, future_ms: 300_000 },
  key: 'base64',
}

/** EasyPost's, as its client libraries check it. */
export const EASYPOST: SignatureScheme = {
  algorithm: 'sha256',
  encoding: 'hex',
  header: 'x-hmac-signature',
  layout: { kind: 'one', prefix: 'hmac-sha256-hex=' },
  parts: ['body'],
  key: 'nfkd',
  body: 'float_weights',
}

/**
 * Checks a message against every live secret, because during a rotation two are valid. The texts of signatures are compared, not the
 * decoded bytes, so that a second spelling of the same one (upper-case hex, base64 without padding) is not a second valid signature.
 * No secret, or an empty one, verifies nothing. A header that was sent twice arrives joined and fits no layout.
 */
export function verifyScheme(scheme: SignatureScheme, request: WebhookRequest, secrets: readonly string[]): Verdict {
  const header = request.headers[scheme.header]
  if (header === undefined || header === '') return refused('the signature header is missing')
  const keys = secrets.map((secret) => keyOf(scheme, secret)).filter((key) => key.length > 0)
  if (keys.length === 0) return refused('no secret is configured')
  const read = readHeader(scheme, header)
  if (read === undefined) return refused('the signature header cannot be read')
  const [time, ...more] = timesOf(scheme, read, request)
  if (time === undefined || more.length > 0) return refused('there is no single time')
  const texts = bodiesOf(scheme, request.body).flatMap((body) => signedText(scheme, { ...request, body }, time) ?? [])
  const expected = texts.flatMap((text) => keys.map((key) => digestOf(scheme, text, key)))
  const matches = expected.flatMap((text) => read.signatures.map((signature) => sameText(text, signature)))
  if (!matches.includes(true)) return refused('the signature does not match')
  return scheme.time === undefined ? { ok: true } : verifyTime(scheme.time, time, request.received_at_ms)
}

/** Pure: whether a signed time is near enough. Unix times have digits only; a date is any that says its offset. */
export function verifyTime(rule: SignedTime, text: string, now_ms: number): Verdict {
  const at_ms = timeMs(rule.format, text)
  if (at_ms === undefined) return refused('the signed time cannot be read')
  if (now_ms - at_ms > rule.past_ms) return refused('the signed time is too old')
  if (rule.future_ms !== undefined && at_ms - now_ms > rule.future_ms)
    return refused('the signed time is in the future')
  return { ok: true }
}

function timeMs(format: SignedTime['format'], text: string): number | undefined {
  if (format === 'date') {
    const at_ms = /(Z|GMT|UTC|[+-]\d\d:?\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
    return Number.isFinite(at_ms) ? at_ms : undefined
  }
  if (!/^\d{1,15}$/.test(text)) return undefined
  return format === 'seconds' ? Number(text) * 1000 : Number(text)
}

interface ReadHeader {
  signatures: readonly string[]
  /** Undefined where the layout has no place for a time. */
  times?: readonly string[]
}

/** Strict: one malformed part spoils the header. */
function readHeader({ layout, time }: SignatureScheme, header: string): ReadHeader | undefined {
  if (layout === undefined) return { signatures: [header] }
  if (layout.kind === 'one')
    return header.startsWith(layout.prefix) ? { signatures: [header.slice(layout.prefix.length)] } : undefined
  const [separator, between] = layout.kind === 'list' ? [' ', ','] : [',', '=']
  const pairs = header.split(separator).map((part): [string, string] | undefined => {
    const at = part.indexOf(between)
    const [key, value] = [part.slice(0, at), part.slice(at + 1)]
    return at > 0 && /^[A-Za-z]\w*$/.test(key) && /^[\w+/=-]+$/.test(value) ? [key, value] : undefined
  })
  const of = (key: string): string[] => pairs.flatMap((pair) => (pair?.[0] === key ? [pair[1]] : []))
  if (pairs.includes(undefined)) return undefined
  if (layout.kind === 'list') return { signatures: of(layout.label) }
  return { signatures: of(layout.signature), times: time === undefined ? [] : of(time.name) }
}

function timesOf({ time }: SignatureScheme, read: ReadHeader, request: WebhookRequest): readonly string[] {
  if (time === undefined) return ['']
  const header = request.headers[time.name]
  return read.times ?? (header === undefined ? [] : [header])
}

/** Fed in parts, so that a body that is not text is signed as the bytes it is. Undefined when a signed header is missing. */
function signedText(
  scheme: SignatureScheme,
  request: Pick<WebhookRequest, 'body' | 'headers'>,
  time: string,
): Buffer | undefined {
  const parts = scheme.parts.map((part) => {
    if (part === 'body') return request.body
    if (part === 'time') return Buffer.from(time)
    const text = 'text' in part ? part.text : request.headers[part.header]
    return text === undefined || (text === '' && 'header' in part) ? undefined : Buffer.from(text)
  })
  const present = parts.flatMap((part) => part ?? [])
  return present.length === parts.length ? Buffer.concat(present) : undefined
}

/** `"weight": 16` was `"weight": 16.0` when it was signed. */
const INTEGER_WEIGHT = /("weight":\s*\d+)(?=\s*[,}])/g

function bodiesOf(scheme: SignatureScheme, body: Buffer): Buffer[] {
  if (scheme.body === undefined) return [body]
  // Latin-1 keeps every byte as it is, whatever the text around the numbers is written in.
  const text = body.toString('latin1')
  const floats = text.replace(INTEGER_WEIGHT, '$1.0')
  return floats === text ? [body] : [body, Buffer.from(floats, 'latin1')]
}

function keyOf({ key }: SignatureScheme, secret: string): Buffer {
  if (key === 'nfkd') return Buffer.from(secret.normalize('NFKD'))
  if (key === 'hex') return Buffer.from(secret, 'hex')
  if (key === 'base64') return Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return Buffer.from(secret)
}

/** HMAC (RFC 2104) as text. */
const digestOf = ({ algorithm, encoding }: Pick<SignatureScheme, 'algorithm' | 'encoding'>, text: Buffer | string, key: Buffer | string): string => createHmac(algorithm, key).update(text).digest(encoding) // prettier-ignore

/** Constant time for texts of one length; the length of a signature is no secret. */
export function sameText(expected: string, given: string): boolean {
  const a = Buffer.from(expected)
  const b = Buffer.from(given)
  return a.length === b.length && timingSafeEqual(a, b)
}

export function refused(reason: string): Verdict {
  return { ok: false, reason }
}

// ── the other side ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** HMAC-SHA256 over the raw bytes, as text. */
export const signHmac = (body: Buffer | string, secret: string, encoding: SignatureEncoding): string =>
  digestOf({ algorithm: 'sha256', encoding }, body, secret)

/** The headers that a sender adds to a message: its time, where the scheme has one, and its signature. `headers` are those it signs. */
export function signScheme(
  scheme: SignatureScheme,
  message: { body: Buffer | string; at_ms: number; headers?: Readonly<Record<string, string>> },
  secret: string,
): Record<string, string> {
  const { layout } = scheme
  const time = scheme.time === undefined ? '' : timeText(scheme.time.format, message.at_ms)
  const text = signedText(scheme, { body: Buffer.from(message.body), headers: message.headers ?? {} }, time)
  const signature = text === undefined ? '' : digestOf(scheme, text, keyOf(scheme, secret))
  if (layout?.kind === 'pairs')
    return { [scheme.header]: `${scheme.time?.name ?? 't'}=${time},${layout.signature}=${signature}` }
  const written = layout === undefined ? signature : layout.kind === 'one' ? layout.prefix + signature : `${layout.label},${signature}` // prettier-ignore
  return { ...(scheme.time === undefined ? {} : { [scheme.time.name]: time }), [scheme.header]: written }
}

function timeText(format: SignedTime['format'], at_ms: number): string {
  if (format === 'date') return new Date(at_ms).toISOString()
  return `${format === 'seconds' ? Math.floor(at_ms / 1000) : at_ms}`
}

/** Stripe's `Stripe-Signature` value for a body sent at `at_ms` (Unix milliseconds). */
export const signStripe = (body: Buffer | string, secret: string, at_ms: number): string =>
  signScheme(STRIPE, { body, at_ms }, secret)[STRIPE.header] ?? ''
