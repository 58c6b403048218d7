import type { BackorderMode } from './rulesStock.ts'

/** Units of one component at one location that serves the connection, in the item's base unit. */
export interface LocationStock {
  location_id: string
  on_hand: number
  committed: number
  reserved: number
  damaged: number
  quality_control: number
  safety_stock: number
  /** Units that a stock rule keeps back here. */
  safety_units?: number
}

/** Units that demands of strictly more urgent classes wait for, and the places that may serve them. */
export interface UrgentDemand {
  units: number
  places: readonly string[]
}

/** One item that a unit of the listing takes: one for a plain item, the factor for a multipack, several for a kit. */
export interface ListingComponent {
  item_id: number
  sku: string
  per_unit: number
  locations: readonly LocationStock[]
  urgent?: readonly UrgentDemand[]
  /** Units on their way that may be promised. */
  incoming?: number
  /** Units that any demand waits for, and those of them that were accepted knowingly as backorders. */
  waiting?: number
  backordered?: number
}

/** The merchant's choices for what a channel may see of the stock. Each becomes one entry of `STEPS`. */
export interface AvailabilityRules {
  /** Whole percent of the sellable units that this channel may see. */
  share_percent: number
  /** The most that is shown of what is there. */
  cap: number | null
  /** Units kept back from the channel, and a whole percentage of what is left then. */
  buffer: number
  buffer_percent: number
  /** Units kept back by measured risk, and those that peak mode adds. */
  adaptive: number
  peak: number
  /** A number below this is shown as zero. */
  zero_below: number
  backorder: BackorderMode
  /** The most units of an item that may wait for supply at once; null: as many as are on their way and not promised. */
  backorder_units_max: number | null
}

export interface AvailabilityInput {
  components: readonly ListingComponent[]
  /** Places whose numbers cannot be trusted now. */
  distrusted: readonly string[]
  /** Units that the channel must have sold without our having seen the orders yet. */
  unseen: number
  rules: AvailabilityRules
}

/**
 * One line of the sum. `sku` and `location_id` name what it is about; null: the listing as a whole. Terms are signed; a term of
 * `SUBTOTALS` says what the ones before it come to and is not added itself. The terms of an item at a location add up to its
 * `available` there; `sellable_units` and every term after it add up to the quantity.
 */
export interface AvailabilityTerm {
  name: string
  value: number
  sku: string | null
  location_id: string | null
}

/** `available` of an item at a place, `units_of_listing` at a place, `sellable_units` over all places. */
export const SUBTOTALS: ReadonlySet<string> = new Set(['available', 'units_of_listing', 'sellable_units'])

export interface AvailabilityExplained {
  terms: AvailabilityTerm[]
  quantity: number
}

/** What an item's stock at one place loses before anything of it can be sold. */
const HELD_BACK = ['committed', 'reserved', 'damaged', 'quality_control', 'safety_stock', 'safety_units'] as const

/**
 * From what is there to what is shown of it, in this order. Each step is monotone, so that more stock never shows less, and none
 * returns more than it was given. Percentages round against the seller: a share down, a buffer up.
 */
const STEPS: readonly { name: string; apply: (units: number, rules: AvailabilityRules) => number }[] = [
  { name: 'share', apply: (units, { share_percent }) => Math.floor((units * share_percent) / 100) },
  { name: 'cap', apply: (units, { cap }) => (cap === null ? units : Math.min(units, cap)) },
  { name: 'buffer', apply: (units, { buffer }) => units - buffer },
  {
    name: 'buffer_percent',
    apply: (units, { buffer_percent }) => units - Math.ceil((Math.max(0, units) * buffer_percent) / 100),
  },
  { name: 'adaptive_buffer', apply: (units, { adaptive }) => units - adaptive },
  { name: 'peak_buffer', apply: (units, { peak }) => units - peak },
]

const AFTER_FLOOR: typeof STEPS = [
  { name: 'zero_below', apply: (units, { zero_below }) => (units < zero_below ? 0 : units) },
]

/**
 * The number one channel may show for one listing, and the sum that produced it. Pure, so that the same code answers "what is sent"
 * and "why is it so". A unit of a kit is taken whole from one location, as reservations are, so the minimum over the components is
 * taken at each location. A listing without components sells nothing. Never more than what can be sold now plus what may be ordered ahead.
 */
export function explainAvailability(input: AvailabilityInput): AvailabilityExplained {
  const { components, rules } = input
  const urgent = new Map(components.map((component) => [component.item_id, placeUrgent(component)]))
  const sum = newSum()
  for (const location_id of locationsOf(components)) sum.place(explainLocation(input, location_id, urgent))
  sum.subtotal()
  // Unseen sales beyond what is there have been taken off what may be ordered ahead.
  const ahead = Math.max(0, input.unseen - sum.units())
  sum.add('unseen_sales', -input.unseen)
  sum.floor()
  sum.run(STEPS, rules)
  sum.floor()
  sum.run(AFTER_FLOOR, rules)
  const allowed = backorderUnits(input, urgent)
  sum.add('backorder', allowed)
  sum.add('backorder_unseen', -Math.min(allowed, ahead))
  return { terms: sum.terms, quantity: sum.units() }
}

