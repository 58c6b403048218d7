import type { FastifyRequest } from 'fastify'
import { HubError } from '../core/errors.ts'
import { migrationStatus } from '../db/migrate.ts'
import type { Hub } from '../hub.ts'
import type { App, ServerOptions } from './app.ts'
import { findApiKey } from './auth.ts'
import type { Metrics } from './metrics.ts'

const LOOPBACK = /^(::ffff:)?127\.|^::1$/
/** Proxies say so in one of these; then the loopback address is the proxy's and proves nothing. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via']
const MIGRATIONS_LOOK_EVERY_MS = 10_000

interface Check {
  ok: boolean
  detail: string
}

/** `/healthz`: the process lives. `/readyz`: it can work. `/metrics`: Prometheus text, for this machine or with a key. */
export function registerHealth(app: App, hub: Hub, options: ServerOptions, metrics: Metrics): void {
  const migrations = migrationCheck(hub)
  const quiet = { schema: { hide: true }, config: { quiet: true } } as const

  app.get('/healthz', quiet, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'ok' }),
  )

  app.get('/readyz', quiet, async (_request, reply) => {
    const database = await databaseCheck(hub)
    const checks = {
      database,
      migrations: database.ok
        ? await migrations()
        : { ok: false, detail: 'not known while the database does not answer' },
      workers: workersCheck(options),
    }
    const ready = Object.values(checks).every((check) => check.ok)
    return reply
      .code(ready ? 200 : 503)
      .header('cache-control', 'no-store')
      .send({ status: ready ? 'ready' : 'not ready', role: options.role ?? 'all', queues: hub.queues.backend, checks })
  })

  app.get('/metrics', quiet, async (request, reply) => {
    if (!isLocal(request) && !(await hasKey(hub, request)))
      throw new HubError('unauthorized', 'metrics take an API key')
    await metrics.collect()
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  })
}

async function databaseCheck(hub: Hub): Promise<Check> {
  try {
    await hub.db.query('select 1')
    return { ok: true, detail: 'answers' }
  } catch {
    return { ok: false, detail: 'does not answer' }
  }
}

/** Once current, the schema stays current for as long as this code runs; until then it is looked up now and again. */
function migrationCheck(hub: Hub): () => Promise<Check> {
  let last: { at_ms: number; check: Check } | undefined
  return async () => {
    const at_ms = hub.clock.now().getTime()
    if (last !== undefined && (last.check.ok || at_ms - last.at_ms < MIGRATIONS_LOOK_EVERY_MS)) return last.check
    const check = await migrationStatus(hub.db.url).then(
      ({ current, pending }) =>
        pending.length === 0
          ? { ok: true, detail: current ?? 'none' }
          : { ok: false, detail: `pending: ${pending.join(', ')}` },
      () => ({ ok: false, detail: 'could not be read' }),
    )
    last = { at_ms, check }
    return check
  }
}

function workersCheck({ role, isWorking }: ServerOptions): Check {
  if (role === 'api') return { ok: true, detail: 'another process works on the queues' }
  const working = isWorking?.() ?? true
  return { ok: working, detail: working ? 'this process works on the queues' : 'not working yet, or no more' }
}

function isLocal(request: FastifyRequest): boolean {
  return (
    LOOPBACK.test(request.socket.remoteAddress ?? '') && FORWARDED.every((name) => request.headers[name] === undefined)
  )
}

async function hasKey(hub: Hub, request: FastifyRequest): Promise<boolean> {
  const secret = /^Bearer (\S{1,200})$/i.exec(request.headers.authorization ?? '')?.[1]
  return secret !== undefined && (await findApiKey(hub.db, secret, hub.clock.now())) !== undefined
}
