import { createHmac } from 'node:crypto'
import nock from 'nock'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Report, WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { adyen } from '../../../src/connectors/adyen/index.ts'
import { startAdyenSimulator, type AdyenSimulator } from '../../../src/sandbox/adyen.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { adyenSettlementDetail } from '../../../src/mappings/adyen/settlement.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { vendorPort } from '../../kit/vendorPort.ts'

const KEY = 'DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00'
const HOST = 'https://ca-test.adyen.com'
const SETTINGS = {
  hmac_keys: [KEY],
  environment: 'test',
  merchant_account: 'ShopEU',
  report_user: 'r',
  report_password: 'p',
}
const pathOf = (batch: number): string =>
  `/reports/download/MerchantAccount/ShopEU/settlement_detail_report_batch_${batch}.csv`

const item = (change: Record<string, unknown> = {}) => ({
  amount: { currency: 'EUR', value: 0 },
  eventCode: 'REPORT_AVAILABLE',
  eventDate: '2026-09-03T08:00:00+02:00',
  merchantAccountCode: 'ShopEU',
  merchantReference: '',
  pspReference: 'settlement_detail_report_batch_7.csv',
  reason: `${HOST}${pathOf(7)}`,
  success: 'true',
  ...change,
})
type Item = ReturnType<typeof item>
const signed = (one: Item, key = KEY) => {
  const text = [one.pspReference, '', one.merchantAccountCode, one.merchantReference, one.amount.value, one.amount.currency, one.eventCode, one.success].join(':') // prettier-ignore
  const hmacSignature = createHmac('sha256', Buffer.from(key, 'hex')).update(text).digest('base64')
  return { ...one, additionalData: { hmacSignature } }
}
const message = (...items: object[]): WebhookRequest => ({
  body: Buffer.from(
    JSON.stringify({ live: 'false', notificationItems: items.map((one) => ({ NotificationRequestItem: one })) }),
  ),
  headers: {},
  received_at_ms: 0,
})
const factsOf = (request: WebhookRequest) =>
  adyen.inbound['report_ready']!.map(JSON.parse(request.body.toString()), {
    observed_at: '2026-09-03T08:00:00Z',
    settings: SETTINGS,
  })
const webhook = adyen.webhook!

describe('a notification', () => {
  it('agrees with the published vector', () => {
    const vector = item({ pspReference: 'pspReference', originalReference: 'originalReference', merchantAccountCode: 'merchantAccount', merchantReference: 'reference', amount: { currency: 'EUR', value: 1000 } }) // prettier-ignore
    const request = message({
      ...vector,
      additionalData: { hmacSignature: 'ZNBPtI+oDyyRrLyD1XirkKnQgIAlFc07Vj27TeHsDRE=' },
    })
    expect(webhook.verify(request, SETTINGS)).toEqual({ ok: true })
  })

  it('of a settlement report names it to be fetched', () => {
    const request = message(signed(item()))
    expect([webhook.verify(request, SETTINGS), webhook.topic(request)]).toEqual([{ ok: true }, 'report_ready'])
    expect(factsOf(request).facts).toEqual([
      { kind: 'signal', document: { stream: 'reports', reference: `${HOST}${pathOf(7)}` } },
    ])
    const again = message(signed(item({ eventDate: '2026-09-04T08:00:00+02:00' })))
    expect(webhook.dedupeKey(message(signed(item())))).toBe(webhook.dedupeKey(request))
    expect(webhook.dedupeKey(again)).not.toBe(webhook.dedupeKey(request))
    expect(webhook.observedAt!(request)).toBe('2026-09-03T06:00:00.000Z')
  })

  it.each([
    ['another key', message(signed(item(), KEY.replace('D', 'E')))],
    ['one of two unsigned', message(signed(item()), item())],
    ['an altered file name', message({ ...signed(item()), pspReference: 'settlement_detail_report_batch_8.csv' })],
    ['nothing in it', message()],
    ['no JSON', { body: Buffer.from('<xml/>'), headers: {}, received_at_ms: 0 }],
  ])('with %s is refused', (_name, request) => {
    expect(webhook.verify(request, SETTINGS).ok).toBe(false)
  })

  it.each([
    ['another report', item({ pspReference: 'payments_accounting_report_2026.csv' })],
    ['another event', item({ eventCode: 'CAPTURE' })],
    ['a failure', item({ success: 'false' })],
  ])('of %s says nothing', (_name, one) => {
    expect(webhook.topic(message(signed(one)))).toBe('ignore')
  })

  it('of another merchant account is left alone, and an address that is not that of the signed file is not believed', () => {
    const other = factsOf(message(signed(item({ merchantAccountCode: 'ShopUS' }))))
    expect([other.facts, other.warnings]).toEqual([[], [expect.stringContaining('ShopUS')]])
    for (const reason of [`${HOST}${pathOf(8)}`, 'not an address', `${HOST}/${'x'.repeat(200)}${pathOf(7)}`])
      expect(() => factsOf(message(signed(item({ reason }))))).toThrow(
        expect.objectContaining({ code: 'payload_invalid' }),
      )
  })
})

