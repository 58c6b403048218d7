import Type from 'typebox'
import { closed, Words } from '../../core/model/schema.ts'
import { writeAudit } from '../../db/audit.ts'
import type { Hub } from '../../hub.ts'
import { actorOf, type App } from '../app.ts'
import { createApiKey, listApiKeys, revokeApiKey, type ApiKeyRow } from '../auth.ts'
import { ROLES } from '../policies.ts'
import { DONE, FAULTS, instant, listQuery, maybeCount, maybeInstant, named, text, textId } from './schemas.ts'

export const ApiKey = named<ApiKeyRow>('ApiKey', {
  id: text,
  name: text,
  role: text,
  created_at: instant,
  created_by: text,
  hold_units_max: maybeCount,
  last_used_at: maybeInstant,
  revoked_at: maybeInstant,
})

const NewKey = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100, pattern: '^[\\w .-]+$' }),
    role: Words(ROLES),
    hold_units_max: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: "units that it may keep in cart holds at once; without it only the channel's limit counts",
      }),
    ),
  },
  closed,
)
const Secret = Type.Object({ id: Type.String(), secret: Type.String({ description: 'shown this once' }) }, closed)

export function apiKeyRoutes(app: App, hub: Hub): void {
  const tags = ['api keys']
  app.get(
    '/api-keys',
    {
      schema: {
        tags,
        summary: 'List keys, without their secrets',
        querystring: listQuery({}),
        response: { 200: ApiKey.page, ...FAULTS },
      },
    },
    async (request) => listApiKeys(hub.db, request.query),
  )

  app.post(
    '/api-keys',
    { schema: { tags, summary: 'Make a key', body: NewKey, response: { 201: Secret, ...FAULTS } } },
    async (request, reply) => {
      const now = hub.clock.now()
      const { name, role, hold_units_max = null } = request.body
      const actor = actorOf(request).name
      const key = await createApiKey(hub.db, { name, role, created_by: actor, hold_units_max, now })
      await writeAudit(hub.db, {
        at: now,
        actor,
        action: 'api_key.create',
        subject: `api_key:${key.id}`,
        data: { role, hold_units_max },
      })
      return reply.code(201).header('cache-control', 'no-store').send(key)
    },
  )

  app.delete(
    '/api-keys/:id',
    {
      schema: {
        tags,
        summary: 'Revoke a key, at once and for good',
        params: textId,
        response: { 200: DONE, ...FAULTS },
      },
    },
    async (request) => {
      const now = hub.clock.now()
      await revokeApiKey(hub.db, request.params.id, now)
      await writeAudit(hub.db, {
        at: now,
        actor: actorOf(request).name,
        action: 'api_key.revoke',
        subject: `api_key:${request.params.id}`,
      })
      return { ok: true as const }
    },
  )
}
