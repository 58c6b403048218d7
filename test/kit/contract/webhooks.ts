import { expect, it } from 'vitest'
import { unwrapped } from '../../../src/connectors/_kit/envelopes.ts'
import type { WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { OBSERVED_AT, type ConnectorContract } from './contract.ts'

const AT_MS = Date.UTC(2026, 10, 20, 12)
/** Bits of the body that are turned over, spread evenly. */
const BODY_MUTANTS = 1_500

/** Genuine messages pass under either live secret; forged, altered, stale and unsigned ones never do. */
export function webhookContract({ connector, settings, webhook }: ConnectorContract): void {
  const definition = connector.webhook
  it('webhooks: a connector that takes them in is put to the test', () => {
    expect(webhook === undefined).toBe(definition === undefined)
  })
  if (definition === undefined || webhook === undefined) return
  const valid = settings('http://127.0.0.1:9')
  const [first, second] = webhook.bodies.map((body) => Buffer.from(JSON.stringify(body)))
  if (first === undefined || second === undefined) throw new Error('the contract wants two messages')
  const genuine = webhook.sign(first, AT_MS, 0)
  const passes = (request: WebhookRequest): boolean => definition.verify(request, valid).ok

  it('webhooks: genuine ones pass, under the older secret too while it is rotated', () => {
    expect(definition.verify(genuine, valid)).toEqual({ ok: true })
    if (webhook.rotates) expect(definition.verify(webhook.sign(first, AT_MS, 1), valid)).toEqual({ ok: true })
  })

  it('webhooks: a body with one bit turned over is refused, thousands of times', () => {
    const step = Math.max(1, Math.floor((genuine.body.length * 8) / BODY_MUTANTS))
    let mutants = 0
    for (let bit = 0; bit < genuine.body.length * 8; bit += step) {
      const body = Buffer.from(genuine.body)
      body[bit >> 3] = (body[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      mutants += 1
      expect(passes({ ...genuine, body }), `bit ${bit}`).toBe(false)
    }
    expect(mutants).toBeGreaterThan(500)
  })

  const { header, age_ms_max } = webhook
  it.skipIf(header === null)('webhooks: an altered, shortened, doubled or absent signature is refused', () => {
    if (header === null) throw new Error('this message is signed in its body')
    const signature = genuine.headers[header] ?? ''
    expect(signature).not.toBe('')
    const mutants = [undefined, '', ' ', signature.slice(0, -1), `${signature}x`, `${signature}, ${signature}`]
    for (let at = 0; at < signature.length; at += 1) {
      const other = signature[at] === 'A' ? 'B' : 'A'
      mutants.push(`${signature.slice(0, at)}${other}${signature.slice(at + 1)}`)
    }
    for (const mutant of mutants)
      expect(passes({ ...genuine, headers: { ...genuine.headers, [header]: mutant } }), `${mutant}`).toBe(false)
  })

  it('webhooks: the signature of one message does not carry another, and no secret verifies nothing', () => {
    const other = webhook.sign(second, AT_MS, 0)
    if (webhook.header !== null) expect(passes({ ...other, headers: genuine.headers })).toBe(false)
    const without = Object.fromEntries(
      Object.entries(valid).map(([name, value]) => [name, /secret|hmac|key/.test(name) ? emptied(value) : value]),
    )
    expect(definition.verify(genuine, without).ok).toBe(false)
  })

  it.skipIf(age_ms_max === undefined)('webhooks: an old one is refused where the vendor signs the time', () => {
    if (age_ms_max === undefined) throw new Error('this scheme knows no time')
    expect(passes({ ...genuine, received_at_ms: AT_MS + age_ms_max - 1_000 })).toBe(true)
    expect(passes({ ...genuine, received_at_ms: AT_MS + age_ms_max + 2_000 })).toBe(false)
  })

  it('webhooks: the same message has the same key at every delivery, another one another', () => {
    const key = definition.dedupeKey(genuine)
    expect(key).not.toBe('')
    expect(definition.dedupeKey({ ...genuine, received_at_ms: AT_MS + 60_000 })).toBe(key)
    expect(definition.dedupeKey(webhook.sign(second, AT_MS, 0))).not.toBe(key)
    expect([...Object.keys(connector.inbound), 'ignore']).toContain(definition.topic(genuine))
  })

  it('webhooks: what comes in one is a document of the topic that it is taken for', () => {
    const topic = definition.topic(genuine)
    // Where the signature is in the body it covers some fields only, and the messages of the contract have no others.
    if (topic === 'ignore' || webhook.header === null) return
    const payload = unwrapped(JSON.parse(genuine.body.toString('utf8')), connector.envelopes?.[topic] ?? [])
    const mapped = connector.inbound[topic]?.map(payload, { observed_at: OBSERVED_AT, settings: valid })
    expect(mapped?.facts.length).toBeGreaterThan(0)
  })
}

const emptied = (value: unknown): unknown => (Array.isArray(value) ? [''] : typeof value === 'string' ? '' : value)
