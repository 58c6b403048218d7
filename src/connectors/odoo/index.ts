import { odooItem } from '../../mappings/odoo/item.ts'
import { odooStock } from '../../mappings/odoo/stock.ts'
import { defineConnector } from '../_kit/define.ts'
import { classify } from './faults.ts'
import { pullItems, pullStock } from './pull.ts'
import { selfTest, showProduct } from './selfTest.ts'
import { sendToErp } from './send.ts'
import { CALLS_PER_SECOND, OdooSettings } from './settings.ts'

export const odoo = defineConnector({
  id: 'odoo',
  label: 'Odoo',
  kind: 'erp',
  grade: 'sandbox_account',
  settings: OdooSettings,
  http: {
    baseUrl: ({ url }) => url.replace(/\/+$/, ''),
    headers: ({ api_key, database }) => ({ authorization: `bearer ${api_key}`, 'x-odoo-database': database }),
    limit: ({ calls_per_second = CALLS_PER_SECOND }) => ({ calls: calls_per_second, per_ms: 1_000 }),
    timeout_ms: 30_000,
    classify,
  },
  inbound: { item: odooItem, stock: odooStock },
  pull: { items: pullItems, stock: pullStock },
  test: showProduct,
  selfTest,
  erp: { batch_max: 1, send: sendToErp },
})
