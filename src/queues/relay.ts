import { createHash } from 'node:crypto'
import { EFFECTS, type EffectKind } from '../db/outbox.ts'
import type { Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'

/** How long a group may wait in its queue before the sweeper takes it back: a job that got lost costs this much time. */
const QUEUED_LEASE_MS = 20_000
const RELAY_ROWS_MAX = 500
const RELAY_ROUNDS_MAX = 20
/** A retry has a delayed job of its own; only one that is this late has lost it. */
const RETRY_GRACE_MS = 2_000

interface DueEffect {
  id: number
  connection_id: string
  kind: EffectKind
  key: string
  batch_key: string | null
}

export interface EffectGroup {
  connection_id: string
  kind: EffectKind
  batch_key: string
  ids: number[]
}

/**
 * Moves due effects to jobs, one for each group that leaves in one call. Returns the number of groups. The groups are committed
 * before their jobs are added: a lost job is found by its lease.
 */
export async function relayDue(hub: Hub): Promise<number> {
  let total = 0
  for (let round = 0; round < RELAY_ROUNDS_MAX; round += 1) {
    const { groups, taken } = await inTransaction(hub.db, (tx) => queueDue(tx, hub))
    await addJobs(hub, groups)
    total += groups.length
    if (taken < RELAY_ROWS_MAX) break
  }
  return total
}

async function queueDue(tx: Tx, hub: Hub): Promise<{ groups: EffectGroup[]; taken: number }> {
  const now = hub.clock.now()
  const due = await tx.query<DueEffect>(
    `select o.id, o.connection_id, o.kind, o.key, o.batch_key
     from outbox o join connections c on c.id = o.connection_id
     where o.state = 'pending' and o.next_attempt_at <= case when o.attempts = 0 then $1::timestamptz else $2::timestamptz end
       and c.state = 'active' and o.connection_id = any($3)
       and not exists (select 1 from breakers b where b.connection_id = o.connection_id and b.open_until > $1)
     order by o.next_attempt_at, o.id limit $4 for update of o skip locked`,
    [now, new Date(now.getTime() - RETRY_GRACE_MS), [...hub.connections.keys()], RELAY_ROWS_MAX],
  )
  const groups = groupEffects(due, (effect) => batchMaxOf(hub.connections.get(effect.connection_id), effect.kind))
  await tx.query(
    `update outbox o set state = 'queued', batch_key = g.batch_key, lease_until = $3
     from unnest($1::bigint[], $2::text[]) as g (id, batch_key) where o.id = g.id`,
    [
      groups.flatMap((group) => group.ids),
      groups.flatMap((group) => group.ids.map(() => group.batch_key)),
      new Date(now.getTime() + QUEUED_LEASE_MS),
    ],
  )
  return { groups, taken: due.length }
}

/**
 * Rows that went out together before go together again under the key they had. New rows are cut into groups of the connector's size,
 * each named after its members: built again from the same rows, even from a restored backup, it has the same name. Pure.
 */
export function groupEffects(due: readonly DueEffect[], batchMax: (effect: DueEffect) => number): EffectGroup[] {
  const sent = Map.groupBy(
    due.filter((effect) => effect.batch_key !== null),
    (effect) => `${effect.connection_id} ${effect.batch_key ?? ''}`,
  )
  const again = [...sent.values()].flatMap((members) => {
    const [first] = members
    return first?.batch_key ? [groupOf(first, members, first.batch_key)] : []
  })
  const fresh = Map.groupBy(
    due.filter((effect) => effect.batch_key === null),
    (effect) => `${effect.connection_id} ${effect.kind}`,
  )
  const cut = [...fresh.values()].flatMap((members) => {
    const [first] = members
    if (first === undefined) return []
    const size = Math.max(1, batchMax(first))
    const chunks = Array.from({ length: Math.ceil(members.length / size) }, (_, index) =>
      members.slice(index * size, (index + 1) * size),
    )
    return chunks.map((chunk) => groupOf(first, chunk, batchKeyOf(first.kind, chunk)))
  })
  return [...again, ...cut]
}

const groupOf = (first: DueEffect, members: readonly DueEffect[], batchKey: string): EffectGroup => ({
  connection_id: first.connection_id,
  kind: first.kind,
  batch_key: batchKey,
  ids: members.map((member) => member.id),
})

function batchKeyOf(kind: EffectKind, members: readonly DueEffect[]): string {
  const [only] = members
  if (only !== undefined && members.length === 1) return only.key
  const digest = createHash('sha256')
    .update(
      members
        .map((member) => member.key)
        .toSorted()
        .join('\n'),
    )
    .digest('hex')
  return `${kind}:batch:${digest.slice(0, 32)}`
}

/** A connector that cannot do it any more still gets its job, which then says so. */
function batchMaxOf(connection: Connection | undefined, kind: EffectKind): number {
  return connection?.connector[EFFECTS[kind].capability]?.batch_max ?? 1
}

async function addJobs(hub: Hub, groups: readonly EffectGroup[]): Promise<void> {
  for (const [queue, members] of Map.groupBy(groups, (group) => EFFECTS[group.kind].queue)) {
    try {
      await hub.queues.addMany(
        queue,
        members.map(({ connection_id, kind, batch_key }) => ({ name: kind, data: { connection_id, batch_key } })),
      )
    } catch (thrown) {
      hub.log.warn({ queue, reason: String(thrown) }, 'effects were not queued; the sweeper will do it')
    }
  }
}
