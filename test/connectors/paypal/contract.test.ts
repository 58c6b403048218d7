import { paypal } from '../../../src/connectors/paypal/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'

const money = (value: string, currency_code = 'EUR') => ({ currency_code, value })
const row = (id: string, code: string, amount: string, balance: string, more: object = {}) => ({
  transaction_info: {
    transaction_id: id,
    transaction_event_code: code,
    transaction_initiation_date: '2026-11-03T09:00:00+0000',
    transaction_updated_date: '2026-11-03T09:00:01+0000',
    transaction_status: 'S',
    transaction_amount: money(amount),
    ending_balance: money(balance),
    ...more,
  },
})
const window = {
  id: '4AB00000WITHDRAW0',
  account: 'MERCHANT1',
  currency: 'EUR',
  from: '2026-11-01T00:00:00.000Z',
  to: '2026-11-03T10:00:00.000Z',
  begin_minor: 1_000,
  end_minor: 500,
  transaction_details: [
    row('SALE1', 'T0006', '50.00', '58.40', { fee_amount: money('-1.60'), invoice_id: '#1001', custom_field: '700' }),
    row('REFUND1', 'T1107', '-8.40', '50.00', { paypal_reference_id: 'SALE1', invoice_id: '#1001' }),
    row('FX1', 'T0200', '9.00', '59.00', { paypal_reference_id: 'CONVERSION1' }),
  ],
  withdrawal: row('4AB00000WITHDRAW0', 'T0400', '-54.00', '5.00', { bank_reference_id: 'BANK77' }),
  related: [
    {
      transaction_info: {
        ...row('FX2', 'T0200', '-10.00', '0.00', { paypal_reference_id: 'CONVERSION1' }).transaction_info,
        transaction_amount: money('-10.00', 'USD'),
        ending_balance: money('0.00', 'USD'),
      },
    },
  ],
  superseded: false,
}
const month = { ...window, id: 'MERCHANT1:2026-11:EUR', end_minor: 5_900, withdrawal: null, related: [] }

connectorContract(
  {
    connector: paypal,
    settings: (api) => ({ client_id: 'client-0123456789', client_secret: 'secret-0123456789', api_url: api }),
    samples: [
      { name: 'settlement', topic: 'settlement', payload: window },
      { name: 'settlement-month', topic: 'settlement', payload: month },
      { name: 'settlement-superseded', topic: 'settlement', payload: { ...window, superseded: true } },
    ],
    unknown_words: [
      {
        name: 'settlement',
        topic: 'settlement',
        payload: { ...window, transaction_details: [row('NEW', 'T9800', '49.00', '59.00')] },
      },
    ],
    answers: ({ path }) =>
      path === '/v1/oauth2/token'
        ? { status: 200, body: { access_token: 'token-0123456789', expires_in: 900 } }
        : undefined,
    endless: {
      stream: 'settlements',
      answer: () => ({
        account_number: 'MERCHANT1',
        transaction_details: [],
        total_items: 9_000,
        total_pages: 1_000_000,
      }),
    },
  },
  import.meta.dirname,
)
