import Type, { type Static } from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { ebayFinances } from '../../mappings/ebay/settlement.ts'
import { defineConnector } from '../_kit/define.ts'
import { listPayouts, showNewestPayout } from './payouts.ts'

const Secret = { minLength: 8, secret: true } as const
const SCOPE = 'https://api.ebay.com/oauth/api_scope/sell.finances'
const HOSTS = {
  production: { finances: 'https://apiz.ebay.com', identity: 'https://api.ebay.com' },
  sandbox: { finances: 'https://apiz.sandbox.ebay.com', identity: 'https://api.sandbox.ebay.com' },
} as const
const ENVIRONMENTS = ['production', 'sandbox'] as const

const Api = Type.Object(
  {
    client_id: Type.String({ minLength: 1, description: 'App ID of the keyset' }),
    client_secret: Type.String({ ...Secret, description: 'Cert ID of the keyset' }),
    refresh_token: Type.String({
      ...Secret,
      description: 'Of the seller, with the scope sell.finances; lives 18 months',
    }),
    environment: Type.Optional(
      Type.Unsafe<(typeof ENVIRONMENTS)[number]>({ type: 'string', enum: ENVIRONMENTS, default: 'production' }),
    ),
    signing: Type.Optional(
      Type.Object(
        {
          key_jwe: Type.String({ ...Secret, description: 'The public key as the Key Management API wrapped it' }),
          private_key: Type.String({
            ...Secret,
            description: 'Its Ed25519 or RSA key, PKCS#8 in base64 without a header',
          }),
        },
        { ...closed, description: 'Signs the calls, as eBay demands of sellers in the EU and the UK' },
      ),
    ),
    finances_url: Type.Optional(
      Type.String({ pattern: '^https?://[^?#]+$', description: 'Another host of the Finances API' }),
    ),
    identity_url: Type.Optional(
      Type.String({ pattern: '^https?://[^?#]+$', description: 'Another host of the tokens' }),
    ),
  },
  { ...closed, description: 'Fetches payouts over the API; left out: files alone' },
)
const Settings = Type.Object({ api: Type.Optional(Api) }, closed)
export type EbaySettings = Static<typeof Settings>
export type EbayApi = Static<typeof Api>

const hostOf = (settings: EbaySettings, which: 'finances' | 'identity'): string =>
  settings.api?.[`${which}_url`] ?? HOSTS[settings.api?.environment ?? 'production'][which]

/** Payouts of the Finances API, fetched or kept as a file; the other parts of the marketplace are not built. */
export const ebay = defineConnector({
  id: 'ebay',
  label: 'eBay',
  kind: 'marketplace',
  grade: 'simulator',
  settings: Settings,
  http: {
    baseUrl: (settings) => hostOf(settings, 'finances'),
    headers: () => ({}),
    token: (settings) => ({
      url: `${hostOf(settings, 'identity')}/identity/v1/oauth2/token`,
      client: { id: settings.api?.client_id ?? '', secret: settings.api?.client_secret ?? '', sent_as: 'basic' },
      grant: { kind: 'refresh_token', refresh_token: settings.api?.refresh_token ?? '', rotates: false, scope: SCOPE },
    }),
    // The vendor names no number for this API; a payout is asked for once.
    limit: () => ({ calls: 5, per_ms: 1_000 }),
  },
  inbound: {},
  settlements: { formats: [ebayFinances], reports: listPayouts },
  test: showNewestPayout,
})
