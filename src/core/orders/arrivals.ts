import { createHash } from 'node:crypto'
import type { Tx } from '../../db/pool.ts'
import type { ConnectionPolicy, CoreContext, FactOutcome } from '../context.ts'
import { HubError } from '../errors.ts'
import { listingWakeKey } from '../inventory/listings.ts'
import type { Order } from '../model/order.ts'
import { linkSkus, resolveListings, type Resolution, type ResolvedListing } from './resolve.ts'
import { compareVersions, judgePicture, pictureFault, type PictureVersion } from './rules.ts'
import { addPaymentIds, confirmVersions, lockOrders, orderKey, rememberRepeats, type StoredOrder } from './sql.ts'
import { lifecycleAfter, paymentIds } from './pictures.ts'

export interface InboundOrder {
  connection_id: string
  source: string
  order: Order
}

/** The newest picture of an order in a batch, judged to be news. */
export interface Arrival extends InboundOrder {
  /** Positions in the batch: of this picture, and of older ones of the same order that it supersedes. */
  index: number
  superseded: number[]
  policy: ConnectionPolicy
  version: PictureVersion
  content_sha256: Buffer
  /** The order as it is kept, locked. Null when it is new. */
  known: StoredOrder | null
}

/** An old or known picture that names payment ids which its order does not have yet. */
export interface PaymentsNamed {
  order: StoredOrder
  source: string
}

export interface Arrivals {
  /** What is to be applied. Every SKU that is wanted is listed. */
  due: Arrival[]
  /** Orders that gain nothing but payment ids; these are kept already. */
  named: PaymentsNamed[]
  /** By `listingWakeKey`. */
  listings: ReadonlyMap<string, ResolvedListing>
}

/**
 * Sorts a batch of pictures: of several of one order only the newest counts, what is older or the same as what is kept is ignored, and
 * what cannot be applied is parked before anything is written. Fills `outcomes` for all that is not due.
 */
export async function sortArrivals(
  tx: Tx,
  ctx: CoreContext,
  inbound: readonly InboundOrder[],
  outcomes: FactOutcome[],
): Promise<Arrivals> {
  const newest = pickNewest(ctx, inbound, outcomes)
  const known = await lockOrders(tx, newest.map(keyOf))
  const judged = newest.map((arrival) => ({ ...arrival, known: known.get(orderKey(keyOf(arrival))) ?? null }))
  const { news, named } = await setAsideOld(tx, judged, outcomes)
  const resolution = await resolveListings(
    tx,
    ctx,
    news.flatMap(({ connection_id, order }) => order.lines.map(({ channel_sku }) => ({ connection_id, channel_sku }))),
  )
  const due = news.filter((arrival) => !parkUnknown(arrival, resolution, outcomes))
  const linkable = due.flatMap(({ connection_id, order }) =>
    order.lines.flatMap((line) => resolution.linkable.get(listingWakeKey(connection_id, line.channel_sku)) ?? []),
  )
  const linked = await linkSkus(tx, ctx, [...new Set(linkable)])
  return {
    due,
    named,
    listings: linked.size === 0 ? resolution.listings : new Map([...resolution.listings, ...linked]),
  }
}

const keyOf = ({ connection_id, order }: InboundOrder) => ({ connection_id, external_id: order.external_id })

export const orderWakeKey = (connection_id: string, external_id: string): string =>
  `order:${connection_id}:${external_id}`

/**
 * The version stays out of the hash: the same content seen twice is the same content. So do payment ids, which only some of a channel's
 * messages carry: an order would seem to change with every other message.
 */
function contentHash(order: Order): Buffer {
  return createHash('sha256')
    .update(JSON.stringify({ ...order, version: null, payment_ids: null }))
    .digest()
}

/** The picture that counts, with the payment ids of those that it supersedes. */
function superseding(arrival: Arrival, older: Arrival): Arrival {
  const order = { ...arrival.order, payment_ids: paymentIds(older.order, arrival.order) }
  return { ...arrival, order, superseded: [...arrival.superseded, ...older.superseded, older.index] }
}

