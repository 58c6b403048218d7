import { erpFaults } from './erpFaults.ts'
import { fault, type ConfigFault, type Path } from './faults.ts'
import { financeFaults } from './financeFaults.ts'
import { inventoryFaults } from './inventoryFaults.ts'
import type { Source } from './source.ts'

/** An entry of one of the file's lists, as found: these checks run even where the schema has found faults, to report all at once. */
interface Entry {
  path: Path
  value: Readonly<Record<string, unknown>>
}

/** What the cross checks need besides the file: the merged items, and whether a connector exists. */
export interface CrossContext {
  source: Source
  connectors: readonly string[]
  /** `company` and `sku` of every item of the CSV file. */
  csvItems: readonly { company: string; sku: string }[]
}

/** Which fields of each list's entries must be unique together. */
const UNIQUE: readonly (readonly [list: string, fields: readonly string[]])[] = [
  ['users', ['name']],
  ['companies', ['id']],
  ['locations', ['id']],
  ['connections', ['id']],
  ['items', ['company', 'sku']],
  ['listings', ['connection', 'channel_sku']],
  ['tariffs', ['connection', 'name', 'valid_from']],
]

/** Which field names an entry of which other list by its id; the noun is how a fault calls it. */
type Reference = readonly [list: string, field: string, target: string, noun: string]

const REFERENCES: readonly Reference[] = [
  ['locations', 'company', 'companies', 'company'],
  ['locations', 'connection', 'connections', 'connection'],
  ['items', 'company', 'companies', 'company'],
  ['connections', 'company', 'companies', 'company'],
  ['listings', 'connection', 'connections', 'connection'],
  ['tariffs', 'connection', 'connections', 'connection'],
]

/** Everything that a schema cannot say: references between entries, uniqueness, and rules over several fields. */
export function crossFaults(document: unknown, context: CrossContext): ConfigFault[] {
  return [
    ...UNIQUE.flatMap(([list, fields]) => duplicateFaults(entriesOf(document, list), fields, context)),
    ...REFERENCES.flatMap((reference) => referenceFaults(document, reference, context)),
    ...entriesOf(document, 'connections').flatMap((entry) => connectionFaults(document, entry, context)),
    ...entriesOf(document, 'locations').flatMap((entry) => locationFaults(document, entry, context)),
    ...skuFaults(document, context),
    ...inventoryFaults(document, context),
    ...financeFaults(document, context),
    ...erpFaults(document, context),
    ...vaultFaults(document, context),
    ...bookDaysFaults(document, context),
  ]
}

function duplicateFaults(entries: Entry[], fields: readonly string[], { source }: CrossContext): ConfigFault[] {
  const firstLines = new Map<string, number>()
  return entries.flatMap((entry) => {
    const values = fields.map((field) => entry.value[field])
    if (!values.every((value) => typeof value === 'string')) return []
    const key = JSON.stringify(values)
    const path = [...entry.path, fields.at(-1) ?? '']
    const line = source.lineOf(path)
    const first = firstLines.get(key)
    if (first !== undefined)
      return [fault(path, line, `${values.map((value) => `"${value}"`).join(' ')} is already given in line ${first}`)]
    firstLines.set(key, line)
    return []
  })
}

function referenceFaults(document: unknown, reference: Reference, { source }: CrossContext): ConfigFault[] {
  const [list, field, target, noun] = reference
  const known = idsOf(document, target)
  return entriesOf(document, list).flatMap((entry) => {
    const name = entry.value[field]
    if (typeof name !== 'string' || known.has(name)) return []
    const path = [...entry.path, field]
    return [fault(path, source.lineOf(path), `there is no ${noun} "${name}"`, known)]
  })
}

function connectionFaults(document: unknown, entry: Entry, { source, connectors }: CrossContext): ConfigFault[] {
  const faults: ConfigFault[] = []
  const say = (path: Path, message: string, allowed?: Iterable<string>): unknown =>
    faults.push(fault(path, source.lineOf(path), message, allowed))
  const { connector, company, serves_from: servesFrom } = entry.value
  if (typeof connector === 'string' && !connectors.includes(connector)) {
    say([...entry.path, 'connector'], `there is no connector "${connector}"`, connectors)
  }
  const locations = entriesOf(document, 'locations')
  const ownLocations = locations
    .filter((location) => location.value['company'] === company)
    .map((location) => String(location.value['id']))
  const names: unknown[] = Array.isArray(servesFrom) ? servesFrom : []
  for (const [index, name] of names.entries()) {
    const path = [...entry.path, 'serves_from', index]
    if (typeof name !== 'string') continue
    if (names.indexOf(name) !== index) say(path, `"${name}" is listed twice`)
    else if (!idsOf(document, 'locations').has(name)) say(path, `there is no location "${name}"`, ownLocations)
    else if (!ownLocations.includes(name)) say(path, `the location "${name}" belongs to another company`, ownLocations)
  }
  return faults
}

