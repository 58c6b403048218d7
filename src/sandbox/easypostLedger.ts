/** What a simulated EasyPost account knows, folded from its journal. Pure: time and chance are in the events. */

export interface QuotedRate {
  id: string
  carrier: string
  service: string
  /** Decimal text, as the API writes it. */
  rate: string
  currency: string
  delivery_days: number | null
  guaranteed: boolean
}

export interface SimShipment {
  id: string
  reference: string | null
  created_ms: number
  from: Readonly<Record<string, unknown>>
  to: Readonly<Record<string, unknown>>
  parcel: Readonly<Record<string, unknown>>
  label_format: string
  rates: readonly QuotedRate[]
  messages: readonly { carrier: string; type: string; message: string }[]
}

export interface Purchase {
  shipment_id: string
  rate_id: string
  tracking_code: string
  tracker_id: string
  at_ms: number
}

export interface SimScan {
  status: string
  status_detail: string
  carrier_code: string
  at_ms: number
  city: string | null
  country: string | null
}

export interface SimTracker {
  id: string
  tracking_code: string
  shipment_id: string
  carrier: string
  created_ms: number
  updated_ms: number
  /** When the parcel was handed to the carrier; null: it still lies where the label was printed. */
  handed_over_ms: number | null
  scans: SimScan[]
}

/** A picture of a tracker that somebody is to be told of. */
export interface TrackerNews {
  id: string
  tracker_id: string
  description: 'tracker.created' | 'tracker.updated'
  at_ms: number
  /** How many of its scans it shows. */
  scans: number
}

export type CarrierEvent =
  | { kind: 'shipment'; shipment: SimShipment }
  | { kind: 'bought'; purchase: Purchase; scan: SimScan; news: TrackerNews }
  | { kind: 'refunded'; shipment_id: string; at_ms: number }
  | { kind: 'handed_over'; tracking_code: string; at_ms: number }
  | { kind: 'scanned'; tracker_id: string; scan: SimScan; news: TrackerNews }
  | { kind: 'told'; news_id: string }

export interface CarrierBooks {
  shipments: Map<string, SimShipment>
  bought: Map<string, Purchase>
  refunded: Map<string, number>
  trackers: Map<string, SimTracker>
  /** News that nobody has taken yet. */
  untold: Map<string, TrackerNews>
  count: number
}

export const emptyBooks = (): CarrierBooks => ({
  shipments: new Map(),
  bought: new Map(),
  refunded: new Map(),
  trackers: new Map(),
  untold: new Map(),
  count: 0,
})

/** Books one event. The books are the only thing that changes. */
export function book(books: CarrierBooks, event: CarrierEvent): void {
  books.count += 1
  switch (event.kind) {
    case 'shipment':
      books.shipments.set(event.shipment.id, event.shipment)
      return
    case 'bought':
      books.bought.set(event.purchase.shipment_id, event.purchase)
      books.trackers.set(event.purchase.tracker_id, trackerOf(books, event))
      books.untold.set(event.news.id, event.news)
      return
    case 'refunded':
      books.refunded.set(event.shipment_id, event.at_ms)
      return
    case 'handed_over':
      for (const tracker of books.trackers.values())
        if (tracker.tracking_code === event.tracking_code) tracker.handed_over_ms ??= event.at_ms
      return
    case 'scanned': {
      const tracker = books.trackers.get(event.tracker_id)
      tracker?.scans.push(event.scan)
      if (tracker !== undefined) tracker.updated_ms = event.news.at_ms
      books.untold.set(event.news.id, event.news)
      return
    }
    case 'told':
      books.untold.delete(event.news_id)
      return
  }
}

function trackerOf(books: CarrierBooks, { purchase, scan }: Extract<CarrierEvent, { kind: 'bought' }>): SimTracker {
  const { tracker_id, tracking_code, shipment_id, rate_id, at_ms } = purchase
  const rate = books.shipments.get(shipment_id)?.rates.find(({ id }) => id === rate_id)
  return {
    id: tracker_id,
    tracking_code,
    shipment_id,
    carrier: rate?.carrier ?? '',
    created_ms: at_ms,
    updated_ms: at_ms,
    handed_over_ms: null,
    scans: [scan],
  }
}

/** What the account remembers of one label, for the judge. */
export interface SoldLabel {
  shipment_id: string
  reference: string | null
  tracking_code: string
  carrier: string
  /** Decimal text. */
  rate: string
  refunded: boolean
  delivered: boolean
}

export function soldLabels(books: CarrierBooks): SoldLabel[] {
  return [...books.bought.values()].map(({ shipment_id, rate_id, tracking_code, tracker_id }) => {
    const shipment = books.shipments.get(shipment_id)
    const rate = shipment?.rates.find(({ id }) => id === rate_id)
    return {
      shipment_id,
      reference: shipment?.reference ?? null,
      tracking_code,
      carrier: rate?.carrier ?? '',
      rate: rate?.rate ?? '',
      refunded: books.refunded.has(shipment_id),
      delivered: books.trackers.get(tracker_id)?.scans.some(({ status }) => status === 'delivered') === true,
    }
  })
}
