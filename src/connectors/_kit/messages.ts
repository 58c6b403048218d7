import http from 'node:http'
import https from 'node:https'
import { DeleteMessageBatchCommand, ReceiveMessageCommand, SQSClient, type Message } from '@aws-sdk/client-sqs'
import { HubError, type ErrorCode } from '../../core/errors.ts'
import { guardedLookup, systemResolve, targetUrl, type Resolve } from './address.ts'
import type { MessageQueue, MessageQueueSettings, QueueMessage } from './define.ts'
import type { HttpAttempt } from './http.ts'

export interface MessageQueueOptions {
  settings: MessageQueueSettings
  /** True only for a connection that is declared local. */
  allow_private: boolean
  observe: (attempt: HttpAttempt) => void
  /** Name resolution; the system's unless a test brings its own. */
  resolve?: Resolve
}

/** What one receive and one removal may name at most (SQS API reference). */
const BATCH_MAX = 10
const WAIT_S_MAX = 20
const TIMEOUT_MS = 10_000
/** A second try corrects our clock by the vendor's, which a signature depends on. */
const ATTEMPTS_MAX = 2

/** The service's own words, by what they mean to the hub. Any other is judged by its status. */
const WORDS: readonly [RegExp, ErrorCode][] = [
  [/NonExistentQueue|QueueDoesNotExist|NotFound/, 'vendor_not_found'],
  [/AccessDenied|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|ExpiredToken|InvalidAccessKeyId|InvalidSecurity|MissingAuthentication|IncompleteSignature|OptInRequired/, 'vendor_auth'], // prettier-ignore
  [/RequestExpired|RequestTimeTooSkewed|RequestInTheFuture/, 'vendor_unavailable'],
  [/Throttl|TooManyRequests|OverLimit|RequestLimitExceeded|SlowDown/, 'vendor_throttled'],
]

/**
 * A queue that speaks the protocol of Amazon SQS. Messages that are received stay in the queue, hidden for as long as the queue says,
 * until they are removed: what was not stored in time is received again. Faults are coded as those of HTTP calls are; addresses are
 * guarded in the same way.
 */
export function createMessageQueue(options: MessageQueueOptions): MessageQueue {
  const { settings } = options
  let opened: SQSClient | undefined
  const client = (): SQSClient => (opened ??= openClient(options))
  const QueueUrl = settings.queue_url
  return {
    receive: async ({ messages_max, wait_ms }) => {
      const WaitTimeSeconds = Math.min(WAIT_S_MAX, Math.max(0, Math.round(wait_ms / 1000)))
      const MaxNumberOfMessages = Math.min(BATCH_MAX, Math.max(1, messages_max))
      const abortSignal = AbortSignal.timeout(WaitTimeSeconds * 1000 + TIMEOUT_MS)
      const work = (): Promise<QueueMessage[]> =>
        client()
          .send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds, MaxNumberOfMessages }), { abortSignal })
          .then(({ Messages }) => (Messages ?? []).map(messageOf))
      return await observed(options, 'ReceiveMessage', { messages: MaxNumberOfMessages }, work, (got) => got.length)
    },
    remove: async (handles) => {
      for (let from = 0; from < handles.length; from += BATCH_MAX) {
        const batch = handles.slice(from, from + BATCH_MAX)
        const Entries = batch.map((ReceiptHandle, index) => ({ Id: `${index}`, ReceiptHandle }))
        const abortSignal = AbortSignal.timeout(TIMEOUT_MS)
        const work = async (): Promise<void> => {
          const answer = await client().send(new DeleteMessageBatchCommand({ QueueUrl, Entries }), { abortSignal })
          // A handle that has lapsed is the sender's fault to them; the message comes again and is known by its key then.
          const failed = (answer.Failed ?? []).filter(({ SenderFault }) => SenderFault !== true)
          if (failed.length > 0)
            throw new HubError('vendor_unavailable', `${failed.length} of ${batch.length} messages were not removed`)
        }
        await observed(options, 'DeleteMessageBatch', { messages: batch.length }, work, () => batch.length)
      }
    },
  }
}

