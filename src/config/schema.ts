import Type, { type Static, type TSchema } from 'typebox'
import { Country, Id, closed } from '../core/model/schema.ts'
import {
  AdaptiveSection,
  AvailabilityChoices,
  HoldsSection,
  InventorySection,
  ItemInventory,
  LocationInventory,
  PostcodeAreaEntry,
  RoutingEntry,
  StockRuleEntry,
} from './inventorySchema.ts'
import { CompanyErp, LocationErp } from './erpSchema.ts'
import { FinanceSection, TariffEntry } from './financeSchema.ts'
import { SandboxSection } from './sandboxSchema.ts'

/** A short name that other parts of the file refer to; it appears in URLs, logs and job ids. */
const Name = Type.String({ pattern: '^[a-z0-9][a-z0-9_-]{0,62}$', description: 'lower-case letters, digits, - and _' })
const Seconds = Type.Integer({ minimum: 1, maximum: 7 * 86_400 })
const Secret = { secret: true } as const

/** A closed vocabulary, with room for a default. */
function Choice<const W extends readonly [string, ...string[]]>(
  words: W,
  options: { default?: W[number]; description?: string } = {},
) {
  return Type.Unsafe<W[number]>({ type: 'string', enum: words, ...options })
}

const HubSection = Type.Object(
  {
    host: Type.String({ default: '127.0.0.1', description: 'Address to listen on.' }),
    port: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000 }),
    worker_port: Type.Integer({
      minimum: 0,
      maximum: 65_535,
      default: 0,
      description: 'Health and metrics of a process with --role worker; 0: none.',
    }),
    public_url: Type.String({
      pattern: '^(https?://[^?#]+)?$',
      default: '',
      description: 'The address people and vendors use, where a proxy stands before the hub.',
    }),
    log_level: Choice(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { default: 'info' }),
    environment: Choice(['sandbox', 'production'], { default: 'sandbox' }),
  },
  { ...closed, default: {} },
)

const DatabaseSection = Type.Object(
  {
    url: Type.String({
      pattern: '^(postgres(ql)?://.+)?$',
      default: '',
      description: 'postgres://…; empty starts the built-in PostgreSQL.',
    }),
    data_dir: Type.String({
      minLength: 1,
      default: '../.crossdock/postgres',
      description: 'Data of the built-in PostgreSQL, relative to this file.',
    }),
    pool_max: Type.Integer({ minimum: 2, maximum: 500, default: 20, description: 'Connections per process.' }),
  },
  { ...closed, default: {} },
)

const RedisSection = Type.Object(
  {
    url: Type.String({
      pattern: '^(rediss?://.+)?$',
      default: '',
      description: 'redis://…; empty keeps the queues in PostgreSQL.',
    }),
  },
  { ...closed, default: {} },
)

const SecretsSection = Type.Object(
  {
    vault_key: Type.String({
      // 32 bytes are 43 base64 digits and one padding sign.
      pattern: '^([A-Za-z0-9+/]{43}=)?$',
      default: '',
      description:
        '32 random bytes in base64 that encrypt personal data; empty keeps a key file beside the data directory.',
      ...Secret,
    }),
  },
  { ...closed, default: {} },
)

const UserEntry = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    role: Choice(['viewer', 'operator', 'finance', 'admin']),
    password_hash: Type.String({ pattern: '^scrypt\\$.+', ...Secret }),
  },
  closed,
)

const CompanyEntry = Type.Object(
  { id: Name, name: Type.String({ minLength: 1, maxLength: 200 }), ...CompanyErp },
  closed,
)

const LocationEntry = Type.Object(
  {
    id: Name,
    company: Name,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    kind: Choice(['warehouse', '3pl', 'store', 'drop_ship']),
    country: Country,
    postcode: Type.Optional(Type.String({ maxLength: 20 })),
    timezone: Type.Optional(Type.String({ description: 'IANA name, such as Europe/Berlin.' })),
    latitude: Type.Optional(Type.Number({ minimum: -90, maximum: 90 })),
    longitude: Type.Optional(Type.Number({ minimum: -180, maximum: 180 })),
    priority: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'Lower goes first.' })),
    connection: Type.Optional(Type.String({ ...Name, description: 'The connection of the 3PL that operates it.' })),
    external_code: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "The 3PL's own code of it." }),
    ),
    ...LocationInventory,
    ...LocationErp,
  },
  closed,
)

