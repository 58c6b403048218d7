import Type from 'typebox'
import { closed, Id, Instant, Nullable, Quantity, SignedQuantity, Words } from './schema.ts'

/** The field's inventory states. `on_hand` is their sum (without `incoming`); every unit is in exactly one. */
export const STOCK_STATES = [
  'available',
  'reserved',
  'committed',
  'damaged',
  'quality_control',
  'safety_stock',
] as const
export type StockState = (typeof STOCK_STATES)[number]

export const StockCountLine = Type.Object(
  { sku: Id, on_hand: Quantity, damaged: Quantity, quality_control: Quantity },
  closed,
)

/**
 * What somebody counted: absolute, true at `as_of`. Movements after `as_of` are applied on top, so that a count that
 * is older than a shipment does not bring the shipped units back.
 */
export const StockCount = Type.Object(
  {
    external_id: Id,
    location_code: Id,
    as_of: Instant,
    lines: Type.Array(StockCountLine, { maxItems: 100_000 }),
  },
  closed,
)
export type StockCount = Type.Static<typeof StockCount>

/** A movement that somebody else made: goods received, damaged, found, lost. */
export const StockChange = Type.Object(
  {
    external_id: Id,
    location_code: Id,
    sku: Id,
    delta: SignedQuantity,
    reason: Words(['received', 'adjusted', 'damaged', 'found', 'lost', 'returned']),
    at: Instant,
    reference: Nullable(Id),
  },
  closed,
)
export type StockChange = Type.Static<typeof StockChange>
