import type { LocationServices } from '../model/location.ts'
import type { RoutingRule, RoutingRules } from '../model/routing.ts'

/** One company as far as its rules may speak of it. */
export interface RuledCompany {
  connections: readonly { id: string; serves_from: readonly string[] }[]
  locations: readonly { id: string; kind: string; services: LocationServices }[]
}

/** What is wrong with a set of rules: where in it, and why. */
export interface RuleFault {
  path: (string | number)[]
  message: string
  /** What would have been right, where that is a short list. */
  allowed?: readonly string[]
}

/** Characters of a postcode that routing sees. */
const AREA_CHARACTERS = 3

/**
 * Everything that a schema cannot say about rules: names of things that do not exist, rules that nothing can reach and filters that no
 * place passes. That a rule fits no order is no fault: the next one is asked.
 */
export function ruleFaults(rules: RoutingRules, company: RuledCompany): RuleFault[] {
  return [
    ...duplicateNames(rules),
    ...unreachableRules(rules),
    ...rules.flatMap((rule, index) =>
      faultsOf(rule, company).map(({ path, ...fault }) => ({ path: [index, ...path], ...fault })),
    ),
  ]
}

function duplicateNames(rules: RoutingRules): RuleFault[] {
  return rules.flatMap(({ name }, index) => {
    const first = rules.findIndex((rule) => rule.name === name)
    return first === index
      ? []
      : [{ path: [index, 'name'], message: `"${name}" is the name of the rule ${first + 1} already` }]
  })
}

function unreachableRules(rules: RoutingRules): RuleFault[] {
  const last = rules.findIndex(({ when, otherwise }) => Object.keys(when ?? {}).length === 0 && otherwise === 'wait')
  if (last < 0) return []
  return rules.slice(last + 1).map((_rule, offset) => ({
    path: [last + 1 + offset],
    message: `is unreachable: the rule "${rules[last]?.name ?? ''}" before it fits every order and passes none on`,
  }))
}

type Check = (rule: RoutingRule, company: RuledCompany) => RuleFault[]

const CHECKS: readonly Check[] = [
  ({ when }, { connections }) => unknown(['when', 'connections'], when?.connections, connections, 'connection'),
  ({ filters }, { locations }) => unknown(['filters', 'locations'], filters.locations, locations, 'location'),
  ({ filters }, { locations }) => unknown(['filters', 'except'], filters.except, locations, 'location'),
  ({ when }) => longPostcodes(['when', 'postcodes'], when?.postcodes),
  emptyRange,
  noPlaces,
  unservedCountries,
  mixedCurrencies,
]

const faultsOf: Check = (rule, company) => CHECKS.flatMap((check) => check(rule, company))

function unknown(
  path: string[],
  names: readonly string[] | undefined,
  known: readonly { id: string }[],
  noun: string,
): RuleFault[] {
  const allowed = known.map(({ id }) => id)
  return (names ?? []).flatMap((name, index) =>
    allowed.includes(name)
      ? []
      : [{ path: [...path, index], message: `the company has no ${noun} "${name}"`, allowed }],
  )
}

/** What is asked of characters that routing does not see could never be answered. */
export function longPostcodes(path: string[], postcodes: readonly string[] | undefined): RuleFault[] {
  return (postcodes ?? []).flatMap((text, index) => {
    const prefix = text.split(':').at(-1)?.replaceAll(' ', '') ?? ''
    const message = `routing sees the first ${AREA_CHARACTERS} characters of a postcode; name no more of them`
    return prefix.length > AREA_CHARACTERS ? [{ path: [...path, index], message }] : []
  })
}

function emptyRange({ when }: RoutingRule): RuleFault[] {
  const { total_minor_min: min, total_minor_max: max } = when ?? {}
  if (min === undefined || max === undefined || min <= max) return []
  return [{ path: ['when', 'total_minor_max'], message: 'is below total_minor_min: no order fits' }]
}

/** Places that the filters by name and kind leave of any connection that the rule speaks of. */
function candidates(
  { when, filters }: RoutingRule,
  { connections, locations }: RuledCompany,
): RuledCompany['locations'] {
  const served = new Set(
    connections.filter(({ id }) => when?.connections?.includes(id) !== false).flatMap(({ serves_from }) => serves_from),
  )
  return locations.filter(
    ({ id, kind }) =>
      served.has(id) &&
      filters.locations?.includes(id) !== false &&
      filters.except?.includes(id) !== true &&
      (filters.kinds as readonly string[] | undefined)?.includes(kind) !== false,
  )
}

/** Where the names themselves are wrong, that is said already. */
function noPlaces(rule: RoutingRule, company: RuledCompany): RuleFault[] {
  const namesAreKnown =
    unknown([], rule.filters.locations, company.locations, '').length === 0 &&
    unknown([], rule.when?.connections, company.connections, '').length === 0
  if (!namesAreKnown || candidates(rule, company).length > 0) return []
  return [{ path: ['filters'], message: 'leave no location of any connection that the rule speaks of' }]
}

function unservedCountries(rule: RoutingRule, company: RuledCompany): RuleFault[] {
  if (!rule.filters.serves_address) return []
  const places = candidates(rule, company)
  if (places.length === 0) return []
  return (rule.when?.countries ?? []).flatMap((country, index) =>
    places.some(({ services }) => services.countries?.includes(country) !== false)
      ? []
      : [{ path: ['when', 'countries', index], message: `no location of the rule serves ${country}` }],
  )
}

/** Sums in different currencies cannot be compared. */
function mixedCurrencies(rule: RoutingRule, company: RuledCompany): RuleFault[] {
  const path = rule.strategy === 'cheapest' ? ['strategy'] : rule.sort.includes('cost') ? ['sort'] : null
  if (path === null) return []
  const priced = candidates(rule, company).filter(({ services }) => (services.costs ?? []).length > 0)
  const currencies = [...new Set(priced.map(({ services }) => services.currency ?? 'no currency'))]
  return currencies.length < 2
    ? []
    : [{ path, message: `compares costs in several currencies: ${currencies.join(', ')}` }]
}