const ComponentEntry = Type.Object({ sku: Id, quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }, closed)

const ItemEntry = Type.Object(
  {
    sku: Id,
    company: Name,
    name: Type.Optional(Type.String({ maxLength: 500 })),
    barcode: Type.Optional(Type.String({ maxLength: 100 })),
    kit: Type.Optional(
      Type.Array(ComponentEntry, {
        minItems: 1,
        maxItems: 100,
        description: 'Components of a bundle, which has no stock of its own.',
      }),
    ),
    ...ItemInventory,
  },
  closed,
)

const OrdersSection = Type.Object(
  {
    unpaid: Choice(['hold', 'commit'], { default: 'hold' }),
    hold_minutes: Type.Integer({ minimum: 1, maximum: 43_200, default: 60 }),
    shortfall: Choice(['partial', 'all_or_nothing', 'backorder'], {
      default: 'partial',
      description:
        'What an order does that cannot be served whole: take what is there, wait for everything, or wait as a backorder.',
    }),
    priority: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 100,
      description: 'Lower is served first: a contract before the webstore.',
    }),
    ship_within_hours: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 8_760,
        description: 'The promise made to buyers where the order itself names no date.',
      }),
    ),
    service_levels: Type.Optional(
      Type.Record(
        Type.String({ minLength: 1, maxLength: 60 }),
        Type.Array(Type.String({ minLength: 1, maxLength: 200 })),
        {
          description: 'Service level by the shipping methods of the channel that mean it; * stands for any text.',
        },
      ),
    ),
    personal_data_days_after_delivery: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3_650,
        description:
          "Days after which an order's people are forgotten: names, addresses, raw messages. Absent: what the channel's terms ask for, if anything.",
      }),
    ),
    release_after_seconds: Type.Integer({
      minimum: 0,
      maximum: 86_400,
      default: 0,
      description: 'Grace before work is sent to the 3PL, in which an edit or a cancellation costs nothing.',
    }),
  },
  { ...closed, default: {} },
)

const AvailabilitySection = Type.Object(
  {
    buffer: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 0,
      description: 'Units kept back from this channel.',
    }),
    cap: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 1_000_000_000, description: 'At most this many are shown.' }),
    ),
    share_percent: Type.Integer({ minimum: 0, maximum: 100, default: 100 }),
    ...AvailabilityChoices,
    adaptive: AdaptiveSection,
    push: Type.Boolean({ default: true }),
  },
  { ...closed, default: {} },
)

const PullSection = Type.Object(
  {
    orders_every_seconds: Type.Optional(Seconds),
    listings_every_seconds: Type.Optional(Seconds),
    payments_every_seconds: Type.Optional(Seconds),
    settlements_every_seconds: Type.Optional(Seconds),
    notifications_every_seconds: Type.Optional(Seconds),
    items_every_seconds: Type.Optional(Seconds),
    stock_every_seconds: Type.Optional(Seconds),
    shipments_every_seconds: Type.Optional(Seconds),
    tracking_every_seconds: Type.Optional(Seconds),
    returns_every_seconds: Type.Optional(Seconds),
    reports_every_seconds: Type.Optional(Seconds),
    files_every_seconds: Type.Optional(Seconds),
    overlap_seconds: Type.Integer({
      minimum: 0,
      maximum: 86_400,
      default: 120,
      description: 'How far each poll looks back before the last one.',
    }),
  },
  { ...closed, default: {} },
)

const WebhooksSection = Type.Object(
  { body_bytes_max: Type.Integer({ minimum: 1024, maximum: 64 * 1024 * 1024, default: 1_048_576 }) },
  { ...closed, default: {} },
)

const ConnectionEntry = Type.Object(
  {
    id: Name,
    connector: Type.String({ minLength: 1 }),
    company: Name,
    label: Type.Optional(Type.String({ maxLength: 200 })),
    serves_from: Type.Array(Name, {
      default: [],
      description: 'Locations that may fulfil its orders, in order of preference.',
    }),
    local: Type.Boolean({
      default: false,
      description: 'Lets its HTTP calls reach private addresses; for the sandbox.',
    }),
    listings: Choice(['by_sku', 'explicit'], {
      default: 'by_sku',
      description: 'by_sku: a channel SKU that equals an item SKU is listed by itself.',
    }),
    orders: OrdersSection,
    availability: AvailabilitySection,
    holds: HoldsSection,
    pull: PullSection,
    webhooks: WebhooksSection,
    settings: Type.Record(Type.String(), Type.Unknown(), { default: {}, description: "The connector's own settings." }),
  },
  closed,
)

