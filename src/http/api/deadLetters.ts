import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import { listDeadLetters, type DeadLetterRow } from '../../db/readDeadLetters.ts'
import type { Hub } from '../../hub.ts'
import { dropDeadLetters, replayDeadLetters } from '../../queues/deadLetters.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  dryRun,
  FAULTS,
  filters,
  instant,
  listQuery,
  maybeInstant,
  maybeText,
  named,
  numberId,
  text,
} from './schemas.ts'

export const DeadLetter = named<DeadLetterRow>('DeadLetter', {
  id: count,
  connection_id: text,
  source: text,
  source_id: count,
  kind: text,
  code: text,
  detail: text,
  state: text,
  created_at: instant,
  decided_at: maybeInstant,
  decided_by: maybeText,
})

const Selection = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 10_000 })),
    connection: filters.text,
    code: filters.text,
    kind: filters.text,
    since: filters.since,
    all: Type.Optional(Type.Boolean({ description: 'needed where no other condition is given' })),
    dry_run: dryRun,
  },
  closed,
)
const Replayed = Type.Object({ matched: Type.Integer(), replayed: Type.Integer() }, closed)
const Dropped = Type.Object({ matched: Type.Integer(), dropped: Type.Integer() }, closed)

export function deadLetterRoutes(app: App, hub: Hub): void {
  const tags = ['dead letters']
  app.get(
    '/dead-letters',
    {
      schema: {
        tags,
        summary: 'List what the hub gave up on, newest first',
        querystring: listQuery({
          state: filters.words(['open', 'replayed', 'dropped']),
          connection: filters.text,
          source: filters.words(['inbox', 'outbox']),
          kind: filters.text,
          code: filters.text,
        }),
        response: { 200: DeadLetter.page, ...FAULTS },
      },
    },
    async (request) => listDeadLetters(hub.db, request.query),
  )

  app.post(
    '/dead-letters/replay',
    {
      schema: {
        tags,
        summary: 'Replay all open ones that fit',
        body: Selection,
        response: { 200: Replayed, ...FAULTS },
      },
    },
    async (request) => {
      const { dry_run = false, all = false, since, ...rest } = request.body
      const filter = { ...rest, ...(since === undefined ? {} : { since: new Date(since) }) }
      if (!all && Object.keys(filter).length === 0) {
        throw new HubError('bad_request', 'the filter is empty', {
          path: 'body',
          hint: 'give a condition, or say "all": true',
        })
      }
      return replayDeadLetters(hub, filter, actorOf(request).name, { dry_run })
    },
  )

  app.post(
    '/dead-letters/:id/replay',
    { schema: { tags, summary: 'Replay one', params: numberId, response: { 200: Replayed, ...FAULTS } } },
    async (request) => {
      const result = await replayDeadLetters(hub, { ids: [request.params.id] }, actorOf(request).name)
      if (result.matched === 0) throw notOpen(request.params.id)
      return result
    },
  )

  app.post(
    '/dead-letters/:id/drop',
    { schema: { tags, summary: 'Give one up for good', params: numberId, response: { 200: Dropped, ...FAULTS } } },
    async (request) => {
      const result = await dropDeadLetters(hub, { ids: [request.params.id] }, actorOf(request).name)
      if (result.matched === 0) throw notOpen(request.params.id)
      return result
    },
  )
}

const notOpen = (id: number): HubError =>
  new HubError('not_found', `no open dead letter has the id ${id}`, { hint: 'it may have been decided meanwhile' })
