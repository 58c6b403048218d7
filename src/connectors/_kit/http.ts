import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import axios, { type AxiosResponse } from 'axios'
import pRetry from 'p-retry'
import { asHubError, HubError } from '../../core/errors.ts'
import { guardedLookup, systemResolve, targetUrl, type Resolve } from './address.ts'
import { faultOfAnswer, faultOfSilence, parseJson } from './answers.ts'
import type { Http, HttpAnswer, HttpCall, HttpDefinition } from './define.ts'
import type { Breaker, Limiter } from './limits.ts'
import { redact, redactPath } from './redact.ts'

/** One exchange with a vendor, redacted, for the attempt log. `outcome` is `ok` or an error code. */
export interface HttpAttempt {
  operation: string
  method: HttpCall['method']
  path: string
  status: number | null
  duration_ms: number
  outcome: string
  request: unknown
  response: unknown
}

export interface HttpOptions<S> {
  connection_id: string
  definition: HttpDefinition<S>
  settings: S
  /** True only for a connection that is declared local (simulators, a vendor inside the same network). */
  allow_private: boolean
  limiter: Limiter
  breaker: Breaker
  observe: (attempt: HttpAttempt) => void
  /** In [0, 1), for jitter. */
  random: () => number
  now: () => Date
  /** Name resolution; the system's unless a test brings its own. */
  resolve?: Resolve
}

const ANSWER_BYTES_MAX = 10_000_000
const TIMEOUT_MS = 30_000
const QUICK_RETRIES = 2
const QUICK_RETRY_MS = 150
/** Gateways that say so for a moment. 500 is not among them: it is a vendor's fault that rarely heals in a second. */
const QUICK_STATUSES = new Set([502, 503, 504])
const USER_AGENT = 'Crossdock/0.1'

interface Agents {
  http: http.Agent
  https: https.Agent
}

/** What one attempt of a call came to. `quick`: worth repeating at once, where the call allows it. */
type Ending =
  | { fault: undefined; answer: HttpAnswer }
  | { fault: HubError; answer: HttpAnswer | undefined; quick: boolean }

/**
 * The one way out of the hub. Guards, in this order: the address is inside the base URL and public (unless the connection is declared
 * local), the breaker is closed, the limit has room; then one exchange without proxy or redirects, capped in time and size.
 * A success is returned, everything else thrown as a `HubError` that names the operation, the status and the vendor's error code.
 * Calls marked `safe` are repeated at most twice at once after connection faults and 502/503/504; every other wait is the job's.
 */
export function createHttp<S>(options: HttpOptions<S>): Http {
  const lookup = guardedLookup(options.resolve ?? systemResolve, options.allow_private)
  const kept = agentsOf({ keepAlive: true, maxSockets: 16, lookup })
  // A kept socket may die at the very moment it is reused, which leaves a write in doubt; a fresh one has no such moment.
  const fresh = agentsOf({ keepAlive: false, lookup })
  return {
    request: async (call) => {
      const agents = call.repeat === 'safe' ? kept : fresh
      const jitter_ms = Math.round(QUICK_RETRY_MS * (1 + options.random()))
      let last: Ending | undefined
      const once = async (): Promise<HttpAnswer> => {
        const started = performance.now()
        last = await attempt(options, call, agents)
        options.observe(attemptOf(call, last, Math.round(performance.now() - started)))
        if (last.fault !== undefined) throw last.fault
        return last.answer
      }
      return await pRetry(once, {
        retries: call.repeat === 'safe' ? QUICK_RETRIES : 0,
        minTimeout: jitter_ms,
        factor: 2,
        shouldRetry: () => last?.fault !== undefined && last.quick,
      })
    },
  }
}

async function attempt<S>(options: HttpOptions<S>, call: HttpCall, agents: Agents): Promise<Ending> {
  let ending: Ending | undefined
  try {
    const url = urlOf(options, call)
    options.breaker.check()
    await options.limiter.take(call.lane ?? 'bulk')
    // The breaker learns from what is thrown through it; the ending itself keeps the answer for the attempt log.
    await options.breaker.run(async () => {
      ending = await exchange(options, call, url, agents)
      if (ending.fault !== undefined) throw ending.fault
    })
  } catch (thrown) {
    ending ??= { fault: asHubError(thrown), answer: undefined, quick: false }
  }
  return ending ?? { fault: new HubError('internal', `${call.operation} was not run`), answer: undefined, quick: false }
}

function urlOf<S>(options: HttpOptions<S>, call: HttpCall): URL {
  const url = targetUrl(options.definition.baseUrl(options.settings), call.path, options.allow_private)
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url
}

