import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { signHmac, signStripe, verifyHmac, verifyStripe } from '../../../src/connectors/_kit/signatures.ts'

const BODY = Buffer.from('{"id":"ord_1","total":"12.34","name":"Zoë"}')
const AT_MS = 1_700_000_000_000

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
    verifyStripe({
      body: options.body ?? BODY,
      header,
      secrets: options.secrets ?? ['whsec_a'],
      received_at_ms: AT_MS + (options.age_ms ?? 0),
    }).ok
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
