/**
 * Counts how often each of many texts has been seen without keeping the texts: files of payouts have millions of rows, and a set of
 * their ids would be larger than the file. A text is known by 64 bits of it; among ten million texts the chance that any two share
 * them is below one in a hundred thousand.
 */

const SLOTS_MIN = 1 << 12
const LOAD_MAX = 0.6

/** Returns a function that says the how manieth time this text is seen: 1, 2, … */
export function occurrenceCounter(): (text: string) => number {
  let table = emptyTable(SLOTS_MIN)
  let used = 0
  return (text) => {
    if (used > table.counts.length * LOAD_MAX) table = grown(table)
    const [high, low] = hash64(text)
    const slot = slotOf(table, high, low)
    if (table.counts[slot] === 0) {
      table.highs[slot] = high
      table.lows[slot] = low
      used += 1
    }
    const count = (table.counts[slot] ?? 0) + 1
    table.counts[slot] = count
    return count
  }
}

interface Table {
  highs: Uint32Array
  lows: Uint32Array
  counts: Uint32Array
}

const emptyTable = (slots: number): Table => ({
  highs: new Uint32Array(slots),
  lows: new Uint32Array(slots),
  counts: new Uint32Array(slots),
})

function slotOf({ highs, lows, counts }: Table, high: number, low: number): number {
  const mask = counts.length - 1
  let slot = low & mask
  while (counts[slot] !== 0 && (highs[slot] !== high || lows[slot] !== low)) slot = (slot + 1) & mask
  return slot
}

function grown(table: Table): Table {
  const larger = emptyTable(table.counts.length * 2)
  for (const [at, count] of table.counts.entries()) {
    if (count === 0) continue
    const [high, low] = [table.highs[at] ?? 0, table.lows[at] ?? 0]
    const slot = slotOf(larger, high, low)
    larger.highs[slot] = high
    larger.lows[slot] = low
    larger.counts[slot] = count
  }
  return larger
}

/** 64 bits of a text as two unsigned numbers: two multiplicative hashes that are mixed into each other. Not for secrets. */
export function hash64(text: string): [high: number, low: number] {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    a = Math.imul(a ^ unit, 2_654_435_761)
    b = Math.imul(b ^ unit, 1_597_334_677)
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909)
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909)
  return [b >>> 0, a >>> 0]
}

/** The same as 16 hexadecimal digits: an id for a row of a file that has none of its own. */
export function textId(text: string): string {
  return hash64(text)
    .map((half) => half.toString(16).padStart(8, '0'))
    .join('')
}
