import { reserveHolds } from '../../core/holds/reserve.ts'
import type { HoldRequest, HoldVerdict } from '../../core/holds/wishes.ts'
import { asHubError, HubError } from '../../core/errors.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'

const BATCH_MAX = 500
/** While one batch commits the next one fills; a third would only wait for the same stock. */
const BATCHES_MAX = 2
const WAITING_MAX = 5_000
const BUSY_RETRY_AFTER_MS = 1_000

export interface HoldBatcher {
  /** Resolves after the commit. `database_unavailable` with `retry_after_ms` when too many wait already. */
  ask: (request: HoldRequest) => Promise<HoldVerdict>
  /** Waits for what was asked. */
  close: () => Promise<void>
}

interface Waiting {
  request: HoldRequest
  resolve: (verdict: HoldVerdict) => void
  reject: (thrown: unknown) => void
}

/**
 * Gathers the wishes that arrive while the database is busy and decides them together (no timer: a lone wish leaves at once). On a SKU
 * that everybody wants, one lock and one commit then serve hundreds of carts. `onMade` is told after a batch that kept units.
 */
export function createHoldBatcher(decide: Decide, onMade: () => void): HoldBatcher {
  const waiting: Waiting[] = []
  const running = new Set<Promise<void>>()

  const flush = async (batch: readonly Waiting[]): Promise<void> => {
    const answers = await decideAll(decide, batch)
    let made = 0
    batch.forEach(({ resolve, reject }, index) => {
      const answer = answers[index]
      if (answer === undefined || answer instanceof Error)
        return reject(answer ?? new HubError('internal', 'no verdict'))
      if (answer.kind === 'held') made += 1
      resolve(answer)
    })
    if (made > 0) onMade()
  }

  const pump = (): void => {
    while (waiting.length > 0 && running.size < BATCHES_MAX) {
      const one: Promise<void> = flush(waiting.splice(0, BATCH_MAX)).finally(() => {
        running.delete(one)
        pump()
      })
      running.add(one)
    }
  }

  return {
    ask: (request) => {
      if (waiting.length >= WAITING_MAX) {
        const detail = { retry_after_ms: BUSY_RETRY_AFTER_MS }
        return Promise.reject(new HubError('database_unavailable', 'too many holds wait to be decided', detail))
      }
      const { promise, resolve, reject } = Promise.withResolvers<HoldVerdict>()
      waiting.push({ request, resolve, reject })
      // What arrives in the same turn of the event loop goes together.
      if (waiting.length === 1) setImmediate(pump)
      return promise
    },
    close: async () => {
      while (waiting.length > 0 || running.size > 0) {
        pump()
        await Promise.allSettled(running)
      }
    },
  }
}

/** Decides one batch in a transaction of its own. */
export type Decide = (requests: readonly HoldRequest[]) => Promise<HoldVerdict[]>

export const decideInHub =
  (hub: Hub): Decide =>
  (requests) => {
    const ctx = coreContext(hub)
    return inTransaction(hub.db, (tx) => reserveHolds(tx, ctx, requests))
  }

/** One wish that cannot be decided must not take its neighbours with it: they are then decided one by one. */
async function decideAll(decide: Decide, batch: readonly Waiting[]): Promise<(HoldVerdict | Error)[]> {
  try {
    return await decide(batch.map(({ request }) => request))
  } catch (thrown) {
    const fault = asHubError(thrown)
    if (fault.code === 'database_unavailable' || batch.length === 1) return batch.map(() => fault)
    const answers: (HoldVerdict | Error)[] = []
    for (const { request } of batch) answers.push(await decide([request]).then(([one]) => one ?? fault, asHubError))
    return answers
  }
}
