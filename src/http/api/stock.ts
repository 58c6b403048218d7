import Type from 'typebox'
import { explainSku, listStock, type SkuExplained, type StockRow } from '../../core/inventory/read.ts'
import { Nullable } from '../../core/model/schema.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import type { App } from '../app.ts'
import {
  anyValue,
  count,
  FAULTS,
  filters,
  flag,
  instant,
  listOf,
  listQuery,
  maybeCount,
  maybeInstant,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

const level = {
  item_id: count,
  company_id: text,
  sku: text,
  location_id: text,
  on_hand: count,
  available: count,
  reserved: count,
  committed: count,
  damaged: count,
  quality_control: count,
  safety_stock: count,
  incoming: count,
  counted_as_of: maybeInstant,
}
export const StockLevel = named<StockRow>('StockLevel', level)

const terms = listOf({ name: text, value: count, sku: maybeText, location_id: maybeText })

export const SkuExplanation = named<SkuExplained>('SkuExplanation', {
  sku: text,
  items: listOf({
    id: count,
    company_id: text,
    name: maybeText,
    active: flag,
    components: listOf({ sku: text, quantity: count }),
  }),
  stock: listOf(level),
  distrusted: listOf({ location_id: text, since: instant, because: text }),
  promises: listOf({
    reservation_id: count,
    order_id: uuid,
    order_number: maybeText,
    connection_id: text,
    location_id: maybeText,
    quantity: count,
    state: text,
    backordered: flag,
    expires_at: maybeInstant,
    created_at: instant,
    expected: listOf({ units: count, expected_at: maybeInstant, reference: maybeText }),
  }),
  holds: listOf({ hold_id: uuid, connection_id: text, location_id: text, quantity: count, expires_at: instant }),
  supplies: listOf({
    reference: text,
    kind: text,
    location_id: text,
    expected_at: maybeInstant,
    quantity: count,
    received_quantity: count,
    open_quantity: count,
  }),
  movements: listOf({
    id: count,
    location_id: text,
    from_state: text,
    to_state: text,
    quantity: count,
    reason: text,
    source: text,
    occurred_at: instant,
  }),
  listings: listOf({
    id: count,
    connection_id: text,
    channel_sku: text,
    title: maybeText,
    proven_quantity: maybeCount,
    proven_at: maybeInstant,
    state: maybeText,
    due_quantity: maybeCount,
    terms,
    rules: listOf({
      field: text,
      value: anyValue,
      sku: text,
      location_id: maybeText,
      source: text,
      rule: Nullable(Type.Object({ connection_id: maybeText, sku: maybeText, location_id: maybeText })),
      changed_by: maybeText,
      changed_at: maybeInstant,
    }),
    publications: listOf({ quantity: count, at: instant, terms }),
  }),
})

export function stockRoutes(app: App, hub: Hub): void {
  app.get(
    '/stock',
    {
      schema: {
        tags: ['stock'],
        summary: 'List stock by item and location',
        querystring: listQuery({ sku: filters.text, location: filters.text }),
        response: { 200: StockLevel.page, ...FAULTS },
      },
    },
    async (request) => listStock(hub.db, request.query),
  )

  app.get(
    '/stock/:sku',
    {
      schema: {
        tags: ['stock'],
        summary: 'Explain a SKU',
        description:
          'Stock, who its units are promised to and held for, what is on its way, the last movements, and the sum behind the number of every channel with its rules and what was published.',
        params: Type.Object({ sku: Type.String({ minLength: 1, maxLength: 200 }) }),
        response: { 200: SkuExplanation.ref, ...FAULTS },
      },
    },
    async (request) => explainSku(hub.db, coreContext(hub), request.params.sku),
  )
}
