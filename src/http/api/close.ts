import Type from 'typebox'
import { acceptProof } from '../../core/books/acceptProof.ts'
import { closeCheck, type CloseCheck } from '../../core/books/close.ts'
import { companyOf, listLocks, lockPeriod, unlockPeriod } from '../../core/books/periods.ts'
import { closed } from '../../core/model/schema.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { actorOf, type App } from '../app.ts'
import { count, FAULTS, filters, flag, instant, listOf, maybeCount, maybeText, named, text, textId, uuid } from './schemas.ts' // prettier-ignore

export const CloseCheckSchema = named<CloseCheck>('CloseCheck', {
  ok: flag,
  period: text,
  locked: flag,
  clearing: listOf({
    connection_id: text,
    currency: text,
    balance_minor: count,
    unsettled_minor: count,
    difference_minor: count,
    items: listOf({
      settlement_id: maybeText,
      external_id: maybeText,
      status: maybeText,
      payout_minor: count,
      received_minor: count,
      written_off_minor: count,
      open_minor: count,
    }),
  }),
  journals: Type.Object({
    posted: count,
    unbalanced: listOf({ journal_id: uuid, currency: text, difference_minor: count }),
  }),
  unposted: listOf({
    settlement_id: uuid,
    connection_id: text,
    external_id: text,
    currency: text,
    payout_minor: count,
    due_on: text,
    reason: text,
    posted_in: maybeText,
    posted_version: maybeCount,
    version: count,
  }),
  breaks: listOf({ type: text, currency: text, count, amount_minor: count }),
  accounts: listOf({ connection_id: text, account: text, currency: text, movement_minor: count, balance_minor: count }),
})

const byPeriod = Type.Object({
  period: Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])$', description: 'like 2026-11' }),
})
const OfCompany = Type.Object({ company: filters.text }, closed)
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 500 }) }, closed)
const VERBS = { lock: lockPeriod, unlock: unlockPeriod } as const

export function closeRoutes(app: App, hub: Hub): void {
  const tags = ['books']
  app.get(
    '/close/:period',
    {
      schema: {
        tags,
        summary: 'Prove a month end',
        description:
          'The clearing accounts at the end of the month against what has not reached the bank, payout by payout; what is not in the books, with its reason; open breaks; every account.',
        params: byPeriod,
        querystring: OfCompany,
        response: { 200: CloseCheckSchema.ref, ...FAULTS },
      },
    },
    async (request) =>
      closeCheck(hub.db, {
        period: request.params.period,
        company_id: request.query.company ?? null,
        timezone: hub.config.finance.timezone,
      }),
  )

  app.get(
    '/periods',
    {
      schema: {
        tags,
        summary: 'List locked months',
        querystring: OfCompany,
        response: {
          200: Type.Object({ rows: listOf({ company_id: text, period: text, locked_at: instant, locked_by: text }) }),
          ...FAULTS,
        },
      },
    },
    async (request) => ({ rows: await listLocks(hub.db, request.query.company ?? null) }),
  )

  for (const verb of ['lock', 'unlock'] as const) {
    app.post(
      `/periods/:period/${verb}`,
      {
        schema: {
          tags,
          summary: verb === 'lock' ? 'Lock a month' : 'Open a month again',
          description: 'What comes later for a locked month is booked on the first day of the next open one.',
          params: byPeriod,
          querystring: OfCompany,
          response: { 200: Type.Object({ period: text, changed: flag }), ...FAULTS },
        },
      },
      async (request) => {
        const { period } = request.params
        const changed = await inTransaction(hub.db, async (tx) => {
          const company_id = await companyOf(tx, request.query.company)
          return VERBS[verb](tx, hub.clock.now(), { company_id, period, by: actorOf(request).name })
        })
        return { period, changed }
      },
    )
  }
  acceptRoute(app, hub)
}

function acceptRoute(app: App, hub: Hub): void {
  app.post(
    '/settlements/:id/accept-proof',
    {
      schema: {
        tags: ['settlements'],
        summary: 'Let a payout that does not add up into the books',
        params: textId,
        body: Reason,
        response: { 200: Type.Object({ id: uuid, accepted_now: flag, difference_minor: count }), ...FAULTS },
      },
    },
    async (request) =>
      inTransaction(hub.db, (tx) =>
        acceptProof(tx, hub.clock.now(), {
          id: request.params.id,
          reason: request.body.reason,
          by: actorOf(request).name,
        }),
      ),
  )
}
