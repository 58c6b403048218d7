import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { adyenSettlementDetail } from '../../mappings/adyen/settlement.ts'
import { defineConnector } from '../_kit/define.ts'

const Settings = Type.Object(
  {
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

/** Settlement detail reports; payments themselves are not read. */
export const adyen = defineConnector({
  id: 'adyen',
  label: 'Adyen',
  kind: 'gateway',
  grade: 'fixtures',
  settings: Settings,
  inbound: {},
  settlements: { formats: [adyenSettlementDetail] },
})
