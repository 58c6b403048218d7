import Type from 'typebox'
import {
  approveWriteOff,
  assignBreak,
  commentBreak,
  explainBreak,
  rejectWriteOff,
  reopenBreak,
  resolveBreak,
  writeOffBreak,
} from '../../core/breaks/actions.ts'
import { listBreaks, showBreak, totalBreaks, type BreakShown, type BreakWithComments } from '../../core/breaks/read.ts'
import { AGE_BUCKETS, BREAK_STATES, BREAK_TYPES, REASON_CODES } from '../../core/breaks/rulesState.ts'
import { closed, Words } from '../../core/model/schema.ts'
import type { Tx } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { actorOf, type App } from '../app.ts'
import {
  anything,
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
  numberId,
  text,
} from './schemas.ts'

const shown = {
  id: count,
  company_id: text,
  connection_id: maybeText,
  type: text,
  state: text,
  currency: text,
  amount_minor: count,
  owner: maybeText,
  reason_code: maybeText,
  age_days: count,
  age: text,
  expected_on: maybeText,
  settlement_id: maybeText,
  settlement_line_id: maybeCount,
  order_id: maybeText,
  payment_id: maybeCount,
  bank_line_id: maybeCount,
  data: anything,
  opened_at: instant,
  seen_at: instant,
  changed_at: instant,
  gone_at: maybeInstant,
  write_off_requested_by: maybeText,
  approved_by: maybeText,
}
export const Break = named<BreakShown>('Break', shown)
export const BreakShownSchema = named<BreakWithComments>('BreakShown', {
  ...shown,
  comments: listOf({ at: instant, by: text, kind: text, text }),
})

const Text = Type.String({ minLength: 1, maxLength: 2_000 })
const Owner = Type.Object({ owner: Type.String({ minLength: 1, maxLength: 100 }) }, closed)
const Explained = Type.Object({ reason: Words(REASON_CODES), text: Text }, closed)
const Said = Type.Object({ text: Text }, closed)

export function breakRoutes(app: App, hub: Hub): void {
  const tags = ['breaks']
  app.get(
    '/breaks',
    {
      schema: {
        tags,
        summary: 'List what does not add up, newest first',
        querystring: listQuery({
          company: filters.text,
          type: filters.words(BREAK_TYPES),
          state: filters.words([...BREAK_STATES, 'unfinished']),
          age: filters.words(AGE_BUCKETS),
          connection: filters.text,
          owner: filters.text,
          settlement: filters.uuid,
          order: filters.uuid,
        }),
        response: { 200: Break.page, ...FAULTS },
      },
    },
    async (request) => listBreaks(hub.db, request.query, hub.clock.now()),
  )

  app.get(
    '/breaks/totals',
    {
      schema: {
        tags,
        summary: 'Unfinished breaks by type, currency and age',
        querystring: Type.Object({ company: filters.text }, closed),
        response: {
          200: Type.Object({
            rows: listOf({ type: text, currency: text, age: text, breaks: count, amount_minor: count }),
          }),
          ...FAULTS,
        },
      },
    },
    async (request) => ({ rows: await totalBreaks(hub.db, request.query.company ?? null, hub.clock.now()) }),
  )

  app.get(
    '/breaks/:id',
    {
      schema: {
        tags,
        summary: 'One break and everything that was said about it',
        params: numberId,
        response: { 200: BreakShownSchema.ref, ...FAULTS },
      },
    },
    async (request) => showBreak(hub.db, request.params.id, hub.clock.now()),
  )
  breakActions(app, hub)
}

/** Does it and answers with the break as it is then. */
async function act(hub: Hub, id: number, work: (tx: Tx) => Promise<unknown>): Promise<BreakWithComments> {
  return inTransaction(hub.db, async (tx) => {
    await work(tx)
    return showBreak(tx, id, hub.clock.now())
  })
}

function breakActions(app: App, hub: Hub): void {
  const tags = ['breaks']
  const response = { 200: BreakShownSchema.ref, ...FAULTS }
  const params = numberId
  app.post(
    '/breaks/:id/assign',
    { schema: { tags, summary: 'Hand a break to somebody', params, body: Owner, response } },
    async (request) => {
      const wish = { id: request.params.id, by: actorOf(request).name, owner: request.body.owner }
      return act(hub, wish.id, (tx) => assignBreak(tx, coreContext(hub), wish))
    },
  )
  app.post(
    '/breaks/:id/explain',
    { schema: { tags, summary: 'Say why a break is as it is', params, body: Explained, response } },
    async (request) => {
      const wish = { id: request.params.id, by: actorOf(request).name, ...request.body }
      return act(hub, wish.id, (tx) => explainBreak(tx, coreContext(hub), wish))
    },
  )
  app.post(
    '/breaks/:id/write-off',
    {
      schema: {
        tags,
        summary: 'Accept the loss',
        description: 'Booked at once up to the limit of the configuration; above it a second person approves.',
        params,
        body: Explained,
        response,
      },
    },
    async (request) => {
      const { write_off_limit_minor: limit_minor, timezone } = hub.config.finance
      const wish = { id: request.params.id, by: actorOf(request).name, ...request.body, limit_minor, timezone }
      return act(hub, wish.id, (tx) => writeOffBreak(tx, coreContext(hub), wish))
    },
  )
  app.post(
    '/breaks/:id/approve',
    { schema: { tags, summary: 'Approve a write-off that somebody else asked for', params, response } },
    async (request) => {
      const { timezone } = hub.config.finance
      const wish = { id: request.params.id, by: actorOf(request).name, timezone }
      return act(hub, wish.id, (tx) => approveWriteOff(tx, coreContext(hub), wish))
    },
  )
  const words = [
    ['reject', 'Turn a write-off down, or take the wish back', rejectWriteOff],
    ['resolve', 'Say that a break needs no more work', resolveBreak],
    ['reopen', 'Take an explanation, a resolution or a write-off back', reopenBreak],
    ['comment', 'Add a word', commentBreak],
  ] as const
  for (const [verb, summary, work] of words) {
    app.post(`/breaks/:id/${verb}`, { schema: { tags, summary, params, body: Said, response } }, async (request) => {
      const wish = { id: request.params.id, by: actorOf(request).name, text: request.body.text }
      return act(hub, wish.id, (tx) => work(tx, coreContext(hub), wish))
    })
  }
}
