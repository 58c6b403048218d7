import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bodySignature,
  EASYPOST,
  signHmac,
  signScheme,
  signStripe,
  STANDARD_WEBHOOKS,
  STRIPE,
  verifyScheme,
  type SignatureEncoding,
  type SignatureScheme,
} from '../../../src/connectors/_kit/signatures.ts'

const BODY = Buffer.from('{"id":"ord_1","total":"12.34","name":"Zoë"}')
const AT_MS = 1_700_000_000_000

/** One signature of the raw body in one header. */
function verifyHmac(check: {
  body: Buffer
  signature: string | undefined
  secrets: readonly string[]
  encoding: SignatureEncoding
  prefix?: string
}) {
  const { prefix, encoding } = check
  const scheme: SignatureScheme = {
    ...bodySignature('x-signature'),
    encoding,
    ...(prefix === undefined ? {} : { layout: { kind: 'one', prefix } }),
  }
  const request = { body: check.body, headers: { 'x-signature': check.signature }, received_at_ms: AT_MS }
  return verifyScheme(scheme, request, check.secrets)
}

describe('HMAC signatures', () => {
  // RFC 4231, test case 2.
  it('agrees with a published vector', () => {
    const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
    expect(signHmac(Buffer.from('what do ya want for nothing?'), 'Jefe', 'hex')).toBe(expected)
    expect(signHmac(Buffer.from('what do ya want for nothing?'), 'Jefe', 'base64')).toBe(
      Buffer.from(expected, 'hex').toString('base64'),
    )
  })

  it.each(['base64', 'hex'] as const)('accepts every live secret and no other, in %s', (encoding) => {
    const check = (secret: string, secrets: string[]): boolean =>
      verifyHmac({ body: BODY, signature: signHmac(BODY, secret, encoding), secrets, encoding }).ok
    expect([check('new', ['new', 'old']), check('old', ['new', 'old']), check('older', ['new', 'old'])]).toEqual([
      true,
      true,
      false,
    ])
    expect([check('', ['']), check('', []), check('new', [])]).toEqual([false, false, false])
  })

  const genuine = signHmac(BODY, 'secret', 'base64')
  const hex = signHmac(BODY, 'secret', 'hex')
  it.each([
    ['absent', undefined, 'base64'],
    ['empty', '', 'base64'],
    ['without padding', genuine.replace(/=+$/, ''), 'base64'],
    ['URL alphabet', Buffer.from(hex, 'hex').toString('base64url'), 'base64'],
    ['other encoding', hex, 'base64'],
    ['upper case', hex.toUpperCase(), 'hex'],
    ['sent twice', `${genuine}, ${genuine}`, 'base64'],
    ['space before', ` ${genuine}`, 'base64'],
    ['line break after', `${genuine}\n`, 'base64'],
    ['cut', genuine.slice(0, -2), 'base64'],
    ['of another body', signHmac('{}', 'secret', 'base64'), 'base64'],
    [
      'of the parsed and rewritten body',
      signHmac(JSON.stringify(JSON.parse(BODY.toString()), null, 1), 'secret', 'base64'),
      'base64',
    ],
  ] as const)('refuses a signature %s', (_name, signature, encoding) => {
    expect(verifyHmac({ body: BODY, signature, secrets: ['secret'], encoding }).ok).toBe(false)
  })

  it('takes a fixed prefix as part of the signature', () => {
    const check = (signature: string): boolean =>
      verifyHmac({ body: BODY, signature, secrets: ['secret'], encoding: 'hex', prefix: 'sha256=' }).ok
    expect([check(`sha256=${hex}`), check(hex), check(`sha1=${hex}`), check('sha256=')]).toEqual([
      true,
      false,
      false,
      false,
    ])
  })

  it('accepts none of ten thousand mutants', () => {
    let accepted = 0
    const run = (body: Buffer, signature: string): void => {
      const same = body.equals(BODY) && signature === genuine
      if (!same && verifyHmac({ body, signature, secrets: ['secret', 'old'], encoding: 'base64' }).ok) accepted += 1
    }
    fc.assert(
      fc.property(fc.nat(BODY.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const body = Buffer.from(BODY)
        body[at] = (body[at] ?? 0) ^ bits
        run(body, genuine)
      }),
      { numRuns: 4_000 },
    )
    fc.assert(
      fc.property(fc.nat(genuine.length - 1), fc.string({ minLength: 0, maxLength: 3 }), (at, text) => {
        run(BODY, genuine.slice(0, at) + text + genuine.slice(at + 1))
      }),
      { numRuns: 4_000 },
    )
    fc.assert(
      fc.property(fc.string(), fc.uint8Array(), (text, bytes) => run(Buffer.from(bytes), text)),
      { numRuns: 2_000 },
    )
    expect(accepted).toBe(0)
  })
})

