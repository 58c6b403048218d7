import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import { listConnections, type ConnectionRow } from '../../db/readConnections.ts'
import type { Hub } from '../../hub.ts'
import { pauseConnection, resumeConnection, testConnection } from '../../queues/connections.ts'
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
  textId,
} from './schemas.ts'

export const ConnectionSchema = named<ConnectionRow>('Connection', {
  id: text,
  connector: text,
  company_id: text,
  state: text,
  state_reason: maybeText,
  state_at: maybeInstant,
  last_received_at: maybeInstant,
  last_pulled_at: maybeInstant,
  last_pushed_at: maybeInstant,
  breaker_open_until: maybeInstant,
  cursors: listOf({ stream: text, cursor: maybeText, updated_at: instant }),
  lag: Type.Object({
    inbox_pending: count,
    inbox_oldest_at: maybeInstant,
    inbox_parked: count,
    outbox_waiting: count,
    dead_letters_open: count,
    availability_due: count,
    availability_oldest_at: maybeInstant,
  }),
  last_errors: listOf({ operation: text, at: instant, status: maybeCount, error_code: text }),
})

const Tested = Type.Object(
  {
    shown: Type.String(),
    checks: Type.Optional(listOf({ name: text, ok: Type.Boolean(), detail: text, expires_at: maybeInstant })),
  },
  closed,
)
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 200 }) }, closed)

export function connectionRoutes(app: App, hub: Hub): void {
  const tags = ['connections']
  const show = async (id: string): Promise<ConnectionRow> => {
    const { rows } = await listConnections(hub.db, { id }, hub.clock.now())
    if (rows[0] === undefined) throw new HubError('not_found', `there is no connection ${id}`)
    return rows[0]
  }

  app.get(
    '/connections',
    {
      schema: {
        tags,
        summary: 'List connections with state, cursors, lag and last errors',
        querystring: listQuery({ state: filters.words(['active', 'paused', 'failing']) }),
        response: { 200: ConnectionSchema.page, ...FAULTS },
      },
    },
    async (request) => listConnections(hub.db, request.query, hub.clock.now()),
  )

  app.get(
    '/connections/:id',
    {
      schema: {
        tags,
        summary: 'Show one connection',
        params: textId,
        response: { 200: ConnectionSchema.ref, ...FAULTS },
      },
    },
    async (request) => show(request.params.id),
  )

  app.post(
    '/connections/:id/test',
    {
      schema: {
        tags,
        summary: 'Make one cheap call and show what came back, with the checks of a connector that looks at more',
        params: textId,
        response: { 200: Tested, ...FAULTS },
      },
    },
    async (request) => {
      const { shown, checks } = await testConnection(hub, request.params.id)
      if (checks === undefined) return { shown }
      const dated = checks.map((check) => ({ ...check, expires_at: check.expires_at?.toISOString() ?? null }))
      return { shown, checks: dated }
    },
  )

  app.post(
    '/connections/:id/pause',
    {
      schema: {
        tags,
        summary: 'Stop calls to the vendor; messages are still taken in',
        params: textId,
        body: Reason,
        response: { 200: ConnectionSchema.ref, ...FAULTS },
      },
    },
    async (request) => {
      await pauseConnection(hub, request.params.id, request.body.reason, actorOf(request).name)
      return show(request.params.id)
    },
  )

  app.post(
    '/connections/:id/resume',
    {
      schema: {
        tags,
        summary: 'Let it work again',
        params: textId,
        response: { 200: ConnectionSchema.ref, ...FAULTS },
      },
    },
    async (request) => {
      await resumeConnection(hub, request.params.id, actorOf(request).name)
      return show(request.params.id)
    },
  )
}
