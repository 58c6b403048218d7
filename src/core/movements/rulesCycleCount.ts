/** One item as somebody counted it: everything of it on the shelf, and how many of those are damaged. */
export interface CountedItem {
  sku: string
  on_hand: number
  damaged: number
}

export type CountedLines =
  | { kind: 'lines'; lines: Map<string, CountedItem> }
  | { kind: 'fault'; path: string; message: string }

/**
 * What was counted, by SKU; one SKU on several lines (by shelf, by lot) is counted together. Every item of the count has to be named, and
 * no other: an item that is left out has not been counted, which is not the same as being gone.
 */
export function countedLines(wanted: readonly string[], lines: readonly CountedItem[]): CountedLines {
  const expected = new Set(wanted)
  const sums = new Map<string, CountedItem>()
  for (const [index, { sku, on_hand, damaged }] of lines.entries()) {
    if (!expected.has(sku))
      return { kind: 'fault', path: `lines[${index}].sku`, message: `${sku} is not part of this count` }
    if (damaged > on_hand)
      return { kind: 'fault', path: `lines[${index}].damaged`, message: 'more are damaged than there are' }
    const same = sums.get(sku)
    sums.set(sku, { sku, on_hand: on_hand + (same?.on_hand ?? 0), damaged: damaged + (same?.damaged ?? 0) })
  }
  const missing = wanted.find((sku) => !sums.has(sku))
  return missing === undefined
    ? { kind: 'lines', lines: sums }
    : { kind: 'fault', path: 'lines', message: `${missing} was not counted` }
}

/** Whether a second person has to look at it: some item is off by more than `limit` units, either way. */
export const isWideOff = (lines: readonly { counted: number; expected: number }[], limit: number): boolean =>
  lines.some(({ counted, expected }) => Math.abs(counted - expected) > limit)
