import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parse } from 'csv-parse/sync'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Report } from '../../../src/connectors/_kit/define.ts'
import { walmart } from '../../../src/connectors/walmart/index.ts'
import { walmartRecon, walmartReconJson } from '../../../src/mappings/walmart/settlement.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { vendorPort } from '../../kit/vendorPort.ts'
import type { Movement } from '../../mappings/movements.ts'
import { walmartReport } from '../../mappings/walmart/report.ts'

interface Marketplace {
  url: string
  reports: Map<string, Record<string, string>[]>
  /** Whether it knows about pages. */
  pages: boolean
  asked: string[]
  server: Server
}
let market: Marketplace

/** The payment reports and the token endpoint: dates, rows as objects, pages by offset. */
async function openMarketplace(): Promise<Marketplace> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    const send = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (url.pathname === '/v3/token')
      return send(200, { access_token: 'token-1', token_type: 'Bearer', expires_in: 900 })
    market.asked.push(`${url.pathname}${url.search}`)
    const { headers } = request
    if (
      headers['wm_sec.access_token'] !== 'token-1' ||
      !/^[\da-f-]{36}$/.test(String(headers['wm_qos.correlation_id']))
    )
      return send(401, { error: [{ code: 'UNAUTHORIZED.GMP_GATEWAY_API' }] })
    if (url.searchParams.get('reportVersion') !== 'v1') return send(400, {})
    if (url.pathname.endsWith('/availableReconFiles'))
      return send(200, { availableApReportDates: [...market.reports.keys()] })
    const rows = market.reports.get(url.searchParams.get('reportDate') ?? '') ?? []
    const offset = market.pages ? Number(url.searchParams.get('offset')) : 0
    return send(200, {
      reportData: rows.slice(offset, offset + (market.pages ? Number(url.searchParams.get('limit')) : rows.length)),
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, reports: new Map(), pages: true, asked: [], server }
}
beforeEach(async () => void (market = await openMarketplace()))
afterEach(
  () =>
    new Promise<void>((resolve) => {
      market.server.close(() => resolve())
      market.server.closeAllConnections()
    }),
)

const NOW = new Date('2026-11-20T12:00:00Z')

async function list(): Promise<Report[]> {
  const { port } = vendorPort(walmart, {
    api: { client_id: 'client', client_secret: 'secret-0123456789', api_url: market.url },
  })
  const reports: Report[] = []
  for await (const page of walmart.settlements!.reports!(port, { cursor: null, overlap_ms: 0, now: NOW, announced: [] })) reports.push(...page.reports) // prettier-ignore
  return reports
}

const MOVES: Movement[] = Array.from({ length: 2_400 }, (_, at) => ({
  what: at % 3 === 2 ? 'commission' : 'sale',
  order: `PO-${at}`,
  net_minor: at % 3 === 2 ? -120 : 1_999,
}))
const rowsOf = (csv: string): Record<string, string>[] => parse(csv, { columns: true })

it('the reports come oldest first, in pages, and read the same as the file', async () => {
  const csv = walmartReport(MOVES)
  market.reports.set('11152026', rowsOf(csv)).set('12302025', rowsOf(walmartReport(MOVES.slice(0, 5))))
  const reports = await list()
  expect(reports.map(({ reference }) => reference)).toEqual(['recon-v1:12302025', 'recon-v1:11152026'])
  const [fetched, brought] = [
    await readFile(walmartReconJson, await reports[1]!.read()),
    await readFile(walmartRecon, csv),
  ]
  expect([fetched.proven, brought.proven]).toEqual([true, true])
  const bare = (read: typeof fetched) => read.all.map((line) => ({ ...line, row: null }))
  expect(bare(fetched)).toEqual(bare(brought))
  expect(market.asked.filter((path) => path.includes('reconFileJson')).length).toBe(4)
})

it('a server that does not know about pages gives the whole report once', async () => {
  market.pages = false
  market.reports.set('11152026', rowsOf(walmartReport(MOVES)))
  const { proven, all } = await readFile(walmartReconJson, await (await list())[0]!.read())
  expect([proven, all.length]).toEqual([true, MOVES.length])
})

it('a row that is missing on the way is found by the total', async () => {
  market.reports.set('11152026', rowsOf(walmartReport(MOVES)).toSpliced(7, 1))
  const { proven } = await readFile(walmartReconJson, await (await list())[0]!.read())
  expect(proven).toBe(false)
})
