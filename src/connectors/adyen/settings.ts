import Type, { type Static } from 'typebox'
import { closed } from '../../core/model/schema.ts'

const Secret = { minLength: 1, secret: true } as const

export const AdyenSettings = Type.Object(
  {
    merchant_account: Type.Optional(
      Type.String({ minLength: 1, maxLength: 100, description: 'Reports of other merchant accounts are left alone' }),
    ),
    hmac_keys: Type.Optional(
      Type.Array(Type.String({ ...Secret, pattern: '^[0-9A-Fa-f]{64}$' }), {
        minItems: 1,
        maxItems: 2,
        description: 'HMAC key of the standard webhook, in hex; two while it is being rotated',
      }),
    ),
    report_user: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'report@Company.… of the reports; absent: payouts come as files alone',
      }),
    ),
    report_password: Type.Optional(Type.String(Secret)),
    environment: Type.Optional(Type.Enum(['live', 'test'], { default: 'live' })),
    reports_url: Type.Optional(
      Type.String({ pattern: '^https?://[^/?#]+$', description: 'Another host instead of https://ca-live.adyen.com' }),
    ),
    settlement_files: Type.Optional(
      Type.Object(
        {
          zone: Type.Optional(
            Type.String({ minLength: 1, maxLength: 60, description: 'Zone of times that name none' }),
          ),
        },
        { ...closed, description: 'How its payout files are written' },
      ),
    ),
  },
  closed,
)
export type AdyenSettings = Static<typeof AdyenSettings>

const HOSTS = { live: 'https://ca-live.adyen.com', test: 'https://ca-test.adyen.com' } as const

/** Where reports are kept. Nothing is downloaded from anywhere else, because the address in a message is not signed. */
export const reportsHost = ({ reports_url, environment }: AdyenSettings): string =>
  reports_url ?? HOSTS[environment ?? 'live']
