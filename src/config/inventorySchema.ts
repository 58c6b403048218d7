import Type from 'typebox'
import { BACKORDER_MODES, type BackorderMode } from '../core/availability/rulesStock.ts'
import { Country, Id, closed } from '../core/model/schema.ts'
import { RoutingRules } from '../core/model/routing.ts'
import { LocationServices } from '../core/model/location.ts'
import { LabelChoices, SizeMm } from '../core/model/label.ts'

/** Sections of the configuration that say how stock is promised, routed and shown. */

const Units = Type.Integer({ minimum: 0, maximum: 1_000_000 })
const Percent = Type.Integer({ minimum: 0, maximum: 100 })
const Reference = Type.String({ minLength: 1, maxLength: 63 })

/** Fields that every place where availability is configured shares. */
export const AvailabilityChoices = {
  buffer_percent: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 100, description: 'Share of the sellable units kept back, rounded up.' }),
  ),
  zero_below: Type.Optional(Type.Integer({ ...Units, description: 'A number below this is shown as zero.' })),
}

export const StockRuleEntry = Type.Object(
  {
    company: Reference,
    connection: Type.Optional(Reference),
    sku: Type.Optional(Id),
    location: Type.Optional(Reference),
    safety_units: Type.Optional(Units),
    buffer_units: Type.Optional(Units),
    share_percent: Type.Optional(Percent),
    cap: Type.Optional(Units),
    ...AvailabilityChoices,
    backorder: Type.Optional(Type.Unsafe<BackorderMode>({ type: 'string', enum: BACKORDER_MODES })),
    backorder_units_max: Type.Optional(Units),
  },
  { ...closed, description: 'What may be shown where; a field left out is left to a wider rule.' },
)

export const RoutingEntry = Type.Object({ company: Reference, rules: RoutingRules }, closed)

export const PostcodeAreaEntry = Type.Object(
  {
    country: Country,
    prefix: Type.String({ minLength: 1, maxLength: 4 }),
    latitude: Type.Number({ minimum: -90, maximum: 90 }),
    longitude: Type.Number({ minimum: -180, maximum: 180 }),
  },
  closed,
)

export const InventorySection = Type.Object(
  {
    approval_above_units: Type.Integer({
      minimum: 0,
      maximum: 1_000_000,
      default: 100,
      description:
        'A movement by hand, or a variance of a cycle count, of more units than this waits for a second person.',
    }),
    velocity_minutes: Type.Integer({
      minimum: 1,
      maximum: 10_080,
      default: 60,
      description: 'How far back sales are counted for the adaptive buffer.',
    }),
  },
  { ...closed, default: {} },
)

/** Cart holds over the API: how many units a channel may keep at once, and for how long. */
export const HoldsSection = Type.Object(
  {
    minutes_max: Type.Integer({ minimum: 1, maximum: 1_440, default: 30 }),
    units_max: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 10_000 }),
    units_per_item_max: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1_000 }),
  },
  { ...closed, default: {} },
)

export const AdaptiveSection = Type.Object(
  {
    enabled: Type.Boolean({ default: false }),
    oversell_weight: Type.Integer({
      minimum: 0,
      maximum: 100,
      default: 1,
      description: 'What an oversell costs on this channel: the measured risk is multiplied by it.',
    }),
    units_max: Type.Integer({ minimum: 0, maximum: 1_000_000, default: 50 }),
  },
  { ...closed, default: {} },
)

export const LocationInventory = {
  services: Type.Optional(LocationServices),
  labels: Type.Optional(LabelChoices),
  stale_after_minutes: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: 43_200,
      description: 'Without a count for so long, what is believed of the place is no longer trusted.',
    }),
  ),
  counts: Type.Optional(
    Type.Unsafe<'on_hand' | 'available'>({
      type: 'string',
      enum: ['on_hand', 'available'],
      description: 'What its snapshots count: everything on the shelf, or only what its own system has not promised.',
    }),
  ),
}

export const ItemInventory = {
  lots: Type.Optional(
    Type.Object(
      { days_left_min: Type.Integer({ minimum: 0, maximum: 3_650, default: 0 }) },
      { ...closed, description: 'Units carry a lot and an expiry date; the first to expire leave first.' },
    ),
  ),
  weight_g: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'What a unit weighs.' })),
  size_mm: Type.Optional({ ...SizeMm, description: 'Length, width and height of a unit.' }),
  routing_tags: Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: 60 }), {
      maxItems: 20,
      description: 'Words that routing restrictions speak of: hazmat, oversize, chilled.',
    }),
  ),
}