describe('timestamped signatures', () => {
  const verify = (
    header: string | undefined,
    options: { age_ms?: number; secrets?: string[]; body?: Buffer } = {},
  ): boolean =>
    verifyScheme(
      STRIPE,
      {
        body: options.body ?? BODY,
        headers: { 'stripe-signature': header },
        received_at_ms: AT_MS + (options.age_ms ?? 0),
      },
      options.secrets ?? ['whsec_a'],
    ).ok
  const genuine = signStripe(BODY, 'whsec_a', AT_MS)

  it('accepts a genuine one, during rotation and with schemes it does not know', () => {
    const second = signStripe(BODY, 'whsec_b', AT_MS).split('v1=')[1]
    expect(verify(genuine)).toBe(true)
    expect(verify(genuine, { secrets: ['whsec_b', 'whsec_a'] })).toBe(true)
    expect(verify(`${genuine},v1=${second}`, { secrets: ['whsec_b'] })).toBe(true)
    expect(verify(`${genuine},v0=abc`)).toBe(true)
  })

  it.each([
    [300_000, true],
    [301_000, false],
    [86_400_000, false],
    [-600_000, true],
  ])('at an age of %i ms: %s', (age_ms, ok) => {
    expect(verify(genuine, { age_ms })).toBe(ok)
  })

  const time = AT_MS / 1000
  const digest = genuine.split('v1=')[1] ?? ''
  it.each([
    [undefined], [''], ['t='], [`t=${time}`], [`v1=${digest}`], [`t=${time},v0=${digest}`], [`t=${time + 1},v1=${digest}`], [`t=x,v1=${digest}`],
    [`t=${time},t=${time},v1=${digest}`], [`t=${time}, v1=${digest}`], [`t=${time},v1=${digest.toUpperCase()}`], [`t=${time},v1=${digest}0`],
    [`t=${time};v1=${digest}`], [`t=-${time},v1=${digest}`], [`t=1e9,v1=${digest}`], [`${genuine}, ${genuine}`], [`t=${time},v1=`], [`T=${time},V1=${digest}`],
  ])('refuses %j', (header) => {
    expect(verify(header)).toBe(false)
  }) // prettier-ignore

  it('refuses without a secret', () => {
    expect([
      verify(genuine, { secrets: [] }),
      verify(genuine, { secrets: [''] }),
      verify(signStripe(BODY, '', AT_MS), { secrets: [''] }),
    ]).toEqual([false, false, false])
  })

  it('accepts none of ten thousand mutants', () => {
    let accepted = 0
    const run = (body: Buffer, header: string): void => {
      const times = header.split(',').filter((part) => part.startsWith('t='))
      const untouched =
        body.equals(BODY) && header.includes(`v1=${digest}`) && times.length === 1 && times[0] === `t=${time}`
      if (!untouched && verify(header, { body })) accepted += 1
    }
    fc.assert(
      fc.property(fc.nat(BODY.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const body = Buffer.from(BODY)
        body[at] = (body[at] ?? 0) ^ bits
        run(body, genuine)
      }),
      { numRuns: 5_000 },
    )
    fc.assert(
      fc.property(fc.nat(genuine.length - 1), fc.string({ maxLength: 3 }), (at, text) =>
        run(BODY, genuine.slice(0, at) + text + genuine.slice(at + 1)),
      ),
      { numRuns: 5_000 },
    )
    expect(accepted).toBe(0)
  })
})

