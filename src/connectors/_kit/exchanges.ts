import { AsyncLocalStorage } from 'node:async_hooks'
import type { HttpAttempt } from './http.ts'

/**
 * Which HTTP exchanges belong to which job. Calls of many jobs run side by side through one client per connection, so each job
 * carries its own list along its own chain of awaits.
 */
const lists = new AsyncLocalStorage<HttpAttempt[]>()
/** A pull of a thousand pages must not grow one log line without end; the first and the last calls tell most. */
const KEEP_MAX = 20

export const withExchanges = <T>(work: () => Promise<T>): Promise<T> => lists.run([], work)

export function noteExchange(attempt: HttpAttempt): void {
  const list = lists.getStore()
  if (list === undefined) return
  if (list.length >= KEEP_MAX) list.splice(KEEP_MAX / 2, 1)
  list.push(attempt)
}

export interface Exchanges {
  request?: { calls: Pick<HttpAttempt, 'operation' | 'method' | 'path' | 'request'>[] }
  response?: { calls: Pick<HttpAttempt, 'status' | 'duration_ms' | 'outcome' | 'response'>[] }
}

/** The exchanges of this job since the last look, redacted, in the shape of the attempt log. Empty where nothing was called. */
export function takeExchanges(): Exchanges {
  const taken = lists.getStore()?.splice(0) ?? []
  if (taken.length === 0) return {}
  return {
    request: { calls: taken.map(({ operation, method, path, request }) => ({ operation, method, path, request })) },
    response: {
      calls: taken.map(({ status, duration_ms, outcome, response }) => ({ status, duration_ms, outcome, response })),
    },
  }
}
