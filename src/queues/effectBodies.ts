import { noteErpCalledOff, noteErpDone, noteErpRefused } from '../core/erp/done.ts'
import { loadErpRequests } from '../core/erp/requests.ts'
import { HubError, type ErrorCode } from '../core/errors.ts'
import {
  loadFulfillmentRequests,
  loadShipmentNotices,
  markFulfillmentSent,
  recordEffectNotes,
} from '../core/fulfillment/requests.ts'
import { noteLabelAnswers, noteLabelFaults } from '../core/labels/answers.ts'
import { loadLabelRequests, loadRateRequests } from '../core/labels/requests.ts'
import type { EffectResult } from '../core/model/effects.ts'
import { awaitAnswers } from '../core/answers/answers.ts'
import { loadAnnouncements } from '../core/partners/announcements.ts'
import { loadInvoices } from '../core/partners/invoices.ts'
import { loadOrderAnswers } from '../core/partners/orderAnswers.ts'
import { EFFECTS, type EffectKind } from '../db/outbox.ts'
import type { Tx } from '../db/pool.ts'
import type { Confirmation, Effect } from '../connectors/_kit/define.ts'
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
  confirm?: () => Promise<Confirmation>
}

/** Reads what the effects are about, now: a job carries ids only, and what is sent is the newest state. */
export async function bindEffect(
  hub: Hub,
  connection: Connection,
  rows: readonly ClaimedEffect[],
): Promise<BoundEffect> {
  const [first] = rows
  if (first === undefined) throw new HubError('internal', 'a group without effects was to be sent')
  return BINDERS[EFFECTS[first.kind].capability]({ hub, connection, kind: first.kind, key: first.batch_key }, rows)
}

interface Call {
  hub: Hub
  connection: Connection
  kind: EffectKind
  key: string
}

type Binder = (call: Call, rows: readonly ClaimedEffect[]) => Promise<BoundEffect>
type Capability = (typeof EFFECTS)[EffectKind]['capability']

/** One row a capability: where its documents are read, and which part of the connector takes them. */
const BINDERS: Readonly<Record<Capability, Binder>> = {
  fulfillment: async (call, rows) =>
    bind(
      call,
      call.connection.connector.fulfillment,
      await loadFulfillmentRequests(call.hub.db, coreContext(call.hub), rows),
    ),
  shipments: async (call, rows) => {
    const { notices, silent } = await loadShipmentNotices(call.hub.db, coreContext(call.hub), rows)
    return { ...bind(call, call.connection.connector.shipments, notices), silent: new Set(silent) }
  },
  rates: async (call, rows) => {
    const { requests, refused } = await loadRateRequests(call.hub.db, coreContext(call.hub), rows)
    const bound = bind(call, call.connection.connector.rates, requests)
    return withOwnAnswers(
      bound,
      bound,
      refused.map((row) => ({ ...row, outcome: 'refused' })),
    )
  },
  labels: async (call, rows) => {
    const { requests, unwanted } = await loadLabelRequests(call.hub.db, rows)
    const { labels } = call.connection.connector
    const wanted = requests.filter(({ outbox_id }) => !unwanted.has(outbox_id))
    // Of the others it is only found out whether they have been bought; nothing is bought for them any more.
    const nothing = [...unwanted].map((outbox_id): EffectResult => ({ outbox_id, outcome: 'done', external_id: null }))
    return withOwnAnswers(bind(call, labels, requests), bind(call, labels, wanted), nothing)
  },
  announcements: async (call, rows) =>
    bind(call, call.connection.connector.announcements, await loadAnnouncements(call.hub.db, rows)),
  orderAnswers: async (call, rows) =>
    bind(call, call.connection.connector.orderAnswers, await loadOrderAnswers(call.hub.db, rows)),
  invoices: async (call, rows) => bind(call, call.connection.connector.invoices, await loadInvoices(call.hub.db, rows)),
  erp: async (call, rows) => {
    const { hub, connection } = call
    return bind(call, connection.connector.erp, await loadErpRequests(hub.db, coreContext(hub), connection.id, rows))
  },
}

