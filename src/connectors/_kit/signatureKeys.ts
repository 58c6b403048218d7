import { createHmac, createPublicKey, verify, X509Certificate, type KeyObject } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { Verdict, WebhookRequest } from './define.ts'
import { refused, sameText, verifyTime, type SignedTime } from './signatures.ts'

type Digest = 'sha1' | 'sha256' | 'sha512'

/** What is signed is these, one after another. `crc32`: of the raw body, unsigned, in decimal digits. */
export type KeySignedPart = 'body' | 'crc32' | { header: string } | { text: string }

/** How a vendor signs with a private key whose public half is fetched by the name that the message gives. */
export interface PublicKeyScheme {
  key: 'ec' | 'rsa'
  /** Lower case. */
  header: string
  /** `plain`: base64. `envelope`: base64 of JSON with the key's id, the digest and the signature. */
  layout: 'plain' | 'envelope'
  /** Those that a message may name, in an envelope; else the first. */
  digests: readonly [Digest, ...Digest[]]
  /** Where the key's name is: its id, or the address of its certificate. Not used by envelopes. */
  key_header?: string
  /** Hosts that an address of a certificate may be on. */
  certificate_hosts?: readonly string[]
  parts: readonly KeySignedPart[]
  time?: SignedTime
}

/** eBay's notifications. The digest is the one that the message names: SHA-1 in the vendor's own vectors. */
export const EBAY_NOTIFICATION: PublicKeyScheme = {
  key: 'ec',
  header: 'x-ebay-signature',
  layout: 'envelope',
  digests: ['sha1', 'sha256', 'sha512'],
  parts: ['body'],
}

/** PayPal's webhooks; `webhook_id` is ours and binds the message to us. */
export const paypalWebhook = (webhook_id: string): PublicKeyScheme => ({
  key: 'rsa',
  header: 'paypal-transmission-sig',
  layout: 'plain',
  digests: ['sha256'],
  key_header: 'paypal-cert-url',
  certificate_hosts: ['api.paypal.com', 'api.sandbox.paypal.com', 'api-m.paypal.com', 'api-m.sandbox.paypal.com'],
  parts: [
    { header: 'paypal-transmission-id' },
    { text: '|' },
    { header: 'paypal-transmission-time' },
    { text: `|${webhook_id}|` },
    'crc32',
  ],
})

interface Read {
  key_name: string
  signature: Buffer
  digest: Digest
}

/**
 * The name of the key that a message claims to be signed with, for fetching it: an id of plain characters, or the address of a
 * certificate on one of the scheme's hosts. Undefined when there is none that may be asked for: then the message is refused.
 */
export function keyNameOf(scheme: PublicKeyScheme, request: WebhookRequest): string | undefined {
  const name = readRequest(scheme, request)?.key_name ?? ''
  const hosts = scheme.certificate_hosts
  if (hosts === undefined) return /^[\w.-]{1,100}$/.test(name) ? name : undefined
  const url = URL.parse(name)
  const pinned = url !== null && url.protocol === 'https:' && url.port === '' && hosts.includes(url.hostname)
  return pinned && url.username === '' && url.password === '' ? url.href : undefined
}

/**
 * Checks a message with the key of its name, in PEM: a public key, or a certificate that must be in force. Whether a key is the
 * vendor's is settled by where it was fetched: from a pinned host, over TLS.
 */
export function verifyWithKey(scheme: PublicKeyScheme, request: WebhookRequest, pem: string): Verdict {
  const read = readRequest(scheme, request)
  if (read === undefined) return refused('the signature header is missing or cannot be read')
  if (keyNameOf(scheme, request) === undefined) return refused('the name of the key is not one that may be asked for')
  const text = signedBytes(scheme, request)
  if (text === undefined) return refused('a signed header is missing')
  const key = keyFrom(pem, request.received_at_ms)
  if ('reason' in key) return refused(key.reason)
  if (key.key.asymmetricKeyType !== scheme.key) return refused('the key is of another kind than the scheme wants')
  if (!verifies(read, text, key.key)) return refused('the signature does not match')
  const { time } = scheme
  return time === undefined ? { ok: true } : verifyTime(time, request.headers[time.name] ?? '', request.received_at_ms)
}

function verifies({ digest, signature }: Read, text: Buffer, key: KeyObject): boolean {
  try {
    return verify(digest, text, key, signature)
  } catch {
    return false
  }
}

