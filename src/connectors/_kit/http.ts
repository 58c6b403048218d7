import pRetry from 'p-retry'
import { asHubError, HubError } from '../../core/errors.ts'
import { targetUrl, type Resolve } from './address.ts'
import { faultOfAnswer, parseJson } from './answers.ts'
import type { Http, HttpAnswer, HttpCall, HttpDefinition, Transfer } from './define.ts'
import type { Breaker, Limiter } from './limits.ts'
import { redact, redactPath } from './redact.ts'
import { createTokens, type TokenAttempt, type Tokens, type TokenStore } from './tokens.ts'
import { transferFault, transferRequest, transferUrl } from './transfer.ts'
import { lower, openWire, type Send, type WireEnd } from './wire.ts'

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
  /** Needed by a definition with `token`. */
  tokens?: TokenStore
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

/** What every call of one connection shares. */
interface Client<S> extends HttpOptions<S> {
  send: Send
  tokens_of_grant: Tokens | undefined
}

/** What one attempt of a call came to. `quick`: worth repeating at once, where the call allows it. */
type Ending<T> =
  | { fault: undefined; value: T; status: number; response: unknown }
  | { fault: HubError; quick: boolean; status: number | null; response: unknown; refused_token?: string }

const unsent = (fault: HubError): Ending<never> => ({ fault, quick: false, status: null, response: null })

/**
 * The one way out of the hub. Guards, in this order: the address is inside its base URL and public (unless the connection is declared
 * local), the breaker is closed, there is a token, the limit has room; then one exchange without proxy or redirects, capped in time
 * and size. A success is returned, everything else thrown as a `HubError` that names the operation, the status and the vendor's error
 * code. Calls marked `safe` are repeated at most twice at once after connection faults and 502/503/504; every other wait is the job's.
 * An answer 401 under a bearer token means that nothing was done: the token is renewed and any call asked once more.
 */
export function createHttp<S>(options: HttpOptions<S>): Http {
  const send = openWire({ allow_private: options.allow_private, resolve: options.resolve })
  const client: Client<S> = { ...options, send, tokens_of_grant: tokensOf(options, send) }
  return {
    request: async (call) => {
      const log = { operation: call.operation, method: call.method, path: redactPath(call.path), request: redact({ query: call.query ?? {}, body: call.json ?? call.form ?? null }) } // prettier-ignore
      return await repeated(client, call.repeat, log, (refused) => attempt(client, call, refused))
    },
    transfer: async (transfer) => {
      const log = { operation: transfer.operation, method: transfer.method, path: redactPath(URL.parse(transfer.url)?.pathname ?? ''), request: { bytes: transfer.bytes?.length ?? 0 } } // prettier-ignore
      return await repeated(client, 'safe', log, () => carry(client, transfer))
    },
  }
}

type CallLog = Pick<HttpAttempt, 'operation' | 'method' | 'path' | 'request'>

/** One call with its quick repeats. After a 401 the next attempt gets the token that takes the refused one's place. */
async function repeated<S, T>(
  client: Client<S>,
  repeat: HttpCall['repeat'],
  log: CallLog,
  work: (refused: string | undefined) => Promise<Ending<T>>,
): Promise<T> {
  let last: Ending<T> | undefined
  let refused: string | undefined
  const observed = async (): Promise<Ending<T>> => {
    const started = performance.now()
    const ending = await work(refused)
    const { status, response } = ending
    client.observe({ ...log, status, duration_ms: Math.round(performance.now() - started), outcome: ending.fault?.code ?? 'ok', response }) // prettier-ignore
    return ending
  }
  const once = async (): Promise<T> => {
    last = await observed()
    if (last.fault !== undefined && last.refused_token !== undefined && refused === undefined) {
      refused = last.refused_token
      last = await observed()
    }
    if (last.fault !== undefined) throw last.fault
    return last.value
  }
  return await pRetry(once, {
    retries: repeat === 'safe' ? QUICK_RETRIES : 0,
    minTimeout: Math.round(QUICK_RETRY_MS * (1 + client.random())),
    factor: 2,
    shouldRetry: () => last?.fault !== undefined && last.quick,
  })
}

async function attempt<S>(client: Client<S>, call: HttpCall, refused: string | undefined): Promise<Ending<HttpAnswer>> {
  let ending: Ending<HttpAnswer> | undefined
  try {
    const url = urlOf(client, call)
    client.breaker.check()
    const token = await tokenFor(client, refused)
    await client.limiter.take(call.lane ?? 'bulk', call.operation)
    // The breaker learns from what is thrown through it; the ending itself keeps the answer for the attempt log.
    await client.breaker.run(async () => {
      ending = await exchange(client, call, url, token)
      if (ending.fault !== undefined) throw ending.fault
    })
  } catch (thrown) {
    ending ??= unsent(asHubError(thrown))
  }
  return ending ?? unsent(new HubError('internal', `${call.operation} was not run`))
}

const tokenFor = async <S>({ tokens_of_grant: tokens }: Client<S>, refused: string | undefined) =>
  refused === undefined ? await tokens?.current() : await tokens?.instead(refused)

