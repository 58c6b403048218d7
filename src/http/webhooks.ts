import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { HubError, type ErrorCode } from '../core/errors.ts'
import type { Verdict, WebhookDefinition, WebhookRequest } from '../connectors/_kit/define.ts'
import type { Intake, Stored } from '../db/inbox.ts'
import type { Connection, Hub } from '../hub.ts'
import type { App } from './app.ts'
import type { Metrics } from './metrics.ts'

declare module 'fastify' {
  interface FastifyRequest {
    webhook: Receiver | null
  }
}

/** All that is looked up by the path, once at boot. */
interface Receiver {
  connection: Connection
  definition: WebhookDefinition<unknown>
  types: ReadonlySet<string>
  bytes_max: number
}

/** How a delivery that was not accepted is counted. */
const ENDINGS: Partial<Record<ErrorCode, string>> = {
  not_found: 'unknown',
  unsupported_media_type: 'unsupported',
  payload_too_large: 'too_large',
  unauthorized: 'refused',
  bad_request: 'invalid',
  payload_invalid: 'invalid',
}

/** Answers are the same few texts over and over. */
const ANSWERS: Record<Stored | 'ignored' | 'acknowledged', string> = {
  stored: '{"result":"stored"}',
  duplicate: '{"result":"duplicate"}',
  conflict: '{"result":"conflict"}',
  ignored: '{"result":"ignored"}',
  acknowledged: '{"result":"acknowledged"}',
}

const CHARSET = /^ ?charset="?utf-8"?$/i

/**
 * `application/json` of `application/json; charset=utf-8`, or undefined for anything else. Exact on purpose: tabs, several parameters or
 * trailing text have been ways around content-type checks, so whatever is not plainly right is not supported.
 */
export function contentTypeOf(header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const semicolon = header.indexOf(';')
  if (semicolon === -1) return header.toLowerCase()
  return CHARSET.test(header.slice(semicolon + 1)) ? header.slice(0, semicolon).toLowerCase() : undefined
}

/**
 * One route for every vendor: the raw bytes are verified by the connector and answered 200 only after they are committed. What the body
 * means is decided later, by the drain. 401 stores nothing; 503 tells the vendor to bring the message again.
 */
export async function registerWebhooks(
  app: App,
  hub: Hub,
  intake: Pick<Intake, 'accept'>,
  metrics: Metrics,
): Promise<void> {
  const receivers = receiversOf(hub)
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (request: FastifyRequest, payload: Readable) =>
      readBody(payload, request.webhook?.bytes_max ?? 0),
    )
    scope.decorateRequest('webhook', null)
    scope.post<{ Params: { connection: string } }>(
      '/webhooks/:connection',
      {
        schema: { hide: true },
        config: { quiet: true },
        onRequest: (request, _reply, next) => next(admit(receivers, request)),
        onError: (request, reply, error, next) => {
          const code = error instanceof HubError ? error.code : 'internal'
          // What is left of a body that was too large is not worth reading.
          if (code === 'payload_too_large') void reply.header('connection', 'close')
          metrics.webhooks.inc({ connection: request.webhook?.connection.id ?? '', result: ENDINGS[code] ?? 'failed' })
          next()
        },
      },
      async (request, reply) => {
        const result = await receive(request, hub, intake)
        metrics.webhooks.inc({ connection: request.webhook?.connection.id ?? '', result })
        return reply.type('application/json; charset=utf-8').send(ANSWERS[result])
      },
    )
    done()
  })
}

function receiversOf(hub: Hub): ReadonlyMap<string, Receiver> {
  return new Map(
    [...hub.connections.values()].flatMap((connection): [string, Receiver][] => {
      const definition = connection.connector.webhook
      if (definition === undefined) return []
      const types = new Set(definition.content_types.map((type) => type.toLowerCase()))
      return [[connection.id, { connection, definition, types, bytes_max: connection.config.webhooks.body_bytes_max }]]
    }),
  )
}

/** Everything that can be said before the first byte of the body is read. */
function admit(receivers: ReadonlyMap<string, Receiver>, request: FastifyRequest): HubError | undefined {
  const receiver = receivers.get((request.params as { connection: string }).connection)
  if (receiver === undefined) return new HubError('not_found', 'there is nothing here')
  request.webhook = receiver
  const { headers } = request
  const type = contentTypeOf(headers['content-type'])
  const encoding = headers['content-encoding']
  if (type === undefined || !receiver.types.has(type) || (encoding !== undefined && encoding !== 'identity')) {
    return new HubError('unsupported_media_type', 'this content type is not taken here', {
      hint: [...receiver.types].join(', '),
    })
  }
  return Number(headers['content-length'] ?? 0) > receiver.bytes_max ? tooLarge(receiver.bytes_max) : undefined
}

/** Reads the body up to the connection's own limit; Fastify's parsers know only one limit for the route. */
function readBody(payload: Readable, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    const onData = (chunk: Buffer): void => {
      length += chunk.length
      if (length <= bytesMax) return void chunks.push(chunk)
      payload.off('data', onData).pause()
      reject(tooLarge(bytesMax))
    }
    payload.on('data', onData)
    payload.on('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length)),
    )
    payload.on('error', () => reject(new HubError('bad_request', 'the body ended before its time')))
  })
}

const tooLarge = (bytesMax: number): HubError =>
  new HubError('payload_too_large', `the body is larger than ${bytesMax} bytes`)

async function receive(
  request: FastifyRequest,
  hub: Hub,
  intake: Pick<Intake, 'accept'>,
): Promise<keyof typeof ANSWERS> {
  if (request.webhook === null) throw new HubError('internal', 'a delivery without a receiver')
  const { connection, definition } = request.webhook
  const received_at = hub.clock.now()
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
  const delivery: WebhookRequest = {
    body,
    headers: plainHeaders(request.headers),
    received_at_ms: received_at.getTime(),
  }
  if (definition.acknowledges?.(delivery) === true) return 'acknowledged'
  const verdict = verify(definition, delivery, connection)
  if (!verdict.ok) {
    request.log.warn({ connection: connection.id, reason: verdict.reason }, 'webhook refused')
    throw new HubError('unauthorized', 'the signature does not hold')
  }
  const topic = definition.topic(delivery)
  if (topic === 'ignore') return 'ignored'
  const dedupe_key = definition.dedupeKey(delivery)
  if (dedupe_key === '') throw new HubError('bad_request', 'the delivery names nothing to tell it from others by')
  const observed_at = definition.observedAt?.(delivery) ?? received_at
  return intake.accept({
    connection_id: connection.id,
    source: 'webhook',
    topic,
    dedupe_key,
    body,
    observed_at,
    received_at,
  })
}

/** A verification that fails to run has not verified anything. */
function verify(definition: WebhookDefinition<unknown>, delivery: WebhookRequest, connection: Connection): Verdict {
  try {
    return definition.verify(delivery, connection.port.settings)
  } catch (thrown) {
    return { ok: false, reason: thrown instanceof HubError ? thrown.code : 'the verification failed to run' }
  }
}

/** Node lists only Set-Cookie; any other header that was sent twice has been joined, and then no longer verifies. */
function plainHeaders(headers: IncomingHttpHeaders): WebhookRequest['headers'] {
  return Array.isArray(headers['set-cookie'])
    ? { ...headers, 'set-cookie': undefined }
    : (headers as WebhookRequest['headers'])
}
