import type { ExpectedUnits } from '../core/supply/promiseDates.ts'

/** `4 on 2026-12-01T08:00:00Z (PO-77)`; units that nothing on its way covers have no date. */
export function expectedText(expected: readonly ExpectedUnits[]): string {
  return expected
    .map(({ units, expected_at, reference }) =>
      reference === null
        ? `${units} without a date`
        : `${units} on ${expected_at ?? 'a day not known yet'} (${reference})`,
    )
    .join(', ')
}
