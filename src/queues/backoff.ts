/**
 * Wait before attempt `attempt + 1`: a random share of a capped exponential (full jitter), so that what failed together does not come
 * back together. `chance` is in [0, 1).
 */
export function fullJitterMs(chance: number, attempt: number, limits: { base_ms: number; max_ms: number }): number {
  const ceiling = Math.min(limits.max_ms, limits.base_ms * 2 ** Math.min(attempt, 30))
  return Math.max(1, Math.ceil(chance * ceiling))
}
