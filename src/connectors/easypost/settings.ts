import Type, { type Static } from 'typebox'

const Secret = { minLength: 1, secret: true } as const

export const LABEL_FORMATS = ['PDF', 'ZPL', 'PNG'] as const

export const Settings = Type.Object(
  {
    api_key: Type.String({
      ...Secret,
      description: 'Production or test API key; a test key buys labels that cost nothing',
    }),
    webhook_secrets: Type.Array(Type.String(Secret), {
      minItems: 1,
      maxItems: 2,
      description: 'Secret that the webhook was made with; two while it is being changed',
    }),
    label_format: Type.Optional(
      Type.Unsafe<(typeof LABEL_FORMATS)[number]>({
        type: 'string',
        enum: LABEL_FORMATS,
        default: 'PDF',
        description: 'What the printers at the place take',
      }),
    ),
    carrier_accounts: Type.Optional(
      Type.Array(Type.String({ pattern: '^ca_[A-Za-z0-9]+$' }), {
        minItems: 1,
        maxItems: 100,
        description: 'Accounts that are asked for rates; left out: all of the EasyPost account',
      }),
    ),
    customs: Type.Optional(
      Type.Object(
        {
          signer: Type.String({ minLength: 1, maxLength: 100, description: 'Who certifies the declaration' }),
          origin_country: Type.String({ pattern: '^[A-Z]{2}$', description: 'Of items that say nothing' }),
          hs_tariff_number: Type.Optional(Type.String({ pattern: '^[0-9.]{4,13}$' })),
          eel_pfc: Type.Optional(
            Type.String({ maxLength: 60, description: 'Export declaration of parcels that leave the United States' }),
          ),
        },
        {
          additionalProperties: false,
          description: 'For parcels that leave their customs area; without it they get no rates',
        },
      ),
    ),
    tracking_days: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 90,
        default: 30,
        description: 'How far back parcels are looked after by polling',
      }),
    ),
    calls_per_second: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 10 })),
    file_hosts: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        maxItems: 10,
        description: 'Further hosts that label files may be fetched from',
      }),
    ),
    api_url: Type.Optional(
      Type.String({ pattern: '^https?://[^?#]+$', description: 'Another host instead of https://api.easypost.com/v2' }),
    ),
  },
  { additionalProperties: false },
)
export type Settings = Static<typeof Settings>