function pickNewest(ctx: CoreContext, inbound: readonly InboundOrder[], outcomes: FactOutcome[]): Arrival[] {
  const newest = new Map<string, Arrival>()
  for (const [index, one] of inbound.entries()) {
    const policy = ctx.policies.get(one.connection_id)
    const fault = pictureFault(one.order)
    if (policy === undefined || fault !== null) {
      outcomes[index] = { kind: 'parked', error: faultOf(one, fault) }
      continue
    }
    const content_sha256 = contentHash(one.order)
    const { updated_at, observed_at } = one.order.version
    const version = {
      updated_at_ms: Date.parse(updated_at),
      observed_at_ms: Date.parse(observed_at),
      content: content_sha256.toString('hex'),
    }
    const key = orderKey(keyOf(one))
    const before = newest.get(key)
    const arrival: Arrival = { ...one, index, superseded: [], policy, version, content_sha256, known: null }
    if (before === undefined) newest.set(key, arrival)
    else if (compareVersions(before.version, version) < 0) newest.set(key, superseding(arrival, before))
    else newest.set(key, superseding(before, arrival))
  }
  for (const { superseded } of newest.values()) {
    for (const index of superseded) outcomes[index] = { kind: 'ignored', reason: 'superseded' }
  }
  return [...newest.values()]
}

function faultOf({ connection_id }: InboundOrder, fault: { path: string; message: string } | null): HubError {
  return fault === null
    ? new HubError('config_invalid', `the connection ${connection_id} is not configured`)
    : new HubError('payload_invalid', fault.message, { path: fault.path })
}

/**
 * Returns what is news, and which orders gain payment ids by what is not. Messages that are no news are remembered by their order,
 * because an erasure has to find them.
 */
async function setAsideOld(
  tx: Tx,
  arrivals: readonly Arrival[],
  outcomes: FactOutcome[],
): Promise<{ news: Arrival[]; named: PaymentsNamed[] }> {
  const news: Arrival[] = []
  const named: PaymentsNamed[] = []
  const confirmed: Arrival[] = []
  const repeats: { order_id: string; source: string }[] = []
  for (const arrival of arrivals) {
    const verdict = judgePicture(storedVersion(arrival.known), arrival.version)
    // A later sight of the same content may outlive a cancellation that came by itself, which is news after all.
    const reopens = verdict === 'confirm' && arrival.known?.tombstone_updated_at !== null
    if (verdict === 'apply' || reopens || arrival.known === null) {
      news.push(arrival)
      continue
    }
    outcomes[arrival.index] = { kind: 'ignored', reason: verdict === 'older' ? 'older' : 'same' }
    if (verdict === 'confirm') confirmed.push(arrival)
    repeats.push({ order_id: arrival.known.id, source: arrival.source })
    const payment_ids = paymentIds(arrival.known, arrival.order)
    if (payment_ids.length > arrival.known.payment_ids.length)
      named.push({ order: { ...arrival.known, payment_ids }, source: arrival.source })
  }
  await addPaymentIds(
    tx,
    named.map(({ order }) => order),
  )
  await confirmVersions(
    tx,
    confirmed.map((arrival) => ({
      id: arrival.known?.id ?? '',
      updated_at: arrival.order.version.updated_at,
      observed_at: arrival.order.version.observed_at,
    })),
  )
  await rememberRepeats(tx, repeats)
  return { news, named }
}

function storedVersion(order: StoredOrder | null): PictureVersion | null {
  if (order === null || order.content_sha256 === null) return null
  return {
    updated_at_ms: order.version_updated_at.getTime(),
    observed_at_ms: order.version_observed_at.getTime(),
    content: order.content_sha256.toString('hex'),
  }
}

/** A line that takes no stock may bear any SKU. The older pictures that came along wait with the newest one. */
function parkUnknown(arrival: Arrival, resolution: Resolution, outcomes: FactOutcome[]): boolean {
  const { connection_id, order, known } = arrival
  if (order.test || lifecycleAfter(order, known) !== 'open') return false
  const index = order.lines.findIndex((line) => {
    const key = listingWakeKey(connection_id, line.channel_sku)
    return line.requires_shipping && line.quantity > 0 && !resolution.listings.has(key) && !resolution.linkable.has(key)
  })
  const line = order.lines[index]
  if (line === undefined) return false
  const error = new HubError('unknown_sku', `no listing of ${connection_id} has the SKU ${line.channel_sku}`, {
    path: `$.lines[${index}].channel_sku`,
    hint: 'map the SKU to an item; the order is then applied by itself',
    wake_key: listingWakeKey(connection_id, line.channel_sku),
  })
  for (const position of [arrival.index, ...arrival.superseded]) outcomes[position] = { kind: 'parked', error }
  return true
}
