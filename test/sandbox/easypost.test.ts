import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { easypost } from '../../src/connectors/easypost/index.ts'
import { startEasyPostSimulator, type EasyPostOptions, type EasyPostSimulator } from '../../src/sandbox/easypost.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { startHookCatcher, type HookCatcher } from '../kit/hookCatcher.ts'

let folder: string
let catcher: HookCatcher
let open: EasyPostSimulator[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crossdock-post-'))
  catcher = await startHookCatcher()
})
afterEach(async () => {
  for (const each of open) await each.stop()
  open = []
  await catcher.stop()
  rmSync(folder, { recursive: true })
})

async function start(changes: Partial<EasyPostOptions> = {}): Promise<EasyPostSimulator> {
  const simulator = await startEasyPostSimulator({
    connection_id: 'post',
    currency: 'EUR',
    leg_ms: 20,
    journal_path: join(folder, 'post.jsonl'),
    port: 0,
    random: seededRandom(7),
    now: () => new Date(),
    faults: KIND,
    webhook_url: catcher.url,
    ...changes,
  })
  open.push(simulator)
  return simulator
}

async function call(
  simulator: EasyPostSimulator,
  method: string,
  path: string,
  body?: object,
): Promise<{ status: number; body: Record<string, never> }> {
  const key = Buffer.from(`${String(simulator.settings['api_key'])}:`).toString('base64')
  const answer = await fetch(`${String(simulator.settings['api_url'])}${path}`, {
    method,
    headers: { authorization: `Basic ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, never> }
}
const shipment = (zip = '04109') => {
  const place = { name: 'Ada', street1: 'Lane 1', city: 'Leipzig', zip, country: 'DE' }
  return {
    shipment: {
      reference: 'FO-1-1',
      to_address: place,
      from_address: place,
      parcel: { weight: 16 },
      options: { label_format: 'PDF' },
    },
  }
}
async function bought(simulator: EasyPostSimulator): Promise<{ id: string; tracking_code: string }> {
  const made = await call(simulator, 'POST', '/shipments', shipment())
  const { id, rates } = made.body as unknown as { id: string; rates: { id: string }[] }
  const sold = await call(simulator, 'POST', `/shipments/${id}/buy`, { rate: { id: rates[0]!.id } })
  return { id, tracking_code: (sold.body as unknown as { tracking_code: string }).tracking_code }
}

test('a parcel moves by itself once it is handed over, and every step is told, signed, so that the connector believes it', async () => {
  const simulator = await start()
  const { tracking_code } = await bought(simulator)
  await expect.poll(() => catcher.requests.length).toBe(1)
  simulator.handOver(tracking_code)
  await expect.poll(() => simulator.busy(), { timeout: 5_000 }).toBe(false)
  expect(catcher.requests).toHaveLength(5)
  for (const request of catcher.requests) {
    // The body has an integer weight; what was signed had a float.
    expect(request.body.toString()).toContain('"weight":16,')
    expect(easypost.webhook!.verify(request, simulator.settings)).toEqual({ ok: true })
    expect(
      easypost.webhook!.verify(
        { ...request, body: Buffer.from(request.body.toString().replace('16', '17')) },
        simulator.settings,
      ).ok,
    ).toBe(false)
    expect(easypost.webhook!.topic(request)).toBe('tracker')
  }
  const last = JSON.parse(catcher.requests.at(-1)!.body.toString()) as { result: { status: string } }
  expect(last.result.status).toBe('delivered')
})

test('its messages come twice, late and out of order, and some never', async () => {
  const simulator = await start({
    faults: { ...KIND, webhook_duplicate_share: 0.5, webhook_drop_share: 0.2, webhook_delay_ms_max: 200 },
  })
  const codes = await Promise.all(Array.from({ length: 8 }, () => bought(simulator)))
  for (const { tracking_code } of codes) simulator.handOver(tracking_code)
  await expect.poll(() => simulator.busy(), { timeout: 10_000 }).toBe(false)
  const ids = catcher.requests.map((request) => easypost.webhook!.dedupeKey(request))
  const distinct = new Set(ids)
  expect(ids.length).toBeGreaterThan(distinct.size)
  expect(distinct.size).toBeLessThan(8 * 5)
  const pictures = catcher.requests.map(
    (request) => (JSON.parse(request.body.toString()) as { result: { id: string; tracking_details: object[] } }).result,
  )
  const overtaken = [...Map.groupBy(pictures, ({ id }) => id).values()].filter((own) => {
    const scans = own.map(({ tracking_details }) => tracking_details.length)
    return scans.some((count, index) => index > 0 && count < (scans[index - 1] ?? 0))
  })
  expect(overtaken.length).toBeGreaterThan(0)
})

test('what was paid for is remembered over a restart, and cannot be bought again', async () => {
  const first = await start()
  const { id, tracking_code } = await bought(first)
  await first.stop()
  const second = await start()
  expect(second.ledger()).toMatchObject([{ tracking_code, refunded: false }])
  const again = await call(second, 'POST', `/shipments/${id}/buy`, { rate: { id: 'any' } })
  expect(again).toMatchObject({ status: 422, body: { error: { code: 'SHIPMENT.POSTAGE.EXISTS' } } })
  expect(second.bought_again()).toBe(1)
  expect(await call(second, 'POST', `/shipments/${id}/refund`)).toMatchObject({
    status: 200,
    body: { refund_status: 'submitted' },
  })
  expect(second.ledger()).toMatchObject([{ refunded: true }])
})

test('it answers as the vendor does: wrong keys, unknown things, carriers without a rate, throttling', async () => {
  const simulator = await start()
  const wrong = await fetch(`${String(simulator.settings['api_url'])}/shipments`, {
    headers: { authorization: 'Basic eA==' },
  })
  expect(wrong.status).toBe(401)
  expect(await call(simulator, 'GET', '/shipments/shp_none')).toMatchObject({ status: 404 })
  simulator.closeTo(['99999'])
  const none = (await call(simulator, 'POST', '/shipments', shipment('99999'))).body as unknown as {
    rates: object[]
    messages: { type: string }[]
  }
  expect(none.rates).toEqual([])
  expect(none.messages.map(({ type }) => type)).toEqual(['rate_error', 'rate_error', 'rate_error'])
  simulator.setFaults({ ...KIND, throttle_share: 1 })
  expect(await call(simulator, 'GET', '/shipments')).toMatchObject({
    status: 429,
    body: { error: { code: 'RATE_LIMITED' } },
  })
})

test('one carrier may have a bad day while the others offer', async () => {
  const simulator = await start({ rate_error_share: 1 })
  const { rates, messages } = (await call(simulator, 'POST', '/shipments', shipment())).body as unknown as {
    rates: { carrier: string }[]
    messages: { carrier: string }[]
  }
  expect(messages).toHaveLength(1)
  expect(rates.map(({ carrier }) => carrier)).not.toContain(messages[0]!.carrier)
  expect(rates.length).toBeGreaterThan(0)
})
