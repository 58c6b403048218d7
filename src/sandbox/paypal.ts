import { decimalFromMinor } from '../core/model/money.ts'
import { openPaypalAccount, type AccountRow, type PaypalAccount } from './paypalAccount.ts'
import type { Simulator, SimulatorOptions } from './simulator.ts'
import { startVendorServer, type VendorAnswer, type VendorRequest } from './vendorServer.ts'

export interface PaypalOptions extends SimulatorOptions {
  connection_id: string
  fee: { percent_bp: number; fixed_minor: number }
  /** How far the searched records are behind. Three hours at the vendor's. */
  lag_ms?: number
  /** How many rows one search shows at most. */
  rows_max?: number
  token_lifetime_s?: number
}

export interface PaypalSimulator extends Simulator, Omit<PaypalAccount, 'rows' | 'balances' | 'close'> {
  readonly connection_id: string
  /** How many tokens were given out, and how many searches answered. */
  counts: () => { tokens: number; searches: number }
  /** All tokens given out so far are void. */
  revoke: () => void
}

const CLIENT = { id: 'sandbox-paypal-client', secret: 'sandbox-paypal-secret' } as const
const ACCOUNT = 'SANDBOXMERCHANT'
const SPAN_MS_MAX = 31 * 86_400_000
const PAGE_ROWS_MAX = 500
const PAGE_ROWS = 100

const json = (status: number, value: unknown): VendorAnswer => ({ status, body: JSON.stringify(value) })
const refused = (status: number, name: string, message: string): VendorAnswer =>
  json(status, { name, message, debug_id: 'sandbox', details: [] })

