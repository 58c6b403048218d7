import cookie from '@fastify/cookie'
import formbody from '@fastify/formbody'
import rateLimit from '@fastify/rate-limit'
import session from '@fastify/session'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import { HubError } from '../core/errors.ts'
import { writeAudit } from '../db/audit.ts'
import type { Hub } from '../hub.ts'
import { findApiKey, findUser } from './auth.ts'
import type { Actor, App, ServerOptions } from './app.ts'
import { loginPage } from './pages.ts'
import { verifyPassword } from './passwords.ts'
import { grants } from './policies.ts'
import { isSafeMethod, isSameSite } from './sameSite.ts'
import { SESSION_MS, sessionStore, sweepSessions } from './sessions.ts'

/** Paths whose callers are programs: they get a status and not a login page. */
const FOR_PROGRAMS = /^\/(api|queues\/api)\//
const BEARER = /^Bearer ([\x21-\x7e]{1,200})$/i
const LOGINS_MAX = 10
const LOGIN_BYTES_MAX = 8 * 1024

const LoginForm = Type.Object({
  name: Type.String({ maxLength: 100 }),
  password: Type.String({ maxLength: 1_000 }),
  next: Type.Optional(Type.String({ maxLength: 2_000 })),
})

/** A path on this server to go to after the login; anything that could lead elsewhere becomes the start page. */
export function safeNext(next: string | undefined): string {
  const isLocal = next !== undefined && /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.includes('\\')
  return isLocal && !/^\/(login|logout)\b/.test(next) ? next : '/'
}

/**
 * Sessions, API keys and the policy of every route, for all that is registered in the same scope afterwards. Login pages are part of it.
 * The cookie is `__Host-` and Secure when people reach the hub by https, whatever stands between it and them.
 */
export async function registerGuard(app: App, hub: Hub, options: ServerOptions): Promise<void> {
  const publicOrigin = options.public_url === undefined ? undefined : new URL(options.public_url).origin
  const secure = publicOrigin?.startsWith('https:') === true
  const cookieName = secure ? '__Host-crossdock' : 'crossdock'
  await app.register(cookie)
  await app.register(session, {
    // Derived from the vault's key: every process of the hub has the same one and nobody has to configure it.
    secret: hub.vault.lookup('session cookie').toString('base64url'),
    cookieName,
    cookie: { path: '/', httpOnly: true, sameSite: 'strict', secure, maxAge: SESSION_MS },
    store: sessionStore(hub),
    saveUninitialized: false,
    rolling: false,
  })
  await app.register(formbody, { bodyLimit: LOGIN_BYTES_MAX })
  await app.register(rateLimit, { global: false })
  app.decorateRequest('actor', null)
  app.addHook('onRequest', async (request, reply) => authenticate(hub, publicOrigin, request, reply))
  registerLogin(app, hub)
  app.post('/logout', { schema: { hide: true } }, async (request, reply) => {
    if (request.session.user !== undefined) await request.session.destroy()
    return reply.clearCookie(cookieName, { path: '/', secure }).redirect('/login', 303)
  })
}

async function authenticate(
  hub: Hub,
  publicOrigin: string | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const { minimum = 'admin' } = request.routeOptions.config
  const actor = await findActor(hub, request)
  const needsProof = !isSafeMethod(request.method) && actor?.by !== 'key' && (minimum === 'public' || actor !== null)
  if (needsProof && !isSameSite(request.headers, publicOrigin)) {
    throw new HubError('forbidden', 'the request does not come from a page of this hub', {
      hint: 'programs use an API key',
    })
  }
  request.actor = actor
  if (minimum === 'public') return undefined
  if (actor === null) return refuseStranger(request, reply)
  if (!grants(actor.role, minimum)) {
    throw new HubError('forbidden', `this takes the role ${minimum}`, {
      hint: `you act as ${actor.name}, role ${actor.role}`,
    })
  }
  return undefined
}

/** A key counts for the API only: the pages are for people. A wrong key is refused even where a session would do. */
async function findActor(hub: Hub, request: FastifyRequest): Promise<Actor | null> {
  const { authorization } = request.headers
  if (authorization !== undefined && request.url.startsWith('/api/')) {
    const secret = BEARER.exec(authorization)?.[1]
    const key = secret === undefined ? undefined : await findApiKey(hub.db, secret, hub.clock.now())
    return key === undefined ? null : { name: `key:${key.name}`, role: key.role, by: 'key', key }
  }
  const name = request.session.user
  if (name === undefined) return null
  const user = await findUser(hub.db, name)
  return user === undefined ? null : { name: `user:${user.name}`, role: user.role, by: 'session' }
}

function refuseStranger(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const isPage =
    request.method === 'GET' && !FOR_PROGRAMS.test(request.url) && (request.headers.accept ?? '').includes('text/html')
  if (isPage) return reply.redirect(`/login?next=${encodeURIComponent(safeNext(request.url))}`, 302)
  throw new HubError('unauthorized', 'log in, or send an API key as "Authorization: Bearer cdk_…"')
}

function registerLogin(app: App, hub: Hub): void {
  const byAddress = app.createRateLimit({
    max: LOGINS_MAX,
    timeWindow: '1 minute',
    keyGenerator: (request) => `address ${request.ip}`,
  })
  const byName = app.createRateLimit({
    max: LOGINS_MAX,
    timeWindow: '1 minute',
    keyGenerator: (request) => `name ${nameIn(request.body)}`,
  })
  const page = (reply: FastifyReply, status: number, next: string, message?: string): FastifyReply =>
    reply.code(status).type('text/html; charset=utf-8').send(loginPage({ next, message }))

  app.get(
    '/login',
    { schema: { hide: true, querystring: Type.Object({ next: LoginForm.properties.next }) } },
    async (request, reply) => {
      const next = safeNext(request.query.next)
      return request.actor === null ? page(reply, 200, next) : reply.redirect(next, 302)
    },
  )

  app.post(
    '/login',
    { bodyLimit: LOGIN_BYTES_MAX, schema: { hide: true, body: LoginForm } },
    async (request, reply) => {
      const { name, password } = request.body
      const next = safeNext(request.body.next)
      for (const check of [byAddress, byName]) {
        const limit = await check(request)
        if (limit.isAllowed || !limit.isExceeded) continue
        void reply.header('retry-after', String(limit.ttlInSeconds))
        return page(reply, 429, next, 'Too many attempts. Wait a minute, then try again.')
      }
      const user = await findUser(hub.db, name)
      if (!(await verifyPassword(password, user?.password_hash)) || user === undefined) {
        request.log.warn('login refused')
        return page(reply, 401, next, 'Name or password is wrong.')
      }
      // A new id, so that one planted in the browser before the login is worth nothing.
      await request.session.regenerate()
      request.session.user = user.name
      await request.session.save()
      await writeAudit(hub.db, {
        at: hub.clock.now(),
        actor: `user:${user.name}`,
        action: 'login',
        subject: `user:${user.name}`,
      })
      await sweepSessions(hub)
      return reply.redirect(next, 303)
    },
  )
}

function nameIn(body: unknown): string {
  const name = typeof body === 'object' && body !== null && 'name' in body ? body.name : ''
  return typeof name === 'string' ? name.toLowerCase() : ''
}