/** Region, address and keys come from the settings alone: the library would otherwise look into the environment and home folder. */
function openClient({ settings, allow_private, resolve }: MessageQueueOptions): SQSClient {
  const endpoint = settings.endpoint ?? originOf(settings.queue_url)
  // A queue's URL is only its name once the endpoint is set, and is never connected to.
  targetUrl(endpoint, '', allow_private)
  const lookup = guardedLookup(resolve ?? systemResolve, allow_private)
  return new SQSClient({
    region: settings.region,
    endpoint,
    useQueueUrlAsEndpoint: false,
    credentials: { accessKeyId: settings.access_key_id, secretAccessKey: settings.secret_access_key },
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: {
      httpAgent: new http.Agent({ keepAlive: true, lookup }),
      httpsAgent: new https.Agent({ keepAlive: true, lookup }),
      connectionTimeout: TIMEOUT_MS,
    },
  })
}

function originOf(queue_url: string): string {
  const url = URL.parse(queue_url)
  if (url === null) throw new HubError('address_refused', 'the URL of the queue cannot be read')
  return url.origin
}

function messageOf({ MessageId: id, ReceiptHandle: handle, Body: body }: Message): QueueMessage {
  if (id === undefined || handle === undefined || body === undefined)
    throw new HubError('vendor_response_invalid', 'a message came without its id, its handle or its body')
  return { id, handle, body }
}

async function observed<T>(
  options: MessageQueueOptions,
  operation: string,
  request: object,
  work: () => Promise<T>,
  count: (value: T) => number,
): Promise<T> {
  const started = performance.now()
  const note = (status: number | null, outcome: string, response: object | null): void =>
    options.observe({ operation, method: 'POST', path: '/', status, duration_ms: Math.round(performance.now() - started), outcome, request, response }) // prettier-ignore
  try {
    const value = await work()
    note(200, 'ok', { messages: count(value) })
    return value
  } catch (thrown) {
    const fault = messageFault(operation, thrown)
    note(fault.status ?? null, fault.code, null)
    throw fault
  }
}

/** What the library threw, coded. Pure. Its own message is left out, because it quotes the queue's name and the caller's account. */
function messageFault(operation: string, thrown: unknown): HubError {
  const chain = causesOf(thrown)
  const ours = chain.find((error) => error instanceof HubError)
  if (ours !== undefined) return ours
  const words = chain.flatMap((error) => [textAt(error, 'name'), textAt(error, 'code')])
  const status = statusOf(thrown)
  const word = words.find((text) => /^[\w.]{3,80}$/.test(text) && !/^(Error|TypeError)$/.test(text)) ?? ''
  if (words.some((text) => /^(AbortError|TimeoutError|ETIMEDOUT|ECONNABORTED)$/.test(text)))
    return new HubError('vendor_timeout', `${operation} had no answer in time`)
  const named = WORDS.find(([pattern]) => words.some((text) => pattern.test(text)))?.[1]
  if (status === undefined && named === undefined) {
    const unreadable = chain.some((error) => error instanceof SyntaxError || /MD5|deserializ/i.test(textAt(error, 'message'))) // prettier-ignore
    return new HubError(unreadable ? 'vendor_response_invalid' : 'vendor_unreachable', `${operation} ended without a usable answer${word === '' ? '' : ` (${word})`}`) // prettier-ignore
  }
  return new HubError(named ?? codeOfStatus(status ?? 500), `${operation} answered ${status ?? 'with a fault'}${word === '' ? '' : ` (${word})`}`, status === undefined ? {} : { status }) // prettier-ignore
}

function codeOfStatus(status: number): ErrorCode {
  if (status < 300) return 'vendor_response_invalid'
  if (status === 401 || status === 403) return 'vendor_auth'
  if (status === 408 || status === 429) return 'vendor_throttled'
  return status >= 500 ? 'vendor_unavailable' : 'vendor_rejected'
}

function causesOf(thrown: unknown): unknown[] {
  const chain: unknown[] = []
  for (
    let error = thrown;
    error !== undefined && error !== null && chain.length < 5;
    error = error instanceof Error ? error.cause : undefined
  )
    chain.push(error)
  return chain
}

function textAt(value: unknown, key: string): string {
  const found = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined
  return typeof found === 'string' ? found : ''
}

function statusOf(thrown: unknown): number | undefined {
  const metadata = typeof thrown === 'object' && thrown !== null && '$metadata' in thrown ? thrown.$metadata : undefined
  const status = typeof metadata === 'object' && metadata !== null && 'httpStatusCode' in metadata ? metadata.httpStatusCode : undefined // prettier-ignore
  return typeof status === 'number' ? status : undefined
}
