import { createHmac } from 'node:crypto'
import { adyen } from '../../../src/connectors/adyen/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

const KEYS = [
  '00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF',
  'FFEEDDCCBBAA99887766554433221100FFEEDDCCBBAA99887766554433221100',
]
const nameOf = (batch: number): string => `settlement_detail_report_batch_${batch}.csv`
/** Signed fields alone: what is beside them, such as the date, may be altered by anybody. */
const bare = (batch: number) => ({
  amount: { currency: 'EUR', value: 0 },
  eventCode: 'REPORT_AVAILABLE',
  merchantAccountCode: 'ShopEU',
  pspReference: nameOf(batch),
  success: 'true',
})
const notification = (batch: number, change: object = {}) => ({
  live: 'true',
  notificationItems: [
    {
      NotificationRequestItem: {
        ...bare(batch),
        eventDate: '2026-11-20T08:00:00+01:00',
        merchantReference: '',
        reason: `https://ca-live.adyen.com/reports/download/MerchantAccount/ShopEU/${nameOf(batch)}`,
        additionalData: { hmacSignature: 'is not looked at by a mapping' },
        ...change,
      },
    },
  ],
})

connectorContract(
  {
    connector: adyen,
    settings: (api) => ({
      merchant_account: 'ShopEU',
      hmac_keys: KEYS,
      report_user: 'report@Company.Shop',
      report_password: 'password-0123456789',
      reports_url: api,
    }),
    webhook: {
      bodies: [bare(7), bare(8)],
      header: null,
      rotates: true,
      sign: (body, at_ms, secret) => {
        const item = JSON.parse(body.toString()) as ReturnType<typeof bare>
        const signed = [item.pspReference, '', item.merchantAccountCode, '', item.amount.value, item.amount.currency, item.eventCode, item.success].join(':') // prettier-ignore
        const hmacSignature = createHmac('sha256', Buffer.from(KEYS[secret] ?? '', 'hex'))
          .update(signed)
          .digest('base64')
        const whole = {
          notificationItems: [{ NotificationRequestItem: { ...item, additionalData: { hmacSignature } } }],
        }
        return {
          body: Buffer.from(JSON.stringify(whole)),
          headers: { 'content-type': 'application/json' },
          received_at_ms: at_ms,
        }
      },
    },
    samples: [
      { name: 'report-ready', topic: 'report_ready', payload: notification(7) },
      { name: 'report-failed', topic: 'report_ready', payload: notification(7, { success: 'false' }) },
      {
        name: 'report-of-another',
        topic: 'report_ready',
        payload: notification(7),
        settings: { merchant_account: 'ShopUS' },
      },
    ],
  },
  import.meta.dirname,
)
