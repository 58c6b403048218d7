import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Report } from '../../../src/connectors/_kit/define.ts'
import { ebay } from '../../../src/connectors/ebay/index.ts'
import { ebayFinances } from '../../../src/mappings/ebay/settlement.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { vendorPort } from '../../kit/vendorPort.ts'
import { ebayTransaction, ebayValue } from '../../mappings/ebay/report.ts'
import { openFinancesApi, type FinancesApi } from './financesApi.ts'

let api: FinancesApi
beforeEach(async () => void (api = await openFinancesApi()))
afterEach(() => api.close())

const NOW = new Date('2026-11-20T12:00:00Z')
const KEYS = { client_id: 'app-id', client_secret: 'cert-id-0123', refresh_token: 'refresh-0123456789' }
const settings = (more: object = {}) => ({ api: { ...KEYS, finances_url: api.url, identity_url: api.url, ...more } })

async function list(
  cursor: string | null = null,
  more: object = {},
): Promise<{ reports: Report[]; cursor: string | null }> {
  const reports: Report[] = []
  let last = cursor
  const { port } = vendorPort(ebay, settings(more))
  for await (const page of ebay.settlements!.reports!(port, { cursor, overlap_ms: 0, now: NOW, announced: [] })) {
    reports.push(...page.reports)
    last = page.cursor
  }
  return { reports, cursor: last }
}

/** A payout of `count` sales of 10.00 with one fee of 1.50. */
function payOut(id: string, date: string, status: string, count: number): void {
  const sales = Array.from({ length: count }, (_, at) =>
    ebayTransaction({ what: 'sale', order: `O-${at}`, net_minor: 1000 }, at),
  )
  const fee = ebayTransaction({ what: 'fee', order: '', net_minor: -150 }, count)
  const rows = [...sales, fee].map((row, at) => ({ ...row, payoutId: id, transactionId: `${id}-${at}` }))
  api.transactions.push(...rows)
  api.payouts.push({ payoutId: id, payoutDate: date, payoutStatus: status, amount: ebayValue(count * 1000 - 150), transactionCount: rows.length }) // prettier-ignore
}

it('every payout comes with all its transactions, over several pages, and proves itself', async () => {
  payOut('P-1', '2026-11-01T00:00:00.000Z', 'SUCCEEDED', 3)
  payOut('P-2', '2026-11-10T00:00:00.000Z', 'SUCCEEDED', 2_300)
  const { reports, cursor } = await list()
  expect(reports.map(({ reference }) => reference)).toEqual(['P-1:SUCCEEDED', 'P-2:SUCCEEDED'])
  expect(cursor).toBe(NOW.toISOString())
  for (const report of reports) {
    const { proof, proven } = await readFile(ebayFinances, await report.read())
    expect(proven).toBe(true)
    expect(proof.settlements.map(({ difference_minor }) => difference_minor)).toEqual([0])
  }
  expect(api.asked.filter((path) => path.includes('P-2')).length).toBe(3)
})

it('one that has not left is not told, one that fails later is told again, and rows that lag are waited for', async () => {
  payOut('P-1', '2026-11-18T00:00:00.000Z', 'INITIATED', 1)
  const first = await list()
  expect(first.reports).toEqual([])
  Object.assign(api.payouts[0]!, { payoutStatus: 'SUCCEEDED' })
  expect((await list(first.cursor)).reports.map(({ reference }) => reference)).toEqual(['P-1:SUCCEEDED'])
  Object.assign(api.payouts[0]!, { payoutStatus: 'TERMINAL_FAILED', transactionCount: 9 })
  const [failed] = (await list(first.cursor)).reports
  expect(failed?.reference).toBe('P-1:TERMINAL_FAILED')
  await expect(failed?.read()).rejects.toMatchObject({ code: 'vendor_response_invalid' })
})

it('the first pull reaches back 90 days, the next one no further than it has to', async () => {
  payOut('P-old', '2026-05-01T00:00:00.000Z', 'SUCCEEDED', 1)
  payOut('P-1', '2026-08-25T00:00:00.000Z', 'SUCCEEDED', 1)
  expect((await list()).reports.map(({ reference }) => reference)).toEqual(['P-1:SUCCEEDED'])
  expect((await list('2026-11-19T00:00:00.000Z')).reports).toEqual([])
})

it('signs its calls where the seller has a signing key, in a way that its public half confirms', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  api.signedBy = publicKey.export({ type: 'spki', format: 'pem' }) as string
  payOut('P-1', '2026-11-01T00:00:00.000Z', 'SUCCEEDED', 1)
  await expect(list()).rejects.toMatchObject({ code: 'vendor_rejected' })
  const private_key = privateKey.export({ type: 'pkcs8', format: 'der' }).toString('base64')
  const { reports } = await list(null, { signing: { key_jwe: 'jwe.of.the.key', private_key } })
  expect((await reports[0]!.read()).length).toBeGreaterThan(0)
  const signing = { key_jwe: 'jwe.of.the.key', private_key: 'bm8ga2V5' }
  await expect(list(null, { signing })).rejects.toMatchObject({ code: 'config_invalid' })
})

it('a token that is void is renewed once, and files alone ask nobody', async () => {
  payOut('P-1', '2026-11-01T00:00:00.000Z', 'SUCCEEDED', 1)
  const { port } = vendorPort(ebay, settings())
  await ebay.test!(port)
  api.tokensGiven += 1
  expect(await ebay.test!(port)).toMatch(/newest payout P-1 of 2026-11-01/)
  const silent = vendorPort(ebay, {}).port
  for await (const page of ebay.settlements!.reports!(silent, { cursor: null, overlap_ms: 0, now: NOW, announced: [] })) expect(page).toBe('nothing') // prettier-ignore
  expect(await ebay.test!(silent)).toMatch(/files alone/)
})