describe('Standard Webhooks', () => {
  const SECRET = `whsec_${Buffer.from('a key of thirty-two random bytes').toString('base64')}`
  const verify = (
    headers: Record<string, string | undefined>,
    more: { age_ms?: number; body?: Buffer; secrets?: string[] } = {},
  ): boolean =>
    verifyScheme(
      STANDARD_WEBHOOKS,
      { body: more.body ?? BODY, headers, received_at_ms: AT_MS + (more.age_ms ?? 0) },
      more.secrets ?? [SECRET],
    ).ok
  const id = { 'webhook-id': 'msg_1' }
  const genuine: Record<string, string> = {
    ...id,
    ...signScheme(STANDARD_WEBHOOKS, { body: BODY, at_ms: AT_MS, headers: id }, SECRET),
  }
  const signature = genuine['webhook-signature'] ?? ''

  // The vector of the specification's own libraries.
  it('agrees with a published vector', () => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    }
    const request = { body: Buffer.from('{"test": 2432232314}'), headers, received_at_ms: 1_614_265_330_000 }
    expect(verifyScheme(STANDARD_WEBHOOKS, request, ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])).toEqual({ ok: true })
  })

  it('accepts a genuine one, without the prefix of the secret, and beside others while it is rotated', () => {
    expect(verify(genuine)).toBe(true)
    expect(verify(genuine, { secrets: [SECRET.replace('whsec_', '')] })).toBe(true)
    expect(verify({ ...genuine, 'webhook-signature': `v1,AAAA v1a,BBBB ${signature}` })).toBe(true)
  })

  it.each([
    [300_000, true],
    [301_000, false],
    [-300_000, true],
    [-301_000, false],
  ])('at an age of %i ms: %s', (age_ms, ok) => {
    expect(verify(genuine, { age_ms })).toBe(ok)
  })

  it.each([
    { 'webhook-id': 'msg_2' },
    { 'webhook-id': undefined },
    { 'webhook-id': '' },
    { 'webhook-timestamp': `${AT_MS / 1000 + 1}` },
    { 'webhook-timestamp': undefined },
    { 'webhook-timestamp': `${AT_MS / 1000}.0` },
    { 'webhook-signature': signature.replace('v1,', '') },
    { 'webhook-signature': signature.replace('v1,', 'v2,') },
    { 'webhook-signature': `${signature}, ${signature}` },
    { 'webhook-signature': undefined },
    { 'webhook-signature': 'v1,' },
  ])('refuses %j', (headers) => {
    expect(verify({ ...genuine, ...headers })).toBe(false)
  })

  it('refuses without a secret, and with one that is nothing once decoded', () => {
    for (const secret of ['', 'whsec_', 'whsec_!!!']) {
      const forged = { ...id, ...signScheme(STANDARD_WEBHOOKS, { body: BODY, at_ms: AT_MS, headers: id }, secret) }
      expect(verify(forged, { secrets: [secret] })).toBe(false)
    }
  })
})

