import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import axios, { type AxiosResponse } from 'axios'
import { HubError } from '../../core/errors.ts'
import { guardedLookup, systemResolve, type Resolve } from './address.ts'
import { faultOfSilence, type Asked } from './answers.ts'

/** One request as it goes out: the address has been judged, the credentials are among the headers. */
export interface WireRequest extends Asked {
  method: string
  url: URL
  headers: Readonly<Record<string, string>>
  body?: string | Buffer
  timeout_ms: number
  answer_bytes_max: number
}

/** What came back, or why nothing did. `quick`: worth asking again at once, where the request allows it. */
export type WireEnd =
  | { fault: undefined; status: number; headers: Record<string, string | undefined>; bytes: Buffer }
  | { fault: HubError; quick: boolean }

export type Send = (request: WireRequest) => Promise<WireEnd>

interface Agents {
  http: http.Agent
  https: https.Agent
}

const USER_AGENT = 'Crossdock/0.1'

/**
 * The one place where requests leave the hub. Names are resolved by a lookup that refuses private addresses (unless the connection is
 * declared local); no proxy, no redirects, capped in time and size. Any answer is a success here: what it means is the caller's.
 */
export function openWire(options: { allow_private: boolean; resolve: Resolve | undefined }): Send {
  const lookup = guardedLookup(options.resolve ?? systemResolve, options.allow_private)
  const kept = agentsOf({ keepAlive: true, maxSockets: 16, lookup })
  // A kept socket may die at the very moment it is reused, which leaves a write in doubt; a fresh one has no such moment.
  const fresh = agentsOf({ keepAlive: false, lookup })
  return (request) => exchange(request, request.repeat === 'safe' ? kept : fresh)
}

async function exchange(request: WireRequest, agents: Agents): Promise<WireEnd> {
  const signal = AbortSignal.timeout(request.timeout_ms)
  const trace = { sent: false }
  try {
    const response = await axios.request<Buffer>({
      url: request.url.href,
      method: request.method,
      headers: { 'user-agent': USER_AGENT, ...lower(request.headers) },
      ...(request.body === undefined ? {} : { data: request.body }),
      httpAgent: agents.http,
      httpsAgent: agents.https,
      transport: tracedTransport(request.url, trace),
      proxy: false,
      maxRedirects: 0,
      maxContentLength: request.answer_bytes_max,
      maxBodyLength: Infinity,
      responseType: 'arraybuffer',
      transformRequest: [(data: unknown) => data],
      transformResponse: [(data: unknown) => data],
      validateStatus: () => true,
      signal,
    })
    return { fault: undefined, status: response.status, headers: headersOf(response), bytes: bytesOf(response) }
  } catch (thrown) {
    const fault = silence(request, thrown, { sent: trace.sent, timed_out: signal.aborted })
    const { code } = fault
    return { fault, quick: !signal.aborted && (code === 'vendor_unreachable' || code === 'vendor_timeout') }
  }
}

function silence(request: WireRequest, thrown: unknown, how: { sent: boolean; timed_out: boolean }): HubError {
  const cause = thrown instanceof Error ? thrown.cause : undefined
  const ours = [thrown, cause].find((error) => error instanceof HubError)
  if (ours !== undefined) return ours
  const code = [cause, thrown].map((error) => (error instanceof Error && 'code' in error ? String(error.code) : '')).find((text) => text !== '') // prettier-ignore
  if (thrown instanceof Error && thrown.message.startsWith('maxContentLength')) {
    const fault = request.repeat === 'once' ? 'outcome_unknown' : 'vendor_response_invalid'
    return new HubError(fault, `${request.operation} answered with more than ${request.answer_bytes_max} bytes`)
  }
  return faultOfSilence(request, { code: code ?? '', ...how })
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

/** Header names differ in case between connector and call; only in one case does the later one win. */
export function lower(headers: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
}

function headersOf(response: AxiosResponse): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name.toLowerCase(), headerText(value)]),
  )
}

function headerText(value: unknown): string | undefined {
  if (Array.isArray(value)) return value.join(', ')
  return typeof value === 'string' ? value : undefined
}

const bytesOf = (response: AxiosResponse<unknown>): Buffer =>
  Buffer.isBuffer(response.data) ? response.data : Buffer.alloc(0)
