import type { Order } from '../model/order.ts'

const HOUR_MS = 3_600_000
/** Enough for a zone, too little for an address: what routing needs to know of where an order goes. */
const AREA_CHARACTERS = 3

/** The beginning of a postcode in capitals without blanks; null where there is none. */
export function postcodeAreaOf(postcode: string | null): string | null {
  const area = (postcode ?? '')
    .toUpperCase()
    .replaceAll(/[^0-9A-Z]/g, '')
    .slice(0, AREA_CHARACTERS)
  return area === '' ? null : area
}

/** The first service level one of whose patterns fits the channel's words; `*` stands for any text, case does not matter. */
export function serviceLevelOf(
  shipping_method: string | null,
  levels: Readonly<Record<string, readonly string[]>>,
): string | null {
  if (shipping_method === null) return null
  const found = Object.entries(levels).find(([, patterns]) =>
    patterns.some((pattern) => fits(pattern, shipping_method)),
  )
  return found?.[0] ?? null
}

/** Without regular expressions: the parts between the stars have to follow each other in the text. */
function fits(pattern: string, text: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const words = text.toLowerCase()
  const [first = '', ...rest] = parts
  if (rest.length === 0) return words === first
  if (!words.startsWith(first)) return false
  const last = rest.pop() ?? ''
  let from = first.length
  for (const part of rest) {
    const at = words.indexOf(part, from)
    if (at < 0) return false
    from = at + part.length
  }
  return words.length - last.length >= from && words.endsWith(last)
}

/** When the goods have to leave: the date the order names, else the connection's promise counted from when it was placed. */
export function shipByOf(order: Pick<Order, 'ship_by' | 'placed_at'>, ship_within_hours: number | null): string | null {
  if (order.ship_by !== undefined && order.ship_by !== null) return order.ship_by
  if (ship_within_hours === null) return null
  return new Date(Date.parse(order.placed_at) + ship_within_hours * HOUR_MS).toISOString()
}
