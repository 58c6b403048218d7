import type { FactOf } from '../../core/model/fact.ts'
import type { TrackingEvent } from '../../core/model/shipment.ts'
import { defineMapping, fromTable, instantOf, type MappingContext } from '../define.ts'
import { TrackedShipment, TrackerPayload, type Tracker, type TrackingDetail } from './payloads.ts'

type Status = TrackingEvent['status']

const STATUSES: Readonly<Record<string, Status>> = {
  pre_transit: 'label_created',
  in_transit: 'in_transit',
  out_for_delivery: 'out_for_delivery',
  delivered: 'delivered',
  available_for_pickup: 'available_for_pickup',
  return_to_sender: 'returning',
  failure: 'delayed',
  error: 'delayed',
  cancelled: 'cancelled',
  unknown: 'unknown',
}

/** Where the detail says more than the status does. An unknown one says nothing more. */
const DETAILS: Readonly<Record<string, Readonly<Record<string, Status>>>> = {
  in_transit: { received_at_origin_facility: 'picked_up', delayed: 'delayed', weather_delay: 'delayed' },
  failure: { lost: 'lost_or_damaged', damaged: 'lost_or_damaged', refused: 'returning', return: 'returning' },
  error: { lost: 'lost_or_damaged', damaged: 'lost_or_damaged' },
}

/**
 * A tracker is the whole history of a parcel as it is known now; each entry is one scan, and the ones that are known already are known
 * by what they say. A tracker without entries says only where the parcel is.
 */
export const easypostTracker = defineMapping({
  from: TrackerPayload,
  map: (payload, context) => scansOf(payload.object === 'Event' ? payload.result : payload, context),
})

/** What a shipment's own tracker says; one for which no label was bought says nothing. */
export const easypostShipment = defineMapping({
  from: TrackedShipment,
  map: ({ tracker }, context) => (tracker === null || tracker === undefined ? [] : scansOf(tracker, context)),
})

function scansOf(tracker: Tracker, context: MappingContext): FactOf<'tracking_event'>[] {
  const { tracking_code: tracking_number, tracking_details } = tracker
  const carrier = tracker.carrier ?? null
  const scans = tracking_details.map((detail, index) =>
    scanOf(detail, `$.tracking_details[${index}].datetime`, context),
  )
  const told =
    scans.length > 0 ? scans : [scanOf({ ...tracker, datetime: tracker.updated_at }, '$.updated_at', context)]
  return told.map((scan) => ({ kind: 'tracking_event', document: { carrier, tracking_number, ...scan } }))
}

type Scan = Pick<TrackingEvent, 'code' | 'status' | 'at' | 'place'>

/** The carrier's own code, where it has one, tells two scans of one instant apart. */
function scanOf(detail: TrackingDetail, path: string, context: MappingContext): Scan {
  const { status: word, status_detail, carrier_code, datetime, tracking_location } = detail
  const known = fromTable(STATUSES, word, 'unknown', context, 'tracking status')
  const place = [tracking_location?.city, tracking_location?.state, tracking_location?.country]
    .filter((part) => typeof part === 'string' && part !== '')
    .join(', ')
  const own = [word, status_detail].filter((part) => typeof part === 'string' && part !== '').join('/')
  return {
    code: carrier_code === null || carrier_code === undefined || carrier_code === '' ? own || 'unknown' : carrier_code,
    status: DETAILS[word]?.[status_detail ?? ''] ?? known,
    at: instantOf(datetime, path),
    place: place === '' ? null : place.slice(0, 200),
  }
}
