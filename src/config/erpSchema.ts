import Type from 'typebox'
import { ERP_INVOICES, ERP_ORDERS, type ErpPlace } from '../core/erp/policy.ts'
import { closed } from '../core/model/schema.ts'
import { CalendarDate } from '../core/model/tariff.ts'

/** What a company tells its ERP, and which places' stock the ERP is the one to know. */

const flag = (preset: boolean, description: string) => Type.Boolean({ default: preset, description })

function Choice<const W extends readonly [string, ...string[]]>(words: W, preset: W[number], description: string) {
  return Type.Unsafe<W[number]>({ type: 'string', enum: words, default: preset, description })
}

const ErpSection = Type.Object(
  {
    connection: Type.String({ minLength: 1, maxLength: 63, description: 'The connection of the ERP.' }),
    orders: Choice(ERP_ORDERS, 'paid', 'From which state of payment an order is told; none: orders are not.'),
    since: Type.Optional(CalendarDate),
    deliveries: flag(true, 'Parcels, each as a delivery of its order.'),
    returns: flag(true, 'Goods that came back.'),
    invoices: Choice(
      ERP_INVOICES,
      'none',
      'Whether the ERP is asked to invoice: each delivery, or the order when it is shipped.',
    ),
    credits: flag(false, 'A credit note for each refund of something that was invoiced.'),
    journals: flag(false, 'The journals of payouts, bank lines and write-offs.'),
    bank_statements: flag(false, 'Money that arrived as lines of a bank statement, in place of its journals.'),
    products_in: flag(false, 'Items and kits come from the ERP; what the configuration says of a SKU wins.'),
    stock_every_seconds: Type.Integer({
      minimum: 5,
      maximum: 86_400,
      default: 300,
      description: "How often the stock of the hub's own places is told, where it changed.",
    }),
  },
  { ...closed, description: 'The ERP behind the company.' },
)

export const CompanyErp = { erp: Type.Optional(ErpSection) }

export const LocationErp = {
  stock_authority: Type.Optional(
    Type.Unsafe<ErpPlace['authority']>({
      type: 'string',
      enum: ['hub', 'erp'],
      description: 'Who knows what lies there, where the company has an ERP: the other one is told. Default hub.',
    }),
  ),
  erp_code: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: "The ERP's code of the place." })),
}
