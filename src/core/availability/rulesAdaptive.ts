/** What is measured of one listing's risk on one channel. */
export interface AdaptiveInput {
  /** How long the channel takes to be told of a change, or for how long it (or a place behind it) has not been heard of. */
  lag_ms: number
  /** Units of the listing that the other channels sell in an hour. */
  units_per_hour: number
  /** What an oversell costs on this channel. */
  weight: number
  units_max: number
}

const HOUR_MS = 3_600_000
/** In peak mode the measured buffer counts this often. */
const PEAK_FACTOR = 3
/** Taken for the lag of a channel that has not been measured yet. */
export const LAG_UNMEASURED_MS = 60_000
/** Pushes whose lag is remembered. */
export const LAG_SAMPLES_MAX = 200

/**
 * Units to keep back because others may sell them before this channel hears of it: what they sell during the lag, times the weight,
 * rounded up, at most `units_max`. It grows with each of the three and is zero when any of them is.
 */
export function adaptiveUnits({ lag_ms, units_per_hour, weight, units_max }: AdaptiveInput): number {
  return Math.min(units_max, riskUnits({ lag_ms, units_per_hour, weight }))
}

/** The same without its bound: when this has not moved, no listing's buffer has, whatever a unit of it takes. */
export function riskUnits({ lag_ms, units_per_hour, weight }: Omit<AdaptiveInput, 'units_max'>): number {
  return Math.ceil((lag_ms / HOUR_MS) * units_per_hour * weight)
}

/** What peak mode adds to a buffer. The merchant's bound is on what is measured; the switch is somebody's own decision. */
export const peakUnits = (adaptive: number): number => adaptive * (PEAK_FACTOR - 1)

export interface LagFacts {
  now_ms: number
  measured_ms: number | null
  /** Since when the channel has not answered; null: it works. */
  silent_since_ms: number | null
  /** Since when the longest of its distrusted places is; null: none is. */
  distrusted_since_ms: number | null
}

/** The lag that counts: the measured one, or the silence of the channel or of a place behind it where that is longer. */
export function effectiveLagMs({ now_ms, measured_ms, silent_since_ms, distrusted_since_ms }: LagFacts): number {
  const since = (at: number | null): number => (at === null ? 0 : Math.max(0, now_ms - at))
  return Math.max(measured_ms ?? LAG_UNMEASURED_MS, since(silent_since_ms), since(distrusted_since_ms))
}
