import { LocationServices } from '../core/model/location.ts'
import { RoutingRules } from '../core/model/routing.ts'
import { checker, type Check } from '../core/model/validate.ts'
import { ruleFault } from '../core/availability/rulesStock.ts'
import { calendarFaults } from '../core/routing/rulesCalendar.ts'
import { longPostcodes, ruleFaults, type RuledCompany } from '../core/routing/rulesFaults.ts'
import { fault, type ConfigFault, type Path } from './faults.ts'
import type { Source } from './source.ts'

/** An entry of one of the file's lists, as found: its schema may have found faults of its own. */
interface Entry {
  path: Path
  value: Readonly<Record<string, unknown>>
}

interface InventoryContext {
  source: Source
  csvItems: readonly { company: string; sku: string }[]
}

/** What is said about a place in the file: where, and why it is wrong. */
interface Said {
  path: Path
  message: string
  allowed?: Iterable<string>
}

const isServices = shapeOf(checker(LocationServices))
const isRules = shapeOf(checker(RoutingRules))

/**
 * Faults of locations' services, routing rules, stock rules and postcode areas that a schema cannot see. What does not even have the
 * shape of its schema is passed over: that is said already.
 */
export function inventoryFaults(document: unknown, { source, csvItems }: InventoryContext): ConfigFault[] {
  const skus = new Set([
    ...entriesOf(document, 'items').map(({ value }) => skuKey(value['company'], value['sku'])),
    ...csvItems.map(({ company, sku }) => skuKey(company, sku)),
  ])
  const said = [
    ...entriesOf(document, 'locations').flatMap((entry) => serviceFaults(entry, skus)),
    ...entriesOf(document, 'routing').flatMap((entry, index, all) => routingFaults(document, { entry, index, all })),
    ...stockRuleFaults(document, skus),
    ...entriesOf(document, 'stock_rules').flatMap(impossibleRule),
    ...repeatedRules(entriesOf(document, 'stock_rules')),
    ...areaFaults(entriesOf(document, 'postcode_areas')),
  ]
  return said.map(({ path, message, allowed }) => fault(path, source.lineOf(path), message, allowed))
}

const skuKey = (company: unknown, sku: unknown): string => JSON.stringify([company, sku])

function serviceFaults({ path, value }: Entry, skus: ReadonlySet<string>): Said[] {
  const { services, timezone, company } = value
  if (!isServices(services)) return []
  const at: Path = [...path, 'services']
  const { calendar, refuses_skus, postcodes } = services
  const days = calendar === undefined ? [] : calendarFaults(calendar)
  return [
    ...(calendar !== undefined && timezone === undefined
      ? [
          {
            path: [...path, 'timezone'],
            message: 'is required with a calendar: its cut-off is a time of day at the place',
          },
        ]
      : []),
    ...days.map((one) => ({ path: [...at, 'calendar', ...one.path], message: one.message })),
    ...(refuses_skus ?? []).flatMap((sku, index) =>
      skus.has(skuKey(company, sku))
        ? []
        : [{ path: [...at, 'refuses_skus', index], message: `the company "${String(company)}" has no item "${sku}"` }],
    ),
    ...longPostcodes(['postcodes'], postcodes).map((one) => ({ path: [...at, ...one.path], message: one.message })),
  ]
}

function routingFaults(
  document: unknown,
  { entry, index, all }: { entry: Entry; index: number; all: readonly Entry[] },
): Said[] {
  const { company, rules } = entry.value
  const companies = entriesOf(document, 'companies').map(({ value }) => value['id'])
  const path: Path = [...entry.path, 'company']
  if (typeof company === 'string' && !companies.includes(company))
    return [{ path, message: `there is no company "${company}"`, allowed: companies.map(String) }]
  if (all.findIndex(({ value }) => value['company'] === company) !== index)
    return [{ path, message: `"${String(company)}" has routing rules already; give one list for it` }]
  if (!isRules(rules)) return []
  return ruleFaults(rules, ruledCompany(document, company)).map((one) => ({
    path: [...entry.path, 'rules', ...one.path],
    message: one.message,
    ...(one.allowed === undefined ? {} : { allowed: one.allowed }),
  }))
}

