import { bridgeOfSettlement, bridgePicture, type SettlementBridge } from '../../core/settlement/read.ts'
import type { Hub } from '../../hub.ts'
import type { App } from '../app.ts'
import { count, FAULTS, listOf, named, text, textId, uuid } from './schemas.ts'

export const SettlementBridgeSchema = named<SettlementBridge>('SettlementBridge', {
  id: uuid,
  external_id: text,
  connection_id: text,
  status: text,
  date: text,
  currency: text,
  steps: listOf({ role: text, id: text, label: text, amount_minor: count, from_minor: count, to_minor: count }),
})

/** A picture is a document of its own: it may hold its own style and nothing else. */
const PICTURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'"

export function bridgeRoutes(app: App, hub: Hub): void {
  const tags = ['settlements']
  app.get(
    '/settlements/:id/bridge',
    {
      schema: {
        tags,
        summary: 'Gross to net of a payout, step by step with running totals',
        params: textId,
        response: { 200: SettlementBridgeSchema.ref, ...FAULTS },
      },
    },
    async (request) => bridgeOfSettlement(hub.db, request.params.id),
  )

  app.get(
    '/settlements/:id/bridge.svg',
    { schema: { tags, summary: 'The same as a picture (SVG)', produces: ['image/svg+xml'], params: textId } },
    async (request, reply) => {
      const picture = await bridgePicture(hub.db, request.params.id)
      return reply
        .type('image/svg+xml; charset=utf-8')
        .header('content-security-policy', PICTURE_POLICY)
        .header('x-content-type-options', 'nosniff')
        .send(picture)
    },
  )
}
