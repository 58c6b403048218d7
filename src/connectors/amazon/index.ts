import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { amazonFinances } from '../../mappings/amazon/finances.ts'
import { amazonSettlementV2 } from '../../mappings/amazon/settlementV2.ts'
import { defineConnector } from '../_kit/define.ts'

const Settings = Type.Object(
  {
    settlement_files: Type.Optional(
      Type.Object(
        {
          decimal: Type.Optional(
            Type.Enum(['.', ','], { description: 'Decimal mark; otherwise found out from the file' }),
          ),
          date_order: Type.Optional(
            Type.Enum(['dmy', 'mdy'], { description: 'Order of dates with slashes; month first otherwise' }),
          ),
        },
        { ...closed, description: 'How its payout files are written' },
      ),
    ),
  },
  closed,
)

/** Payout files of the seller account; the other parts of the marketplace are not built. */
export const amazon = defineConnector({
  id: 'amazon',
  label: 'Amazon',
  kind: 'marketplace',
  grade: 'fixtures',
  settings: Settings,
  inbound: {},
  settlements: { formats: [amazonSettlementV2, amazonFinances] },
})