function locationFaults(document: unknown, entry: Entry, { source }: CrossContext): ConfigFault[] {
  const faults: ConfigFault[] = []
  const say = (field: string, message: string): unknown =>
    faults.push(fault([...entry.path, field], source.lineOf([...entry.path, field]), message))
  const { timezone, latitude, longitude, connection, company, labels } = entry.value
  if (typeof timezone === 'string' && !isTimezone(timezone))
    say('timezone', `there is no time zone "${timezone}"; write one like Europe/Berlin`)
  if ((latitude === undefined) !== (longitude === undefined)) {
    say(latitude === undefined ? 'latitude' : 'longitude', 'is required when the other coordinate is given')
  }
  const operator = entriesOf(document, 'connections').find((candidate) => candidate.value['id'] === connection)
  if (typeof connection === 'string' && operator !== undefined && operator.value['company'] !== company) {
    say('connection', `the connection "${connection}" belongs to another company`)
  }
  return [...faults, ...labelFaults(document, { path: entry.path, company, labels }, source)]
}

/** What labels are bought with has to be one of the company's own connections. */
function labelFaults(
  document: unknown,
  { path, company, labels }: { path: Path; company: unknown; labels: unknown },
  source: Source,
): ConfigFault[] {
  const name = recordOf(labels)?.['connection']
  if (typeof name !== 'string') return []
  const own = entriesOf(document, 'connections').filter(({ value }) => value['company'] === company)
  const ids = own.map(({ value }) => String(value['id']))
  const place = [...path, 'labels', 'connection']
  return ids.includes(name) ? [] : [fault(place, source.lineOf(place), `the company has no connection "${name}"`, ids)]
}

interface Stocked {
  /** company and sku of every item */
  all: Set<string>
  kits: Set<string>
}

const skuKey = (company: unknown, sku: unknown): string => JSON.stringify([company, sku])

function skuFaults(document: unknown, context: CrossContext): ConfigFault[] {
  const items = entriesOf(document, 'items')
  const kits = items.filter((item) => item.value['kit'] !== undefined)
  const stocked: Stocked = {
    all: new Set([
      ...items.map((item) => skuKey(item.value['company'], item.value['sku'])),
      ...context.csvItems.map((item) => skuKey(item.company, item.sku)),
    ]),
    kits: new Set(kits.map((item) => skuKey(item.value['company'], item.value['sku']))),
  }
  const companies = new Map(
    entriesOf(document, 'connections').map((entry) => [entry.value['id'], entry.value['company']]),
  )
  return [
    ...kits.flatMap((kit) => componentFaults(kit, 'kit', kit.value['company'], stocked, context)),
    ...entriesOf(document, 'listings')
      .filter((listing) => companies.has(listing.value['connection']))
      .flatMap((listing) =>
        componentFaults(listing, 'items', companies.get(listing.value['connection']), stocked, context),
      ),
  ]
}

/** Components of a kit are plain items: a kit inside a kit would make one unit's availability depend on a tree. */
function componentFaults(
  owner: Entry,
  field: 'kit' | 'items',
  company: unknown,
  stocked: Stocked,
  { source }: CrossContext,
): ConfigFault[] {
  const components = componentsOf(owner, field)
  return components.flatMap(({ path, value }, index) => {
    const place = [...path, 'sku']
    const { sku } = value
    if (typeof sku !== 'string') return []
    const say = (message: string): ConfigFault[] => [fault(place, source.lineOf(place), message)]
    if (components.findIndex((other) => other.value['sku'] === sku) !== index)
      return say(`"${sku}" is listed twice; give one line with the sum`)
    if (!stocked.all.has(skuKey(company, sku))) return say(`the company "${String(company)}" has no item "${sku}"`)
    if (field === 'kit' && stocked.kits.has(skuKey(company, sku)))
      return say(`"${sku}" is a kit itself; name its components`)
    return []
  })
}

function vaultFaults(document: unknown, { source }: CrossContext): ConfigFault[] {
  const at = (section: string, field: string): unknown => recordOf(recordOf(document)?.[section])?.[field]
  const isNeeded =
    at('hub', 'environment') === 'production' &&
    typeof at('database', 'url') === 'string' &&
    at('database', 'url') !== ''
  if (!isNeeded || at('secrets', 'vault_key') !== '') return []
  const path = ['secrets', 'vault_key']
  return [
    fault(
      path,
      source.lineOf(path),
      'is required in production with a database of your own; make one with: openssl rand -base64 32',
    ),
  ]
}

function entriesOf(document: unknown, list: string): Entry[] {
  const found = recordOf(document)?.[list]
  return Array.isArray(found) ? toEntries(found, [list]) : []
}

function componentsOf(owner: Entry, field: string): Entry[] {
  const found = owner.value[field]
  return Array.isArray(found) ? toEntries(found, [...owner.path, field]) : []
}

function toEntries(list: readonly unknown[], base: Path): Entry[] {
  return list.flatMap((value, index) => {
    const record = recordOf(value)
    return record === undefined ? [] : [{ path: [...base, index], value: record }]
  })
}

function idsOf(document: unknown, list: string): Set<string> {
  return new Set(
    entriesOf(document, list)
      .map((entry) => entry.value['id'])
      .filter((id) => typeof id === 'string'),
  )
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined
}

/** Days and months of the books. */
function bookDaysFaults(document: unknown, { source }: CrossContext): ConfigFault[] {
  const timezone = recordOf(recordOf(document)?.['finance'])?.['timezone']
  if (typeof timezone !== 'string' || isTimezone(timezone)) return []
  const path = ['finance', 'timezone']
  return [fault(path, source.lineOf(path), `there is no time zone "${timezone}"; write one like Europe/Berlin`)]
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