function ruledCompany(document: unknown, company: unknown): RuledCompany {
  const own = (list: string): Entry['value'][] =>
    entriesOf(document, list).flatMap(({ value }) => (value['company'] === company ? [value] : []))
  return {
    connections: own('connections').map(({ id, serves_from }) => ({
      id: String(id),
      serves_from: Array.isArray(serves_from) ? serves_from.map(String) : [],
    })),
    locations: own('locations').map(({ id, kind, services }) => ({
      id: String(id),
      kind: String(kind),
      services: isServices(services) ? services : {},
    })),
  }
}

const NAMED_BY_STOCK_RULES: readonly (readonly [field: string, list: string])[] = [
  ['connection', 'connections'],
  ['location', 'locations'],
]

/** There may be a million of them, so what exists is gathered once. */
function stockRuleFaults(document: unknown, skus: ReadonlySet<string>): Said[] {
  const companies = new Set(entriesOf(document, 'companies').map(({ value }) => value['id']))
  const owned = new Map(
    NAMED_BY_STOCK_RULES.map(([, list]) => [
      list,
      new Set(entriesOf(document, list).map(({ value }) => skuKey(value['company'], value['id']))),
    ]),
  )
  return entriesOf(document, 'stock_rules').flatMap(({ path, value }): Said[] => {
    const { company, sku } = value
    if (typeof company !== 'string') return []
    if (!companies.has(company)) return [{ path: [...path, 'company'], message: `there is no company "${company}"` }]
    const unknown = NAMED_BY_STOCK_RULES.flatMap(([field, list]): Said[] => {
      const name = value[field]
      if (typeof name !== 'string' || owned.get(list)?.has(skuKey(company, name)) === true) return []
      return [{ path: [...path, field], message: `the company "${company}" has no ${field} "${name}"` }]
    })
    if (typeof sku !== 'string' || skus.has(skuKey(company, sku))) return unknown
    return [...unknown, { path: [...path, 'sku'], message: `the company "${company}" has no item "${sku}"` }]
  })
}

/** A rule that sets nothing, or that sets for one place what is about all of them. */
function impossibleRule({ path, value }: Entry): Said[] {
  const { location } = value
  const message = ruleFault({ location_id: typeof location === 'string' ? location : null }, value)
  return message === null ? [] : [{ path, message }]
}

/** Two rules of one scope would leave it to chance which of them holds. */
function repeatedRules(rules: readonly Entry[]): Said[] {
  const seen = new Set<string>()
  return rules.flatMap(({ path, value }) => {
    const key = JSON.stringify([value['company'], value['connection'], value['sku'], value['location']])
    const message = 'a rule for the same company, connection, SKU and location is given already; join them'
    if (seen.has(key)) return [{ path, message }]
    seen.add(key)
    return []
  })
}

function areaFaults(areas: readonly Entry[]): Said[] {
  const seen = new Set<string>()
  return areas.flatMap(({ path, value }) => {
    const { country, prefix } = value
    if (typeof country !== 'string' || typeof prefix !== 'string') return []
    const at = [...path, 'prefix']
    const key = `${country}:${prefix}`
    const long = longPostcodes([], [prefix]).map(({ message }) => ({ path: at, message }))
    if (!seen.has(key)) {
      seen.add(key)
      return long
    }
    return [...long, { path: at, message: `the area ${key} is given twice` }]
  })
}

function entriesOf(document: unknown, list: string): Entry[] {
  const found = isRecord(document) ? document[list] : undefined
  if (!Array.isArray(found)) return []
  return found.flatMap((value: unknown, index) => (isRecord(value) ? [{ path: [list, index], value }] : []))
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function shapeOf<T>(check: Check<T>): (value: unknown) => value is T {
  return (value): value is T => {
    try {
      check(value)
      return true
    } catch {
      return false
    }
  }
}
