import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { asHubError, HubError, type ErrorCode } from '../core/errors.ts'

/** RFC 9457 problem details, with the members that let a caller act: a stable code, the place of the fault and what to do. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
  path?: string
  hint?: string
  request_id?: string
}

const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** What Fastify refuses by itself, in our words. */
const BY_STATUS: Record<number, ErrorCode> = {
  400: 'bad_request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'not_found',
  409: 'conflict',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  429: 'rate_limited',
}

/** Answers any fault as a problem. An internal one says only that it happened; the log has the rest under the same request id. */
export function sendProblem(
  thrown: FastifyError | HubError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const error = toHubError(thrown)
  if (error.http >= 500 && error.code !== 'database_unavailable') {
    request.log.error({ code: error.code, err: error.cause ?? error }, 'request failed')
  }
  if (error.retry_after_ms !== undefined)
    void reply.header('retry-after', String(Math.ceil(error.retry_after_ms / 1_000)))
  else if (error.http === 503) void reply.header('retry-after', '5')
  if (error.http === 401) void reply.header('www-authenticate', 'Bearer')
  return reply
    .code(error.http)
    .header('content-type', PROBLEM_TYPE)
    .serializer(JSON.stringify)
    .send(problemOf(error, request.id))
}

export function problemOf(error: HubError, requestId?: string): Problem {
  const isOurs = error.code !== 'internal'
  return {
    type: `urn:crossdock:problem:${error.code}`,
    title: error.code.replaceAll('_', ' '),
    status: error.http,
    detail: isOurs ? error.message : 'something went wrong inside the hub',
    code: error.code,
    ...(error.path === undefined ? {} : { path: error.path }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(requestId === undefined ? {} : { request_id: requestId }),
  }
}

/** Faults of Fastify in our words; anything that is nobody's expected fault becomes `internal`. */
export function toHubError(thrown: FastifyError | HubError | Error): HubError {
  if (thrown instanceof HubError) return thrown
  if ('validation' in thrown && Array.isArray(thrown.validation)) return validationFault(thrown)
  const status = 'statusCode' in thrown && typeof thrown.statusCode === 'number' ? thrown.statusCode : 500
  const code = BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'bad_request' : undefined)
  return code === undefined ? asHubError(thrown) : new HubError(code, thrown.message)
}

/** Names the field and the rule, never the value: it may be personal. */
function validationFault(error: FastifyError): HubError {
  const [first] = error.validation ?? []
  const context = error.validationContext ?? 'body'
  const missing = first?.keyword === 'required' ? `.${String(first.params['missingProperty'])}` : ''
  const extra = first?.keyword === 'additionalProperties' ? `.${String(first.params['additionalProperty'])}` : ''
  const path = `${context}${(first?.instancePath ?? '').replaceAll('/', '.')}${missing}${extra}`
  const allowed =
    first?.keyword === 'enum' && Array.isArray(first.params['allowedValues']) ? first.params['allowedValues'] : []
  return new HubError('bad_request', `${path} ${first?.message ?? 'is not valid'}`, {
    path,
    ...(allowed.length === 0 ? {} : { hint: `one of: ${allowed.map(String).join(', ')}` }),
  })
}