const ListingEntry = Type.Object(
  { connection: Name, channel_sku: Id, items: Type.Array(ComponentEntry, { minItems: 1, maxItems: 100 }) },
  closed,
)

const list = <T extends TSchema>(entry: T, limit: number) => Type.Array(entry, { default: [], maxItems: limit })

/** The whole configuration file; the one description from which types, validation and `config/schema.json` come. */
export const ConfigSchema = Type.Object(
  {
    hub: HubSection,
    database: DatabaseSection,
    redis: RedisSection,
    secrets: SecretsSection,
    users: list(UserEntry, 1_000),
    companies: list(CompanyEntry, 1_000),
    locations: list(LocationEntry, 10_000),
    items: list(ItemEntry, 1_000_000),
    items_csv: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'CSV file with columns sku, name, company, barcode, weight_g, size_mm (200x100x50); relative to this file.',
      }),
    ),
    connections: list(ConnectionEntry, 1_000),
    listings: list(ListingEntry, 1_000_000),
    inventory: InventorySection,
    stock_rules: list(StockRuleEntry, 1_000_000),
    routing: list(RoutingEntry, 1_000),
    postcode_areas: list(PostcodeAreaEntry, 200_000),
    finance: FinanceSection,
    tariffs: list(TariffEntry, 10_000),
    sandbox: SandboxSection,
  },
  { ...closed, title: 'Crossdock configuration' },
)

export type ConfigDocument = Static<typeof ConfigSchema>
export type ItemConfig = Static<typeof ItemEntry>
export type ConnectionConfig = Static<typeof ConnectionEntry>

/** What a configuration file may say about one connector: its settings, a closed TypeBox object; `secret: true` marks what is never shown. */
export interface ConnectorSettings {
  settings: TSchema
}

/**
 * The JSON Schema of the file as a person writes it, for editors: what has a default may be left out, and a value may also be a
 * `${VAR}` reference where a number or a flag is wanted. With `connectors`, each connection's settings are checked by its connector.
 */
export function configJsonSchema(connectors: Record<string, ConnectorSettings> = {}): Record<string, unknown> {
  const root = asWritten(JSON.parse(JSON.stringify(ConfigSchema)) as JsonSchema)
  const entry = root.properties?.['connections']?.items
  const branches = Object.entries(connectors).toSorted(([a], [b]) => (a < b ? -1 : 1))
  if (entry !== undefined && branches.length > 0) {
    entry.properties = { ...entry.properties, connector: { enum: branches.map(([id]) => id) } }
    entry['allOf'] = branches.map(([id, { settings }]) => ({
      if: { properties: { connector: { const: id } } },
      then: { properties: { settings: asWritten(JSON.parse(JSON.stringify(settings)) as JsonSchema) } },
    }))
  }
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...root }
}

interface JsonSchema {
  [keyword: string]: unknown
  type?: string
  required?: string[]
  properties?: Record<string, JsonSchema>
  items?: JsonSchema
  anyOf?: JsonSchema[]
  default?: unknown
}

function asWritten(schema: JsonSchema): JsonSchema {
  const { secret: _, required, properties, items, anyOf, ...rest } = schema
  const mandatory = (required ?? []).filter((name) => properties?.[name]?.default === undefined)
  const written: JsonSchema = {
    ...rest,
    ...(mandatory.length === 0 ? {} : { required: mandatory }),
    ...(properties === undefined ? {} : { properties: mapValues(properties, asWritten) }),
    ...(items === undefined ? {} : { items: asWritten(items) }),
    ...(anyOf === undefined ? {} : { anyOf: anyOf.map(asWritten) }),
  }
  if (!['integer', 'number', 'boolean'].includes(schema.type ?? '')) return written
  const { description, default: preset, ...rule } = written
  const reference = { type: 'string', pattern: '\\$\\{' }
  return {
    ...(description === undefined ? {} : { description }),
    ...(preset === undefined ? {} : { default: preset }),
    anyOf: [rule, reference],
  }
}

function mapValues<A, B>(record: Record<string, A>, change: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}
