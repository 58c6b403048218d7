import { HubError } from '../../core/errors.ts'
import type { Fact } from '../../core/model/fact.ts'
import { defineMapping } from '../define.ts'
import { AmazonNotification } from './payloads.ts'

/** Reports that hold payouts; every other report is none of ours. */
export const SETTLEMENT_REPORT = 'GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2'

/**
 * Messages of the queue that carry no order: they wake a pull, or are kept and mean nothing. An order change is one of these only when
 * its order could not be read (`pull.notifications` fetches the others itself), and then the search for changed orders has to find it.
 */
export const amazonNotification = defineMapping({
  from: AmazonNotification,
  map: (notification, context): Fact[] => {
    const type = textIn(notification, 'notificationtype')
    if (type === null)
      throw new HubError('payload_invalid', 'the message names no type', { path: '$.NotificationType' })
    const signal = Object.hasOwn(SIGNALS, type) ? SIGNALS[type] : undefined
    if (signal !== undefined) return signal(valueIn(notification, 'payload'))
    if (!QUIET.has(type)) context.warn(`notification ${type.slice(0, 60)} is not used`)
    return []
  },
})

/** Types that an account may have subscribed to and that tell nothing that is not read elsewhere. */
const QUIET = new Set([
  'ANY_OFFER_CHANGED',
  'FEED_PROCESSING_FINISHED',
  'LISTINGS_ITEM_ISSUES_CHANGE',
  'LISTINGS_ITEM_MFN_QUANTITY_CHANGE',
  'LISTINGS_ITEM_STATUS_CHANGE',
  'FBA_INVENTORY_AVAILABILITY_CHANGES',
  'TRANSACTION_UPDATE',
])

const SIGNALS: Readonly<Record<string, (payload: unknown) => Fact[]>> = {
  ORDER_CHANGE: (payload) => [{ kind: 'signal', document: { stream: 'orders', reference: orderIdOf(payload) } }],
  REPORT_PROCESSING_FINISHED: (payload) => {
    const report = valueIn(payload, 'reportprocessingfinishednotification')
    const type = textIn(report, 'reporttype')
    const id = textIn(report, 'reportid')
    if (type !== SETTLEMENT_REPORT || id === null || textIn(report, 'processingstatus') !== 'DONE') return []
    return [{ kind: 'signal', document: { stream: 'reports', reference: id } }]
  },
}

/** The order of an ORDER_CHANGE payload, however its names are written; null where there is none. */
export const orderIdOf = (payload: unknown): string | null =>
  textIn(valueIn(payload, 'orderchangenotification'), 'amazonorderid')

/** The value under a name that may be written `AmazonOrderId` or `amazonOrderId`. */
export function valueIn(holder: unknown, name: string): unknown {
  if (typeof holder !== 'object' || holder === null || Array.isArray(holder)) return undefined
  return Object.entries(holder).find(([key]) => key.toLowerCase() === name)?.[1]
}

export function textIn(holder: unknown, name: string): string | null {
  const value = valueIn(holder, name)
  return typeof value === 'string' && value.trim() !== '' ? value.trim().slice(0, 200) : null
}
