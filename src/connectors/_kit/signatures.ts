import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Verdict } from './define.ts'

export type SignatureEncoding = 'base64' | 'hex'

const STRIPE_TOLERANCE_MS = 300_000

/** HMAC-SHA256 over the raw bytes, as text. */
export function signHmac(body: Buffer | string, secret: string, encoding: SignatureEncoding): string {
  return createHmac('sha256', secret).update(body).digest(encoding)
}

/**
 * Checks an HMAC-SHA256 of the raw body against every live secret, because during a rotation two are valid. The texts are compared,
 * not the decoded bytes, so that a second spelling of the same signature (upper-case hex, base64 without padding) is not a second
 * valid signature. No secret, or an empty one, verifies nothing.
 */
export function verifyHmac(check: {
  body: Buffer
  signature: string | undefined
  secrets: readonly string[]
  encoding: SignatureEncoding
  /** Fixed text before the signature: `sha256=`. */
  prefix?: string
}): Verdict {
  const { signature } = check
  if (signature === undefined || signature === '') return refused('the signature header is missing')
  const secrets = check.secrets.filter((secret) => secret !== '')
  if (secrets.length === 0) return refused('no secret is configured')
  const prefix = check.prefix ?? ''
  const found = secrets.map((secret) => sameText(prefix + signHmac(check.body, secret, check.encoding), signature))
  return found.includes(true) ? { ok: true } : refused('the signature does not match')
}

/** Stripe's `Stripe-Signature` value for a body sent at `at_ms` (Unix milliseconds). */
export function signStripe(body: Buffer | string, secret: string, at_ms: number): string {
  const seconds = Math.floor(at_ms / 1000)
  return `t=${seconds},v1=${signTimestamped(seconds.toString(), body, secret)}`
}

/**
 * Stripe's scheme: `t=<unix seconds>,v1=<hex>[,v1=…]`, where hex is the HMAC-SHA256 of `<t>.<raw body>` under the whole secret.
 * Several `v1` appear while a secret is rotated; other schemes are ignored. Only past age is limited (300 s), as in Stripe's own
 * library: the time is covered by the signature, so a time ahead of ours is their clock's matter and not an attacker's.
 */
export function verifyStripe(check: {
  body: Buffer
  header: string | undefined
  secrets: readonly string[]
  received_at_ms: number
}): Verdict {
  if (check.header === undefined || check.header === '') return refused('the signature header is missing')
  const secrets = check.secrets.filter((secret) => secret !== '')
  if (secrets.length === 0) return refused('no secret is configured')
  const parts = parsePairs(check.header)
  if (parts === undefined) return refused('the signature header cannot be read')
  const times = parts.filter(([key]) => key === 't').map(([, value]) => value)
  const signatures = parts.filter(([key]) => key === 'v1').map(([, value]) => value)
  const time = times[0]
  if (times.length !== 1 || time === undefined || !/^\d{1,12}$/.test(time))
    return refused('the signature header has no single time')
  const matches = secrets.flatMap((secret) => {
    const expected = signTimestamped(time, check.body, secret)
    return signatures.map((signature) => sameText(expected, signature))
  })
  if (!matches.includes(true)) return refused('the signature does not match')
  if (check.received_at_ms - Number(time) * 1000 > STRIPE_TOLERANCE_MS) return refused('the signed time is too old')
  return { ok: true }
}

/** `timestamp.body` is fed in two parts so that a body that is not text is signed as the bytes it is. */
function signTimestamped(seconds: string, body: Buffer | string, secret: string): string {
  return createHmac('sha256', secret).update(`${seconds}.`).update(body).digest('hex')
}

/** Strict: one malformed part spoils the header, so that a joined duplicate header is refused. */
function parsePairs(header: string): [string, string][] | undefined {
  const pairs: [string, string][] = []
  for (const part of header.split(',')) {
    const match = /^([A-Za-z]\w*)=([\w+/=-]+)$/.exec(part)
    if (match?.[1] === undefined || match[2] === undefined) return undefined
    pairs.push([match[1], match[2]])
  }
  return pairs
}

/** Constant time for texts of one length; the length of a signature is no secret. */
function sameText(expected: string, given: string): boolean {
  const a = Buffer.from(expected)
  const b = Buffer.from(given)
  return a.length === b.length && timingSafeEqual(a, b)
}

function refused(reason: string): Verdict {
  return { ok: false, reason }
}