function urlOf<S>({ definition, settings, allow_private }: Client<S>, call: HttpCall): URL {
  const base = call.base === undefined ? definition.baseUrl : definition.bases?.[call.base]
  if (base === undefined)
    throw new HubError('internal', `${call.operation} names a host that the connector does not have`)
  const url = targetUrl(base(settings), call.path, allow_private)
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined) url.searchParams.set(name, String(value))
  }
  return url
}

async function exchange<S>(
  client: Client<S>,
  call: HttpCall,
  url: URL,
  token: string | undefined,
): Promise<Ending<HttpAnswer>> {
  const { definition, settings } = client
  const body = bodyOf(call)
  const end = await client.send({
    operation: call.operation,
    repeat: call.repeat,
    method: call.method,
    url,
    headers: {
      accept: 'application/json',
      ...body?.headers,
      ...lower(definition.headers(settings)),
      ...(token === undefined ? {} : lower(carried(client, token))),
      ...lower(call.headers),
    },
    ...(body === undefined ? {} : { body: body.text }),
    timeout_ms: call.timeout_ms ?? definition.timeout_ms ?? TIMEOUT_MS,
    answer_bytes_max: ANSWER_BYTES_MAX,
  })
  if (end.fault !== undefined) return { ...end, status: null, response: null }
  const answer = answerOf(end)
  const { status } = answer
  const response = answer.body === undefined ? { text_length: answer.text.length } : redact(answer.body)
  const limit = definition.limitOf?.(answer)
  if (limit !== undefined) client.limiter.learn(call.operation, limit)
  const fault = classify(client, call, answer)
  if (fault === undefined) return { fault, value: answer, status, response }
  // A vendor that names a time is not asked earlier, and throttling is never answered by asking again at once.
  const quick = QUICK_STATUSES.has(status) && fault.retry_after_ms === undefined
  const refuses = token !== undefined && (definition.tokenRefused?.(answer) ?? status === 401)
  return { fault, quick, status, response, ...(refuses ? { refused_token: token } : {}) }
}

function carried<S>({ definition, settings }: Client<S>, token: string): Record<string, string> {
  return definition.token?.(settings).carry?.(token) ?? { authorization: `Bearer ${token}` }
}

function classify<S>(client: Client<S>, call: HttpCall, answer: HttpAnswer): HubError | undefined {
  const own = client.definition.classify?.(answer)
  if (own === undefined) return faultOfAnswer(call, answer, client.now())
  const { code, detail, retry_after_ms } = own
  return new HubError(code, `${call.operation}: ${detail}`, {
    status: answer.status,
    ...(retry_after_ms === undefined ? {} : { retry_after_ms }),
  })
}

async function carry<S>(client: Client<S>, transfer: Transfer): Promise<Ending<Buffer>> {
  const { definition, settings, allow_private } = client
  let ending: Ending<Buffer> | undefined
  try {
    const url = transferUrl(transfer, definition.transfer_hosts?.(settings) ?? [], allow_private)
    client.breaker.check()
    await client.breaker.run(async () => {
      const end = await client.send(transferRequest(transfer, url))
      const fault = transferFault(transfer, end, client.now())
      const status = end.fault === undefined ? end.status : null
      const response = end.fault === undefined ? { bytes: end.bytes.length } : null
      const quick = end.fault === undefined ? QUICK_STATUSES.has(end.status) : end.quick
      if (fault === undefined && end.fault === undefined)
        ending = { fault, value: end.bytes, status: end.status, response }
      else
        ending = {
          fault: fault ?? new HubError('internal', `${transfer.operation} came to nothing`),
          quick,
          status,
          response,
        }
      if (ending.fault !== undefined) throw ending.fault
    })
  } catch (thrown) {
    ending ??= unsent(asHubError(thrown))
  }
  return ending ?? unsent(new HubError('internal', `${transfer.operation} was not run`))
}

function tokensOf<S>(options: HttpOptions<S>, send: Send): Tokens | undefined {
  const grant = options.definition.token?.(options.settings)
  if (grant === undefined) return undefined
  const store = options.tokens
  if (store === undefined) throw new HubError('internal', `${options.connection_id} has nowhere to keep its token`)
  return createTokens({
    connection_id: options.connection_id,
    grant,
    url: () => {
      const url = URL.parse(grant.url)
      if (url === null) throw new HubError('address_refused', 'the address of the token endpoint cannot be read')
      return targetUrl(url.origin, `${url.pathname}${url.search}`, options.allow_private)
    },
    store,
    send,
    guard: (work) => options.breaker.run(work),
    observe: (attempt) => options.observe(tokenLog(attempt)),
    now: options.now,
  })
}

const tokenLog = ({ url, grant, status, duration_ms, fault }: TokenAttempt): HttpAttempt => ({
  operation: 'token',
  method: 'POST',
  path: redactPath(url.pathname),
  status,
  duration_ms,
  outcome: fault?.code ?? 'ok',
  request: { grant },
  response: null,
})

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

/** Text is UTF-8; a byte order mark is none of it. */
function answerOf({ status, headers, bytes }: Extract<WireEnd, { fault: undefined }>): HttpAnswer {
  const text = bytes.toString('utf8').replace(/^﻿/, '')
  const json = parseJson(text)
  return { status, headers, body: json.ok ? json.value : undefined, text }
}
