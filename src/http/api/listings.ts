import Type from 'typebox'
import { listListings, type ListingRow } from '../../core/availability/read.ts'
import { HubError } from '../../core/errors.ts'
import { mapListing } from '../../core/inventory/listings.ts'
import { closed, Id } from '../../core/model/schema.ts'
import { writeAudit } from '../../db/audit.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { wakeAll, wakeDrain, wakePush } from '../../queues/wake.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  DONE,
  FAULTS,
  filters,
  flag,
  listOf,
  listQuery,
  maybeCount,
  maybeInstant,
  maybeText,
  named,
  text,
} from './schemas.ts'

export const Listing = named<ListingRow>('Listing', {
  id: count,
  connection_id: text,
  channel_sku: text,
  title: maybeText,
  active: flag,
  items: listOf({ sku: text, quantity: count }),
  proven_quantity: maybeCount,
  proven_at: maybeInstant,
  push_state: maybeText,
  push_due: flag,
  error_code: maybeText,
  error_detail: maybeText,
})

const Mapping = Type.Object(
  {
    connection: Id,
    channel_sku: Id,
    items: Type.Array(Type.Object({ sku: Id, quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }, closed), {
      minItems: 1,
      maxItems: 100,
      description: 'what one unit of the listing takes',
    }),
  },
  closed,
)

export function listingRoutes(app: App, hub: Hub): void {
  app.get(
    '/listings',
    {
      schema: {
        tags: ['listings'],
        summary: 'List what the channels offer',
        querystring: listQuery({
          connection: filters.text,
          channel_sku: filters.text,
          mapping: filters.words(['mapped', 'unmapped']),
        }),
        response: { 200: Listing.page, ...FAULTS },
      },
    },
    async (request) => listListings(hub.db, request.query),
  )

  app.post(
    '/listings/map',
    {
      schema: {
        tags: ['listings'],
        summary: 'Say what one unit of a listing takes',
        description: 'Orders that waited for it go on by themselves.',
        body: Mapping,
        response: { 200: DONE, ...FAULTS },
      },
    },
    async (request) => {
      const { connection, channel_sku, items } = request.body
      if (!hub.connections.has(connection))
        throw new HubError('not_found', `there is no connection ${connection}`, { path: 'body.connection' })
      const ctx = coreContext(hub)
      await inTransaction(hub.db, async (tx) => {
        await mapListing(tx, ctx, { connection_id: connection, channel_sku, items })
        await writeAudit(tx, {
          at: ctx.now,
          actor: actorOf(request).name,
          action: 'listing.map',
          subject: `listing:${connection}:${channel_sku}`,
          data: { items },
        })
      })
      await wakeAll(hub, [wakeDrain(connection), wakePush(connection)])
      return { ok: true as const }
    },
  )
}
