import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import { listInbox, showInbox, type InboxRow, type InboxShown } from '../../db/readInbox.ts'
import type { Hub } from '../../hub.ts'
import { replayInbox } from '../../queues/replayInbox.ts'
import { actorOf, type App } from '../app.ts'
import { previewMessage, type MessagePreview } from './inboxPreview.ts'
import {
  anything,
  count,
  dryRun,
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

const message = {
  id: count,
  connection_id: text,
  source: text,
  topic: text,
  dedupe_key: text,
  state: text,
  attempts: count,
  outcome: maybeText,
  cause_code: maybeText,
  cause_path: maybeText,
  cause_detail: maybeText,
  wake_key: maybeText,
  warnings: Type.Unsafe<string[] | null>({ type: ['array', 'null'], items: { type: 'string' } }),
  observed_at: instant,
  received_at: instant,
  processed_at: maybeInstant,
}
export const InboxMessage = named<InboxRow>('InboxMessage', message)
export const InboxMessageShown = named<InboxShown & { preview: MessagePreview }>('InboxMessageShown', {
  ...message,
  next_attempt_at: instant,
  file_id: maybeCount,
  file_row: maybeCount,
  body_sha256: text,
  has_body: flag,
  conflicts: listOf({ id: count, body_sha256: text, received_at: instant }),
  preview: Type.Object({
    state: text,
    facts: Type.Array(anything),
    warnings: Type.Array(text),
    problem: Type.Unsafe<{ code: string; path: string | null } | null>({
      type: ['object', 'null'],
      properties: { code: { type: 'string' }, path: { type: ['string', 'null'] } },
    }),
  }),
})

const Selection = Type.Object(
  {
    ids: Type.Optional(Type.Array(Type.Integer({ minimum: 1 }), { minItems: 1, maxItems: 10_000 })),
    connection: filters.text,
    topic: filters.text,
    cause_code: filters.text,
    since: filters.since,
    all: Type.Optional(Type.Boolean({ description: 'needed where no other condition is given' })),
    dry_run: dryRun,
  },
  closed,
)
const Replayed = Type.Object({ matched: Type.Integer(), replayed: Type.Integer() }, closed)

export function inboxRoutes(app: App, hub: Hub): void {
  const tags = ['inbox']
  app.get(
    '/inbox',
    {
      schema: {
        tags,
        summary: 'List messages from outside, newest first',
        querystring: listQuery({
          state: filters.words(['pending', 'done', 'ignored', 'parked', 'dropped']),
          connection: filters.text,
          topic: filters.text,
          cause_code: filters.text,
          since: filters.since,
        }),
        response: { 200: InboxMessage.page, ...FAULTS },
      },
    },
    async (request) => listInbox(hub.db, request.query),
  )

  app.get(
    '/inbox/:id',
    {
      schema: {
        tags,
        summary: 'Show a message and what it maps to',
        description: 'The preview is mapped anew, by the mapping as it is now, and without personal data.',
        params: numberId,
        response: { 200: InboxMessageShown.ref, ...FAULTS },
      },
    },
    async (request) => ({
      ...(await showInbox(hub.db, request.params.id)),
      preview: await previewMessage(hub, request.params.id),
    }),
  )

  app.post(
    '/inbox/replay',
    {
      schema: {
        tags,
        summary: 'Replay all parked messages that fit',
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
      return replayInbox(hub, filter, actorOf(request).name, { dry_run })
    },
  )

  app.post(
    '/inbox/:id/replay',
    {
      schema: { tags, summary: 'Replay one parked message', params: numberId, response: { 200: Replayed, ...FAULTS } },
    },
    async (request) => {
      const { state } = await showInbox(hub.db, request.params.id)
      if (state !== 'parked') {
        throw new HubError('conflict', `the message is ${state}; only parked ones can be replayed`, {
          hint: 'what was applied is never applied twice',
        })
      }
      return replayInbox(hub, { ids: [request.params.id] }, actorOf(request).name)
    },
  )
}
