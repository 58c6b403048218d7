import { HubError } from '../core/errors.ts'
import { loadFulfillmentRequests, loadShipmentNotices, markFulfillmentSent } from '../core/fulfillment/requests.ts'
import type { EffectResult } from '../core/model/effects.ts'
import { EFFECTS, type EffectKind } from '../db/outbox.ts'
import type { Tx } from '../db/pool.ts'
import type { Effect } from '../connectors/_kit/define.ts'
import type { Connection, Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import type { ClaimedEffect } from './effectRows.ts'

/** A group of effects with the documents that it is about, ready to be called. */
export interface BoundEffect {
  kind: EffectKind
  /** Outbox rows whose document is still there. */
  ids: ReadonlySet<number>
  send: (now: Date) => Promise<EffectResult[]>
  confirm?: () => Promise<'done' | 'not_done' | 'unknown'>
}

/** Reads what the effects are about, now: a job carries ids only, and what is sent is the newest state. */
export async function bindEffect(
  hub: Hub,
  connection: Connection,
  rows: readonly ClaimedEffect[],
): Promise<BoundEffect> {
  const [first] = rows
  if (first === undefined) throw new HubError('internal', 'a group without effects was to be sent')
  const { connector } = connection
  const call = { connection, kind: first.kind, key: first.batch_key }
  if (EFFECTS[first.kind].capability === 'fulfillment') {
    const requests = await loadFulfillmentRequests(hub.db, coreContext(hub), rows)
    return bind(call, connector.fulfillment, requests)
  }
  const notices = await loadShipmentNotices(hub.db, coreContext(hub), rows)
  return bind(call, connector.shipments, notices)
}

function bind<R extends { outbox_id: number }>(
  { connection, kind, key }: { connection: Connection; kind: EffectKind; key: string },
  effect: Effect<unknown, R> | undefined,
  requests: readonly R[],
): BoundEffect {
  const ids = new Set(requests.map((request) => request.outbox_id))
  if (effect === undefined) {
    const refused = new HubError('unsupported', `${connection.id} cannot carry out ${kind}`, {
      hint: 'choose a connector that can',
    })
    return { kind, ids, send: () => Promise.reject(refused) }
  }
  const { confirm } = effect
  return {
    kind,
    ids,
    send: (now) => effect.send(connection.port, requests, key, now),
    ...(confirm === undefined ? {} : { confirm: () => confirm(connection.port, requests, key) }),
  }
}

/** What the core notes when work has reached a 3PL, in the transaction that ends the effects. */
export async function markSent(tx: Tx, hub: Hub, done: readonly ClaimedEffect[]): Promise<void> {
  const sent = done.filter((row) => row.kind === 'fulfillment.new')
  if (sent.length > 0) await markFulfillmentSent(tx, coreContext(hub), sent)
}
