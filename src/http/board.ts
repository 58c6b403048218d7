import { createBullBoard } from '@bull-board/api'
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { FastifyAdapter } from '@bull-board/fastify'
import { writeAudit } from '../db/audit.ts'
import type { Hub } from '../hub.ts'
import { QUEUES, type QueueName } from '../queues/define.ts'
import { actorOf, type App } from './app.ts'
import { grants } from './policies.ts'
import { problemOf, toHubError } from './problems.ts'
import { isSafeMethod } from './sameSite.ts'

const BOARD_PATH = '/queues'
/** Set from the session for the board's handlers, which see a request's headers and nothing else of it. */
const READ_ONLY_HEADER = 'x-board-read-only'

type Queue = ConstructorParameters<typeof BullMQAdapter>[0]
type ApiRoutes = Parameters<FastifyAdapter['setApiRoutes']>[0]

const BADGES = {
  sandbox: { label: 'sandbox', color: '#0f766e', textColor: '#ffffff' },
  production: { label: 'production', color: '#b91c1c', textColor: '#ffffff' },
} as const

/**
 * Bull Board behind the session of this scope. Who may only look gets the read-only board: no buttons, and 403 for whoever makes the call
 * nevertheless. What is done on the board is written into the audit log.
 */
export async function registerBoard(app: App, hub: Hub, queues: ReadonlyMap<string, unknown>): Promise<void> {
  const acting = adaptersOf(queues, false)
  const watching = new Map(adaptersOf(queues, true).map((adapter) => [adapter.getName(), adapter]))
  const server = new FastifyAdapter()
  server.setBasePath(BOARD_PATH)
  const setApiRoutes = server.setApiRoutes.bind(server)
  server.setApiRoutes = (routes) => setApiRoutes(routes.map((route) => readOnlyWhereAsked(route, watching)))
  const setErrorHandler = server.setErrorHandler.bind(server)
  server.setErrorHandler = () => setErrorHandler((thrown) => answerFault(hub, thrown))
  createBullBoard({
    queues: acting,
    serverAdapter: server,
    options: {
      uiConfig: {
        boardTitle: 'Crossdock queues',
        environment: BADGES[hub.config.hub.environment],
        hideDocsLink: true,
        hideRedisDetails: hub.queues.backend === 'postgres',
        miscLinks: [{ text: 'Crossdock', url: '/' }],
        sortQueues: false,
      },
    },
  })
  await app.register(async (scope) => {
    scope.addHook('preHandler', async (request) => {
      const { role, name } = actorOf(request)
      request.headers[READ_ONLY_HEADER] = grants(role, 'operator') ? 'no' : 'yes'
      if (isSafeMethod(request.method)) return
      const { queueName, jobId } = request.params as { queueName?: string; jobId?: string }
      const subject = `queue:${queueName ?? '*'}${jobId === undefined ? '' : `:${jobId}`}`
      const action = `board.${request.method.toLowerCase()} ${(request.routeOptions.url ?? '').replace(`${BOARD_PATH}/api/`, '')}`
      await writeAudit(hub.db, { at: hub.clock.now(), actor: name, action, subject })
    })
    await scope.register(server.registerPlugin(), { prefix: BOARD_PATH })
  })
}

/** The board's own handler would take a refusal of ours for a crash, and shows stack traces. */
function answerFault(hub: Hub, thrown: Error): ReturnType<Parameters<FastifyAdapter['setErrorHandler']>[0]> {
  const error = toHubError(thrown)
  if (error.code === 'internal') hub.log.error({ code: error.code, type: thrown.name }, 'the board failed')
  const problem = problemOf(error)
  return { status: problem.status as 500, body: { ...problem, error: problem.title, message: problem.detail } }
}

function adaptersOf(queues: ReadonlyMap<string, unknown>, readOnlyMode: boolean): BullMQAdapter[] {
  return [...queues].map(
    ([name, queue]) => new BullMQAdapter(queue as Queue, { readOnlyMode, description: QUEUES[name as QueueName] }),
  )
}

function readOnlyWhereAsked(route: ApiRoutes[number], watching: Map<string, BullMQAdapter>): ApiRoutes[number] {
  return {
    ...route,
    handler: (request) =>
      route.handler(
        request === undefined || request.headers[READ_ONLY_HEADER] === 'no'
          ? request
          : { ...request, queues: watching },
      ),
  } as ApiRoutes[number]
}
