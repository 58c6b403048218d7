import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PulledItem } from '../../../src/connectors/_kit/define.ts'
import { stripe } from '../../../src/connectors/stripe/index.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import type { Settlement } from '../../../src/core/model/settlement.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { startStripeSimulator, type StripeSimulator } from '../../../src/sandbox/stripe.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'

const DAY_MS = 86_400_000
let clock_ms = 0
let gateway: StripeSimulator
const now = (): Date => new Date(clock_ms)

beforeEach(async () => {
  clock_ms = Date.UTC(2026, 10, 1, 8)
  gateway = await startStripeSimulator({
    connection_id: 'stripe-test',
    currency: 'EUR',
    fee: { percent_bp: 150, fixed_minor: 25 },
    journal_path: null,
    port: 0,
    random: () => 0.5,
    now,
    faults: KIND,
    webhook_url: null,
  })
})
afterEach(async () => await gateway.stop())

const port = () => vendorPort(stripe, gateway.settings)
const charge = (amount_minor: number, order = '1') =>
  gateway.charge({ amount_minor, currency: 'EUR', order_number: `N${order}`, order_external_id: order }).id
const pull = async (stream: 'payments' | 'settlements', cursor: string | null, overlap_ms = 0) =>
  await drainPull(stripe.pull![stream]!(port().port, { cursor, overlap_ms, now: now() }))
const factsOf = (item: PulledItem): Fact[] =>
  stripe.inbound[item.topic]!.map(item.payload, { observed_at: now().toISOString(), settings: {} }).facts
const settlementOf = (item: PulledItem): Settlement => factsOf(item)[0]!.document as Settlement

