import { randomUUID } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { walmartRecon, walmartReconJson } from '../../mappings/walmart/settlement.ts'
import { defineConnector } from '../_kit/define.ts'
import { listReconReports, showNewestReport } from './reports.ts'

const HOST = 'https://marketplace.walmartapis.com'

const Api = Type.Object(
  {
    client_id: Type.String({ minLength: 1, description: 'Of the seller, from the developer portal' }),
    client_secret: Type.String({ minLength: 8, secret: true, description: 'Its secret' }),
    api_url: Type.Optional(
      Type.String({ pattern: '^https?://[^?#]+$', description: `Another host instead of ${HOST}` }),
    ),
  },
  { ...closed, description: 'Fetches reconciliation reports over the API; left out: files alone' },
)
const Settings = Type.Object({ api: Type.Optional(Api) }, closed)
export type WalmartSettings = Static<typeof Settings>

/** Every call names itself, so that the vendor can find it in its logs. */
const named = (): Record<string, string> => ({
  'wm_qos.correlation_id': randomUUID(),
  'wm_svc.name': 'Crossdock',
  accept: 'application/json',
})

/** Reconciliation reports, fetched or brought as files; the other parts of the marketplace are not built. */
export const walmart = defineConnector({
  id: 'walmart',
  label: 'Walmart',
  kind: 'marketplace',
  grade: 'simulator',
  settings: Settings,
  http: {
    baseUrl: ({ api }) => api?.api_url ?? HOST,
    headers: named,
    token: ({ api }) => ({
      url: `${api?.api_url ?? HOST}/v3/token`,
      client: { id: api?.client_id ?? '', secret: api?.client_secret ?? '', sent_as: 'basic' },
      grant: { kind: 'client_credentials' },
      headers: named(),
      carry: (token) => ({ 'wm_sec.access_token': token }),
    }),
    limit: () => ({ calls: 2, per_ms: 1_000 }),
  },
  inbound: {},
  settlements: { formats: [walmartRecon, walmartReconJson], reports: listReconReports },
  test: showNewestReport,
})
