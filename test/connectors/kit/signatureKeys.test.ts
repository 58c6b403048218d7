import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import {
  ADYEN_ITEM,
  EBAY_NOTIFICATION,
  keyNameOf,
  paypalWebhook,
  verifyFields,
  verifyWithKey,
} from '../../../src/connectors/_kit/signatureKeys.ts'
import { certificate } from '../../kit/certificate.ts'

const BODY = Buffer.from('{"id":"n-1","name":"Zoë"}')
const AT_MS = Date.UTC(2026, 10, 21, 12)
const pemOf = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString()
const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')

describe('a notification signed by a key of its id', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pem = pemOf(keys.publicKey)
  const envelope = (digest: string, more: object = {}, body = BODY): string =>
    base64({ alg: 'ecdsa', kid: 'key-1', signature: sign(digest.toLowerCase(), body, keys.privateKey).toString('base64'), digest, ...more }) // prettier-ignore
  const verify = (header: string | undefined, body = BODY, key = pem) =>
    verifyWithKey(EBAY_NOTIFICATION, { body, headers: { 'x-ebay-signature': header }, received_at_ms: AT_MS }, key)

  it.each(['SHA1', 'SHA256', 'SHA512'])('holds under the digest that it names: %s', (digest) => {
    const header = envelope(digest)
    expect(verify(header)).toEqual({ ok: true })
    expect(verify(header, BODY, pem.replaceAll('\n', ''))).toEqual({ ok: true })
    expect(keyNameOf(EBAY_NOTIFICATION, { body: BODY, headers: { 'x-ebay-signature': header }, received_at_ms: AT_MS })).toBe('key-1') // prettier-ignore
  })

  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  it.each([
    ['no header', undefined, BODY, pem],
    ['another body', envelope('SHA1'), Buffer.from('{}'), pem],
    ['another key', envelope('SHA1'), BODY, pemOf(other.publicKey)],
    ['a key of another kind', envelope('SHA1'), BODY, pemOf(rsa.publicKey)],
    ['another digest than was used', envelope('SHA1', { digest: 'SHA256' }), BODY, pem],
    ['a digest that nobody should use', envelope('SHA1', { digest: 'MD5' }), BODY, pem],
    ['no digest', envelope('SHA1', { digest: undefined }), BODY, pem],
    ['no key id', envelope('SHA1', { kid: undefined }), BODY, pem],
    ['a key id that leads elsewhere', envelope('SHA1', { kid: '../admin?x=' }), BODY, pem],
    ['no signature', envelope('SHA1', { signature: '' }), BODY, pem],
    ['a signature that is none', envelope('SHA1', { signature: 'AAAA' }), BODY, pem],
    ['a header with something after it', `${envelope('SHA1')}x`, BODY, pem],
    ['a header that is no JSON', Buffer.from('hello').toString('base64'), BODY, pem],
    ['a header that is a list', base64([1]), BODY, pem],
    ['a key that is none', envelope('SHA1'), BODY, 'no key'],
    ['an empty key', envelope('SHA1'), BODY, ''],
  ])('is refused with %s', (_name, header, body, key) => {
    expect(verify(header, body, key).ok).toBe(false)
  })

  it('is refused with any bit of the body turned over', () => {
    const header = envelope('SHA1')
    for (let bit = 0; bit < BODY.length * 8; bit += 1) {
      const body = Buffer.from(BODY)
      body[bit >> 3] = (body[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(verify(header, body).ok).toBe(false)
    }
  })
})

describe('a webhook signed under a certificate', () => {
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const day_ms = 86_400_000
  const pem = certificate(keys, new Date(AT_MS - day_ms), new Date(AT_MS + day_ms))
  const scheme = paypalWebhook('WH-1')
  const headersOf = (more: Record<string, string | undefined> = {}, checksum = `${crc32(BODY)}`) => ({
    'paypal-transmission-id': 'tx-1',
    'paypal-transmission-time': '2026-11-21T12:00:00Z',
    'paypal-cert-url': 'https://api.paypal.com/v1/notifications/certs/CERT-1',
    'paypal-transmission-sig': sign('sha256', Buffer.from(`tx-1|2026-11-21T12:00:00Z|WH-1|${checksum}`), keys.privateKey).toString('base64'), // prettier-ignore
    ...more,
  })
  const verify = (
    headers: Record<string, string | undefined>,
    more: { body?: Buffer; at_ms?: number; key?: string; id?: string } = {},
  ) =>
    verifyWithKey(
      more.id === undefined ? scheme : paypalWebhook(more.id),
      { body: more.body ?? BODY, headers, received_at_ms: more.at_ms ?? AT_MS },
      more.key ?? pem,
    )

  it('holds over the checksum of the raw body', () => {
    expect(verify(headersOf())).toEqual({ ok: true })
    expect(keyNameOf(scheme, { body: BODY, headers: headersOf(), received_at_ms: AT_MS })).toBe(
      'https://api.paypal.com/v1/notifications/certs/CERT-1',
    )
  })

  it('is refused when anything of it was altered, and under a certificate that is not in force', () => {
    expect(verify(headersOf(), { body: Buffer.from('{}') }).ok).toBe(false)
    expect(verify(headersOf(), { id: 'WH-2' }).ok).toBe(false)
    expect(verify(headersOf({}, crc32(BODY).toString(16))).ok).toBe(false)
    expect(verify(headersOf({ 'paypal-transmission-id': 'tx-2' })).ok).toBe(false)
    expect(verify(headersOf({ 'paypal-transmission-time': undefined })).ok).toBe(false)
    expect(verify(headersOf({ 'paypal-transmission-sig': 'AAAA' })).ok).toBe(false)
    expect(verify(headersOf(), { at_ms: AT_MS + 2 * day_ms })).toEqual({ ok: false, reason: 'the certificate is not in force' }) // prettier-ignore
    expect(verify(headersOf(), { at_ms: AT_MS - 2 * day_ms }).ok).toBe(false)
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
    expect(verify(headersOf(), { key: certificate(other, new Date(AT_MS - day_ms), new Date(AT_MS + day_ms)) }).ok).toBe(false) // prettier-ignore
  })

  it.each([
    'http://api.paypal.com/certs/1',
    'https://api.paypal.com.evil.example/certs/1',
    'https://evil.example/api.paypal.com',
    'https://evil-api.paypal.com/certs/1',
    'https://user@api.paypal.com/certs/1',
    'https://api.paypal.com:8443/certs/1',
    'https://127.0.0.1/certs/1',
    'file:///etc/passwd',
    '',
  ])('has no certificate fetched from %s, and is refused', (url) => {
    const headers = headersOf({ 'paypal-cert-url': url })
    expect(keyNameOf(scheme, { body: BODY, headers, received_at_ms: AT_MS })).toBeUndefined()
    expect(verify(headers).ok).toBe(false)
  })
})

describe('a notification item signed over its fields', () => {
  const KEY = '44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056'
  const item = {
    pspReference: '7914073381342284',
    originalReference: '',
    merchantAccountCode: 'TestMerchant',
    merchantReference: 'TestPayment:1407325143704',
    amount: { value: 1130, currency: 'EUR' },
    eventCode: 'AUTHORISATION',
    success: 'true',
  }
  const text = '7914073381342284::TestMerchant:TestPayment:1407325143704:1130:EUR:AUTHORISATION:true'
  const signed = (document: object, signature = createHmac('sha256', Buffer.from(KEY, 'hex')).update(text).digest('base64')) => ({ ...document, additionalData: { hmacSignature: signature } }) // prettier-ignore
  const ok = (document: unknown, keys = ['00FF', KEY]): boolean => verifyFields(ADYEN_ITEM, document, keys).ok

  // The vector of the vendor's documentation of standard webhooks, with its public test key.
  it('agrees with a published vector', () => {
    const document = {
      pspReference: 'pspReference',
      originalReference: 'originalReference',
      merchantAccountCode: 'merchantAccount',
      merchantReference: 'reference',
      amount: { value: 1000, currency: 'EUR' },
      eventCode: 'REPORT_AVAILABLE',
      success: 'true',
    }
    const key = 'DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00'
    expect(ok(signed(document, 'ZNBPtI+oDyyRrLyD1XirkKnQgIAlFc07Vj27TeHsDRE='), [key])).toBe(true)
  })

  it('holds with a field that is absent, and with a separator in the one field that may have it', () => {
    expect(ok(signed(item))).toBe(true)
    const { originalReference: _none, ...without } = item
    expect(ok(signed(without))).toBe(true)
  })

  it.each([
    ['another amount', { amount: { value: 1131, currency: 'EUR' } }],
    ['another outcome', { success: 'false' }],
    ['an amount that is a fraction', { amount: { value: 1130.5, currency: 'EUR' } }],
    ['a field that is an object', { pspReference: {} }],
    ['fields that were shifted', { merchantAccountCode: 'TestMerchant:TestPayment', merchantReference: '1407325143704' }],
    ['fields that were shifted to the front', { pspReference: '7914073381342284:', originalReference: 'TestMerchant', merchantAccountCode: 'TestPayment', merchantReference: '1407325143704' }],
  ])('is refused with %s', (_name, change) => {
    expect(ok(signed({ ...item, ...change }))).toBe(false)
  }) // prettier-ignore

  it('is refused without a signature, without a key, and with one that is not hexadecimal', () => {
    expect([ok(item), ok(signed(item, '')), ok(null), ok('text'), ok(signed(item), []), ok(signed(item), ['']), ok(signed(item), ['secret'])]).toEqual(Array(7).fill(false)) // prettier-ignore
  })
})