describe('EasyPost signatures', () => {
  const event = Buffer.from('{"id":"evt_1","result":{"weight":136.0,"name":"Zoë","parcel":{"weight": 7.5}}}')
  const headers = signScheme(EASYPOST, { body: event, at_ms: AT_MS }, 'sécret')
  const verify = (body: Buffer | string, secret = 'sécret'): boolean =>
    verifyScheme(EASYPOST, { body: Buffer.from(body), headers, received_at_ms: AT_MS }, [secret]).ok

  it('are of the bytes as they came, under the secret in either normal form', () => {
    expect(headers['x-hmac-signature']).toMatch(/^hmac-sha256-hex=[0-9a-f]{64}$/)
    expect([verify(event), verify(event, 'sécret'.normalize('NFC')), verify(event, 'sécret'.normalize('NFD')), verify(event, 'secret')]).toEqual([true, true, true, false]) // prettier-ignore
  })

  it('hold where somebody in between has made integers of the weights, and for no other change', () => {
    expect(verify(event.toString().replace('136.0', '136'))).toBe(true)
    expect(verify(event.toString().replace('136.0', '137'))).toBe(false)
    expect(verify(event.toString().replace('136.0', '136.00'))).toBe(false)
    expect(verify(event.toString().replace('evt_1', 'evt_2'))).toBe(false)
    expect(verify(event.toString().replace('7.5', '7'))).toBe(false)
  })

  it('of a body that was signed with integers hold, too', () => {
    const body = Buffer.from('{"weight":136}')
    const signed = signScheme(EASYPOST, { body, at_ms: AT_MS }, 'sécret')
    expect(verifyScheme(EASYPOST, { body, headers: signed, received_at_ms: AT_MS }, ['sécret']).ok).toBe(true)
  })
})

describe('schemes of other parts', () => {
  const schemes: Record<string, SignatureScheme> = {
    'address and body': { algorithm: 'sha1', encoding: 'base64', header: 'x-sign', parts: [{ text: 'https://hub.example/in' }, 'body'] },
    'name and body, with a name for the scheme': { algorithm: 'sha512', encoding: 'hex', header: 'authorization', layout: { kind: 'one', prefix: 'HMAC ' }, parts: [{ text: 'app' }, 'body'] },
    'time in milliseconds, a header and the body': { algorithm: 'sha256', encoding: 'hex', header: 'x-sign', key: 'hex', parts: ['time', { header: 'x-topic' }, 'body'], time: { name: 'x-time', format: 'milliseconds', past_ms: 1_000, future_ms: 1_000 } },
    'a date and the body': { algorithm: 'sha256', encoding: 'hex', header: 'x-sign', parts: ['time', 'body'], time: { name: 'x-time', format: 'date', past_ms: 1_000, future_ms: 1_000 } },
  } // prettier-ignore
  it.each(Object.entries(schemes))('%s: what was signed is accepted, and nothing that was altered', (_name, scheme) => {
    const secret = 'deadbeef'
    const topic = { 'x-topic': 'orders' }
    const headers: Record<string, string> = {
      ...topic,
      ...signScheme(scheme, { body: BODY, at_ms: AT_MS, headers: topic }, secret),
    }
    const ok = (more: Record<string, string | undefined>, body = BODY, received_at_ms = AT_MS): boolean =>
      verifyScheme(scheme, { body, headers: { ...headers, ...more }, received_at_ms }, ['other', secret]).ok
    expect(ok({})).toBe(true)
    expect(ok({}, Buffer.from('{}'))).toBe(false)
    expect(ok({ [scheme.header]: `${headers[scheme.header]}0` })).toBe(false)
    expect(ok({ [scheme.header]: undefined })).toBe(false)
    for (const part of scheme.parts)
      if (typeof part === 'object' && 'header' in part) expect(ok({ [part.header]: 'x' })).toBe(false)
    if (scheme.time === undefined) return
    expect(ok({ [scheme.time.name]: '1' })).toBe(false)
    expect([ok({}, BODY, AT_MS + 999), ok({}, BODY, AT_MS + 1_001), ok({}, BODY, AT_MS - 1_001)]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('a date without an offset is none', () => {
    const scheme = schemes['a date and the body']!
    const time = '2023-11-14T22:13:20'
    const signature = signHmac(Buffer.concat([Buffer.from(time), BODY]), 's', 'hex')
    const request = { body: BODY, headers: { 'x-time': time, 'x-sign': signature }, received_at_ms: AT_MS }
    expect(verifyScheme(scheme, request, ['s'])).toEqual({ ok: false, reason: 'the signed time cannot be read' })
  })
})
