import { proofsToCheck, recordReadBack } from '../core/availability/proofs.ts'
import { takeExchanges } from '../connectors/_kit/exchanges.ts'
import { asHubError } from '../core/errors.ts'
import { recordAttempt } from '../db/attempts.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { connectionState } from './effectRows.ts'
import { wakeAll, wakePush } from './wake.ts'

/** Listings of one connection that are looked at in a round. */
const READ_BACK_LISTINGS = 20

/**
 * Asks a channel what it shows of some listings at rest, the oldest proofs first, and compares. What agrees is proven anew; what no
 * order explains becomes a case and is pushed again. A channel that cannot be read now is asked in the next round.
 */
export async function readBackSample(hub: Hub, connectionId: string): Promise<string> {
  const connection = hub.connections.get(connectionId)
  const read = connection?.connector.availability?.read
  if (connection === undefined || read === undefined) return `${connectionId} cannot be read back`
  const state = await connectionState(hub.db, connectionId)
  if (state !== 'active') return `${connectionId} is ${state ?? 'unknown'}; nothing is read back`
  const proofs = await proofsToCheck(hub.db, connectionId, READ_BACK_LISTINGS)
  if (proofs.length === 0) return `${connectionId} has nothing at rest to read back`
  const at = hub.clock.now()
  const started = performance.now()
  const lines = proofs.map(({ listing_id, channel_sku, external, proven_quantity, sold_since_proof }) => {
    const quantity = proven_quantity - sold_since_proof
    return { listing_id, channel_sku, external, quantity, expected: quantity }
  })
  const log = (outcome: string, error?: { code: string; status: number | undefined }): Promise<void> =>
    recordAttempt(hub.db, {
      ...takeExchanges(),
      connection_id: connectionId,
      subject: 'availability:read_back',
      operation: 'read availability back',
      at,
      duration_ms: performance.now() - started,
      outcome,
      status: error?.status,
      error_code: error?.code,
      request: { listings: lines.length },
    })
  let shown: Awaited<ReturnType<typeof read>>
  try {
    shown = await read(connection.port, lines)
  } catch (thrown) {
    const fault = asHubError(thrown)
    await log('failed', fault)
    return `${connectionId} could not be read back (${fault.code})`
  }
  const verdicts = await inTransaction(hub.db, (tx) => recordReadBack(tx, connectionId, proofs, shown, hub.clock.now()))
  const drifted = verdicts.drifted.length
  if (drifted > 0 && connection.config.availability.push) await wakeAll(hub, [wakePush(connectionId)])
  const sentence = `${verdicts.agrees.length} agree, ${verdicts.may_be_sold.length} may have sold, ${drifted} drifted`
  await log(sentence)
  return `read ${connectionId} back: ${sentence}`
}
