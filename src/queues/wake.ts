import { dueConnections } from '../core/availability/push.ts'
import type { Hub } from '../hub.ts'
import type { Queryable } from '../db/pool.ts'
import type { AddOptions, QueueName } from './define.ts'

/** A wake-up: which queue, which job, about what. The key lets many wake-ups of the same thing become one job. */
export interface Wake {
  queue: QueueName
  name: string
  data: object
  key: string
}

export const wakeDrain = (connection_id: string): Wake => ({
  queue: 'intake',
  name: 'drain',
  data: { connection_id },
  key: `drain-${connection_id}`,
})

export const wakePull = (connection_id: string, stream: string): Wake => ({
  queue: 'pull',
  name: 'pull',
  data: { connection_id, stream },
  key: `pull-${connection_id}-${stream}`,
})

export const wakePush = (connection_id: string): Wake => ({
  queue: 'availability',
  name: 'push',
  data: { connection_id },
  key: `push-${connection_id}`,
})

/** Adds wake-ups that may melt into ones that wait already. A queue that is down costs time only, so it is logged and not thrown. */
export async function wakeAll(hub: Hub, wakes: readonly Wake[]): Promise<void> {
  await addAll(hub, wakes, (wake) => ({ coalesce_key: wake.key }))
}

/**
 * Adds wake-ups whatever else waits: a coalescing key may be held by a job that died with its worker, and then only these get through.
 * The sweeper's, therefore.
 */
export async function forceAll(hub: Hub, wakes: readonly Wake[]): Promise<void> {
  await addAll(hub, wakes, () => ({}))
}

async function addAll(hub: Hub, wakes: readonly Wake[], optionsOf: (wake: Wake) => AddOptions): Promise<void> {
  for (const [queue, group] of Map.groupBy(wakes, (wake) => wake.queue)) {
    try {
      await hub.queues.addMany(
        queue,
        group.map((wake) => ({ name: wake.name, data: wake.data, options: optionsOf(wake) })),
      )
    } catch (thrown) {
      hub.log.warn({ queue, reason: String(thrown) }, 'a wake-up got lost; the sweeper will find its work')
    }
  }
}

/** Connections whose channel has to be told something now and that nobody is telling. One index probe for each. */
export async function connectionsToPush(db: Queryable, candidates: readonly string[], now: Date): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `select c.id from connections c where c.id = any($1::text[]) and c.state = 'active'
       and not exists (select 1 from breakers b where b.connection_id = c.id and b.open_until > $2)`,
    [await dueConnections(db, candidates, now), now],
  )
  return rows.map((row) => row.id)
}

/** After a transaction that moved stock: the channels that show it are told at once. */
export async function wakePushes(hub: Hub): Promise<void> {
  const channels = [...hub.connections.values()].filter(
    ({ connector, config }) => connector.availability !== undefined && config.availability.push,
  )
  if (channels.length === 0) return
  const due = await connectionsToPush(
    hub.db,
    channels.map((connection) => connection.id),
    hub.clock.now(),
  )
  await wakeAll(hub, due.map(wakePush))
}
