import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { crossFaults } from './config/crossReferences.ts'
import { configError, fault, type ConfigFault, type Path } from './config/faults.ts'
import { readItemsCsv, type CsvItems } from './config/itemsCsv.ts'
import { redacted, secretPaths } from './config/redact.ts'
import { ConfigSchema, type ConfigDocument, type ConnectorSettings, type ItemConfig } from './config/schema.ts'
import { folderOf, readSource, type Source } from './config/source.ts'
import { validate } from './config/validate.ts'
import { HubError } from './core/errors.ts'

export { configFaults, type ConfigFault } from './config/faults.ts'
export { vaultKey } from './config/vaultKey.ts'
export { configJsonSchema } from './config/schema.ts'
export type { ConnectionConfig, ConnectorSettings } from './config/schema.ts'

/** The whole configuration with defaults filled in, frozen. It holds secrets; only `redactConfig` of it may be shown or logged. */
export interface Config extends Readonly<Omit<ConfigDocument, 'items_csv'>> {
  /** Absolute path of the file that this was read from. */
  readonly file: string
  /** Where the vault key is kept when none is configured; beside the data directory, so that it is not inside a copy of the data. */
  readonly vault_key_file: string
  /** Positions of secrets, for `redactConfig`. */
  readonly secret_paths: readonly Path[]
}

export interface ConfigDeps {
  /** Every connector by id, with the schema of its settings. */
  connectors: Readonly<Record<string, ConnectorSettings>>
  /** What `${VAR}` means; the process's environment by default. */
  variables?: Readonly<Record<string, string | undefined>>
}

/**
 * Reads, completes and checks a configuration file. Every fault of the file, of its items CSV and of each connection's settings is in
 * one `HubError('config_invalid')`, whose message lists them by line; `configFaults` gives them as data. Values are never quoted.
 */
export function loadConfig(file: string, deps: ConfigDeps): Config {
  const path = resolve(file)
  const folder = folderOf(path)
  const source = readSource(readText(path), { folder, variables: deps.variables ?? process.env })
  if (!source.isReadable) throw configError(file, source.faults)
  const document = source.value as ConfigDocument
  const schemaFaults = validate(ConfigSchema, document, [], source)
  const settingsFaults = connectionsOf(document).flatMap((connection) => checkSettings(connection, deps, source))
  const csv = typeof document.items_csv === 'string' ? readItemsCsv(folder, document.items_csv) : NO_CSV
  const context = { source, connectors: Object.keys(deps.connectors), csvItems: csv.items.map(({ item }) => item) }
  const faults = [
    ...source.faults,
    ...withoutDoubles(source.faults, schemaFaults),
    ...withoutDoubles(source.faults, settingsFaults),
    ...crossFaults(document, context),
    ...csv.faults,
    ...csvFaults(csv, document),
  ]
  if (faults.length > 0) throw configError(file, faults)
  const { items_csv: _, ...rest } = document
  const dataDir = resolve(folder, document.database.data_dir)
  return deepFreeze({
    ...rest,
    database: { ...document.database, data_dir: dataDir },
    sandbox: { ...document.sandbox, data_dir: resolve(folder, document.sandbox.data_dir) },
    items: mergeItems(document.items, csv),
    file: path,
    vault_key_file: `${dataDir}.vault-key`,
    secret_paths: allSecretPaths(document, deps),
  })
}

/** A copy that may be printed: secrets, password hashes, the vault key and passwords in URLs are replaced. */
export function redactConfig(config: Config): Config {
  return redacted(config, config.secret_paths)
}

/** The few things that are read from the environment beside the configuration file. */
export interface Environment {
  /** Path of the configuration file, where CROSSDOCK_CONFIG names one. */
  config_file: string | undefined
  /** True when the user asked for output without colours (https://no-color.org). */
  no_color: boolean
}

export function environment(variables: Readonly<Record<string, string | undefined>> = process.env): Environment {
  return { config_file: variables['CROSSDOCK_CONFIG'] || undefined, no_color: (variables['NO_COLOR'] ?? '') !== '' }
}

const NO_CSV: CsvItems = { items: [], faults: [] }

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new HubError('config_invalid', `the configuration file ${path} cannot be read`, {
      hint: 'name it with --config or CROSSDOCK_CONFIG, or copy config/example.production.yaml',
      cause,
    })
  }
}

interface FoundConnection {
  connector: ConnectorSettings
  settings: unknown
  path: Path
}

function connectionsOf(document: { connections?: unknown }): { value: Record<string, unknown>; index: number }[] {
  const list: unknown[] = Array.isArray(document.connections) ? document.connections : []
  return list.flatMap((value, index) =>
    typeof value === 'object' && value !== null ? [{ value: value as Record<string, unknown>, index }] : [],
  )
}

function findSettings(
  { value, index }: { value: Record<string, unknown>; index: number },
  deps: ConfigDeps,
): FoundConnection | undefined {
  const name = value['connector']
  const connector = typeof name === 'string' && Object.hasOwn(deps.connectors, name) ? deps.connectors[name] : undefined
  return connector === undefined
    ? undefined
    : { connector, settings: value['settings'] ?? {}, path: ['connections', index, 'settings'] }
}

function checkSettings(
  connection: { value: Record<string, unknown>; index: number },
  deps: ConfigDeps,
  source: Source,
): ConfigFault[] {
  const found = findSettings(connection, deps)
  return found === undefined ? [] : validate(found.connector.settings, found.settings, found.path, source)
}

function allSecretPaths(document: ConfigDocument, deps: ConfigDeps): Path[] {
  const inSettings = connectionsOf(document).flatMap((connection) => {
    const found = findSettings(connection, deps)
    return found === undefined ? [] : secretPaths(found.connector.settings, found.settings, found.path)
  })
  return [...secretPaths(ConfigSchema, document, []), ...inSettings]
}

/** A reference that could not be replaced is one fault, not a second one for the text that is left. */
function withoutDoubles(first: readonly ConfigFault[], then: readonly ConfigFault[]): ConfigFault[] {
  const told = new Set(first.map(({ path }) => path).filter((path) => path !== ''))
  return then.filter(({ path }) => !told.has(path))
}

function csvFaults(csv: CsvItems, document: ConfigDocument): ConfigFault[] {
  const companies: unknown[] = Array.isArray(document.companies) ? document.companies.map((company) => company?.id) : []
  const firstLines = new Map<string, number>()
  return csv.items.flatMap(({ item, line }) => {
    const key = JSON.stringify([item.company, item.sku])
    const first = firstLines.get(key)
    firstLines.set(key, first ?? line)
    const inFile = { file: document.items_csv ?? '' }
    return [
      ...(companies.includes(item.company)
        ? []
        : [{ ...fault(['company'], line, `there is no company "${item.company}"`, companies.map(String)), ...inFile }]),
      ...(first === undefined
        ? []
        : [{ ...fault(['sku'], line, `"${item.sku}" is already given in line ${first}`), ...inFile }]),
    ]
  })
}

/** An item that stands in both places is one item: what the configuration file says goes over what the CSV says. */
function mergeItems(items: readonly ItemConfig[], csv: CsvItems): ItemConfig[] {
  const key = (item: ItemConfig): string => JSON.stringify([item.company, item.sku])
  const merged = new Map(csv.items.map(({ item }) => [key(item), item]))
  for (const item of items) merged.set(key(item), { ...merged.get(key(item)), ...item })
  return [...merged.values()]
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) deepFreeze(child)
  }
  return value
}
