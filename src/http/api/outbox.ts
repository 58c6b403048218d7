import { EFFECTS } from '../../db/outbox.ts'
import { listOutbox, showOutbox, type OutboxRow, type OutboxShown } from '../../db/readOutbox.ts'
import type { Hub } from '../../hub.ts'
import type { App } from '../app.ts'
import {
  anyValue,
  anything,
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
  numberId,
  text,
} from './schemas.ts'

const effect = {
  id: count,
  connection_id: text,
  kind: text,
  key: text,
  reference: anything,
  order_id: maybeText,
  batch_key: maybeText,
  state: text,
  unknown_outcome: flag,
  attempts: count,
  next_attempt_at: instant,
  created_at: instant,
  done_at: maybeInstant,
  error_code: maybeText,
  error_detail: maybeText,
}
export const OutboxEffect = named<OutboxRow>('OutboxEffect', effect)
export const OutboxEffectShown = named<OutboxShown>('OutboxEffectShown', {
  ...effect,
  result: anyValue,
  attempt_log: listOf({
    id: count,
    operation: text,
    at: instant,
    duration_ms: count,
    outcome: text,
    status: maybeCount,
    error_code: maybeText,
    request: anyValue,
    response: anyValue,
  }),
})

const KINDS = Object.keys(EFFECTS) as [string, ...string[]]

export function outboxRoutes(app: App, hub: Hub): void {
  app.get(
    '/outbox',
    {
      schema: {
        tags: ['outbox'],
        summary: 'List effects on the outside, newest first',
        querystring: listQuery({
          state: filters.words(['pending', 'queued', 'sending', 'done', 'dead', 'cancelled']),
          connection: filters.text,
          kind: filters.words(KINDS),
          order_id: filters.uuid,
        }),
        response: { 200: OutboxEffect.page, ...FAULTS },
      },
    },
    async (request) => listOutbox(hub.db, request.query),
  )

  app.get(
    '/outbox/:id',
    {
      schema: {
        tags: ['outbox'],
        summary: 'Show an effect and the calls made for it',
        params: numberId,
        response: { 200: OutboxEffectShown.ref, ...FAULTS },
      },
    },
    async (request) => showOutbox(hub.db, request.params.id),
  )
}
