import Type from 'typebox'
import { acceptMatch, rejectMatch } from '../../core/matching/decide.ts'
import { explainMatch, listSuggestions, type MatchExplained, type Suggestion } from '../../core/matching/explain.ts'
import { closed } from '../../core/model/schema.ts'
import type { Hub } from '../../hub.ts'
import { runSettlement } from '../../queues/settlementRun.ts'
import { actorOf, type App } from '../app.ts'
import { anything, count, FAULTS, instant, listOf, maybeText, named, numberId, text, uuid } from './schemas.ts'

const SUGGESTIONS_MAX = 200

const group = {
  id: count,
  leg: text,
  rule: text,
  state: text,
  currency: text,
  difference_minor: count,
  reason: anything,
  order_id: maybeText,
  decided_by: maybeText,
}
export const SuggestionSchema = named<Suggestion>('MatchSuggestion', {
  ...group,
  line_ids: Type.Array(count),
  payment_ids: Type.Array(count),
  settlement_ids: Type.Array(uuid),
  bank_line_ids: Type.Array(count),
})
export const MatchSchema = named<MatchExplained>('Match', {
  ...group,
  made_at: instant,
  lines: listOf({ id: count, settlement_id: uuid, external_id: text, kind: text, currency: text, gross_minor: count }),
  payments: listOf({
    id: count,
    connection_id: text,
    external_id: text,
    kind: text,
    currency: text,
    amount_minor: count,
  }),
  payouts: listOf({ id: uuid, connection_id: text, external_id: text, currency: text, payout_minor: count }),
  bank_lines: listOf({ id: count, external_id: text, booked_on: text, currency: text, amount_minor: count }),
})

const RunSchema = Type.Object({
  lines: Type.Object({ looked: count, matched: count, left: count }),
  bank: Type.Object({ matched: count, suggested: count, left_payouts: count, left_bank_lines: count }),
  journals: Type.Object({ settlements: count, bank_lines: count, reversed: count }),
  breaks: Type.Object({ found: count, opened: count, reopened: count, resolved: count }),
})

/** Why things belong together, what a person says to it, and the run that joins them. */
export function matchRoutes(app: App, hub: Hub): void {
  const tags = ['settlements']
  app.post(
    '/settlements/run',
    {
      schema: {
        tags,
        summary: 'Match, book and look for breaks now',
        description: 'The hub does it every minute. The same again changes nothing.',
        body: Type.Object({ connection: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })) }, closed),
        response: { 200: RunSchema, ...FAULTS },
      },
    },
    async (request) => {
      const { connection } = request.body
      const by = actorOf(request).name
      return runSettlement(hub, connection === undefined ? { by } : { by, connection_id: connection })
    },
  )
  app.get(
    '/matches/suggestions',
    {
      schema: {
        tags,
        summary: 'Likely matches that wait for a person, oldest first',
        querystring: Type.Object(
          { limit: Type.Optional(Type.Integer({ minimum: 1, maximum: SUGGESTIONS_MAX })) },
          closed,
        ),
        response: { 200: Type.Object({ rows: Type.Array(SuggestionSchema.ref) }), ...FAULTS },
      },
    },
    async (request) => ({ rows: await listSuggestions(hub.db, request.query.limit ?? SUGGESTIONS_MAX) }),
  )
  app.get(
    '/matches/:id',
    {
      schema: {
        tags,
        summary: 'Why a match was made: its rule and both sides with their amounts',
        params: numberId,
        response: { 200: MatchSchema.ref, ...FAULTS },
      },
    },
    async (request) => explainMatch(hub.db, request.params.id),
  )
  for (const [verdict, decide, summary] of [
    ['accept', acceptMatch, 'Say that a match is right'],
    ['reject', rejectMatch, 'Undo a match for good: no later run makes it again'],
  ] as const) {
    app.post(
      `/matches/:id/${verdict}`,
      { schema: { tags, summary, params: numberId, response: { 200: MatchSchema.ref, ...FAULTS } } },
      async (request) => {
        const { id } = request.params
        await decide(hub.db, { group_id: id, by: actorOf(request).name, now: hub.clock.now() })
        return explainMatch(hub.db, id)
      },
    )
  }
}
