import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { paypalStl } from '../../mappings/paypal/settlement.ts'
import { paypalTransactions } from '../../mappings/paypal/settlementTransactions.ts'
import { defineConnector } from '../_kit/define.ts'

const Settings = Type.Object(
  {
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

/** Settlement reports and searched transactions; payments themselves are not read. */
export const paypal = defineConnector({
  id: 'paypal',
  label: 'PayPal',
  kind: 'gateway',
  grade: 'fixtures',
  settings: Settings,
  inbound: {},
  settlements: { formats: [paypalStl, paypalTransactions] },
})
