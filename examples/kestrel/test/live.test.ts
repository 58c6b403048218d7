import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startKestrel, type Kestrel } from '../vendor/server.ts'
import type { PulledItem, PulledPage, WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { kestrel } from '../connector/index.ts'
import type { ShipmentNotice } from '../../../src/core/model/effects.ts'
import { drainPull, vendorPort, type VendorPort } from '../../../test/kit/vendorPort.ts'

const TOKEN = 'live-token-0123456789'
const SECRET = 'live-webhook-secret'
const TEA = { sku: 'TEA-250', title: 'Green tea 250 g', unit_price_minor: 1250, discount_minor: 0 }

let vendor: Kestrel
let hub: VendorPort
let settings: Record<string, unknown>
let clock_ms = Date.parse('2026-11-20T08:00:00.000Z')
const now = (): Date => new Date(clock_ms)

beforeAll(async () => {
  const stock = { 'TEA-250': 500, 'MUG/1': 5 }
  vendor = await startKestrel({ token: TOKEN, webhook_secret: SECRET, now, stock, requests_per_second: 1_000 })
  settings = { api_url: vendor.url, access_token: TOKEN, webhook_secrets: [SECRET] }
  hub = vendorPort(kestrel, settings)
})
afterAll(() => vendor.stop())

/** An order of three units, a second after the last thing that happened. */
function sell(): string {
  clock_ms += 1_000
  const order = vendor.sell({ lines: [{ ...TEA, quantity: 3 }], shipping_minor: 490, paid: true })
  if (typeof order === 'string') throw new Error(order)
  return order.id
}

const pull = async (cursor: string | null): Promise<{ items: PulledItem[]; cursor: string | null; pages: number }> => {
  const pages = kestrel.pull?.orders?.(hub.port, { cursor, overlap_ms: 0, now: now() })
  if (pages === undefined) throw new Error('Kestrel has no orders to pull')
  return await drainPull(pages)
}

const documentOf = ({ topic, payload }: { topic: string; payload: unknown }) => {
  const [fact] = kestrel.inbound[topic]?.map(payload, { observed_at: now().toISOString(), settings: {} }).facts ?? []
  if (fact?.kind !== 'order') throw new Error(`${topic} became no order`)
  return fact.document
}

let outbox_id = 0
const noticeOf = (order_external_id: string, quantity: number): ShipmentNotice => ({
  outbox_id: (outbox_id += 1),
  shipment_id: `shipment-${outbox_id}`,
  order_external_id,
  order_number: 'K',
  carrier: 'DHL',
  tracking_number: '0034001',
  more_tracking_numbers: [],
  tracking_url: null,
  shipped_at: now().toISOString(),
  lines: [{ line_external_id: '1', channel_sku: 'TEA-250', quantity }],
  units_remaining: 0,
})

const { shipments, availability, webhook } = kestrel
const parcelsOf = (id: string) => vendor.orders().find((order) => order.id === id)?.parcels ?? []
const send = async (notice: ShipmentNotice) => await shipments?.send(hub.port, [notice], 'key', now())
const confirm = async (notice: ShipmentNotice) => await shipments?.confirm?.(hub.port, [notice], 'key')

it('pulls every order once over all pages, and afterwards what has changed', async () => {
  const sold = Array.from({ length: 45 }, sell)
  const first = await pull(null)
  expect(first.pages).toBe(3)
  expect(first.items.map(documentOf).map(({ external_id }) => external_id)).toEqual(sold)
  expect(new Set(first.items.map(({ dedupe_key }) => dedupe_key)).size).toBe(45)
  clock_ms += 1_000
  vendor.cancelUnits('ord_1001', '1', 2)
  const second = await pull(first.cursor)
  // The last order's own instant is part of the question, so it comes again, under the key it had.
  expect(second.items.map(({ dedupe_key }) => dedupe_key)).toEqual(['order:ord_1045:1', 'order:ord_1001:2'])
  expect(second.items.map(documentOf)[1]?.lines[0]?.quantity).toBe(1)
})

it('goes on where a pull was broken off', async () => {
  const pages = kestrel.pull?.orders?.(hub.port, { cursor: null, overlap_ms: 0, now: now() })
  const stored: PulledPage[] = []
  for await (const page of pages ?? []) {
    stored.push(page)
    break
  }
  const rest = await pull(stored[0]?.cursor ?? null)
  expect(stored[0]?.items).toHaveLength(20)
  const keys = [...stored, rest].flatMap(({ items }) => items.map(({ dedupe_key }) => dedupe_key))
  expect(new Set(keys).size).toBe(45)
})

it('takes in the vendor’s own webhooks, each under one key, and maps what they bring', async () => {
  const caught: WebhookRequest[] = []
  const receiver = createServer((incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const headers = incoming.headers as WebhookRequest['headers']
      caught.push({ body: Buffer.concat(parts), headers, received_at_ms: clock_ms })
      outgoing.end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  vendor.setWebhookUrl(`http://127.0.0.1:${(receiver.address() as AddressInfo).port}`)
  vendor.setFaults({ duplicate_next: 1 })
  const id = sell()
  vendor.cancelUnits(id, '1', 3)
  await vendor.settled()
  vendor.setWebhookUrl(null)
  await new Promise((resolve) => receiver.close(resolve))

  expect(caught.map((request) => webhook?.verify(request, settings))).toEqual([
    { ok: true },
    { ok: true },
    { ok: true },
  ])
  const keys = caught.map((request) => webhook?.dedupeKey(request))
  expect(keys[0]).toBe(keys[1])
  expect(new Set(keys).size).toBe(2)
  const documents = caught.map((request) =>
    documentOf({ topic: webhook?.topic(request) ?? '', payload: JSON.parse(request.body.toString('utf8')) }),
  )
  expect(documents.map(({ lifecycle }) => lifecycle)).toEqual(['open', 'open', 'cancelled'])
})

it('sets stock, reads it back, and says of a SKU that is unknown there that it was refused', async () => {
  const line = (listing_id: number, channel_sku: string, quantity: number) => ({
    listing_id,
    channel_sku,
    quantity,
    external: {},
    expected: null,
  })
  const lines = [line(1, 'TEA-250', 17), line(2, 'MUG/1', 0), line(3, 'NOBODY', 4)]
  expect(await availability?.push(hub.port, lines, 'key')).toEqual([
    { listing_id: 1, outcome: 'set' },
    { listing_id: 2, outcome: 'set' },
    { listing_id: 3, outcome: 'refused', code: 'vendor_not_found', detail: 'stock.set answered 404 (sku_unknown)' },
  ])
  expect(vendor.available('TEA-250')).toBe(17)
  expect(await availability?.read?.(hub.port, lines)).toEqual([
    { listing_id: 1, quantity: 17 },
    { listing_id: 2, quantity: 0 },
  ])
})

it('settles a parcel whose answer was cut off by reading back: exactly one parcel at the vendor', async () => {
  const id = sell()
  const notice = noticeOf(id, 1)
  vendor.setFaults({ cut_next: 1 })
  await expect(send(notice)).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(await confirm(notice)).toBe('done')
  expect(await send(notice)).toMatchObject([{ outcome: 'done' }])
  expect(parcelsOf(id)).toMatchObject([{ reference: notice.shipment_id, lines: [{ line_id: '1', quantity: 1 }] }])
})

it('knows of a call that had no effect, and tells the parcel then', async () => {
  const id = sell()
  const notice = noticeOf(id, 3)
  const posted = vendor.calls().length
  expect(await confirm(notice)).toBe('not_done')
  expect(vendor.calls().slice(posted)).toEqual([`GET /v1/orders/${id}`])
  expect(await send(notice)).toEqual([
    { outbox_id: notice.outbox_id, outcome: 'done', external_id: notice.shipment_id },
  ])
  expect(parcelsOf(id)).toHaveLength(1)
})

it('tells what is still wanted of a parcel and notes what the buyer took back meanwhile', async () => {
  const id = sell()
  vendor.cancelUnits(id, '1', 2)
  expect(await send(noticeOf(id, 3))).toMatchObject([
    { outcome: 'done', note: { kind: 'over_shipped', lines: [{ line_external_id: '1', quantity: 2 }] } },
  ])
  expect(parcelsOf(id)).toMatchObject([{ lines: [{ line_id: '1', quantity: 1 }] }])
  expect(await send(noticeOf(id, 1))).toMatchObject([{ outcome: 'done', external_id: null }])
  expect(parcelsOf(id)).toHaveLength(1)
})

it('is told when to come back by a vendor that is asked too often', async () => {
  const strict = await startKestrel({ token: TOKEN, webhook_secret: SECRET, now, stock: {} })
  const { port } = vendorPort(kestrel, { ...settings, api_url: strict.url })
  for (let call = 0; call < 10; call += 1) expect(await kestrel.test?.(port)).toMatch(/no orders/)
  await expect(kestrel.test?.(port)).rejects.toMatchObject({ code: 'vendor_throttled', retry_after_ms: 1_000 })
  await strict.stop()
})