/** A PayPal merchant's account on 127.0.0.1: tokens, and the transaction search over records that are some time behind. */
export async function startPaypalSimulator(options: PaypalOptions): Promise<PaypalSimulator> {
  let faults = options.faults
  const { rows, balances, close, ...verbs } = openPaypalAccount(options)
  const tokens = new Map<string, number>()
  const counted = { tokens: 0, searches: 0 }

  const grant = ({ headers, body, method }: VendorRequest): VendorAnswer => {
    const expected = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`
    if (method !== 'POST' || headers['authorization'] !== expected)
      return json(401, { error: 'invalid_client', error_description: 'Client Authentication failed' })
    if (new URLSearchParams(body).get('grant_type') !== 'client_credentials')
      return json(400, { error: 'unsupported_grant_type', error_description: 'Grant Type is NULL' })
    counted.tokens += 1
    const expires_in = options.token_lifetime_s ?? 32_400
    const access_token = `A21AA-sandbox-${counted.tokens}`
    tokens.set(access_token, options.now().getTime() + expires_in * 1_000)
    return json(200, { access_token, token_type: 'Bearer', expires_in, scope: 'reporting/search/read' })
  }
  const isAuthorized = ({ headers }: VendorRequest): boolean => {
    const [, token = ''] = /^Bearer (.+)$/.exec(String(headers['authorization'] ?? '')) ?? []
    return (tokens.get(token) ?? 0) > options.now().getTime()
  }
  const answer = (request: VendorRequest): VendorAnswer => {
    if (request.path === '/v1/oauth2/token') return grant(request)
    if (!isAuthorized(request)) return json(401, { error: 'invalid_token', error_description: 'Token signature verification failed' }) // prettier-ignore
    if (request.method === 'GET' && request.path === '/v1/reporting/balances')
      return json(200, { account_id: ACCOUNT, balances: Object.entries(balances()).map(([currency, minor]) => ({ currency, total_balance: money(minor, currency) })) }) // prettier-ignore
    if (request.method !== 'GET' || request.path !== '/v1/reporting/transactions')
      return refused(404, 'RESOURCE_NOT_FOUND', 'The specified resource does not exist.')
    counted.searches += 1
    const refreshed = new Date(options.now().getTime() - (options.lag_ms ?? 0))
    return search(request.query, { rows: rows(), refreshed, rows_max: options.rows_max ?? 10_000 })
  }
  const server = await startVendorServer({
    port: options.port,
    random: options.random,
    faults: () => faults,
    throttled: { ...refused(429, 'RATE_LIMIT_REACHED', 'Too many requests.'), headers: { 'retry-after': '1' } },
    failed: refused(500, 'INTERNAL_SERVICE_ERROR', 'An internal service error has occurred.'),
    answer,
  })
  return {
    url: server.url,
    connection_id: options.connection_id,
    settings: { client_id: CLIENT.id, client_secret: CLIENT.secret, api_url: server.url },
    ...verbs,
    counts: () => ({ ...counted }),
    revoke: () => tokens.clear(),
    setWebhookUrl: () => undefined,
    setFaults: (next) => void (faults = next),
    busy: () => false,
    stop: async () => {
      await server.stop()
      close()
    },
  }
}

interface Records {
  rows: readonly AccountRow[]
  refreshed: Date
  rows_max: number
}

function search(query: URLSearchParams, { rows, refreshed, rows_max }: Records): VendorAnswer {
  const invalid = (message: string): VendorAnswer => refused(400, 'INVALID_REQUEST', message)
  const [start_ms, end_ms] = ['start_date', 'end_date'].map((name) => Date.parse(query.get(name) ?? '')) as [
    number,
    number,
  ]
  if (Number.isNaN(start_ms) || Number.isNaN(end_ms) || end_ms < start_ms) return invalid('Invalid dates.')
  if (end_ms - start_ms > SPAN_MS_MAX) return invalid('Date range is greater than 31 days')
  if (start_ms > refreshed.getTime()) return invalid('Data for the given start date is not available.')
  const size = Number(query.get('page_size') ?? PAGE_ROWS)
  const page = Number(query.get('page') ?? 1)
  if (!(size >= 1 && size <= PAGE_ROWS_MAX && page >= 1)) return invalid('Invalid page.')
  const until_ms = Math.min(end_ms + 999, refreshed.getTime())
  const found = rows.filter(({ at, hidden }) => !hidden && Date.parse(at) >= start_ms && Date.parse(at) <= until_ms)
  if (found.length > rows_max)
    return refused(400, 'RESULTSET_TOO_LARGE', 'Result set size is greater than the maximum limit.')
  // In no order that anybody may rely on.
  const mixed = found.toSorted((a, b) => ((a.serial * 7) % 11) - ((b.serial * 7) % 11))
  const shown = mixed.slice((page - 1) * size, page * size)
  return json(200, {
    transaction_details: shown.map((row) => ({ transaction_info: infoOf(row) })),
    account_number: ACCOUNT,
    start_date: query.get('start_date'),
    end_date: new Date(until_ms).toISOString(),
    last_refreshed_datetime: refreshed.toISOString().replace(/\.\d+Z$/, '+0000'),
    page,
    total_items: found.length,
    total_pages: Math.ceil(found.length / size),
  })
}

const money = (minor: number, currency: string) => ({
  currency_code: currency,
  value: decimalFromMinor(minor, currency),
})

/** Times of the records have whole seconds. */
const secondOf = (at: string): string => `${at.slice(0, 19)}+0000`

const infoOf = (row: AccountRow) => ({
  paypal_account_id: ACCOUNT,
  transaction_id: row.id,
  ...(row.reference === null ? {} : { paypal_reference_id: row.reference, paypal_reference_id_type: 'TXN' }),
  transaction_event_code: row.code,
  transaction_initiation_date: secondOf(row.at),
  transaction_updated_date: secondOf(row.at),
  transaction_status: 'S',
  transaction_amount: money(row.gross_minor, row.currency),
  ...(row.fee_minor === 0 ? {} : { fee_amount: money(row.fee_minor, row.currency) }),
  ...(row.invoice === null ? {} : { invoice_id: row.invoice }),
  ending_balance: money(row.ending_minor, row.currency),
  available_balance: money(row.ending_minor, row.currency),
})
