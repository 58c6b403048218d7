/** What the sandbox merchant sells: the 3PL's physical stock, and what each storefront calls it. Mirrors config/crossdock.yaml. */

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

export const OFFERS: Readonly<Record<'shopify' | 'woocommerce', readonly Offer[]>> = {
  shopify: [...SINGLES, GIFT_BOX],
  woocommerce: [...SINGLES, THREE_PACK],
}

/** Half of the items are scarce, so that a short demo sells them out; the rest is plenty. */
export function physicalStock(scale: number): Record<string, number> {
  const scarce = new Set(['TEA-MINT-100', 'MUG-WHITE', 'POT-GLASS', 'SPOON-OAK', 'TIN-SMALL'])
  return Object.fromEntries(
    SINGLES.map(({ sku }) => [sku, scarce.has(sku) ? Math.max(3, Math.round(12 * scale)) : Math.round(2_000 * scale)]),
  )
}

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

/** What a storefront should show of an offer when these units of each item are free. */
export function sellable(offer: Offer, free: ReadonlyMap<string, number>): number {
  return Math.min(
    ...Object.entries(offer.takes).map(([item, each]) => Math.floor(Math.max(0, free.get(item) ?? 0) / each)),
  )
}
