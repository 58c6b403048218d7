import Type, { type Static } from 'typebox'
import { closed } from '../../core/model/schema.ts'

const Secret = { minLength: 1, secret: true } as const

export const PaypalSettings = Type.Object(
  {
    client_id: Type.Optional(
      Type.String({ ...Secret, description: 'REST app with Transaction Search; absent: payouts come as files alone' }),
    ),
    client_secret: Type.Optional(Type.String(Secret)),
    environment: Type.Optional(Type.Enum(['live', 'sandbox'], { default: 'live' })),
    api_url: Type.Optional(
      Type.String({ pattern: '^https?://[^?#]+$', description: 'Another host instead of https://api-m.paypal.com' }),
    ),
    first_days: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000, default: 90, description: 'How far back the first pull reaches' }),
    ),
    settlement_files: Type.Optional(
      Type.Object(
        {
          stl_decimals: Type.Optional(
            Type.Record(Type.String({ pattern: '^[A-Z]{3}$' }), Type.Integer({ minimum: 0, maximum: 4 }), {
              description: 'Digits behind the decimal mark in the report, where a currency differs',
            }),
          ),
          stl_footer: Type.Optional(
            Type.Array(Type.String({ minLength: 1, maxLength: 20 }), {
              maxItems: 12,
              description: 'Order of the totals in the section footer',
            }),
          ),
        },
        { ...closed, description: 'How its payout files are written' },
      ),
    ),
  },
  closed,
)
export type PaypalSettings = Static<typeof PaypalSettings>
