import { createHash } from 'node:crypto'
import type { Faults } from '../simulator.ts'
import type { VendorAnswer, VendorRequest } from '../vendorServer.ts'
import type { Account, AccountMessage, AccountOrder } from './account.ts'

export interface QueueOptions {
  url_path: string
  access_key_id: string
  /** How long a message that was handed out stays hidden. */
  visibility_ms: number
  random: () => number
  now: () => Date
}

const answer = (status: number, body: unknown): VendorAnswer => ({
  status,
  headers: { 'content-type': 'application/x-amz-json-1.0' },
  body: JSON.stringify(body),
})
const fault = (status: number, type: string): VendorAnswer =>
  answer(status, { __type: `com.amazonaws.sqs#${type}`, message: type })

const RECEIVE_MAX = 10

/**
 * A standard queue of Amazon SQS, in its JSON protocol: at least once, in no order, and what was received stays hidden for a while and comes
 * back unless it is deleted.
 */
export function createQueue(account: () => Account, options: QueueOptions) {
  const hidden = new Map<string, number>()
  let receipts = 0

  const receive = (wanted: number): VendorAnswer => {
    const now_ms = options.now().getTime()
    const visible = account()
      .messages()
      .filter(({ id, visible_ms }) => visible_ms <= now_ms && (hidden.get(id) ?? 0) <= now_ms)
    const some = shuffled(visible, options.random).slice(0, Math.min(RECEIVE_MAX, wanted))
    for (const { id } of some) hidden.set(id, now_ms + options.visibility_ms)
    const Messages = some.map(({ id, body }) => ({
      MessageId: id,
      ReceiptHandle: `${id}#${(receipts += 1)}`,
      MD5OfBody: createHash('md5').update(body).digest('hex'),
      Body: body,
    }))
    return answer(200, Messages.length === 0 ? {} : { Messages })
  }

  const remove = (handles: readonly string[]): void => {
    const ids = handles.map((handle) => handle.split('#')[0] ?? '')
    if (ids.length > 0) account().commit({ removed: ids })
    for (const id of ids) hidden.delete(id)
  }

  const actions: Readonly<Record<string, (body: Record<string, unknown>) => VendorAnswer>> = {
    ReceiveMessage: (body) => receive(Number(body['MaxNumberOfMessages'] ?? 1)),
    DeleteMessage: (body) => {
      remove([String(body['ReceiptHandle'])])
      return answer(200, {})
    },
    DeleteMessageBatch: (body) => {
      const entries = (body['Entries'] ?? []) as { Id: string; ReceiptHandle: string }[]
      if (entries.length === 0 || entries.length > RECEIVE_MAX) return fault(400, 'TooManyEntriesInBatchRequest')
      remove(entries.map(({ ReceiptHandle }) => ReceiptHandle))
      return answer(200, { Successful: entries.map(({ Id }) => ({ Id })), Failed: [] })
    },
  }

  return {
    /** Whether the request speaks to the queue at all. */
    answers: ({ headers }: VendorRequest): boolean => typeof headers['x-amz-target'] === 'string',
    handle: (request: VendorRequest): VendorAnswer => {
      const signed = String(request.headers['authorization'] ?? '')
      const own =
        signed.startsWith(`AWS4-HMAC-SHA256 Credential=${options.access_key_id}/`) &&
        /Signature=[0-9a-f]{64}$/.test(signed)
      if (!own) return fault(403, 'InvalidClientTokenId')
      const body = JSON.parse(request.body) as Record<string, unknown>
      if (!String(body['QueueUrl']).endsWith(options.url_path)) return fault(400, 'QueueDoesNotExist')
      const action = actions[String(request.headers['x-amz-target']).split('.')[1] ?? '']
      return action === undefined ? fault(400, 'UnsupportedOperation') : action(body)
    },
  }
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  return all
    .map((value) => ({ value, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .map(({ value }) => value)
}

// ── what is put into it ───────────────────────────────────────────────────────────────────────────────────────────────────

export interface PublishOptions {
  seller_id: string
  marketplace_id: string
  random: () => number
  faults: () => Faults
}

/** One notification about a changed order: now and then none at all, now and then as two messages, each with a delay of its own. */
export function publisher({ seller_id, marketplace_id, random, faults }: PublishOptions) {
  return (order: AccountOrder, nextId: () => number): AccountMessage[] => {
    const { webhook_drop_share, webhook_duplicate_share, webhook_delay_ms_max } = faults()
    if (random() < webhook_drop_share) return []
    const body = JSON.stringify(notificationOf(order, { seller_id, marketplace_id, id: nextId() }))
    const copies = random() < webhook_duplicate_share ? 2 : 1
    return Array.from({ length: copies }, () => ({
      id: `message-${nextId()}`,
      visible_ms: order.updated_ms + Math.floor(random() * webhook_delay_ms_max),
      body,
    }))
  }
}

/** The statuses as version 0 of the Orders API spelt them: notifications still do. */
const STATUS: Readonly<Record<AccountOrder['status'], string>> = {
  PENDING: 'Pending',
  UNSHIPPED: 'Unshipped',
  PARTIALLY_SHIPPED: 'PartiallyShipped',
  SHIPPED: 'Shipped',
  CANCELLED: 'Canceled',
}

function notificationOf(
  order: AccountOrder,
  about: { seller_id: string; marketplace_id: string; id: number },
): unknown {
  const at = new Date(order.updated_ms).toISOString()
  const asked = order.lines.some(({ cancel_asked }) => cancel_asked)
  return {
    NotificationVersion: '1.0',
    NotificationType: 'ORDER_CHANGE',
    PayloadVersion: '1.0',
    EventTime: at,
    Payload: {
      OrderChangeNotification: {
        NotificationLevel: 'OrderLevel',
        SellerId: about.seller_id,
        AmazonOrderId: order.id,
        OrderChangeType: asked ? 'BuyerRequestedChange' : 'OrderStatusChange',
        OrderChangeTrigger: {
          TimeOfOrderChange: at,
          ChangeReason: asked ? 'Buyer Requested Cancel' : 'Status changed',
        },
        Summary: {
          MarketplaceId: about.marketplace_id,
          OrderStatus: STATUS[order.status],
          PurchaseDate: new Date(order.created_ms).toISOString(),
          FulfillmentType: order.by === 'MERCHANT' ? 'MFN' : 'AFN',
          OrderType: 'StandardOrder',
          OrderItems: order.lines.map(({ id, sku, quantity }) => ({
            OrderItemId: id,
            SellerSKU: sku,
            Quantity: quantity,
          })),
        },
      },
    },
    NotificationMetadata: {
      ApplicationId: 'app-id-sandbox',
      SubscriptionId: 'subscription-sandbox',
      PublishTime: at,
      NotificationId: `notification-${about.id}`,
    },
  }
}
