import { describe, expect, it } from 'vitest'
import type { WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import { woocommerce } from '../../../src/connectors/woocommerce/index.ts'
import { checker } from '../../../src/core/model/validate.ts'
import { wooOrderSample } from '../../mappings/woocommerce/samples.ts'

const webhook = woocommerce.webhook!
const settings = {
  site_url: 'https://shop.example',
  consumer_key: 'ck_1',
  consumer_secret: 'cs_1',
  webhook_secrets: ['new-secret', 'old-secret'],
}

function hook(topic: string, payload: unknown, change: { secret?: string; delivery?: string } = {}): WebhookRequest {
  const body = Buffer.from(JSON.stringify(payload))
  return {
    body,
    headers: {
      'content-type': 'application/json',
      'x-wc-webhook-topic': topic,
      'x-wc-webhook-signature': signHmac(body, change.secret ?? 'new-secret', 'base64'),
      'x-wc-webhook-delivery-id': change.delivery ?? 'd1',
    },
    received_at_ms: Date.UTC(2026, 10, 20),
  }
}

const ping = (change: Partial<WebhookRequest> = {}): WebhookRequest => ({
  body: Buffer.from('webhook_id=42'),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
  received_at_ms: 0,
  ...change,
})

describe('WooCommerce webhooks', () => {
  it('the settings are checked and say which of them are secret', () => {
    const check = checker(woocommerce.settings, 'config_invalid')
    expect(check(settings)).toEqual(settings)
    expect(() => check({ ...settings, webhook_secrets: [] })).toThrow()
    expect(() => check({ ...settings, webhook_secrets: ['a', 'b', 'c'] })).toThrow()
    const schema = woocommerce.settings as unknown as {
      properties: Record<string, { secret?: boolean; items?: { secret?: boolean } }>
    }
    expect([schema.properties['consumer_secret']?.secret, schema.properties['consumer_key']?.secret]).toEqual([
      true,
      true,
    ])
    expect(schema.properties['webhook_secrets']?.items?.secret).toBe(true)
  })

  it('are genuine under either live secret and under no other', () => {
    const order = wooOrderSample()
    expect(webhook.verify(hook('order.updated', order), settings)).toEqual({ ok: true })
    expect(webhook.verify(hook('order.updated', order, { secret: 'old-secret' }), settings)).toEqual({ ok: true })
    expect(webhook.verify(hook('order.updated', order, { secret: 'other' }), settings).ok).toBe(false)
  })

  it('are refused in every mutant', () => {
    const genuine = hook('order.updated', wooOrderSample())
    const signature = genuine.headers['x-wc-webhook-signature'] ?? ''
    const signatures = ['', ' ', signature.slice(0, -1), `${signature}=`, signature.toLowerCase(), ` ${signature}`, `${signature}, ${signature}`, signHmac(genuine.body, 'new-secret', 'hex')] // prettier-ignore
    for (const mutant of [...signatures, undefined]) {
      const headers = { ...genuine.headers, 'x-wc-webhook-signature': mutant }
      expect({ mutant, ...webhook.verify({ ...genuine, headers }, settings) }).toMatchObject({ mutant, ok: false })
    }
    for (let at = 0; at < genuine.body.length; at += 7) {
      const body = Buffer.from(genuine.body)
      body[at] = (body[at] ?? 0) ^ 1
      expect(webhook.verify({ ...genuine, body }, settings).ok).toBe(false)
    }
    const respelt = Buffer.from(JSON.stringify(JSON.parse(genuine.body.toString()), null, 1))
    expect(webhook.verify({ ...genuine, body: respelt }, settings).ok).toBe(false)
  })

  it('the ping is acknowledged, and nothing that only looks like it', () => {
    const acknowledges = webhook.acknowledges!
    expect(acknowledges(ping())).toBe(true)
    expect(
      acknowledges(ping({ headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' } })),
    ).toBe(true)
    expect(acknowledges(ping({ headers: { 'content-type': 'application/json' } }))).toBe(false)
    expect(acknowledges(ping({ body: Buffer.from('webhook_id=42&status=x') }))).toBe(false)
    expect(acknowledges(ping({ body: Buffer.from('webhook_id=') }))).toBe(false)
    const named = { 'content-type': 'application/x-www-form-urlencoded', 'x-wc-webhook-topic': 'order.updated' }
    expect(acknowledges(ping({ headers: named }))).toBe(false)
    expect(acknowledges(hook('order.updated', wooOrderSample()))).toBe(false)
  })

  it.each([
    ['order.created', wooOrderSample(), 'order'],
    ['order.restored', wooOrderSample(), 'order'],
    ['order.deleted', { id: 4711 }, 'cancellation'],
    ['order.deleted', wooOrderSample(), 'order'],
    ['product.updated', { id: 1 }, 'listing'],
    ['customer.created', { id: 1 }, 'ignore'],
    ['action.woocommerce_add_to_cart', {}, 'ignore'],
    ['', {}, 'ignore'],
  ])('topic %s goes where it belongs', (topic, payload, entry) => {
    expect(webhook.topic(hook(topic, payload))).toBe(entry)
    expect(entry === 'ignore' || woocommerce.inbound[entry] !== undefined).toBe(true)
  })

  it('are told apart by what they show, because the delivery id is shared within a second', () => {
    const first = hook('order.updated', wooOrderSample())
    const same = hook('order.updated', wooOrderSample(), { delivery: 'd2' })
    const paid = hook('order.updated', wooOrderSample({ status: 'completed' }))
    const later = hook('order.updated', wooOrderSample({ date_modified_gmt: '2026-11-20T08:20:31' }))
    const keys = [first, paid, later, hook('order.created', wooOrderSample())].map((request) =>
      webhook.dedupeKey(request),
    )
    expect(new Set(keys).size).toBe(4)
    expect(webhook.dedupeKey(same)).toBe(keys[0])
    expect(keys[0]).toMatch(/^order\.updated:4711:2026-11-20T08:20:30:[0-9a-f]{32}$/)
  })

  it('an order that is deleted, restored and deleted again is deleted twice', () => {
    const first = webhook.dedupeKey(hook('order.deleted', { id: 4711 }, { delivery: 'd1' }))
    expect(webhook.dedupeKey(hook('order.deleted', { id: 4711 }, { delivery: 'd1' }))).toBe(first)
    expect(webhook.dedupeKey(hook('order.deleted', { id: 4711 }, { delivery: 'd2' }))).not.toBe(first)
  })
})