describe('reports', () => {
  const list = async (announced: string[], cursor: string | null = null) => {
    const { port } = vendorPort(adyen, SETTINGS)
    const found: { reports: Report[]; cursor: string | null } = { reports: [], cursor }
    for await (const page of adyen.settlements!.reports!(port, {
      announced,
      cursor,
      overlap_ms: 0,
      now: new Date(0),
    })) {
      found.reports.push(...page.reports)
      found.cursor = page.cursor
    }
    return found
  }
  const batch = (number: number): string => `${HOST}${pathOf(number)}`
  const numbers = (found: { reports: Report[] }): string[] =>
    found.reports.map(({ name }) => /\d+/.exec(name)?.[0] ?? '')

  it('between two that were announced are asked for too', async () => {
    expect((await list([])).reports).toEqual([])
    const first = await list([batch(7)])
    const gap = await list([batch(10), batch(9)], first.cursor)
    expect([numbers(first), numbers(gap)]).toEqual([['7'], ['8', '9', '10']])
    expect(numbers(await list([batch(10)], gap.cursor))).toEqual(['10'])
    // Another count, or a report that is not counted.
    expect(numbers(await list([batch(900)], gap.cursor))).toEqual(['900'])
    const yearly = `${HOST}/reports/download/MerchantAccount/ShopEU/settlement_detail_report_2026.csv`
    expect((await list([yearly], gap.cursor)).reports.map(({ reference }) => reference)).toEqual([yearly])
  })

  const read = async (url = batch(7)) => (await list([url])).reports[0]!.read().catch((thrown: unknown) => thrown)
  const answer = (status: number, body: string | Buffer, headers: Record<string, string> = {}) =>
    nock(HOST).get(pathOf(7)).reply(status, body, headers)
  beforeEach(() => nock.disableNetConnect())
  afterEach(() => {
    nock.cleanAll()
    nock.enableNetConnect()
  })

  it('are downloaded by the report user, byte for byte', async () => {
    const bytes = Buffer.from('Zoë;\r\n', 'latin1')
    nock(HOST).get(pathOf(7)).basicAuth({ user: 'r', pass: 'p' }).reply(200, bytes)
    expect(await read()).toEqual(bytes)
  })

  it.each([
    ['nobody is let in', 401, 'no', {}, { code: 'vendor_auth', next: 'pause', status: 401 }],
    ['the role is missing', 403, 'no', {}, { code: 'vendor_auth' }],
    ['it is not there', 404, 'no', {}, { code: 'vendor_not_found' }],
    ['too many calls', 429, '', { 'retry-after': '5' }, { code: 'vendor_throttled', retry_after_ms: 5_000 }],
    ['a page to sign in', 200, '\n<!DOCTYPE html><html>', {}, { code: 'vendor_response_invalid' }],
    ['it moved elsewhere', 302, '', { location: 'https://evil.example/' }, { code: 'vendor_rejected' }],
  ])('%s', async (_name, status, body, headers, expected) => {
    answer(status, body, headers)
    expect(await read()).toMatchObject(expected)
  })

  it('from any other host are not fetched, and without a user neither', async () => {
    expect(await read(`https://evil.example${pathOf(7)}`)).toMatchObject({ code: 'address_refused' })
    const { port } = vendorPort(adyen, { hmac_keys: [KEY] })
    const pages = adyen.settlements!.reports!(port, {
      announced: [batch(7)],
      cursor: null,
      overlap_ms: 0,
      now: new Date(0),
    })
    const page = (await pages.next()).value as { reports: Report[] }
    await expect(page.reports[0]!.read()).rejects.toMatchObject({ code: 'vendor_auth' })
  })
})