function readRequest(scheme: PublicKeyScheme, { headers }: WebhookRequest): Read | undefined {
  const header = headers[scheme.header] ?? ''
  const key_name = scheme.key_header === undefined ? '' : (headers[scheme.key_header] ?? '')
  if (scheme.layout === 'plain') {
    const signature = fromBase64(header)
    return signature === undefined ? undefined : { key_name, signature, digest: scheme.digests[0] }
  }
  const envelope = parsed(fromBase64(header)?.toString() ?? '')
  const [kid, digest, text] = ['kid', 'digest', 'signature'].map((name) => envelope[name])
  const named = scheme.digests.find((known) => known === String(digest).toLowerCase().replace('-', ''))
  const signature = typeof text === 'string' ? fromBase64(text) : undefined
  return named === undefined || signature === undefined || typeof kid !== 'string'
    ? undefined
    : { key_name: kid, signature, digest: named }
}

/** Only the one spelling that an encoder writes. */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function signedBytes(scheme: PublicKeyScheme, request: WebhookRequest): Buffer | undefined {
  const parts = scheme.parts.map((part) => {
    if (part === 'body') return request.body
    if (part === 'crc32') return Buffer.from(`${crc32(request.body)}`)
    const text = 'text' in part ? part.text : request.headers[part.header]
    return text === undefined || text === '' ? undefined : Buffer.from(text)
  })
  const present = parts.flatMap((part) => part ?? [])
  return present.length === parts.length ? Buffer.concat(present) : undefined
}

/** Keys come with their line breaks lost, too: `-----BEGIN PUBLIC KEY-----MFkw…-----END PUBLIC KEY-----`. */
function keyFrom(pem: string, now_ms: number): { key: KeyObject } | { reason: string } {
  const whole = pem.trim().replace(/^(-----BEGIN [A-Z ]+-----)\s*/, '$1\n').replace(/\s*(-----END [A-Z ]+-----)$/, '\n$1') // prettier-ignore
  try {
    if (!whole.startsWith('-----BEGIN CERTIFICATE-----')) return { key: createPublicKey(whole) }
    const certificate = new X509Certificate(whole)
    const inForce = Date.parse(certificate.validFrom) <= now_ms && now_ms <= Date.parse(certificate.validTo)
    return inForce ? { key: certificate.publicKey } : { reason: 'the certificate is not in force' }
  } catch {
    return { reason: 'the key cannot be read' }
  }
}

/** How a vendor signs single documents inside a message: an HMAC-SHA256 over some of their fields, joined. */
export interface FieldScheme {
  fields: readonly string[]
  separator: string
  /** Paths in the document, with dots. */
  signature: string
  encoding: 'base64'
  key: 'hex'
  /** The one field that may contain the separator; were there two, what belongs to which could be shifted. */
  free: string
}

/** Adyen's payment notifications, per `NotificationRequestItem`. Fields that are not named, such as `reason`, are not signed. */
export const ADYEN_ITEM: FieldScheme = {
  fields: ['pspReference', 'originalReference', 'merchantAccountCode', 'merchantReference', 'amount.value', 'amount.currency', 'eventCode', 'success'], // prettier-ignore
  separator: ':',
  signature: 'additionalData.hmacSignature',
  encoding: 'base64',
  key: 'hex',
  free: 'merchantReference',
}

/** Checks one document against every live key. Absent fields are signed as empty. */
export function verifyFields(scheme: FieldScheme, document: unknown, keys: readonly string[]): Verdict {
  const signature = at(document, scheme.signature)
  if (typeof signature !== 'string' || signature === '') return refused('the document is not signed')
  const live = keys.filter((key) => /^([0-9a-fA-F]{2})+$/.test(key)).map((key) => Buffer.from(key, scheme.key))
  if (live.length === 0) return refused('no key is configured')
  const values = scheme.fields.map((field) => ({ field, text: textOf(at(document, field)) }))
  if (values.some(({ text }) => text === undefined)) return refused('a signed field is neither text nor a number')
  if (values.some(({ field, text }) => field !== scheme.free && text?.includes(scheme.separator) === true))
    return refused('a signed field contains the separator')
  const signed = values.map(({ text }) => text).join(scheme.separator)
  const matches = live.map((key) => sameText(createHmac('sha256', key).update(signed).digest(scheme.encoding), signature)) // prettier-ignore
  return matches.includes(true) ? { ok: true } : refused('the signature does not match')
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || Number.isSafeInteger(value) ? `${value as boolean | number}` : undefined
}

const at = (document: unknown, path: string): unknown =>
  path
    .split('.')
    .reduce<unknown>(
      (inner, key) =>
        typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
          ? (inner as Record<string, unknown>)[key]
          : undefined,
      document,
    )
