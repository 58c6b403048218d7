import { amazon } from '../../../src/connectors/amazon/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import { ITEM, ORDER } from '../../mappings/amazon/orderFixture.ts'

const LISTING = {
  sku: 'KETTLE-17',
  summaries: [{ marketplaceId: 'ATVPDKIKX0DER', asin: 'B0EXAMPLE1', productType: 'KETTLE', itemName: 'Kettle, 1.7 l' }],
  fulfillmentAvailability: [{ fulfillmentChannelCode: 'DEFAULT', quantity: 12 }],
}
const CHANGE = {
  NotificationType: 'ORDER_CHANGE',
  EventTime: '2026-11-19T06:00:01Z',
  Payload: { OrderChangeNotification: { AmazonOrderId: ORDER.orderId, OrderChangeType: 'OrderStatusChange' } },
  NotificationMetadata: { NotificationId: '0f4c-11' },
}
const fulfilled = (change: object) => ({ ...ORDER, fulfillment: { ...ORDER.fulfillment, ...change } })

connectorContract(
  {
    connector: amazon,
    settings: (api) => ({
      api: {
        region: 'na',
        seller_id: 'A1CONTRACT',
        marketplace_ids: ['ATVPDKIKX0DER'],
        client_id: 'amzn1.application-oa2-client.contract',
        client_secret: 'amzn1.oa2-cs.v1.contract',
        refresh_token: 'Atzr|contract-refresh',
        api_url: api,
        token_url: `${api}/auth/o2/token`,
      },
      queue: {
        queue_url: `${api}/1/orders`,
        region: 'us-east-1',
        access_key_id: 'AKIACONTRACT',
        secret_access_key: 'contract-queue-secret',
      },
    }),
    answers: ({ path }) =>
      path.startsWith('/auth/o2/token')
        ? { status: 200, body: { access_token: 'Atza|contract-access', token_type: 'bearer', expires_in: 3_600 } }
        : undefined,
    read: (port) => drainOrders(port),
    samples: [
      { name: 'order', topic: 'order', payload: ORDER },
      {
        name: 'order-by-amazon',
        topic: 'order',
        payload: fulfilled({ fulfilledBy: 'AMAZON', fulfillmentStatus: 'SHIPPED' }),
      },
      {
        name: 'order-cancelled-item',
        topic: 'order',
        payload: {
          ...ORDER,
          orderItems: [{ ...ITEM, cancellation: { cancellationExecution: { cancelledBy: 'MERCHANT' } } }],
        },
      },
      { name: 'listing', topic: 'listing', payload: LISTING },
      { name: 'order-change', topic: 'notification', payload: CHANGE },
    ],
    unknown_words: [{ name: 'order', topic: 'order', payload: fulfilled({ fulfillmentStatus: 'TELEPORTED' }) }],
    personal: ['Grace Sample', 'alias77@marketplace.example', '12 Pine Road'],
    endless: {
      stream: 'listings',
      answer: (_, page) => ({ items: [LISTING], pagination: { nextToken: String(page) } }),
    },
  },
  import.meta.dirname,
)

async function drainOrders(port: Parameters<NonNullable<typeof amazon.test>>[0]): Promise<void> {
  for await (const page of amazon.pull!.orders!(port, { cursor: null, overlap_ms: 0, now: new Date() })) void page
}
