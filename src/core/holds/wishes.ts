import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { listingWakeKey } from '../inventory/listings.ts'
import { policyOf } from '../inventory/reserve.ts'
import type { LineDemand } from '../inventory/rulesDemand.ts'
import { linkSkus, resolveListings, type Resolution, type ResolvedListing } from '../orders/resolve.ts'
import { limitsOf, type HoldDemand, type LimitName } from './rulesHold.ts'
import type { HoldShortfall, HoldState, StoredHold } from './sql.ts'

/** Units that a checkout wants kept for it. */
export interface HoldRequest {
  connection_id: string
  /** The caller's own name of the wish, once for each connection. */
  key: string
  /** The API key that asks, and how many units it may keep at once. */
  api_key: { id: string; units_max: number | null } | null
  shortfall: HoldShortfall
  minutes: number
  /** The order that will take the units over, where its id is known already. */
  order_external_id: string | null
  lines: readonly { channel_sku: string; quantity: number }[]
}

/** Units of a listing: asked for, kept, missing. */
export interface HoldLine {
  channel_sku: string
  quantity: number
  held: number
  short_by: number
}

export type HoldVerdict =
  /** `again`: the same wish under the same key was granted before; this is what has become of it. */
  | {
      kind: 'held'
      id: string
      state: HoldState
      expires_at: Date
      again: boolean
      lines: HoldLine[]
      hold: StoredHold
    }
  | { kind: 'refused'; reason: 'insufficient'; lines: HoldLine[] }
  /** `left`: how much could still be asked for: minutes, or units of items. */
  | { kind: 'refused'; reason: 'limit'; limit: LimitName | 'minutes_max'; max: number; asked: number; left: number }
  | { kind: 'unknown_sku'; channel_sku: string; path: string }
  /** The key was used for another wish. */
  | { kind: 'conflict' }

/** A request whose key is new, with its position in the batch. */
export interface Asked {
  index: number
  request: HoldRequest
}

/** A request that has to be decided, and everything that is known of it before stock is looked at. */
export interface Wish extends Asked {
  demand: HoldDemand
}

/** What the SKUs of all requests of a batch take from stock. */
export function resolveRequests(tx: Tx, ctx: CoreContext, requests: readonly HoldRequest[]): Promise<Resolution> {
  const skus = requests.flatMap(({ connection_id, lines }) =>
    lines.map(({ channel_sku }) => ({ connection_id, channel_sku })),
  )
  return resolveListings(tx, ctx, skus)
}

/** What the wishes take from stock. Those that cannot be decided are answered in `verdicts`, by their position. */
export async function resolveWishes(
  tx: Tx,
  ctx: CoreContext,
  asked: readonly Asked[],
  resolution: Resolution,
  verdicts: HoldVerdict[],
): Promise<Wish[]> {
  const fresh = asked.filter(({ index, request }) => !overLong(ctx, request, index, verdicts))
  const known = fresh.filter(({ index, request }) => !unknownSku(request, index, resolution, verdicts))
  const listings = await withLinked(tx, ctx, known, resolution)
  const channels = new Map<string, Channel>()
  return known.map((one) => ({ ...one, demand: demandOf(ctx, one.request, listings, channels) }))
}

function overLong(ctx: CoreContext, request: HoldRequest, index: number, verdicts: HoldVerdict[]): boolean {
  const max = policyOf(ctx, request.connection_id).holds.minutes_max
  if (request.minutes <= max) return false
  verdicts[index] = { kind: 'refused', reason: 'limit', limit: 'minutes_max', max, asked: request.minutes, left: max }
  return true
}

function unknownSku(
  { connection_id, lines }: HoldRequest,
  index: number,
  { listings, linkable }: Resolution,
  verdicts: HoldVerdict[],
): boolean {
  const at = lines.findIndex(({ channel_sku }) => {
    const key = listingWakeKey(connection_id, channel_sku)
    return !listings.has(key) && !linkable.has(key)
  })
  const line = lines[at]
  if (line === undefined) return false
  verdicts[index] = { kind: 'unknown_sku', channel_sku: line.channel_sku, path: `$.lines[${at}].channel_sku` }
  return true
}

/** SKUs that are listed by being asked for, as an order would list them. */
async function withLinked(
  tx: Tx,
  ctx: CoreContext,
  known: readonly { request: HoldRequest }[],
  { listings, linkable }: Resolution,
): Promise<ReadonlyMap<string, ResolvedListing>> {
  if (linkable.size === 0) return listings
  const wanted = known.flatMap(({ request }) =>
    request.lines.flatMap(({ channel_sku }) => linkable.get(listingWakeKey(request.connection_id, channel_sku)) ?? []),
  )
  const linked = await linkSkus(tx, ctx, [...new Set(wanted)])
  return new Map([...listings, ...linked])
}

/** What is the same for all wishes of a connection. */
interface Channel {
  connection_id: string
  units_max: number
  units_per_item_max: number
  priority: number
  serves_from: readonly string[]
}

/** Places of last resort keep nothing: their stock is what a supplier said, which is no promise to hold on to. */
function channelOf(ctx: CoreContext, connection_id: string): Channel {
  const { priority, serves_from, last_resort, holds } = policyOf(ctx, connection_id)
  const { units_max, units_per_item_max } = holds
  const places = serves_from.filter((id) => !last_resort.includes(id))
  return { connection_id, units_max, units_per_item_max, priority, serves_from: places }
}

function demandOf(
  ctx: CoreContext,
  { connection_id, api_key, shortfall, lines: asked }: HoldRequest,
  listings: ReadonlyMap<string, ResolvedListing>,
  channels: Map<string, Channel>,
): HoldDemand {
  const channel = channels.get(connection_id) ?? channelOf(ctx, connection_id)
  channels.set(connection_id, channel)
  const lines = asked.map(({ channel_sku, quantity }, line_id): LineDemand => {
    const components = listings.get(listingWakeKey(connection_id, channel_sku))?.components ?? []
    return { line_id, units: quantity, components }
  })
  const { priority, serves_from } = channel
  const order = {
    order_id: ctx.newId(),
    priority,
    placed_at_ms: 0,
    serves_from,
    last_resort: [],
    shortfall,
    ship_by_ms: null,
    plan: null,
    lines,
  }
  return { order, limits: limitsOf(lines, channel, api_key) }
}