describe('the simulated account', () => {
  let account: AdyenSimulator
  beforeEach(async () => {
    account = await startAdyenSimulator({ connection_id: 'adyen-test', currency: 'EUR', journal_path: null, port: 0, random: () => 0.5, now: () => new Date('2026-09-03T08:00:00Z'), faults: KIND, webhook_url: null }) // prettier-ignore
  })
  afterEach(async () => account.stop())

  it('writes reports that prove themselves, from batch to batch and after a correction', async () => {
    const one = account.settle({ amount_minor: 10_000, order_number: 'N1', fees: [180] })
    account.settle({ amount_minor: 5_000, order_number: 'N2', fees: [30, 12, 40] })
    account.refund(one.psp_reference, 2_000)
    account.chargeback(one.psp_reference, 500)
    account.fee(700)
    expect(account.payOut(250)).toEqual({ batch: 1, amount_minor: 11_288 })
    account.settle({ amount_minor: 3_000, order_number: 'N3', fees: [50] })
    account.payOut()
    account.restate(2, -100)
    const { port } = vendorPort(adyen, account.settings)
    const base = `${String(account.settings['reports_url'])}/reports/download/MerchantAccount/SandboxShopECOM/settlement_detail_report_batch_`
    const announced = [`${base}1.csv`, `${base}2.csv`]
    const pages = adyen.settlements!.reports!(port, { announced, cursor: null, overlap_ms: 0, now: new Date(0) })
    const page = (await pages.next()).value as { reports: Report[] }
    const files = await Promise.all(
      page.reports.map(async (report) => readFile(adyenSettlementDetail, (await report.read()).toString())),
    )
    expect(files.map(({ proven }) => proven)).toEqual([true, true])
    expect(
      files.flatMap(({ proof }) => proof.settlements.map((told) => [told.external_id, told.payout_minor])),
    ).toEqual([
      ['SandboxShopECOM:1', 11_288],
      ['SandboxShopECOM:2', 3_100],
    ])
    expect(account.ledger().batches.map(({ payout_minor }) => payout_minor)).toEqual([11_288, 3_100])
  })

  it('tells of each report, signed, until somebody listens', async () => {
    const heard: WebhookRequest[] = []
    const { createServer } = await import('node:http')
    const server = createServer((incoming, outgoing) => {
      const parts: Buffer[] = []
      incoming.on('data', (part: Buffer) => parts.push(part))
      incoming.on('end', () => {
        heard.push({ body: Buffer.concat(parts), headers: {}, received_at_ms: 0 })
        outgoing.writeHead(heard.length === 1 ? 503 : 200).end('[accepted]')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    account.setWebhookUrl(`http://127.0.0.1:${(server.address() as { port: number }).port}/`)
    account.settle({ amount_minor: 1_000, order_number: 'N1', fees: [10] })
    account.payOut()
    await vi.waitFor(() => expect(account.busy()).toBe(false))
    server.close()
    expect(heard.map((request) => webhook.verify(request, account.settings).ok)).toEqual([true, true])
    expect(webhook.dedupeKey(heard[0]!)).toBe(webhook.dedupeKey(heard[1]!))
  })
})
