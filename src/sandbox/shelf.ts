import { sellable, type Offer, type Units } from './assortment.ts'

/** What the merchant allows to be shown and sold, in the words of the configuration. */
export interface StockRule {
  connection?: string
  sku?: string
  location?: string
  safety_units?: number
  buffer_units?: number
  buffer_percent?: number
  share_percent?: number
  cap?: number
  zero_below?: number
  backorder?: 'deny' | 'backorder' | 'drop_ship' | 'transfer'
  backorder_units_max?: number
}

/** A storefront as far as its shelf depends on it. */
export interface ShelfRules {
  connection_id: string
  serves_from: readonly string[]
  availability: { buffer: number; buffer_percent?: number; share_percent: number; cap?: number; zero_below?: number }
  rules: readonly StockRule[]
}

type Field = Exclude<keyof StockRule, 'connection' | 'sku' | 'location'>
type Place = { sku?: string; location?: string }

/** The most specific rule that sets the field: more names win, then the item, then the connection. */
function ruled<F extends Field>(shelf: ShelfRules, field: F, { sku, location }: Place): StockRule[F] | undefined {
  const speaks = shelf.rules.filter(
    (rule) =>
      rule[field] !== undefined &&
      [undefined, shelf.connection_id].includes(rule.connection) &&
      [undefined, sku].includes(rule.sku) &&
      [undefined, location].includes(rule.location),
  )
  const weight = ({ connection, sku: item, location: place }: StockRule): number =>
    [connection, item, place].filter((name) => name !== undefined).length * 10 +
    (item === undefined ? 0 : 2) +
    (connection === undefined ? 0 : 1)
  return speaks.toSorted((a, b) => weight(b) - weight(a))[0]?.[field]
}

/** Units of an item that may be promised on this storefront beyond what lies in the places. */
export const backorderUnits = (shelf: ShelfRules, sku: string): number =>
  ruled(shelf, 'backorder', { sku }) === 'backorder' ? (ruled(shelf, 'backorder_units_max', { sku }) ?? 0) : 0

/**
 * What a storefront should show of an offer, from what lies free at each place and what already waits on this storefront. A kit is
 * whole from one place, so the minimum is taken at each.
 */
export function shelfNumber(
  offer: Offer,
  shelf: ShelfRules,
  free: ReadonlyMap<string, ReadonlyMap<string, number>>,
  waiting: ReadonlyMap<string, number>,
): number {
  const item = Object.keys(offer.takes).length === 1 ? Object.keys(offer.takes)[0] : undefined
  const scope: Place = item === undefined ? {} : { sku: item }
  let units = 0
  for (const location of shelf.serves_from) {
    const lies: Units = new Map(free.get(location))
    for (const [sku, held] of lies) lies.set(sku, held - (ruled(shelf, 'safety_units', { sku, location }) ?? 0))
    units += sellable(offer, lies)
  }
  const { availability } = shelf
  const share = ruled(shelf, 'share_percent', scope) ?? availability.share_percent
  const percent = ruled(shelf, 'buffer_percent', scope) ?? availability.buffer_percent ?? 0
  const buffer = ruled(shelf, 'buffer_units', scope) ?? availability.buffer
  const cap = ruled(shelf, 'cap', scope) ?? availability.cap ?? Infinity
  const zero_below = ruled(shelf, 'zero_below', scope) ?? availability.zero_below ?? 0
  const capped = Math.min(Math.floor((units * share) / 100), cap) - buffer
  const kept = Math.max(0, capped - Math.ceil((Math.max(0, capped) * percent) / 100))
  const shown = kept < zero_below ? 0 : kept
  const allowed = Object.entries(offer.takes).map(([sku, each]) =>
    Math.floor(Math.max(0, backorderUnits(shelf, sku) - (waiting.get(sku) ?? 0)) / each),
  )
  return shown + Math.min(...allowed)
}
