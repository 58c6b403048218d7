import helmet from '@fastify/helmet'
import Fastify, { LogController, type FastifyBaseLogger, type RouteOptions } from 'fastify'
import { HubError } from '../core/errors.ts'
import type { Hub } from '../hub.ts'
import { registerApi, registerDocs } from './api/index.ts'
import type { App, ServerOptions } from './app.ts'
import { registerBoard } from './board.ts'
import { registerGuard } from './guard.ts'
import { registerHealth } from './health.ts'
import { createMetrics } from './metrics.ts'
import { registerPages } from './pages.ts'
import { policyOf, type Minimum } from './policies.ts'
import { sendProblem } from './problems.ts'
import { validatorCompiler } from './validator.ts'
import { registerWebhooks } from './webhooks.ts'

export type { ServerOptions } from './app.ts'

export interface Server {
  /** Where it listens: `http://127.0.0.1:3000`. */
  url: string
  /** Takes no new requests, answers the running ones and lets go of the port. */
  close: () => Promise<void>
}

/** Of everything but webhooks, which have limits of their own. */
const BODY_BYTES_MAX = 256 * 1024
const REQUEST_TIMEOUT_MS = 60_000
const KEEP_ALIVE_TIMEOUT_MS = 30_000

/** Starts listening on `hub.config.hub`. Faults: `config_invalid` when the port is taken or the address is not this machine's. */
export async function startServer(hub: Hub, options: ServerOptions): Promise<Server> {
  const app = await buildServer(hub, options)
  const { host, port } = hub.config.hub
  try {
    const url = await app.listen({ host, port })
    return { url, close: () => app.close() }
  } catch (thrown) {
    await app.close()
    throw listenFault(thrown, host, port)
  }
}

/** The server with all its routes, not listening yet: what the tests inject requests into. */
export async function buildServer(hub: Hub, options: ServerOptions): Promise<App> {
  const app = createApp(hub)
  const metrics = createMetrics(hub)
  app.addHook('onRoute', (route) => {
    const minimum = applyPolicy(route)
    for (const method of [route.method].flat()) options.onRoute?.({ method, url: route.url, minimum })
  })
  app.addHook('onClose', async () => metrics.registry.clear())
  await app.register(helmet, {
    contentSecurityPolicy: contentSecurityPolicy(STRICT),
    // `no-referrer`, helmet's default, makes browsers send `Origin: null` with our own forms.
    referrerPolicy: { policy: 'same-origin' },
    strictTransportSecurity: options.public_url?.startsWith('https:') === true,
  })
  registerHealth(app, hub, options, metrics)
  if (options.role !== 'worker') {
    await registerWebhooks(app, hub, options.intake, metrics)
    await app.register(async (scope: App) => {
      await registerGuard(scope, hub, options)
      await registerDocs(scope)
      registerPages(scope, hub)
      await registerApi(scope, hub)
      if (options.boards.size > 0) await registerBoard(scope, hub, options.boards)
    })
  }
  await app.ready()
  return app
}

function createApp(hub: Hub): App {
  const loggerInstance: FastifyBaseLogger = hub.log.child({}, { serializers: SERIALIZERS })
  const app: App = Fastify({
    loggerInstance,
    // Our own line for each request is written below: Fastify's would name the whole address.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => hub.ids.uuid(),
    requestIdHeader: false,
    trustProxy: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    routerOptions: { maxParamLength: 300 },
    forceCloseConnections: 'idle',
  })
  app.setValidatorCompiler(validatorCompiler)
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new HubError('not_found', 'there is nothing here'), request, reply),
  )
  app.addHook('onSend', (request, reply, _payload, done) => {
    void reply.header('x-request-id', request.id)
    done()
  })
  app.addHook('onResponse', (request, reply, done) => {
    const { url = null, config } = request.routeOptions
    if (config.quiet !== true) {
      const duration_ms = Math.round(reply.elapsedTime)
      request.log.info({ method: request.method, route: url, status: reply.statusCode, duration_ms }, 'request')
    }
    done()
  })
  return app
}

/**
 * What of a request, an answer and a fault may be logged: an allow-list, because addresses, queries, headers and bodies carry names,
 * tokens and e-mails. Of a fault that is not ours only its kind and the places it came through: messages quote data.
 */
const SERIALIZERS = {
  req: (request: { method?: string; routeOptions?: { url?: string } }) => ({
    method: request.method,
    route: request.routeOptions?.url ?? null,
  }),
  res: (reply: { statusCode?: number }) => ({ status: reply.statusCode }),
  err: (error: Error) => ({
    type: error.name,
    ...(error instanceof HubError ? { code: error.code, message: error.message } : {}),
    stack: (error.stack ?? '')
      .split('\n')
      .filter((line) => /^\s+at /.test(line))
      .slice(0, 10)
      .join('\n'),
  }),
}

const STRICT = { styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'] }
/** Bull Board and the API pages set styles from their scripts; scripts themselves stay our own files. */
const LOOSE = {
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  fontSrc: ["'self'", 'data:'],
  workerSrc: ["'self'", 'blob:'],
}
const FOREIGN_PAGES = /^\/(queues|docs)(\/|$)/

function contentSecurityPolicy(directives: Record<string, string[]>) {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      baseUri: ["'self'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
      scriptSrc: ["'self'"],
      scriptSrcAttr: ["'none'"],
      ...directives,
    },
  }
}

/** Runs for every route of every plugin: one without a policy stops the boot. */
function applyPolicy(route: RouteOptions): Minimum {
  const minimums = [route.method].flat().map((method) => policyOf(method, route.url))
  const [minimum, ...others] = new Set(minimums)
  if (minimum === undefined || others.length > 0)
    throw new HubError('internal', `${route.url} needs one policy for all its methods`)
  route.config = { ...route.config, minimum }
  if (FOREIGN_PAGES.test(route.url)) route.helmet = { contentSecurityPolicy: contentSecurityPolicy(LOOSE) }
  return minimum
}

function listenFault(thrown: unknown, host: string, port: number): unknown {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  if (code === 'EADDRINUSE') {
    return new HubError('config_invalid', `port ${port} of ${host} is taken`, {
      hint: 'stop what listens there, or set hub.port to another one (0 takes any that is free)',
    })
  }
  if (code === 'EACCES')
    return new HubError('config_invalid', `port ${port} may not be used`, { hint: 'set hub.port to one above 1023' })
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new HubError('config_invalid', `${host} is no address of this machine`, {
      hint: 'set hub.host to 127.0.0.1, or 0.0.0.0 for all',
    })
  }
  return thrown
}