interface Sum {
  terms: AvailabilityTerm[]
  units: () => number
  place: (explained: { terms: AvailabilityTerm[]; units: number }) => void
  subtotal: () => void
  add: (name: string, value: number) => void
  floor: () => void
  run: (steps: typeof STEPS, rules: AvailabilityRules) => void
}

/** A running sum that writes down whatever changes it; what changes nothing is no line. */
function newSum(): Sum {
  const terms: AvailabilityTerm[] = []
  let units = 0
  const add = (name: string, value: number): void => {
    if (value === 0) return
    units += value
    terms.push(listingTerm(name, value))
  }
  return {
    terms,
    units: () => units,
    place: (explained) => {
      terms.push(...explained.terms)
      units += explained.units
    },
    subtotal: () => void terms.push(listingTerm('sellable_units', units)),
    add,
    floor: () => add('floor', Math.max(0, -units)),
    run: (steps, rules) => {
      for (const step of steps) add(step.name, step.apply(units, rules) - units)
    },
  }
}

/** In the order in which they are first named, which is the connection's own ranking. */
function locationsOf(components: readonly ListingComponent[]): Set<string> {
  return new Set(components.flatMap(({ locations }) => locations.map(({ location_id }) => location_id)))
}

/** What is free of an item at a place before anybody more urgent is thought of; less than zero when more is kept back than is there. */
const freeAt = (stock: LocationStock): number =>
  HELD_BACK.reduce((sum, name) => sum - (stock[name] ?? 0), stock.on_hand)

/** Units that the waiting, more urgent demands will take at each place: in the connection's ranking, where they may be served at all. */
function placeUrgent({ locations, urgent = [] }: ListingComponent): Map<string, number> {
  const taken = new Map<string, number>()
  for (const demand of urgent) {
    let open = demand.units
    for (const stock of locations.filter(({ location_id }) => demand.places.includes(location_id))) {
      const before = taken.get(stock.location_id) ?? 0
      const units = Math.min(open, Math.max(0, freeAt(stock) - before))
      taken.set(stock.location_id, before + units)
      open -= units
    }
  }
  return taken
}

type Urgent = ReadonlyMap<number, ReadonlyMap<string, number>>

/**
 * What one place contributes. A place that is distrusted (no count for too long, its connection down) contributes the larger half of
 * the listing's units that are believed to be there, and at least one where one is believed. Silence is not zero: selling nothing for
 * every broken cable costs more than it saves, and the demand between two counts is nearly always a fraction of the shelf. What is
 * believed moves by facts of our own alone while nobody counts (orders, receipts, returns), so the number cannot rise for any other
 * reason, and it falls with every sale. It heals with the next count.
 */
function explainLocation(
  { components, distrusted }: AvailabilityInput,
  location_id: string,
  urgent: Urgent,
): { terms: AvailabilityTerm[]; units: number } {
  const whole: number[] = []
  const terms = components.flatMap((component) => {
    const stock = component.locations.find((place) => place.location_id === location_id)
    const term = (name: string, value: number): AvailabilityTerm => ({ name, value, sku: component.sku, location_id })
    const held = HELD_BACK.map((name) => term(name, -(stock?.[name] ?? 0)))
    const promised = term('priority_promises', -(urgent.get(component.item_id)?.get(location_id) ?? 0))
    const lost = [...held, promised].filter(({ value }) => value !== 0)
    const available = lost.reduce((sum, { value }) => sum + value, stock?.on_hand ?? 0)
    whole.push(Math.floor(Math.max(0, available) / component.per_unit))
    return [term('on_hand', stock?.on_hand ?? 0), ...lost, term('available', available)]
  })
  const units = Math.min(...whole)
  const simple = components.length === 1 && components[0]?.per_unit === 1 && terms.at(-1)?.value === units
  if (!simple) terms.push({ name: 'units_of_listing', value: units, sku: null, location_id })
  const margin = distrusted.includes(location_id) ? Math.floor(units / 2) : 0
  if (margin > 0) terms.push({ name: 'distrusted', value: -margin, sku: null, location_id })
  return { terms, units: units - margin }
}

/**
 * Units that may be ordered ahead of supply: by the component that has least to give. A component may wait for as many units as the
 * rule allows, less those that wait already; without a bound for as many as are on their way, less those that anybody waits for and
 * that stock will not serve. It does not look at what is on hand, so that more stock never shows less.
 */
function backorderUnits({ components, rules }: AvailabilityInput, urgent: Urgent): number {
  if (rules.backorder === 'deny' || components.length === 0) return 0
  const units = components.map(({ item_id, per_unit, incoming = 0, waiting = 0, backordered = 0 }) => {
    const served = [...(urgent.get(item_id)?.values() ?? [])].reduce((sum, some) => sum + some, 0)
    const open =
      rules.backorder_units_max === null ? incoming - (waiting - served) : rules.backorder_units_max - backordered
    return Math.floor(Math.max(0, open) / per_unit)
  })
  return Math.min(...units)
}

const listingTerm = (name: string, value: number): AvailabilityTerm => ({ name, value, sku: null, location_id: null })
