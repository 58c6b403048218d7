import type { ErrorCode } from '../../core/errors.ts'
import type { AvailabilityLine, AvailabilityResult } from '../../core/model/effects.ts'
import { MERCHANT_CHANNEL } from '../../mappings/amazon/listing.ts'

/** A line that may be told, with what a write needs beside the number. */
export interface Target {
  line: AvailabilityLine
  product_type: string
}

export const refused = ({ listing_id }: AvailabilityLine, code: ErrorCode, detail: string): AvailabilityResult => ({
  listing_id,
  outcome: 'refused',
  code,
  detail,
})

/** What is written of a listing. `merge` leaves its other channels and its lead time as they are. */
export const patchOf = ({ line }: Target) => ({
  op: 'merge',
  path: '/attributes/fulfillment_availability',
  value: [{ fulfillment_channel_code: MERCHANT_CHANNEL, quantity: line.quantity }],
})
