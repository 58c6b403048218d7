import { TRACKING_STATUSES, type TrackingEvent } from '../model/shipment.ts'

export interface Scan {
  status: TrackingEvent['status']
  at: Date
}

export interface ParcelProgress {
  status: TrackingEvent['status']
  at: Date
  delivered_at: Date | null
}

/** Carriers tell several at one instant and mean the one that is further on. */
const FURTHER = new Map(TRACKING_STATUSES.map((status, index) => [status, index]))

/**
 * Where a parcel is: what its newest scan says, whatever was heard last. Of scans of one instant the one that is further on counts.
 * Scans that nobody understands say something only where there is no other. Once delivered it stays so, at the first such scan.
 * Undefined without any scan.
 */
export function progressOf(scans: readonly Scan[]): ParcelProgress | undefined {
  const known = scans.filter(({ status }) => status !== 'unknown')
  const [newest] = (known.length > 0 ? known : scans).toSorted(
    (a, b) => b.at.getTime() - a.at.getTime() || rankOf(b) - rankOf(a),
  )
  if (newest === undefined) return undefined
  const deliveries = scans.filter(({ status }) => status === 'delivered').map(({ at }) => at.getTime())
  const delivered_at = deliveries.length === 0 ? null : new Date(Math.min(...deliveries))
  return { status: newest.status, at: newest.at, delivered_at }
}

const rankOf = ({ status }: Scan): number => FURTHER.get(status) ?? -1
