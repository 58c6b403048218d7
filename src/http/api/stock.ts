import Type from 'typebox'
import { explainSku, listStock, type SkuExplained, type StockRow } from '../../core/inventory/read.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import type { App } from '../app.ts'
import {
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
  promises: listOf({
    order_id: uuid,
    order_number: maybeText,
    connection_id: text,
    location_id: maybeText,
    quantity: count,
    state: text,
    expires_at: maybeInstant,
    created_at: instant,
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
    terms: listOf({ name: text, value: count, sku: maybeText, location_id: maybeText }),
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
          'Stock, who its units are promised to, the last movements, and the sum behind the number of every channel.',
        params: Type.Object({ sku: Type.String({ minLength: 1, maxLength: 200 }) }),
        response: { 200: SkuExplanation.ref, ...FAULTS },
      },
    },
    async (request) => explainSku(hub.db, coreContext(hub), request.params.sku),
  )
}
