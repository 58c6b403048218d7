import { describe, expect, it } from 'vitest'
import type { WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { signStripe } from '../../../src/connectors/_kit/signatures.ts'
import { stripe } from '../../../src/connectors/stripe/index.ts'
import { checker } from '../../../src/core/model/validate.ts'
import { chargeSample, eventSample, payoutSample } from '../../mappings/stripe/samples.ts'

const webhook = stripe.webhook!
const settings = { api_key: 'sk_test_1', webhook_secrets: ['whsec_new', 'whsec_old'] }
const AT_MS = 1_763_625_600_000

function hook(
  payload: unknown,
  change: { secret?: string; header?: string; received_at_ms?: number } = {},
): WebhookRequest {
  const body = Buffer.from(JSON.stringify(payload))
  const header = change.header ?? signStripe(body, change.secret ?? 'whsec_new', AT_MS)
  return { body, headers: { 'stripe-signature': header }, received_at_ms: change.received_at_ms ?? AT_MS }
}

describe('Stripe webhooks', () => {
  const event = eventSample('charge.succeeded', chargeSample())
  const ok = (request: WebhookRequest): boolean => webhook.verify(request, settings).ok

  it('the settings are checked and say which of them are secret', () => {
    const check = checker(stripe.settings, 'config_invalid')
    expect(check(settings)).toEqual(settings)
    expect(() => check({ ...settings, account: 'someone' })).toThrow()
    const schema = stripe.settings as unknown as {
      properties: Record<string, { secret?: boolean; items?: { secret?: boolean } }>
    }
    expect([schema.properties['api_key']?.secret, schema.properties['webhook_secrets']?.items?.secret]).toEqual([
      true,
      true,
    ])
  })

  it('are genuine under either live secret, with several signatures, and up to 300 seconds old', () => {
    expect(ok(hook(event))).toBe(true)
    expect(ok(hook(event, { secret: 'whsec_old' }))).toBe(true)
    expect(ok(hook(event, { received_at_ms: AT_MS + 300_000 }))).toBe(true)
    const body = Buffer.from(JSON.stringify(event))
    const second = signStripe(body, 'whsec_new', AT_MS).split(',')[1]
    expect(ok(hook(event, { header: `t=${AT_MS / 1000},v1=${'0'.repeat(64)},${second},v0=abc` }))).toBe(true)
  })

  it('are refused in every mutant', () => {
    const genuine = hook(event)
    const header = genuine.headers['stripe-signature'] ?? ''
    const mutants = ['', header.slice(0, -1), header.toUpperCase(), header.replace('v1=', 'v0='), header.replace('t=', 't=1'), `${header},t=1`, `${header}, ${header}`, header.replace(/^t=\d+,/, '')] // prettier-ignore
    for (const mutant of mutants)
      expect([mutant, ok({ ...genuine, headers: { 'stripe-signature': mutant } })]).toEqual([mutant, false])
    expect(ok({ ...genuine, headers: {} })).toBe(false)
    expect(ok(hook(event, { secret: 'whsec_other' }))).toBe(false)
    expect(ok(hook(event, { received_at_ms: AT_MS + 301_001 }))).toBe(false)
    for (let at = 0; at < genuine.body.length; at += 7) {
      const body = Buffer.from(genuine.body)
      body[at] = (body[at] ?? 0) ^ 1
      expect(ok({ ...genuine, body })).toBe(false)
    }
  })

  it.each([
    ['charge.succeeded', 'payment'],
    ['charge.captured', 'payment'],
    ['charge.updated', 'payment'],
    ['charge.refunded', 'charge_refunded'],
    ['refund.created', 'refund'],
    ['refund.failed', 'refund'],
    ['charge.dispute.closed', 'dispute'],
    ['payout.paid', 'payout'],
    ['payout.reconciliation_completed', 'payout'],
    ['customer.created', 'ignore'],
    ['toString', 'ignore'],
  ])('event %s goes to %s', (type, entry) => {
    expect(webhook.topic(hook(eventSample(type, payoutSample())))).toBe(entry)
    expect(entry === 'ignore' || stripe.inbound[entry] !== undefined).toBe(true)
  })

  it('a thin event, which shows nothing, and a body that is no event are ignored', () => {
    const thin = { id: 'evt_2', object: 'v2.core.event', type: 'charge.succeeded', related_object: { id: 'ch_1' } }
    expect(webhook.topic(hook(thin))).toBe('ignore')
    expect(webhook.topic(hook([]))).toBe('ignore')
    expect(webhook.topic({ body: Buffer.from('no json'), headers: {}, received_at_ms: 0 })).toBe('ignore')
  })

  it('are known by the event id and carry the time they were made', () => {
    expect(webhook.dedupeKey(hook(event))).toBe('evt_1')
    expect(webhook.observedAt!(hook(event))).toBe('2025-11-20T08:00:05.000Z')
    expect(webhook.observedAt!(hook({ id: 'evt_1', created: 'soon' }))).toBeUndefined()
  })
})
