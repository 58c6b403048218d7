/** A place as far as it can be seen whether its numbers still come. */
export interface SourceFacts {
  now_ms: number
  /** Null: the merchant has not said how long a silence is bearable, so it is never judged. */
  stale_after_minutes: number | null
  /** As-of time of its newest applied count; null: it has never been counted, so what is there came by movements and is as good as ever. */
  counted_ms: number | null
  /** Since when the connection that counts there is paused or failing; null: it works, or there is none. */
  connection_down_since_ms: number | null
}

/** Why a place is not to be trusted, or null. */
export type Distrust = { because: 'no_count' | 'connection_down'; silent_since_ms: number } | null

/**
 * Unknown is not zero: a silent place is still published, with a margin (`explainLocation`). It is distrusted from the moment in which
 * its last count is older than the merchant bears, or its connection has been down for so long.
 */
export function judgeSource({
  now_ms,
  stale_after_minutes,
  counted_ms,
  connection_down_since_ms,
}: SourceFacts): Distrust {
  if (stale_after_minutes === null) return null
  const latest = now_ms - stale_after_minutes * 60_000
  if (counted_ms !== null && counted_ms < latest) return { because: 'no_count', silent_since_ms: counted_ms }
  if (connection_down_since_ms !== null && connection_down_since_ms < latest)
    return { because: 'connection_down', silent_since_ms: connection_down_since_ms }
  return null
}
