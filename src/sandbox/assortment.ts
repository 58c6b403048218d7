/** What the sandbox merchant sells: what physically lies where, and what each storefront calls it. Mirrors config/crossdock.yaml. */

/** One sellable thing on a storefront and the items one unit of it takes. */
export interface Offer {
  sku: string
  title: string
  price_minor: number
  takes: Readonly<Record<string, number>>
}

const single = (sku: string, title: string, price_minor: number): Offer => ({
  sku,
  title,
  price_minor,
  takes: { [sku]: 1 },
})

const SINGLES: readonly Offer[] = [
  single('TEA-GREEN-100', 'Green tea 100 g', 790),
  single('TEA-BLACK-100', 'Black tea 100 g', 690),
  single('TEA-MINT-100', 'Mint tea 100 g', 590),
  single('MUG-BLUE', 'Mug blue', 1290),
  single('MUG-WHITE', 'Mug white', 1190),
  single('POT-GLASS', 'Glass teapot', 3490),
  single('FILTER-100', 'Tea filters 100 pieces', 450),
  single('HONEY-250', 'Honey 250 g', 820),
  single('SPOON-OAK', 'Oak spoon', 640),
  single('TIN-SMALL', 'Tea tin small', 999),
]

const GIFT_BOX: Offer = {
  sku: 'GIFT-BOX',
  title: 'Gift box',
  price_minor: 1990,
  takes: { 'TEA-GREEN-100': 1, 'MUG-BLUE': 1 },
}
const THREE_PACK: Offer = {
  sku: 'TEA-BLACK-3PACK',
  title: 'Black tea, three packs',
  price_minor: 1890,
  takes: { 'TEA-BLACK-100': 3 },
}

/**
 * What a storefront offers: the pack of three is mapped in the configuration of one of them, the gift box is listed by its SKU. The
 * marketplace takes one number for each parcel, so that the two halves of a box, which may leave apart, are not offered there.
 */
export function offersOf(connection_id: string): readonly Offer[] {
  if (connection_id === 'amazon-eu') return SINGLES
  return connection_id === 'woo-shop' ? [...SINGLES, THREE_PACK] : [...SINGLES, GIFT_BOX]
}

/** Everything that is an item: the pack of three is only a listing. */
export const allItems = (): readonly Offer[] => [...SINGLES, GIFT_BOX]

/** Units by item. */
export type Units = Map<string, number>

const PLENTY = 2_000
const SCARCE = 12

/**
 * How the units of an item lie over the first four places, in parts. The two halves of a gift box meet in the second place alone; some
 * items lie in one place only; half of them are scarce, so that a short demo sells them out.
 */
const SPREAD: Readonly<Record<string, { units: number; parts: readonly [number, number, number, number] }>> = {
  'TEA-GREEN-100': { units: PLENTY, parts: [2, 2, 0, 0] },
  'TEA-BLACK-100': { units: PLENTY, parts: [2, 1, 1, 1] },
  'TEA-MINT-100': { units: SCARCE, parts: [1, 0, 2, 0] },
  'MUG-BLUE': { units: PLENTY, parts: [0, 2, 2, 0] },
  'MUG-WHITE': { units: SCARCE, parts: [1, 1, 1, 1] },
  'POT-GLASS': { units: SCARCE, parts: [1, 0, 0, 0] },
  'FILTER-100': { units: PLENTY, parts: [1, 1, 2, 1] },
  'HONEY-250': { units: PLENTY, parts: [2, 1, 1, 1] },
  'SPOON-OAK': { units: SCARCE, parts: [0, 1, 0, 0] },
  'TIN-SMALL': { units: SCARCE, parts: [1, 2, 1, 0] },
}

/** Units of each item at each place before the first sale. What belongs to a place that is not there lies in the first one. */
export function physicalStock(scale: number, places: readonly string[]): Record<string, Record<string, number>> {
  const stock: Record<string, Record<string, number>> = Object.fromEntries(places.map((place) => [place, {}]))
  for (const [item, { units, parts }] of Object.entries(SPREAD)) {
    const total = Math.max(3, Math.round(units * scale))
    const whole = parts.reduce((sum: number, part) => sum + part, 0)
    const shares = places.map((_, index) => Math.floor((total * (parts[index] ?? 0)) / whole))
    const rest = total - shares.reduce((sum, share) => sum + share, 0)
    const first = Math.max(
      0,
      shares.findIndex((share) => share > 0),
    )
    for (const [index, place] of places.entries()) {
      const share = (shares[index] ?? 0) + (index === first ? rest : 0)
      const held = stock[place]
      if (held !== undefined && share > 0) held[item] = share
    }
  }
  return stock
}

/** Items of which a place now and then cannot pick what it has; another place has them, too. */
export const SOMETIMES_NOT_PICKED: readonly string[] = Object.entries(SPREAD)
  .filter(([, { units, parts }]) => units === PLENTY && parts.filter((part) => part > 0).length >= 3)
  .map(([item]) => item)

/** Units of each item that an order of these lines takes. */
export function itemUnits(
  offers: readonly Offer[],
  lines: readonly { sku: string; quantity: number }[],
): Map<string, number> {
  const units = new Map<string, number>()
  for (const line of lines) {
    const offer = offers.find((candidate) => candidate.sku === line.sku)
    for (const [item, each] of Object.entries(offer?.takes ?? {}))
      units.set(item, (units.get(item) ?? 0) + each * line.quantity)
  }
  return units
}

/** Units of an offer that can be made whole of these units. */
export function sellable(offer: Offer, free: ReadonlyMap<string, number>): number {
  return Math.min(
    ...Object.entries(offer.takes).map(([item, each]) => Math.floor(Math.max(0, free.get(item) ?? 0) / each)),
  )
}
