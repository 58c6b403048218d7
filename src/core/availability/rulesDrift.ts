/** What is believed of a listing around the moment at which its channel was asked what it shows. */
export interface Shown {
  shown: number
  proven_quantity: number
  /** Units sold since the proof of which we knew before the question, and of which we know now. */
  sold_before: number
  sold_now: number
  /** Since when the channel has been seen to show less than it should; null: it was not, until now. */
  low_since_ms: number | null
  /** Whether every order that the channel had listed at `low_since_ms` has had its chance to arrive. */
  orders_complete: boolean
}

/**
 * `agrees`: some or all of the orders of which we learnt meanwhile were in the channel's number already.
 * `may_be_sold`: it shows less, as it does when it has just sold; the orders are on their way.
 * `drifted`: no order explains it. More than was proven is never explained by a sale, and is the dangerous direction: no patience.
 */
export type DriftVerdict = 'agrees' | 'may_be_sold' | 'drifted'

export function judgeShown({ shown, proven_quantity, sold_before, sold_now, ...rest }: Shown): DriftVerdict {
  const [fewest, most] = [sold_before, sold_now].map((sold) => proven_quantity - sold).toSorted((a, b) => a - b)
  if (shown > (most ?? 0)) return 'drifted'
  if (shown >= (fewest ?? 0)) return 'agrees'
  return rest.low_since_ms !== null && rest.orders_complete ? 'drifted' : 'may_be_sold'
}
