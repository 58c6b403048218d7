import { odoo } from '../../../src/connectors/odoo/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

const product = {
  id: 7,
  default_code: 'CUP',
  name: 'Cup',
  barcode: '4006381333931',
  weight: '0.35',
  weight_unit: 'kg',
  active: true,
  same_sku: [],
  kit: null,
}
const lid = { sku: 'LID', quantity: '2', own_unit: true, is_kit: false, for_some: false }

connectorContract(
  {
    connector: odoo,
    settings: (api) => ({ url: api, database: 'acme', api_key: 'key-0123456789abcdef' }),
    answers: ({ path }) =>
      path === '/web/version'
        ? { status: 200, body: { version: '19.0', version_info: [19, 0, 0, 'final', 0, ''] } }
        : undefined,
    samples: [
      { name: 'item', topic: 'item', payload: product },
      {
        name: 'kit',
        topic: 'item',
        payload: { ...product, kit: { quantity: '1', changed: '2026-11-20 00:00:00', lines: [lid] } },
      },
      {
        name: 'stock',
        topic: 'stock',
        payload: {
          warehouse: 'BER',
          as_of: '2026-11-20T12:00:00.000Z',
          lines: [{ sku: 'CUP', product: 7, quantity: '12' }],
        },
      },
    ],
    repeatable: { erp: 'every step reads before it writes, and skips what is done' },
  },
  import.meta.dirname,
)