describe('pulling settlements', () => {
  it('brings a payout of several pages whose rows are its amount, cent for cent', async () => {
    for (let order = 1; order <= 240; order += 1) {
      const id = charge(1_000 + order * 7, String(order))
      if (order % 5 === 0) gateway.refund(id, 100 + order)
      if (order % 60 === 0) gateway.dispute(id)
    }
    const payout = gateway.payOut()!
    const { items } = await pull('settlements', null)
    expect(items).toHaveLength(1)
    const settlement = settlementOf(items[0]!)
    expect(settlement).toMatchObject({ external_id: payout.id, status: 'paid', payout_minor: payout.amount_minor })
    expect(settlement.lines).toHaveLength(240 + 48 + 4)
    expect(settlement.lines.reduce((total, line) => total + line.net_minor, 0)).toBe(payout.amount_minor)
    const told = gateway.ledger().payouts[0]!
    expect(new Map(settlement.lines.map((line) => [line.external_id, line.net_minor]))).toEqual(
      new Map(told.rows.map((row) => [row.id, row.net_minor])),
    )
    const sale = settlement.lines.find((line) => line.references.order_external_id === '7')
    expect(sale).toMatchObject({ kind: 'sale', gross_minor: 1_049, fee_minor: 41, references: { order_number: 'N7' } })
    const refunds = settlement.lines.filter((line) => line.kind === 'refund')
    expect(refunds.every((line) => line.references.payment_ids.length === 3)).toBe(true)
    expect(settlement.lines.filter((line) => line.kind === 'dispute')).toHaveLength(4)
  })

  it('tells each state of a payout once, also when it fails days after it was paid', async () => {
    charge(5_000)
    const first = gateway.payOut()!
    const one = await pull('settlements', null)
    const again = await pull('settlements', one.cursor)
    expect([one.items.length, again.items.length]).toEqual([1, 0])
    clock_ms += 6 * DAY_MS
    const quiet = await pull('settlements', again.cursor)
    expect(gateway.failPayout(first.id)).toBe(true)
    const failed = await pull('settlements', quiet.cursor)
    expect(failed.items.map((item) => settlementOf(item).status)).toEqual(['failed'])
    expect(failed.items[0]!.dedupe_key).not.toBe(one.items[0]!.dedupe_key)

    charge(1_000)
    const second = gateway.payOut()!
    const retried = await pull('settlements', failed.cursor)
    const settlement = settlementOf(retried.items[0]!)
    expect(settlement.external_id).toBe(second.id)
    expect(settlement.lines.map((line) => [line.kind, line.net_minor])).toEqual([
      ['sale', 960],
      ['transfer', first.amount_minor],
    ])
    expect(second.amount_minor).toBe(960 + first.amount_minor)
  })

  it('waits for a payout that is not reconciled, and shows a manual one as paid out of the balance', async () => {
    const payout = { object: 'payout', amount: 100, currency: 'eur', arrival_date: 1, status: 'paid' }
    const created = Math.floor(clock_ms / 1_000) - 100
    let reconciliation_status = 'in_progress'
    const pages: Record<string, () => unknown[]> = {
      '/v1/payouts': () => [
        { ...payout, id: 'po_m', created: created + 1, automatic: false, reconciliation_status: 'not_applicable' },
        { ...payout, id: 'po_w', created, automatic: true, reconciliation_status },
      ],
      '/v1/balance_transactions': () => [],
    }
    await withServer(
      (path) => ({ status: 200, body: { object: 'list', has_more: false, data: pages[path]?.() ?? [] } }),
      async (api_url) => {
        const { port: handed } = vendorPort(stripe, { ...gateway.settings, api_url })
        const drain = async (cursor: string | null) =>
          await drainPull(stripe.pull!.settlements!(handed, { cursor, overlap_ms: 0, now: now() }))
        const waiting = await drain(null)
        expect(waiting.items.map(({ dedupe_key }) => dedupe_key)).toEqual(['poll:po_m:paid:not_applicable'])
        expect(settlementOf(waiting.items[0]!)).toMatchObject({
          payout_minor: 100,
          lines: [{ external_id: 'po_m:balance', kind: 'carry_over', vendor_type: 'payout:manual', net_minor: 100 }],
        })
        expect(JSON.parse(waiting.cursor!)).toMatchObject({ since_s: created })
        reconciliation_status = 'completed'
        const { items } = await drain(waiting.cursor)
        expect(items.map(({ dedupe_key }) => dedupe_key)).toEqual(['poll:po_w:paid:completed'])
      },
    )
  })
})

describe('pulling payments', () => {
  it('brings charges, refunds and disputes that no webhook told, window by window, and nothing twice', async () => {
    const ids: string[] = []
    for (let day = 0; day < 3; day += 1) {
      for (let count = 0; count < 105; count += 1) ids.push(charge(2_000))
      clock_ms += DAY_MS
    }
    const refund = gateway.refund(ids[0]!, 500).id
    const dispute = gateway.dispute(ids[1]!).id
    const first = await pull('payments', null)
    const externalIds = first.items.map((item) => (factsOf(item)[0]!.document as { external_id: string }).external_id)
    expect(new Set(externalIds)).toEqual(new Set([...ids, refund, dispute]))
    expect(externalIds).toHaveLength(ids.length + 2)
    expect(first.cursor).toBe(String(clock_ms / 1_000))
    const again = await pull('payments', first.cursor)
    expect(again.items.map((item) => item.topic)).toEqual(['refund', 'dispute'])
    expect(new Set(first.items.map((item) => item.dedupe_key)).has(again.items[0]!.dedupe_key)).toBe(true)
  })

  it('never moves the cursor past a window that was not read to its end', async () => {
    const begin = clock_ms
    for (let count = 0; count < 150; count += 1) charge(1_000)
    clock_ms += 3 * DAY_MS
    const pages = stripe.pull!.payments!(port().port, { cursor: String(begin / 1_000), overlap_ms: 60_000, now: now() })
    const page = (await pages.next()).value as { items: unknown[]; cursor: string }
    expect([page.items.length, page.cursor]).toEqual([100, String(begin / 1_000)])
    const rest = await pull('payments', page.cursor)
    expect(rest.items).toHaveLength(150)
    expect(rest.cursor).toBe(String(clock_ms / 1_000))
  })
})