async function exchange<S>(options: HttpOptions<S>, call: HttpCall, url: URL, agents: Agents): Promise<Ending> {
  const { definition, settings } = options
  const signal = AbortSignal.timeout(call.timeout_ms ?? definition.timeout_ms ?? TIMEOUT_MS)
  const body = bodyOf(call)
  const trace = { sent: false }
  let response: AxiosResponse<string>
  try {
    response = await axios.request<string>({
      url: url.href,
      method: call.method,
      headers: {
        accept: 'application/json',
        'user-agent': USER_AGENT,
        ...body?.headers,
        ...lower(definition.headers(settings)),
        ...lower(call.headers),
      },
      ...(body === undefined ? {} : { data: body.text }),
      httpAgent: agents.http,
      httpsAgent: agents.https,
      transport: tracedTransport(url, trace),
      proxy: false,
      maxRedirects: 0,
      maxContentLength: ANSWER_BYTES_MAX,
      responseType: 'text',
      transformRequest: [(data: unknown) => data],
      transformResponse: [(data: unknown) => data],
      validateStatus: () => true,
      signal,
    })
  } catch (thrown) {
    const fault = silence(call, thrown, { sent: trace.sent, timed_out: signal.aborted })
    return {
      fault,
      answer: undefined,
      quick: !signal.aborted && (fault.code === 'vendor_unreachable' || fault.code === 'vendor_timeout'),
    }
  }
  const answer = answerOf(response)
  const fault = classify(options, call, answer)
  if (fault === undefined) return { fault, answer }
  // A vendor that names a time is not asked earlier, and throttling is never answered by asking again at once.
  return { fault, answer, quick: QUICK_STATUSES.has(answer.status) && fault.retry_after_ms === undefined }
}

function classify<S>(options: HttpOptions<S>, call: HttpCall, answer: HttpAnswer): HubError | undefined {
  const own = options.definition.classify?.(answer)
  if (own === undefined) return faultOfAnswer(call, answer, options.now())
  const { code, detail, retry_after_ms } = own
  return new HubError(code, `${call.operation}: ${detail}`, {
    status: answer.status,
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  })
}

function silence(call: HttpCall, thrown: unknown, how: { sent: boolean; timed_out: boolean }): HubError {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  const ours = [thrown, cause].find((error) => error instanceof HubError)
  if (ours !== undefined) return ours
  const code = [cause, thrown].map((error) => (error instanceof Error && 'code' in error ? String(error.code) : '')).find((text) => text !== '') // prettier-ignore
  if (thrown instanceof Error && thrown.message.startsWith('maxContentLength')) {
    const fault = call.repeat === 'once' ? 'outcome_unknown' : 'vendor_response_invalid'
    return new HubError(fault, `${call.operation} answered with more than ${ANSWER_BYTES_MAX} bytes`)
  }
  return faultOfSilence(call, { code: code ?? '', ...how })
}

/** Notes when the connection is ready, from where on a request may have reached the vendor although no answer came back. */
function tracedTransport(url: URL, trace: { sent: boolean }): { request: typeof http.request } {
  const secure = url.protocol === 'https:'
  const request = (
    options: https.RequestOptions,
    onResponse: (response: http.IncomingMessage) => void,
  ): http.ClientRequest => {
    const outgoing = secure ? https.request(options, onResponse) : http.request(options, onResponse)
    outgoing.once('socket', (socket: Socket) => {
      if (!socket.connecting) trace.sent = true
      else socket.once(secure ? 'secureConnect' : 'connect', () => void (trace.sent = true))
    })
    return outgoing
  }
  return { request: request as typeof http.request }
}

function agentsOf(settings: https.AgentOptions): Agents {
  return { http: new http.Agent(settings), https: new https.Agent(settings) }
}

function bodyOf(call: HttpCall): { text: string; headers: Record<string, string> } | undefined {
  if (call.json !== undefined && call.form !== undefined)
    throw new HubError('internal', `${call.operation} has two bodies`)
  if (call.json !== undefined)
    return { text: JSON.stringify(call.json), headers: { 'content-type': 'application/json' } }
  if (call.form === undefined) return undefined
  return {
    text: new URLSearchParams(call.form).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }
}

/** Header names differ in case between connector and call; only in one case does the later one win. */
function lower(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
}

function answerOf(response: AxiosResponse<string>): HttpAnswer {
  const text = typeof response.data === 'string' ? response.data : ''
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), headerText(value)]),
  )
  const json = parseJson(text)
  return { status: response.status, headers, body: json.ok ? json.value : undefined, text }
}

function headerText(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : undefined
}

function attemptOf(call: HttpCall, ending: Ending, duration_ms: number): HttpAttempt {
  const { answer } = ending
  return {
    operation: call.operation,
    method: call.method,
    path: redactPath(call.path),
    status: answer?.status ?? null,
    duration_ms,
    outcome: ending.fault?.code ?? 'ok',
    request: redact({ query: call.query ?? {}, body: call.json ?? call.form ?? null }),
    response:
      answer === undefined
        ? null
        : answer.body === undefined
          ? { text_length: answer.text.length }
          : redact(answer.body),
  }
}
