import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { ebayFinances } from '../../mappings/ebay/settlement.ts'
import { defineConnector } from '../_kit/define.ts'

const Settings = Type.Object({}, closed)

/** Answers of the Finances API kept as a file; the other parts of the marketplace are not built. */
export const ebay = defineConnector({
  id: 'ebay',
  label: 'eBay',
  kind: 'marketplace',
  grade: 'fixtures',
  settings: Settings,
  inbound: {},
  settlements: { formats: [ebayFinances] },
})