describe('answers of the gateway', () => {
  const error = (change: Record<string, string>): unknown => ({ error: { message: 'No.', ...change } })

  it.each([
    [401, error({ type: 'invalid_request_error' }), {}, 'vendor_auth', undefined],
    [
      429,
      error({ type: 'invalid_request_error', code: 'rate_limit' }),
      { 'retry-after': '3' },
      'vendor_throttled',
      3_000,
    ],
    [400, error({ type: 'invalid_request_error', code: 'lock_timeout' }), {}, 'vendor_throttled', undefined],
    [404, error({ type: 'invalid_request_error', code: 'resource_missing' }), {}, 'vendor_not_found', undefined],
    [400, error({ type: 'invalid_request_error', code: 'parameter_unknown' }), {}, 'vendor_rejected', undefined],
    [409, error({ type: 'idempotency_error' }), {}, 'vendor_conflict', undefined],
    [500, error({ type: 'api_error' }), {}, 'vendor_unavailable', undefined],
    [200, { data: 'nothing' }, {}, 'vendor_response_invalid', undefined],
  ])('%i with %j is %s', async (status, body, headers, code, retry_after_ms) => {
    await withServer(
      () => ({ status, body, headers }),
      async (api_url) => {
        const { port: handed } = vendorPort(stripe, { ...gateway.settings, api_url })
        const fault = await stripe.test!(handed).catch((thrown: unknown) => thrown)
        expect(fault).toMatchObject({ code })
        expect((fault as { retry_after_ms?: number }).retry_after_ms).toBe(retry_after_ms)
      },
    )
  })

  it('a call pins the version and names the account', async () => {
    const seen: Record<string, unknown>[] = []
    await withServer(
      (_path, headers) => {
        seen.push(headers)
        return { status: 200, body: { has_more: false, data: [] } }
      },
      async (api_url) => {
        const { port: handed } = vendorPort(stripe, { ...gateway.settings, api_url, account: 'acct_1' })
        expect(await stripe.test!(handed)).toBe('the account has no charges yet')
      },
    )
    expect(seen).toMatchObject([
      {
        'stripe-version': '2026-10-28.endive',
        'stripe-account': 'acct_1',
        authorization: expect.stringMatching(/^Bearer sk_/),
      },
    ])
  })

  it('a cut connection is tried again at once', async () => {
    let calls = 0
    const server = createServer((incoming, outgoing) => {
      calls += 1
      if (calls === 1) return incoming.socket.destroy()
      return outgoing.writeHead(200).end('{"data":[],"has_more":false}')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const api_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    expect(await stripe.test!(vendorPort(stripe, { ...gateway.settings, api_url }).port)).toBe(
      'the account has no charges yet',
    )
    expect(calls).toBe(2)
    server.closeAllConnections()
    server.close()
  })

  it('a right key shows the newest charge, a wrong one nothing', async () => {
    const id = charge(500)
    expect(await stripe.test!(port().port)).toBe(`newest charge ${id} of 2026-11-01T08:00:00.000Z`)
    const wrong = vendorPort(stripe, { ...gateway.settings, api_key: 'sk_test_wrong' })
    await expect(stripe.test!(wrong.port)).rejects.toMatchObject({ code: 'vendor_auth', next: 'pause' })
  })
})

async function withServer(
  answer: (
    path: string,
    headers: Record<string, unknown>,
  ) => { status: number; body: unknown; headers?: Record<string, string> },
  work: (url: string) => Promise<void>,
): Promise<void> {
  const server = createServer((incoming, outgoing) => {
    const { status, body, headers } = answer(new URL(incoming.url ?? '/', 'http://x').pathname, incoming.headers)
    outgoing.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}
