import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApiKey } from '../../src/http/auth.ts'
import type { RunningHub } from '../../src/main.ts'
import { openFlow, postShopifyOrder, settingsOf, type Flow } from '../kit/flowHub.ts'
import { runCommand } from '../kit/program.ts'
import { OLD, RICH, type Json } from '../mappings/shopify/orders.ts'

const SHOP = 'shopify-eu'
const WAIT = { timeout: 45_000, interval: 300 }
let flow: Flow
let running: RunningHub

beforeAll(async () => {
  flow = await openFlow()
  running = await flow.start()
})
afterAll(() => flow.close())

/** The order with a SKU that the sandbox's merchant sells (or does not), on the lines that are shipped. */
const selling = (order: Json, sku: string): Json => ({
  ...order,
  line_items: (order['line_items'] as Json[]).map((line) =>
    line['requires_shipping'] === true ? { ...line, sku } : line,
  ),
})

const post = (webhook_id: string, order: Json) =>
  postShopifyOrder({
    url: running.url ?? '',
    connection_id: SHOP,
    settings: settingsOf(flow.sandbox.config, SHOP),
    webhook_id,
    body: JSON.stringify(order),
  })

const show = async (key: string): Promise<{ code: number | null; shown: Record<string, unknown> }> => {
  const { code, stdout } = await runCommand(['orders', 'show', key, '--json'], flow.variables)
  return { code, shown: JSON.parse(stdout) as Record<string, unknown> }
}

interface Reservation {
  sku: string
  quantity: number
  consumed_quantity: number
  state: string
}

/** Units held, committed or, because the simulated 3PL is quick, shipped already. */
const promisedUnits = (shown: Record<string, unknown>, sku: string): number =>
  ((shown['reservations'] ?? []) as Reservation[])
    .filter((row) => row.sku === sku && ['held', 'committed', 'consumed'].includes(row.state))
    .reduce((units, row) => units + row.quantity + row.consumed_quantity, 0)

test.each([
  [
    'new',
    '#2001',
    selling(RICH, 'TEA-GREEN-100'),
    { total_minor: 5901, currency: 'EUR', payment_state: 'paid' },
    { sku: 'TEA-GREEN-100', quantity: 3 },
  ],
  [
    'old',
    '#1003',
    selling(OLD, 'TEA-BLACK-100'),
    { total_minor: 1800, currency: 'USD', payment_state: 'authorized' },
    { sku: 'TEA-BLACK-100', quantity: 2 },
  ],
])(
  'an order body of the %s shape, signed and posted, is shown by the command line',
  async (shape, number, order, expected, { sku, quantity }) => {
    expect(await post(`shape-${shape}`, order)).toMatchObject({ status: 200 })
    await expect
      .poll(async () => (await show(number)).shown, WAIT)
      .toMatchObject({ number, connection_id: SHOP, lifecycle: 'open', ...expected })
    // The first stock count may still be on its way; an order before it is promised its units as soon as they are counted.
    await expect.poll(async () => promisedUnits((await show(number)).shown, sku), WAIT).toBe(quantity)
    const { code, shown } = await show(number)
    expect(code).toBe(0)
    expect(shown['lines']).toEqual(expect.arrayContaining([expect.objectContaining({ channel_sku: sku, quantity })]))
    expect(JSON.stringify(shown)).not.toContain('example.org')
    // Without the sign that a shell takes for the start of a comment.
    expect((await show(number.slice(1))).shown).toMatchObject({ number })
  },
)

test("an order body in the API's own envelope is opened", async () => {
  const order = { ...selling(RICH, 'FILTER-100'), id: 7001, name: '#4001' }
  expect(await post('wrapped', { order })).toMatchObject({ status: 200 })
  await expect
    .poll(async () => (await show('#4001')).shown, WAIT)
    .toMatchObject({ external_id: '7001', lifecycle: 'open' })
})

test('an order with a SKU that nobody knows is shown as parked with its cause, and goes on by itself once the SKU is mapped', async () => {
  const number = '#3001'
  const order = { ...selling(RICH, 'KETTLE'), id: 6001, name: number }
  expect(await post('parked', order)).toMatchObject({ status: 200 })
  await expect.poll(async () => (await show(number)).shown, WAIT).toMatchObject({ state: 'parked' })
  const parked = {
    state: 'parked',
    number,
    external_id: '6001',
    connection_id: SHOP,
    cause_code: 'unknown_sku',
    cause_path: '$.lines[0].channel_sku',
    cause_detail: expect.stringContaining('KETTLE'),
    wake_key: `listing:${SHOP}:KETTLE`,
    messages: [
      expect.objectContaining({ topic: 'order', source: 'webhook', state: 'parked', cause_code: 'unknown_sku' }),
    ],
  }
  expect(await show(number)).toMatchObject({ code: 0, shown: parked })
  expect((await show('6001')).shown).toMatchObject({ number })
  const { stdout } = await runCommand(['orders', 'show', number], flow.variables)
  expect(stdout).toContain(`parked: unknown_sku`)
  expect(stdout).toContain(`goes on by itself once listing:${SHOP}:KETTLE is there`)

  const { secret } = await createApiKey(running.hub.db, {
    name: 'test',
    role: 'operator',
    created_by: 'test',
    now: new Date(),
  })
  const api = async (method: string, path: string, body?: object): Promise<unknown> => {
    const headers = {
      authorization: `Bearer ${secret}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const answer = await fetch(`${running.url}/api/v1${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return answer.json()
  }
  const shownByApi = () => api('GET', `/orders/${encodeURIComponent(number)}`)
  expect(await shownByApi()).toMatchObject(parked)
  expect(
    await api('POST', '/listings/map', {
      connection: SHOP,
      channel_sku: 'KETTLE',
      items: [{ sku: 'POT-GLASS', quantity: 1 }],
    }),
  ).toEqual({ ok: true })
  await expect.poll(shownByApi, WAIT).toMatchObject({ number, lifecycle: 'open' })
  await expect.poll(async () => promisedUnits((await show(number)).shown, 'POT-GLASS'), WAIT).toBe(3)
})

test('a number that nobody has told of is not found', async () => {
  const { code, shown } = await show('#404')
  expect({ code, shown }).toMatchObject({ code: 2, shown: { ok: false, error: { code: 'not_found' } } })
})
