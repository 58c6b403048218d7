import { HubError } from '../core/errors.ts'
import { writeAudit } from '../db/audit.ts'
import { recordAttempt } from '../db/attempts.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import { forceAll, wakeDrain, wakePush } from './wake.ts'

/** Stops everything between the hub and one vendor account; messages are still taken in and kept. */
export async function pauseConnection(hub: Hub, id: string, reason: string, actor: string): Promise<void> {
  await setState(hub, id, { state: 'paused', reason, action: 'connection.pause', actor })
}

/** Lets a paused or failing account work again, with a closed breaker, and wakes what waited. */
export async function resumeConnection(hub: Hub, id: string, actor: string): Promise<void> {
  await setState(hub, id, { state: 'active', reason: null, action: 'connection.resume', actor })
  await forceAll(hub, [wakeDrain(id), wakePush(id)])
}

/** A cheap authenticated call; returns the connector's one line that shows a real record. Faults: `unsupported`, or the vendor's. */
export async function testConnection(hub: Hub, id: string): Promise<string> {
  const connection = connectionOf(hub, id)
  const { test } = connection.connector
  if (test === undefined)
    throw new HubError('unsupported', `${connection.connector.label} has nothing to test a connection with`)
  const at = hub.clock.now()
  const note = async (outcome: string, error?: HubError): Promise<void> =>
    recordAttempt(hub.db, {
      connection_id: id,
      subject: 'test',
      operation: 'test',
      at,
      duration_ms: hub.clock.now().getTime() - at.getTime(),
      outcome,
      status: error?.status,
      error_code: error?.code,
    })
  try {
    const line = await test(connection.port)
    await note('done')
    return line
  } catch (thrown) {
    if (thrown instanceof HubError) await note('failed', thrown)
    throw thrown
  }
}

function connectionOf(hub: Hub, id: string): Connection {
  const connection = hub.connections.get(id)
  if (connection === undefined) throw new HubError('not_found', `there is no connection ${id}`)
  return connection
}

interface StateChange {
  state: 'active' | 'paused'
  reason: string | null
  action: string
  actor: string
}

async function setState(hub: Hub, id: string, change: StateChange): Promise<void> {
  connectionOf(hub, id)
  const now = hub.clock.now()
  await inTransaction(hub.db, async (tx) => {
    const rows = await tx.query(
      'update connections set state = $2, state_reason = $3, state_at = $4 where id = $1 returning id',
      [id, change.state, change.reason, now],
    )
    if (rows.length === 0) throw new HubError('not_found', `there is no connection ${id}`)
    if (change.state === 'active') await tx.query('delete from breakers where connection_id = $1', [id])
    const data = change.reason === null ? {} : { reason: change.reason }
    await writeAudit(tx, { at: now, actor: change.actor, action: change.action, subject: `connection:${id}`, data })
  })
}
