import Type from 'typebox'
import { HubError, type ErrorCode } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import { paypalStl } from '../../mappings/paypal/settlement.ts'
import { paypalSettlement } from '../../mappings/paypal/settlementSearched.ts'
import { paypalTransactions } from '../../mappings/paypal/settlementTransactions.ts'
import { defineConnector, type HttpAnswer } from '../_kit/define.ts'
import { pullSettlements } from './pull.ts'
import { searchAll } from './search.ts'
import { PaypalSettings } from './settings.ts'

const HOSTS = { live: 'https://api-m.paypal.com', sandbox: 'https://api-m.sandbox.paypal.com' } as const
const DAY_MS = 86_400_000
const open = { additionalProperties: true } as const
const readBalances = checker(
  Type.Object(
    { account_id: Type.String(), balances: Type.Array(Type.Object({ currency: Type.String() }, open)) },
    open,
  ),
  'vendor_response_invalid',
)
const hostOf = ({ api_url, environment }: PaypalSettings): string => api_url ?? HOSTS[environment ?? 'live']

/** Settlement reports and the transaction search; payments themselves are not read. */
export const paypal = defineConnector({
  id: 'paypal',
  label: 'PayPal',
  kind: 'gateway',
  grade: 'simulator',
  settings: PaypalSettings,
  http: {
    baseUrl: hostOf,
    headers: () => ({}),
    token: (settings) => ({
      url: `${hostOf(settings)}/v1/oauth2/token`,
      client: { id: settings.client_id ?? '', secret: settings.client_secret ?? '', sent_as: 'basic' },
      grant: { kind: 'client_credentials' },
    }),
    // PayPal names no limit and answers 429 when it has had enough.
    limit: () => ({ calls: 5, per_ms: 1_000 }),
    classify,
  },
  inbound: { settlement: paypalSettlement },
  settlements: { formats: [paypalStl, paypalTransactions] },
  pull: { settlements: pullSettlements },
  test: async (port) => {
    needsApp(port.settings)
    const { body } = await port.http.request({
      operation: 'balances',
      method: 'GET',
      path: '/v1/reporting/balances',
      repeat: 'safe',
    })
    const { account_id, balances } = readBalances(body)
    return `account ${account_id} with balances in ${balances.map(({ currency }) => currency).join(', ') || 'no currency'}`
  },
  selfTest: async (port, now) => {
    if (port.settings.client_id === undefined) return []
    const searched = await searchAll(port, new Date(now.getTime() - DAY_MS), now)
    const detail =
      searched === null
        ? 'there are no records of the last day yet'
        : `${searched.rows.length} rows in the last day, complete until ${searched.until.toISOString()}`
    return [{ name: 'transaction_search', ok: true, detail }]
  },
})

function needsApp({ client_id }: PaypalSettings): void {
  if (client_id === undefined)
    throw new HubError('unsupported', 'no app is configured: payouts come as files alone', {
      hint: 'set client_id and client_secret',
    })
}

/** `name` of an error answer, where it says more than the status. */
const ERROR_NAMES: Readonly<Record<string, ErrorCode>> = {
  RATE_LIMIT_REACHED: 'vendor_throttled',
  RESULTSET_TOO_LARGE: 'payload_too_large',
  NOT_AUTHORIZED: 'vendor_auth',
  PERMISSION_DENIED: 'vendor_auth',
  INTERNAL_SERVICE_ERROR: 'vendor_unavailable',
  INTERNAL_SERVER_ERROR: 'vendor_unavailable',
}
/** The one thing that only the text says. */
const NO_RECORDS = /start date is not available/i

function classify({
  status,
  headers,
  body,
}: HttpAnswer): { code: ErrorCode; detail: string; retry_after_ms?: number } | undefined {
  if (status < 400 || typeof body !== 'object' || body === null) return undefined
  const { name, message } = body as { name?: unknown; message?: unknown }
  if (name === 'INVALID_REQUEST' && typeof message === 'string' && NO_RECORDS.test(message))
    return { code: 'not_yet', detail: 'no records of that time yet' }
  const code = typeof name === 'string' && Object.hasOwn(ERROR_NAMES, name) ? ERROR_NAMES[name] : undefined
  if (code === undefined) return undefined
  const seconds = /^\d{1,5}$/.exec(headers['retry-after'] ?? '')?.[0]
  return {
    code,
    detail: `${status} (${String(name)})`,
    ...(seconds === undefined ? {} : { retry_after_ms: Number(seconds) * 1_000 }),
  }
}
