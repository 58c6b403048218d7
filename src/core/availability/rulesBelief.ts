/** A proof older than this is asserted again even when the number has not moved. */
export const REASSERT_AFTER_MS = 24 * 3_600_000
/** The longest that unseen sales are held back where no pull of orders has been able to explain them. */
export const UNSEEN_HOLD_MS = 30 * 60_000
/** A channel lists an order within this time of selling, so a pull that begins later sees it. */
export const UNSEEN_LAG_MS = 3_000
/** After this many refusals in a row the row waits for a change of its number or a person. */
export const PUSH_ATTEMPTS_MAX = 8
const BACKOFF_BASE_MS = 5_000
const BACKOFF_MAX_MS = 15 * 60_000

/** Wait before the next push of a listing that has failed `attempts` times in a row. */
export function pushBackoffMs(attempts: number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.max(0, attempts - 1))
}

/** What the hub believes about one listing on its channel. */
export interface ChannelBelief {
  proven_quantity: number | null
  sold_since_proof: number
  unseen: number
}

/** What a claim had read, which is what the channel's answer is about. */
export interface ClaimedBelief {
  quantity: number
  expected: number | null
  sold_at_claim: number
}

/**
 * The belief after the channel's answer. The argument why no push can undo a sale is in `push.ts`; this is its arithmetic.
 * `set`: the number is proven; sales seen before the claim were already off the channel's number, later ones were not.
 * `stale`: the channel shows `actual`, so it has sold `expected - actual` units more than we had seen at the claim.
 */
export function beliefAfter(
  belief: ChannelBelief,
  claim: ClaimedBelief,
  answer: { outcome: 'set' } | { outcome: 'stale'; actual: number },
): ChannelBelief {
  const sold_since_proof = belief.sold_since_proof - claim.sold_at_claim
  if (answer.outcome === 'set') return { proven_quantity: claim.quantity, sold_since_proof, unseen: belief.unseen }
  const missed = claim.expected === null ? 0 : claim.expected - answer.actual
  // Orders that arrived while the call was under way may be the missed ones or later ones. They stay in sold_since_proof, so the
  // missed ones are settled against them at once and only the rest is held back.
  const settled = Math.max(0, Math.min(sold_since_proof, missed))
  return {
    proven_quantity: answer.actual,
    sold_since_proof: sold_since_proof - settled,
    unseen: Math.max(0, belief.unseen + missed - settled),
  }
}

/** Orders of the channel for `units` of the listing have arrived: first they explain unseen sales, then they are new ones. */
export function beliefAfterSale(belief: ChannelBelief, units: number): ChannelBelief {
  const explained = Math.min(belief.unseen, units)
  return { ...belief, unseen: belief.unseen - explained, sold_since_proof: belief.sold_since_proof + units - explained }
}
