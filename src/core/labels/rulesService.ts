import type { Rate } from '../model/effects.ts'
import type { ShippingRule } from '../model/label.ts'

/** What has to be known of a parcel to choose how it leaves. */
export interface ServiceDemand {
  country: string | null
  service_level: string | null
  weight_g: number
  /** The money in which offers are compared. */
  currency: string
  /** When the goods can leave. */
  leaves_at_ms: number
  /** When the buyer has to have them; null: no day was promised. */
  deliver_by_ms: number | null
}

/** An offer and why it was not taken; null: it could have been. */
export interface Offer extends Rate {
  out: string | null
}

export type ServiceChoice = { rule: string; offered: Offer[] } & (
  | { kind: 'chosen'; rate: Rate }
  | { kind: 'refused'; reason: string }
)

const DAY_MS = 86_400_000
const ANY: ShippingRule = { name: 'cheapest that keeps the promise' }
const REASON_OFFERS_MAX = 5

/**
 * The cheapest offer that the first rule which fits the parcel allows and that keeps what the buyer was promised. Offers that cost the
 * same are told apart by what is better for the buyer and then by name, so that the same offers always bring the same choice. Nothing is
 * bent: where no offer will do, that is a refusal, which names what each of them lacked.
 */
export function chooseRate(
  rates: readonly Rate[],
  rules: readonly ShippingRule[],
  demand: ServiceDemand,
): ServiceChoice {
  const rule = rules.find((candidate) => fits(candidate, demand)) ?? ANY
  const offered = rates.map((rate): Offer => ({ ...rate, out: whyOut(rate, rule, demand) })).toSorted(better)
  const taken = offered.find((offer) => offer.out === null)
  if (taken === undefined) return { kind: 'refused', reason: reasonOf(offered), rule: rule.name, offered }
  const { out: _, ...rate } = taken
  return { kind: 'chosen', rate, rule: rule.name, offered }
}

function fits({ countries, service_levels, weight_g_max }: ShippingRule, demand: ServiceDemand): boolean {
  const within = (list: readonly string[] | undefined, word: string | null): boolean =>
    list === undefined || (word !== null && list.includes(word))
  return (
    within(countries, demand.country) &&
    within(service_levels, demand.service_level) &&
    (weight_g_max === undefined || demand.weight_g <= weight_g_max)
  )
}

/** One row a reason: an offer is out for the first that applies. */
const REASONS: readonly { out: string; when: (rate: Rate, rule: ShippingRule, demand: ServiceDemand) => boolean }[] = [
  { out: 'other currency', when: ({ currency }, _, demand) => currency !== demand.currency },
  {
    out: 'carrier not allowed',
    when: ({ carrier }, { carriers }) => carriers !== undefined && !carriers.includes(carrier),
  },
  {
    out: 'service not allowed',
    when: ({ service }, { services }) => services !== undefined && !services.includes(service),
  },
  { out: 'too dear', when: ({ amount_minor }, { amount_minor_max: max }) => max !== undefined && amount_minor > max },
  { out: 'not guaranteed', when: ({ guaranteed }, rule) => rule.guaranteed === true && !guaranteed },
  {
    out: 'names no day',
    when: ({ days }, { days_max }, { deliver_by_ms }) =>
      days === null && (days_max !== undefined || deliver_by_ms !== null),
  },
  { out: 'too slow', when: ({ days }, { days_max }) => days_max !== undefined && days !== null && days > days_max },
  {
    out: 'after the promised day',
    when: ({ days }, _, { leaves_at_ms, deliver_by_ms }) =>
      days !== null && deliver_by_ms !== null && arrivalDay(leaves_at_ms, days) > dayOf(deliver_by_ms),
  },
]

const whyOut = (rate: Rate, rule: ShippingRule, demand: ServiceDemand): string | null =>
  REASONS.find(({ when }) => when(rate, rule, demand))?.out ?? null

const dayOf = (ms: number): number => Math.floor(ms / DAY_MS)

/** Vendors count the days on which carriers work; Saturdays and Sundays are none. 1970-01-01 was a Thursday. */
function arrivalDay(leaves_at_ms: number, days: number): number {
  let day = dayOf(leaves_at_ms)
  for (let left = days; left > 0; left -= isWeekend(day) ? 0 : 1) day += 1
  return day
}

const isWeekend = (day: number): boolean => [2, 3].includes(((day % 7) + 7) % 7)

function better(a: Offer, b: Offer): number {
  return (
    a.amount_minor - b.amount_minor ||
    (a.days ?? Number.MAX_SAFE_INTEGER) - (b.days ?? Number.MAX_SAFE_INTEGER) ||
    Number(b.guaranteed) - Number(a.guaranteed) ||
    compare(a.carrier, b.carrier) ||
    compare(a.service, b.service) ||
    compare(a.external_id, b.external_id)
  )
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function reasonOf(offered: readonly Offer[]): string {
  if (offered.length === 0) return 'no carrier offers to take the parcel'
  const named = offered
    .slice(0, REASON_OFFERS_MAX)
    .map(({ carrier, service, out }) => `${carrier} ${service}: ${out ?? ''}`)
  const more = offered.length - named.length
  return `none of ${offered.length} offers will do: ${named.join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}
