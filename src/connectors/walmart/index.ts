import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { walmartRecon } from '../../mappings/walmart/settlement.ts'
import { defineConnector } from '../_kit/define.ts'

const Settings = Type.Object({}, closed)

/** Reconciliation reports; the other parts of the marketplace are not built. */
export const walmart = defineConnector({
  id: 'walmart',
  label: 'Walmart',
  kind: 'marketplace',
  grade: 'fixtures',
  settings: Settings,
  inbound: {},
  settlements: { formats: [walmartRecon] },
})
