import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Config } from '../../src/config.ts'
import { createApiKey } from '../../src/http/auth.ts'
import type { RunningHub } from '../../src/main.ts'
import { incomingFolder, openFlow, postShopifyOrder, settingsOf, type Flow } from '../kit/flowHub.ts'
import { OLD, type Json } from '../mappings/shopify/orders.ts'

const SHOP = 'shopify-eu'
const WAIT = { timeout: 45_000, interval: 100 }
let flow: Flow
let running: RunningHub

beforeAll(async () => {
  flow = await openFlow()
  running = await flow.start()
})
afterAll(() => flow.close())

let deliveries = 0
async function receive(id: number, sku: string): Promise<void> {
  const order: Json = {
    ...OLD,
    id,
    name: `#${id}`,
    line_items: (OLD['line_items'] as Json[]).map((line) => ({ ...line, sku })),
  }
  const settings = settingsOf(flow.sandbox.config, SHOP)
  const webhook_id = `refill-${(deliveries += 1)}`
  const answer = await postShopifyOrder({
    url: running.url ?? '',
    connection_id: SHOP,
    settings,
    webhook_id,
    body: JSON.stringify(order),
  })
  expect(answer.status).toBe(200)
}

/** States of the messages with this cause or outcome, by what they wait for. */
const parkedFor = async (wake_key: string): Promise<{ state: string; cause_code: string | null }[]> =>
  flow.database.db.query('select state, cause_code from inbox where wake_key = $1', [wake_key])

const orderOf = async (id: number): Promise<object[]> =>
  flow.database.db.query(
    `select o.lifecycle, l.channel_sku, i.sku as item from orders o join order_lines l on l.order_id = o.id
     join listing_items li on li.listing_id = l.listing_id join items i on i.id = li.item_id
     where o.connection_id = $1 and o.external_id = $2`,
    [SHOP, String(id)],
  )

test('an order with an unknown SKU goes on by itself when the listing is mapped', async () => {
  await receive(701, 'CHAI-1')
  await expect
    .poll(() => parkedFor(`listing:${SHOP}:CHAI-1`), WAIT)
    .toEqual([{ state: 'parked', cause_code: 'unknown_sku' }])
  expect(await orderOf(701)).toEqual([])
  const { secret } = await createApiKey(running.hub.db, {
    name: 'test',
    role: 'operator',
    created_by: 'test',
    now: new Date(),
  })
  const answer = await fetch(`${running.url}/api/v1/listings/map`, {
    method: 'POST',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify({ connection: SHOP, channel_sku: 'CHAI-1', items: [{ sku: 'TEA-BLACK-100', quantity: 1 }] }),
  })
  expect(answer.status).toBe(200)
  await expect
    .poll(() => orderOf(701), WAIT)
    .toEqual([{ lifecycle: 'open', channel_sku: 'CHAI-1', item: 'TEA-BLACK-100' }])
})

test('orders with an unknown SKU go on by themselves when the configuration brings the item', async () => {
  await receive(702, 'TRAY-OAK')
  await receive(703, 'TRAY-OAK')
  const parked = { state: 'parked', cause_code: 'unknown_sku' }
  await expect.poll(() => parkedFor(`listing:${SHOP}:TRAY-OAK`), WAIT).toEqual([parked, parked])
  running = await flow.start((config) => ({
    ...config,
    items: [...config.items, { sku: 'TRAY-OAK', company: 'acme' }],
  }))
  const known = [{ lifecycle: 'open', channel_sku: 'TRAY-OAK', item: 'TRAY-OAK' }]
  await expect.poll(async () => [await orderOf(702), await orderOf(703)], WAIT).toEqual([known, known])
})

test('a stock count of an unknown location goes on by itself when the location appears', async () => {
  const as_of = new Date().toISOString()
  const rows = [
    'location_code,sku,on_hand,damaged,quality_control,as_of',
    `LYO1,HONEY-250,41,0,0,${as_of}`,
    `LYO1,MUG-BLUE,17,1,0,${as_of}`,
    'TRAILER,2,58',
  ]
  const name = `stock_part_sandbox_${as_of.replaceAll(/[-:.Z]/g, '')}_900001.csv`
  // Written beside and moved, as the protocol asks, so that nobody reads half a file.
  const temporary = join(incomingFolder(flow), `.${name}.tmp`)
  writeFileSync(temporary, rows.join('\r\n'))
  renameSync(temporary, join(incomingFolder(flow), name))
  await expect
    .poll(() => parkedFor('location:threepl:LYO1'), WAIT)
    .toEqual([{ state: 'parked', cause_code: 'unknown_location' }])

  const lyon: Config['locations'][number] = {
    id: 'lyon',
    company: 'acme',
    name: 'Lyon 3PL',
    kind: '3pl',
    country: 'FR',
    connection: 'threepl',
    external_code: 'LYO1',
  }
  running = await flow.start((config) => ({ ...config, locations: [...config.locations, lyon] }))
  const counted = () =>
    flow.database.db.query(
      `select i.sku, s.available, s.damaged from stock s join items i on i.id = s.item_id where s.location_id = 'lyon' order by i.sku`,
    )
  await expect.poll(counted, WAIT).toEqual([
    { sku: 'HONEY-250', available: 41, damaged: 0 },
    { sku: 'MUG-BLUE', available: 16, damaged: 1 },
  ])
})
