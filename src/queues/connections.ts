import { noteChecks } from '../core/connections/noteChecks.ts'
import { tidyChecks, type CheckResult } from '../core/connections/rulesChecks.ts'
import { asHubError, HubError } from '../core/errors.ts'
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

export interface TestedConnection {
  /** The connector's one line that shows a real record; of a connector with checks alone, how many there were. */
  shown: string
  /** Of connectors that look at more than one thing. */
  checks?: CheckResult[]
}

/** A cheap authenticated call, and the self test where the connector has one. Faults: `unsupported`, or the vendor's. */
export async function testConnection(hub: Hub, id: string): Promise<TestedConnection> {
  const connection = connectionOf(hub, id)
  const { test, selfTest, label } = connection.connector
  if (test === undefined && selfTest === undefined)
    throw new HubError('unsupported', `${label} has nothing to test a connection with`)
  const line = test === undefined ? undefined : await noted(hub, id, 'test', () => test(connection.port))
  if (selfTest === undefined) return { shown: line ?? '' }
  const checks = await runSelfTest(hub, id)
  return { shown: line ?? `${checks.length} check(s) were made`, checks }
}

/**
 * Looks at everything that a connection needs, and keeps what it found with a case for each fault. A vendor that refuses is a check
 * that failed; one that cannot be asked just now is thrown, because that says nothing about the connection.
 */
export async function runSelfTest(hub: Hub, id: string): Promise<CheckResult[]> {
  const { connector, config, port } = connectionOf(hub, id)
  const { selfTest } = connector
  if (selfTest === undefined) throw new HubError('unsupported', `${connector.label} has no self test`)
  const asked = await noted(hub, id, 'self_test', () => selfTest(port, hub.clock.now())).catch((thrown: unknown) => {
    const fault = asHubError(thrown)
    if (fault.next === 'retry') throw fault
    return [{ name: 'connection', ok: false, detail: `${fault.code}: ${fault.message}` }]
  })
  const checks = tidyChecks(asked)
  await inTransaction(hub.db, (tx) => noteChecks(tx, { id, company_id: config.company }, checks, hub.clock.now()))
  return checks
}

/** Runs a call to the vendor that no message asked for, and keeps how it ended. */
async function noted<T>(hub: Hub, id: string, operation: string, work: () => Promise<T>): Promise<T> {
  const at = hub.clock.now()
  const note = async (outcome: string, error?: HubError): Promise<void> =>
    recordAttempt(hub.db, {
      connection_id: id,
      subject: 'test',
      operation,
      at,
      duration_ms: hub.clock.now().getTime() - at.getTime(),
      outcome,
      status: error?.status,
      error_code: error?.code,
    })
  try {
    const value = await work()
    await note('done')
    return value
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
