import type { VendorAnswer, VendorRequest } from '../vendorServer.ts'
import type { Account } from './account.ts'
import type { Store } from './orderJson.ts'
import type { Meter } from './plans.ts'

export interface Credentials {
  client_id: string
  client_secret: string
  refresh_token: string
}

/** What every route of the API may use. */
export interface ApiOptions {
  account: Account
  store: Store
  seller_id: string
  now: () => Date
  meter: Meter
  /** Whether this access token is good; null: none was sent. */
  lets_in: (token: string | null) => boolean
  /** A document's address that is good for five minutes. */
  sign: (document_id: string) => string
  page_size: number
  /** Orders show up in a search this long after they changed. */
  search_lag_ms: number
  /** How long a feed takes. */
  feed_ms: number
}

export interface ApiCall {
  request: VendorRequest
  options: ApiOptions
  /** The parts of the path, decoded. */
  ids: readonly string[]
}

export interface Route {
  method: string
  path: RegExp
  operation: string
  handle: (call: ApiCall) => VendorAnswer
}

export const json = (status: number, value: unknown): VendorAnswer => ({ status, body: JSON.stringify(value) })

/** The API's one way of refusing. */
export const refused = (status: number, code: string, message: string, details = ''): VendorAnswer =>
  json(status, { errors: [{ code, message, details }] })

export const invalid = (details: string): VendorAnswer =>
  refused(400, 'InvalidInput', 'The input you have submitted is not valid.', details)
export const absent = (what: string): VendorAnswer => refused(404, 'NotFound', `${what} was not found.`)

export const listOf = (value: string | null): string[] => (value === null || value === '' ? [] : value.split(','))

/** Finds the route, checks the token, takes the call out of its plan's bucket, and tells the plan in the answer. */
export function answerApi(routes: readonly Route[], request: VendorRequest, options: ApiOptions): VendorAnswer {
  const token = request.headers['x-amz-access-token']
  for (const { method, path, operation, handle } of routes) {
    const match = request.method === method ? path.exec(request.path) : null
    if (match === null) continue
    if (!options.lets_in(typeof token === 'string' ? token : null)) {
      const details =
        typeof token === 'string'
          ? 'The access token you provided has expired.'
          : 'Access token is missing in the request header.'
      return refused(403, 'Unauthorized', 'Access to requested resource is denied.', details)
    }
    const { allowed, rate } = options.meter(operation)
    if (!allowed) return refused(429, 'QuotaExceeded', 'You exceeded your quota for the requested resource.')
    const answer = handle({ request, options, ids: match.slice(1).map(decodeURIComponent) })
    return { ...answer, headers: { 'x-amzn-ratelimit-limit': String(rate), ...answer.headers } }
  }
  return refused(404, 'NotFound', 'The requested resource does not exist.')
}

/** The body as JSON; undefined when it is none. */
export function bodyOf(request: VendorRequest): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(request.body)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
