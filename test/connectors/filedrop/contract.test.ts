import { filedrop } from '../../../src/connectors/filedrop/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

const AT = '2026-11-21T09:00:00.000Z'
const line = { sku: 'TEA', quantity: 2, line_reference: 'L1', lot: null }

connectorContract(
  {
    connector: filedrop,
    settings: () => ({
      partner: 'depot',
      transport: {
        kind: 'sftp',
        host: 'sftp.depot.example',
        username: 'acme',
        password: 'sftp-password',
        host_key_sha256: `SHA256:${'A'.repeat(43)}`,
        root: '/acme',
      },
    }),
    samples: [
      {
        name: 'shipment',
        topic: 'shipment',
        payload: {
          shipment_id: 'S1',
          fulfillment_order: 'FO-1',
          shipped_at: AT,
          carrier: 'DHL',
          tracking_number: 'T1',
          tracking_url: null,
          lines: [line],
        },
      },
      {
        name: 'stock',
        topic: 'stock',
        payload: {
          location_code: 'B1',
          as_of: AT,
          part: 'stock_full:1:B1:1',
          lines: [{ sku: 'TEA', on_hand: 5, damaged: 1, quality_control: null }],
        },
      },
      {
        name: 'receipt',
        topic: 'receipt',
        payload: {
          receipt_id: 'R1',
          location_code: 'B1',
          received_at: AT,
          reference: 'PO-1',
          lines: [{ sku: 'TEA', quantity: 2 }],
        },
      },
      { name: 'ack', topic: 'ack', payload: { fulfillment_order: 'FO-1', verdict: 'accepted', reason: null, at: AT } },
      {
        name: 'return',
        topic: 'return',
        payload: {
          return_id: 'RT1',
          fulfillment_order: 'FO-1',
          order_external_id: null,
          location_code: 'B1',
          received_at: AT,
          lines: [{ sku: 'TEA', quantity: 1, line_reference: 'L1', disposition: 'restock' }],
        },
      },
    ],
    repeatable: { fulfillment: 'the same lines are written under the same name, by a rename' },
  },
  import.meta.dirname,
)
