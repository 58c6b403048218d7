import type { OrderAnswer } from '../model/effects.ts'

/** Units of one item that a line takes: how many one unit takes, and how many of them are promised, gone or waited for. */
export interface PartUnits {
  per_unit: number
  promised: number
  consumed: number
  missing: number
}

export interface AnsweredLine {
  line_external_id: string
  channel_sku: string
  /** As the buyer ordered it, and without what was cancelled since. */
  ordered: number
  wanted: number
  unit_price_minor: number
  parts: readonly PartUnits[]
  expected_at: string | null
}

type Line = OrderAnswer['lines'][number]

/**
 * What becomes of a line: whole units that every part is promised for are accepted, those that are waited for follow. A line that is not
 * known to us holds nothing and waits for nothing, and is refused until it is.
 */
export function answerLine(line: AnsweredLine): Line {
  const { line_external_id, channel_sku, ordered, wanted, unit_price_minor, parts } = line
  const whole = (units: (part: PartUnits) => number): number =>
    parts.length === 0 ? 0 : Math.min(...parts.map((part) => Math.floor(units(part) / part.per_unit)))
  const accepted = Math.min(
    wanted,
    whole(({ promised, consumed }) => promised + consumed),
  )
  const reached = Math.min(
    wanted,
    whole(({ promised, consumed, missing }) => promised + consumed + missing),
  )
  const backordered = Math.max(0, reached - accepted)
  return {
    line_external_id,
    channel_sku,
    ordered,
    accepted,
    backordered,
    unit_price_minor,
    expected_at: backordered === 0 ? null : line.expected_at,
  }
}

/** `accepted`: every unit as ordered; `rejected`: not one of them, now or later; anything else is a change. */
export function verdictOf(lines: readonly Line[]): OrderAnswer['verdict'] {
  if (lines.every(({ ordered, accepted }) => accepted === ordered)) return 'accepted'
  return lines.every(({ accepted, backordered }) => accepted + backordered === 0) ? 'rejected' : 'changed'
}

/** Whether a buyer has to be told again: other units, or another day for those that follow. */
export function sayTheSame(told: readonly Line[], now: readonly Line[]): boolean {
  const plain = (lines: readonly Line[]): string =>
    JSON.stringify(
      lines
        .map(({ line_external_id, channel_sku, ordered, accepted, backordered, unit_price_minor, expected_at }) => [
          line_external_id,
          channel_sku,
          ordered,
          accepted,
          backordered,
          unit_price_minor,
          expected_at?.slice(0, 10) ?? null,
        ])
        .toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    )
  return plain(told) === plain(now)
}
