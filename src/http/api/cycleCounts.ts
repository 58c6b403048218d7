import Type from 'typebox'
import { closed, Id, Quantity } from '../../core/model/schema.ts'
import { CYCLE_COUNT_ITEMS_MAX } from '../../core/movements/cycleCounts.ts'
import {
  CYCLE_COUNT_STATES,
  listCycleCounts,
  readCycleCount,
  type CycleCountShown,
  type CycleCountSummary,
} from '../../core/movements/readCycleCounts.ts'
import type { Hub } from '../../hub.ts'
import { decideCountByHand, openCountByHand, submitCountByHand } from '../../queues/movementsByHand.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  FAULTS,
  filters,
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

const summary = {
  id: uuid,
  company_id: text,
  key: text,
  location_id: text,
  state: text,
  items: count,
  created_at: instant,
  created_by: text,
  counted_at: maybeInstant,
  counted_by: maybeText,
  decided_at: maybeInstant,
  decided_by: maybeText,
}
export const CycleCountListed = named<CycleCountSummary>('CycleCountSummary', summary)
export const CycleCount = named<CycleCountShown>('CycleCount', {
  ...summary,
  lines: listOf({ sku: text, counted: maybeCount, damaged: maybeCount, expected: maybeCount, variance: maybeCount }),
})

const NewCount = Type.Object(
  {
    key: Type.String({
      minLength: 1,
      maxLength: 200,
      description: "the caller's own name of it, to be safe to repeat",
    }),
    location: Id,
    skus: Type.Optional(
      Type.Array(Id, {
        minItems: 1,
        maxItems: CYCLE_COUNT_ITEMS_MAX,
        uniqueItems: true,
        description: `left out: every item of the location, at most ${CYCLE_COUNT_ITEMS_MAX}`,
      }),
    ),
  },
  closed,
)

const Counted = Type.Object(
  {
    counted_at: Type.String({ format: 'date-time', description: 'when the shelf was looked at' }),
    lines: Type.Array(
      Type.Object(
        {
          sku: Id,
          on_hand: Type.Integer({ minimum: 0, maximum: 100_000_000, description: 'everything on the shelf' }),
          damaged: Type.Optional(Quantity),
        },
        closed,
      ),
      { minItems: 1, maxItems: 10 * CYCLE_COUNT_ITEMS_MAX },
    ),
  },
  closed,
)

const byId = Type.Object({ id: uuid })

export function cycleCountRoutes(app: App, hub: Hub): void {
  const tags = ['cycle counts']
  app.post(
    '/cycle-counts',
    {
      schema: {
        tags,
        summary: 'Open a blind count',
        body: NewCount,
        response: { 200: CycleCount.ref, ...FAULTS },
      },
    },
    async (request) => openCountByHand(hub, request.body, actorOf(request).name),
  )

  app.get(
    '/cycle-counts',
    {
      schema: {
        tags,
        summary: 'List counts, newest first',
        querystring: listQuery({ state: filters.words(CYCLE_COUNT_STATES), location: filters.text }),
        response: { 200: CycleCountListed.page, ...FAULTS },
      },
    },
    async (request) => listCycleCounts(hub.db, request.query),
  )

  app.get(
    '/cycle-counts/:id',
    {
      schema: {
        tags,
        summary: 'One count',
        description: 'What was expected is shown only once it has been counted.',
        params: byId,
        response: { 200: CycleCount.ref, ...FAULTS },
      },
    },
    async (request) => readCycleCount(hub.db, request.params.id),
  )

  app.post(
    '/cycle-counts/:id/lines',
    {
      schema: {
        tags,
        summary: 'Say what was counted',
        description:
          'Posted at once, or `waiting` for a second person when an item is off by more than the configuration allows.',
        params: byId,
        body: Counted,
        response: { 200: CycleCount.ref, ...FAULTS },
      },
    },
    async (request) => {
      const lines = request.body.lines.map((line) => ({ ...line, damaged: line.damaged ?? 0 }))
      const counted_at = new Date(request.body.counted_at)
      return submitCountByHand(hub, request.params.id, { counted_at, lines }, actorOf(request).name)
    },
  )

  for (const verdict of ['approve', 'reject'] as const) {
    app.post(
      `/cycle-counts/:id/${verdict}`,
      {
        schema: {
          tags,
          summary: verdict === 'approve' ? 'Post a count that waits' : 'Give up a count',
          params: byId,
          response: { 200: CycleCount.ref, ...FAULTS },
        },
      },
      async (request) => decideCountByHand(hub, request.params.id, verdict, actorOf(request).name),
    )
  }
}
