import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createPublicKey, verify } from 'node:crypto'

export interface FinancesPayout {
  payoutId: string
  payoutDate: string
  payoutStatus: string
  amount: { value: string; currency: string }
  transactionCount: number
}

export interface FinancesApi {
  url: string
  payouts: FinancesPayout[]
  transactions: (Record<string, unknown> & { payoutId: string })[]
  tokensGiven: number
  asked: string[]
  /** Public key that the calls must be signed for. */
  signedBy: string | undefined
  close: () => Promise<void>
}

/** The Finances API v1 and its token endpoint, with a ledger of its own: pages by offset, filters, 204 for an empty list. */
export async function openFinancesApi(): Promise<FinancesApi> {
  const api: FinancesApi = { url: '', payouts: [], transactions: [], tokensGiven: 0, asked: [], signedBy: undefined, close: async () => undefined } // prettier-ignore
  const server = createServer((request, response) => answer(api, request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  api.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  api.close = () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return api
}

function answer(api: FinancesApi, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', api.url)
  if (url.pathname === '/identity/v1/oauth2/token') {
    api.tokensGiven += 1
    send(response, 200, { access_token: `token-${api.tokensGiven}`, expires_in: 7200, token_type: 'User Access Token' })
    return
  }
  api.asked.push(`${url.pathname}${url.search}`)
  if (request.headers.authorization !== `Bearer token-${api.tokensGiven}`) {
    send(response, 401, { errors: [{ errorId: 1001, message: 'Invalid access token' }] })
    return
  }
  if (api.signedBy !== undefined && !isSigned(api.signedBy, request, url)) {
    send(response, 400, { errors: [{ errorId: 215000, message: 'no valid signature' }] })
    return
  }
  const filter = url.searchParams.get('filter') ?? ''
  const page = url.pathname.endsWith('/payout')
    ? { key: 'payouts', all: api.payouts.filter(({ payoutDate }) => isWithin(filter, payoutDate)) }
    : { key: 'transactions', all: api.transactions.filter(({ payoutId }) => filter === `payoutId:{${payoutId}}`) }
  const offset = Number(url.searchParams.get('offset') ?? 0)
  const rows = page.all.slice(offset, offset + Number(url.searchParams.get('limit') ?? 20))
  if (rows.length === 0) response.writeHead(204).end()
  else send(response, 200, { total: page.all.length, offset, [page.key]: rows })
}

function isWithin(filter: string, date: string): boolean {
  const [, from = '', to = ''] = /^payoutDate:\[(.+)\.\.(.+)\]$/.exec(filter) ?? []
  return filter === '' || (date >= from && date <= to)
}

/** RFC 9421 as the receiving side does it: the base is built anew from what arrived. */
function isSigned(key: string, request: IncomingMessage, url: URL): boolean {
  const [, params = ''] = /^sig1=(.+)$/.exec(String(request.headers['signature-input'])) ?? []
  const [, signature = ''] = /^sig1=:(.+):$/.exec(String(request.headers['signature'])) ?? []
  const base = [
    `"x-ebay-signature-key": ${String(request.headers['x-ebay-signature-key'])}`,
    `"@method": ${request.method}`,
    `"@path": ${url.pathname}`,
    `"@authority": ${url.host}`,
    `"@signature-params": ${params}`,
  ].join('\n')
  return verify(null, Buffer.from(base), createPublicKey(key), Buffer.from(signature, 'base64'))
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
