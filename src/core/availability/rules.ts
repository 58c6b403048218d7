/** Units of one component at one location that serves the connection, in the item's base unit. */
export interface LocationStock {
  location_id: string
  on_hand: number
  committed: number
  reserved: number
  damaged: number
  quality_control: number
  safety_stock: number
}

/** One item that a unit of the listing takes: one for a plain item, the factor for a multipack, several for a kit. */
export interface ListingComponent {
  item_id: number
  sku: string
  per_unit: number
  locations: readonly LocationStock[]
}

/** The merchant's choices for what a channel may see of the stock. Open to richer rules: each becomes one more entry of `STEPS`. */
export interface AvailabilityRules {
  /** Whole percent of the sellable units that this channel may see. */
  share_percent: number
  /** Units kept back from the channel. */
  buffer: number
  /** The most that is ever shown. */
  cap: number | null
}

export interface AvailabilityInput {
  components: readonly ListingComponent[]
  /** Units that the channel must have sold without our having seen the orders yet. */
  unseen: number
  rules: AvailabilityRules
}

/**
 * One line of the sum. `sku` and `location_id` name what it is about; null: the listing as a whole. The terms of an item at a location
 * are signed and add up to its `available` there; `sellable_units` and the signed terms after it add up to the quantity.
 */
export interface AvailabilityTerm {
  name: string
  value: number
  sku: string | null
  location_id: string | null
}

export interface AvailabilityExplained {
  terms: AvailabilityTerm[]
  quantity: number
}

/** What an item's stock at one place loses before anything of it can be sold. */
const HELD_BACK = ['committed', 'reserved', 'damaged', 'quality_control', 'safety_stock'] as const

/** From sellable units to the number shown, in this order. Each step is monotone and never returns more than it was given. */
const STEPS: readonly { name: string; apply: (units: number, input: AvailabilityInput) => number }[] = [
  { name: 'unseen_sales', apply: (units, { unseen }) => units - unseen },
  // Only what is there is shared out: a percentage of a shortage would hide part of it.
  {
    name: 'share',
    apply: (units, { rules }) => (units > 0 ? Math.floor((units * rules.share_percent) / 100) : units),
  },
  { name: 'buffer', apply: (units, { rules }) => units - rules.buffer },
  { name: 'cap', apply: (units, { rules }) => (rules.cap === null ? units : Math.min(units, rules.cap)) },
]

/**
 * The number one channel may show for one listing, and the sum that produced it. Pure, so that the same code answers "what is sent"
 * and "why is it so". A unit of a kit is taken whole from one location, as reservations are, so the minimum over the components is
 * taken at each location. A listing without components sells nothing.
 */
export function explainAvailability(input: AvailabilityInput): AvailabilityExplained {
  const terms: AvailabilityTerm[] = []
  let units = 0
  for (const location_id of locationsOf(input.components)) {
    const place = explainLocation(input.components, location_id)
    terms.push(...place.terms)
    units += place.units
  }
  terms.push(listingTerm('sellable_units', units))
  for (const step of STEPS) {
    const next = step.apply(units, input)
    if (next !== units) terms.push(listingTerm(step.name, next - units))
    units = next
  }
  if (units < 0) terms.push(listingTerm('floor', -units))
  return { terms, quantity: Math.max(0, units) }
}

/** In the order in which they are first named, which is the connection's own ranking. */
function locationsOf(components: readonly ListingComponent[]): Set<string> {
  return new Set(components.flatMap(({ locations }) => locations.map(({ location_id }) => location_id)))
}

function explainLocation(
  components: readonly ListingComponent[],
  location_id: string,
): { terms: AvailabilityTerm[]; units: number } {
  const whole: number[] = []
  const terms = components.flatMap((component) => {
    const stock = component.locations.find((place) => place.location_id === location_id)
    const term = (name: string, value: number): AvailabilityTerm => ({ name, value, sku: component.sku, location_id })
    const held = HELD_BACK.map((name) => term(name, -(stock?.[name] ?? 0))).filter(({ value }) => value !== 0)
    const available = held.reduce((sum, { value }) => sum + value, stock?.on_hand ?? 0)
    whole.push(Math.floor(Math.max(0, available) / component.per_unit))
    return [term('on_hand', stock?.on_hand ?? 0), ...held, term('available', available)]
  })
  const units = Math.min(...whole)
  const simple = components.length === 1 && components[0]?.per_unit === 1
  if (!simple) terms.push({ name: 'units_of_listing', value: units, sku: null, location_id })
  return { terms, units }
}

const listingTerm = (name: string, value: number): AvailabilityTerm => ({ name, value, sku: null, location_id: null })

/** A proof older than this is asserted again even when the number has not moved. */
export const REASSERT_AFTER_MS = 24 * 3_600_000
/** The longest that unseen sales are held back where no pull of orders has been able to explain them. */
export const UNSEEN_HOLD_MS = 30 * 60_000
/** A channel lists an order within this time of selling, so a pull that begins later sees it. */
export const UNSEEN_LAG_MS = 3_000
/** After this many refusals in a row the row waits for a change of its number or a person. */
export const PUSH_ATTEMPTS_MAX = 8
const BACKOFF_BASE_MS = 5_000
const BACKOFF_MAX_MS = 15 * 60_000

/** Wait before the next push of a listing that has failed `attempts` times in a row. */
export function pushBackoffMs(attempts: number): number {
  return Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** Math.max(0, attempts - 1))
}

/** What the hub believes about one listing on its channel. */
export interface ChannelBelief {
  proven_quantity: number | null
  sold_since_proof: number
  unseen: number
}

/** What a claim had read, which is what the channel's answer is about. */
export interface ClaimedBelief {
  quantity: number
  expected: number | null
  sold_at_claim: number
}

/**
 * The belief after the channel's answer. The argument why no push can undo a sale is in `push.ts`; this is its arithmetic.
 * `set`: the number is proven; sales seen before the claim were already off the channel's number, later ones were not.
 * `stale`: the channel shows `actual`, so it has sold `expected - actual` units more than we had seen at the claim.
 */
export function beliefAfter(
  belief: ChannelBelief,
  claim: ClaimedBelief,
  answer: { outcome: 'set' } | { outcome: 'stale'; actual: number },
): ChannelBelief {
  const sold_since_proof = belief.sold_since_proof - claim.sold_at_claim
  if (answer.outcome === 'set') return { proven_quantity: claim.quantity, sold_since_proof, unseen: belief.unseen }
  const missed = claim.expected === null ? 0 : claim.expected - answer.actual
  // Orders that arrived while the call was under way may be the missed ones or later ones. They stay in sold_since_proof, so the
  // missed ones are settled against them at once and only the rest is held back.
  const settled = Math.max(0, Math.min(sold_since_proof, missed))
  return {
    proven_quantity: answer.actual,
    sold_since_proof: sold_since_proof - settled,
    unseen: Math.max(0, belief.unseen + missed - settled),
  }
}

/** Orders of the channel for `units` of the listing have arrived: first they explain unseen sales, then they are new ones. */
export function beliefAfterSale(belief: ChannelBelief, units: number): ChannelBelief {
  const explained = Math.min(belief.unseen, units)
  return { ...belief, unseen: belief.unseen - explained, sold_since_proof: belief.sold_since_proof + units - explained }
}
