import { amazonFinances } from '../../mappings/amazon/finances.ts'
import { amazonListing } from '../../mappings/amazon/listing.ts'
import { amazonNotification } from '../../mappings/amazon/notification.ts'
import { amazonOrder } from '../../mappings/amazon/order.ts'
import { amazonSettlementV2 } from '../../mappings/amazon/settlementV2.ts'
import { defineConnector } from '../_kit/define.ts'
import { pullListings } from './listings.ts'
import { pullNotifications, pullOrders } from './orders.ts'
import { listReports } from './reports.ts'
import { selfTest, showStores } from './selfTest.ts'
import { http, messages, Settings } from './settings.ts'
import { confirmShipments, sendShipments } from './shipments.ts'
import { LINES_MAX, pushStock, readStock } from './stock.ts'

/**
 * A seller account on Amazon, through the Selling Partner API. Orders by version 2026-01-01 alone; changed ones are announced by a queue
 * and searched for slowly beside it. A connection without an account reads payout files. Quirks and set-up: README.md.
 */
export const amazon = defineConnector({
  id: 'amazon',
  label: 'Amazon',
  kind: 'marketplace',
  grade: 'simulator',
  settings: Settings,
  http,
  messages,
  inbound: { order: amazonOrder, listing: amazonListing, notification: amazonNotification },
  envelopes: { order: ['order', 'orders'], listing: ['items'] },
  pull: { orders: pullOrders, notifications: pullNotifications, listings: pullListings },
  test: showStores,
  selfTest,
  availability: { batch_max: LINES_MAX, compare_and_set: false, push: pushStock, read: readStock },
  shipments: { batch_max: 1, send: sendShipments, confirm: confirmShipments },
  // Amazon's data protection policy: personal data of an order is kept no longer than thirty days after its delivery.
  personal_data: { days_after_delivery: 30 },
  settlements: { formats: [amazonSettlementV2, amazonFinances], reports: listReports },
})
