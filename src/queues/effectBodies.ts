import { HubError } from '../core/errors.ts'
import {
  loadFulfillmentRequests,
  loadShipmentNotices,
  markFulfillmentSent,
  recordEffectNotes,
} from '../core/fulfillment/requests.ts'
import type { EffectNote, EffectResult } from '../core/model/effects.ts'
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
  /** Outbox rows of which the vendor cannot be told anything by themselves: another one speaks for them. */
  silent: ReadonlySet<number>
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
  const { notices, silent } = await loadShipmentNotices(hub.db, coreContext(hub), rows)
  return { ...bind(call, connector.shipments, notices), silent: new Set(silent) }
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
    return { kind, ids, silent: new Set(), send: () => Promise.reject(refused) }
  }
  const { confirm } = effect
  return {
    kind,
    ids,
    silent: new Set(),
    send: (now) => effect.send(connection.port, requests, key, now),
    ...(confirm === undefined ? {} : { confirm: () => confirm(connection.port, requests, key) }),
  }
}

export interface DoneEffect {
  row: ClaimedEffect
  note: EffectNote | undefined
}

/** What the core notes when effects have reached a vendor, in the transaction that ends them. */
export async function noteDone(tx: Tx, hub: Hub, done: readonly DoneEffect[]): Promise<void> {
  const ctx = coreContext(hub)
  const sent = done.map(({ row }) => row).filter((row) => row.kind === 'fulfillment.new')
  if (sent.length > 0) await markFulfillmentSent(tx, ctx, sent)
  const noted = done.flatMap(({ row, note }) => (note === undefined ? [] : [{ effect: row, note }]))
  await recordEffectNotes(tx, ctx, noted)
}
