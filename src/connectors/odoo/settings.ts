import Type, { type Static } from 'typebox'
import { closed } from '../../core/model/schema.ts'

const Secret = { minLength: 1, secret: true } as const
const Text = (description: string) => Type.String({ minLength: 1, maxLength: 200, description })

export const CALLS_PER_SECOND = 30

export const OdooSettings = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://[^?#]+$',
      description: 'Address of the server, such as https://erp.example',
    }),
    database: Text('Name of its database'),
    login: Type.Optional(Text('Login of the user that the key belongs to; JSON-RPC needs it, JSON-2 does not')),
    api_key: Type.String({ ...Secret, description: "API key of that user (Odoo: user's preferences, Security)" }),
    protocol: Type.Optional(
      Type.Union([Type.Literal('auto'), Type.Literal('json2'), Type.Literal('jsonrpc')], {
        default: 'auto',
        description: 'auto asks the server for its version: JSON-2 from 19 on, JSON-RPC before',
      }),
    ),
    key_expires_on: Type.Optional(
      Type.String({ format: 'date', description: 'When the key ends, where the user may not read it in Odoo' }),
    ),
    company_id: Type.Optional(
      Type.Integer({
        minimum: 1,
        description: 'Id of the company in a database of several; absent: the one of the user',
      }),
    ),
    external_id_module: Type.Optional(
      Type.String({
        pattern: '^[a-z][a-z0-9_]{0,40}$',
        default: 'crossdock',
        description: 'First part of the external ids; one of its own for each hub that writes into the database',
      }),
    ),
    taxes: Type.Optional(
      Type.Array(
        Type.Object(
          {
            rate: Type.String({ pattern: '^\\d{1,2}(\\.\\d{1,4})?$', description: 'In percent' }),
            tax: Text('Id or exact name of the tax in Odoo'),
          },
          closed,
        ),
        {
          maxItems: 100,
          description: 'Which tax stands for which rate; absent: the first sale tax in percent that fits',
        },
      ),
    ),
    rounding_minor_max: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        default: 0,
        description: 'By how much a total may differ and be set right by a line of its own; anything more is refused',
      }),
    ),
    shipping_sku: Type.Optional(Text('Product for shipping costs; absent: one that the hub makes')),
    discount_sku: Type.Optional(Text('Product for discounts and rounding; absent: one that the hub makes')),
    return_locations: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 40 }), Text('Complete name, such as WH/Stock/Damaged'), {
        description:
          'Where goods that came back go, by what became of them; what is restocked goes to the stock location',
      }),
    ),
    settlement_journal: Type.Optional(Text('Code of the journal for payouts; absent: MISC')),
    accounts: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Text('Code of the account in Odoo'), {
        description: 'Which account stands for which of ours; a name that ends in * stands for all that begin so',
      }),
    ),
    bank_journals: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Z]{3}$' }), Text('Code of the journal'), {
        description: 'Bank journal by currency; absent: the only bank journal of that currency',
      }),
    ),
    calls_per_second: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1_000, default: CALLS_PER_SECOND, description: 'What the server bears' }),
    ),
  },
  closed,
)
export type OdooSettings = Static<typeof OdooSettings>

export const moduleOf = ({ external_id_module = 'crossdock' }: OdooSettings): string => external_id_module