function bind<R extends { outbox_id: number }>(
  { connection, kind, key }: Call,
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

/** Effects that the hub answers itself, beside those that `told` tells the vendor of. */
function withOwnAnswers(all: BoundEffect, told: BoundEffect, own: readonly EffectResult[]): BoundEffect {
  if (own.length === 0) return all
  return {
    ...all,
    ids: new Set([...all.ids, ...own.map(({ outbox_id }) => outbox_id)]),
    send: async (now) => [...own, ...(told.ids.size === 0 ? [] : await told.send(now))],
  }
}

export interface DoneEffect {
  row: ClaimedEffect
  /** What the vendor answered; undefined when reading back showed only that it is done. */
  result: Extract<EffectResult, { outcome: 'done' }> | undefined
}

/** What the core notes when effects have reached a vendor, in the transaction that ends them. */
export async function noteDone(tx: Tx, hub: Hub, done: readonly DoneEffect[]): Promise<void> {
  const ctx = coreContext(hub)
  const sent = done.map(({ row }) => row).filter((row) => row.kind === 'fulfillment.new')
  if (sent.length > 0) await markFulfillmentSent(tx, ctx, sent)
  const noted = done.flatMap(({ row, result }) =>
    result?.note === undefined ? [] : [{ effect: row, note: result.note }],
  )
  await recordEffectNotes(tx, ctx, noted)
  const owed = done.flatMap(({ row, result }) =>
    (result?.awaits ?? []).map((one) => ({ ...one, connection_id: row.connection_id, outbox_id: row.id })),
  )
  await awaitAnswers(tx, owed, ctx.now)
  const labels = done.filter(({ row }) => isAboutLabels(row.kind))
  await noteLabelAnswers(
    tx,
    ctx,
    labels.map(({ row, result }) => ({ effect: row, answer: result?.answer })),
  )
  const erp = done.filter(({ row }) => isAboutErp(row.kind))
  const told = erp.map(({ row, result }) => ({ effect: row, external_id: result?.external_id ?? null }))
  await noteErpDone(tx, ctx, told)
}

const isAboutLabels = (kind: EffectKind): boolean => EFFECTS[kind].queue === 'label'
const isAboutErp = (kind: EffectKind): boolean => EFFECTS[kind].queue === 'erp'

/** Effects that lead on to others when they are done: those need not wait for the next round of the sweeper. */
export const leadsOn = (kind: EffectKind): boolean => isAboutLabels(kind) || isAboutErp(kind)

/** What the core notes when effects have nothing to tell any more, in the transaction that ends them. The fence counts the claims. */
export async function noteCalledOff(tx: Tx, hub: Hub, effects: readonly ClaimedEffect[]): Promise<void> {
  const off = effects.map((effect) => ({ ...effect, begun: effect.fence > 1 }))
  await noteErpCalledOff(tx, coreContext(hub), off)
}

export interface DeadEffect {
  row: ClaimedEffect
  code: ErrorCode
  detail: string
  /** Whether it may have reached the vendor all the same. */
  in_doubt: boolean
}

/** What the core notes when effects are given up, in the transaction that ends them. */
export async function noteDead(tx: Tx, hub: Hub, dead: readonly DeadEffect[]): Promise<void> {
  const labels = dead.filter(({ row }) => isAboutLabels(row.kind))
  await noteLabelFaults(
    tx,
    coreContext(hub),
    labels.map(({ row, ...fault }) => ({ effect: row, ...fault })),
  )
  const erp = dead.filter(({ row }) => isAboutErp(row.kind))
  const refused = erp.map(({ row, code }) => ({ effect: row, code }))
  await noteErpRefused(tx, coreContext(hub), refused)
}
