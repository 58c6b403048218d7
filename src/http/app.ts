import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import { HubError } from '../core/errors.ts'
import type { Intake } from '../db/inbox.ts'
import type { Minimum, Role } from './policies.ts'

/** Fastify as this folder uses it: handlers get their types from the schemas of their routes. */
export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** What a server needs besides the hub. */
export interface ServerOptions {
  intake: Pick<Intake, 'accept'>
  /** The queue library's own queue objects by name, for the board and for nothing else. Empty: no queues are shown. */
  boards: ReadonlyMap<string, unknown>
  /** `worker` answers health and metrics only. Default `all`. */
  role?: 'all' | 'api' | 'worker'
  /** The address people use, such as `https://hub.example.com`, where a proxy stands before the hub. */
  public_url?: string | undefined
  /** Whether this process works on the queues; asked for each readiness check. */
  isWorking?: () => boolean
  /** Told of every route and who may use it, as it is registered. */
  onRoute?: (route: { method: string; url: string; minimum: Minimum }) => void
}

/** Who is asking. */
export interface Actor {
  /** For the audit log: `user:anna` or `key:warehouse`. */
  name: string
  role: Role
  by: 'session' | 'key'
  /** The API key itself, where one was shown: some limits are a key's own. */
  key?: { id: string; hold_units_max: number | null }
}

/** The actor of a request that has passed `authenticate`. */
export function actorOf(request: FastifyRequest): Actor {
  if (request.actor === null) throw new HubError('unauthorized', 'log in, or send an API key')
  return request.actor
}

declare module 'fastify' {
  interface FastifyRequest {
    actor: Actor | null
  }
  interface FastifyContextConfig {
    /** Copied from the policy table when the route is registered. */
    minimum?: Minimum
    /** Asked so often that a line for each request would drown the others; the metrics count it. */
    quiet?: true
  }
}
