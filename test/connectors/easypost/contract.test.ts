import { easypost } from '../../../src/connectors/easypost/index.ts'
import { EASYPOST, signScheme } from '../../../src/connectors/_kit/signatures.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import { detailSample, eventSample, shipmentSample, trackerSample } from '../../mappings/easypost/samples.ts'

const SECRETS = ['secret-0123456789-new', 'sécret-0123456789-old']

connectorContract(
  {
    connector: easypost,
    settings: (api) => ({ api_key: 'EZTK0123456789', webhook_secrets: SECRETS, api_url: api }),
    webhook: {
      bodies: [eventSample(), eventSample({ id: 'evt_2' })],
      header: 'x-hmac-signature',
      rotates: true,
      sign: (body, at_ms, secret) => ({
        body,
        headers: {
          'content-type': 'application/json',
          ...signScheme(EASYPOST, { body, at_ms }, SECRETS[secret] ?? ''),
        },
        received_at_ms: at_ms,
      }),
    },
    samples: [
      { name: 'event', topic: 'tracker', payload: eventSample() },
      { name: 'tracker', topic: 'tracker', payload: trackerSample({ carrier: null, tracking_details: [] }) },
      { name: 'shipment', topic: 'shipment', payload: shipmentSample({ tracker: trackerSample() }) },
    ],
    unknown_words: [
      {
        name: 'tracker',
        topic: 'tracker',
        payload: trackerSample({ tracking_details: [detailSample({ status: 'teleported' })] }),
      },
    ],
    personal: ['Ada Example'],
    codes: { 402: ['vendor_auth'] },
    endless: {
      stream: 'tracking',
      answer: (_request, page) => ({ trackers: [trackerSample({ id: `trk_${page}` })], has_more: true }),
    },
  },
  import.meta.dirname,
)
