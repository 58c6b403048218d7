import Type from 'typebox'
import { listLots, type LotShown } from '../../core/inventory/lots.ts'
import { closed, Id, Words } from '../../core/model/schema.ts'
import { MOVEMENT_KIND_NAMES, REASONS } from '../../core/movements/rulesMovement.ts'
import { listMovements, MOVEMENT_STATES, type MovementShown } from '../../core/movements/sql.ts'
import type { Hub } from '../../hub.ts'
import { decideMovementByHand, moveByHand } from '../../queues/movementsByHand.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  FAULTS,
  filters,
  flag,
  instant,
  listQuery,
  maybeInstant,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

export const Movement = named<MovementShown>('Movement', {
  id: uuid,
  company_id: text,
  key: text,
  kind: text,
  item_id: count,
  sku: text,
  location_id: text,
  from_state: text,
  to_state: text,
  quantity: count,
  reason: text,
  reference: maybeText,
  lot: maybeText,
  expires_on: maybeText,
  state: text,
  occurred_at: instant,
  requested_by: text,
  requested_at: instant,
  decided_by: maybeText,
  decided_at: maybeInstant,
})

export const StockLot = named<LotShown>('StockLot', {
  item_id: count,
  sku: text,
  location_id: text,
  lot: text,
  expires_on: maybeText,
  quantity: count,
  quarantined: count,
  too_old: flag,
})

const End = Type.Optional(Words(['outside', 'available', 'quality_control', 'damaged', 'safety_stock']))
const NewMovement = Type.Object(
  {
    key: Type.String({
      minLength: 1,
      maxLength: 200,
      description: "the caller's own name of it, to be safe to repeat",
    }),
    kind: Words(MOVEMENT_KIND_NAMES),
    sku: Id,
    location: Id,
    quantity: Type.Integer({ minimum: 1, maximum: 10_000_000 }),
    reason: Words(REASONS),
    from: End,
    to: End,
    reference: Type.Optional(Id),
    lot: Type.Optional(Id),
    expires_on: Type.Optional(Type.String({ format: 'date' })),
    occurred_at: Type.Optional(Type.String({ format: 'date-time', description: 'default: now' })),
  },
  closed,
)

const byId = Type.Object({ id: uuid })

export function movementRoutes(app: App, hub: Hub): void {
  const tags = ['stock']
  app.post(
    '/stock/movements',
    {
      schema: {
        tags,
        summary: 'Move stock by hand',
        description:
          'Applied at once, or `waiting` for a second person when it changes on_hand by more units than the configuration allows one to.',
        body: NewMovement,
        response: { 200: Movement.ref, ...FAULTS },
      },
    },
    async (request) => {
      const { occurred_at, ...body } = request.body
      const at = occurred_at === undefined ? {} : { occurred_at: new Date(occurred_at) }
      return moveByHand(hub, { ...body, ...at }, actorOf(request).name)
    },
  )

  app.get(
    '/stock/movements',
    {
      schema: {
        tags,
        summary: 'List movements by hand, newest first',
        querystring: listQuery({
          state: filters.words(MOVEMENT_STATES),
          sku: filters.text,
          location: filters.text,
        }),
        response: { 200: Movement.page, ...FAULTS },
      },
    },
    async (request) => listMovements(hub.db, request.query),
  )

  for (const verdict of ['approve', 'reject'] as const) {
    app.post(
      `/stock/movements/:id/${verdict}`,
      {
        schema: {
          tags,
          summary: verdict === 'approve' ? 'Approve a movement that waits' : 'Reject a movement that waits',
          description: 'Approval is for somebody else than who asked for it; an API key counts as who made it.',
          params: byId,
          response: { 200: Movement.ref, ...FAULTS },
        },
      },
      async (request) => decideMovementByHand(hub, request.params.id, verdict, actorOf(request).name),
    )
  }

  app.get(
    '/stock/lots',
    {
      schema: {
        tags,
        summary: 'List lots that have units',
        querystring: listQuery({ sku: filters.text, location: filters.text }),
        response: { 200: StockLot.page, ...FAULTS },
      },
    },
    async (request) => listLots(hub.db, request.query, hub.clock.now()),
  )
}
