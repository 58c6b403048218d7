import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { lockStock, moveStock, type StockRow } from '../inventory/ledger.ts'
import { loadMoreUrgent } from '../inventory/waiting.ts'
import { demandKeys, policyOf } from '../inventory/reserve.ts'
import { takeTurn } from '../turn.ts'
import { channelScope, countKey, decideHolds, heldOfLine, type HoldDecision, type HoldLimit } from './rulesHold.ts'
import {
  addToCounts,
  insertHolds,
  loadByKeys,
  lockCounts,
  movesOf,
  sumByItem,
  type CountRow,
  type StoredHold,
} from './sql.ts'
import {
  resolveRequests,
  resolveWishes,
  type Asked,
  type HoldLine,
  type HoldRequest,
  type HoldVerdict,
  type Wish,
} from './wishes.ts'

const MINUTE_MS = 60_000

/**
 * Decides any number of wishes of any channels as one batch: one lock of the stock, one decision, one update of the counters, one ledger
 * line for each item and place, one row for each hold. The answers are parallel to the requests. A wish that is refused leaves nothing
 * behind, not even its key. Faults: `config_invalid` for a connection that is not configured, `bad_request` for a quantity that is not a
 * whole number above zero.
 */
export async function reserveHolds(tx: Tx, ctx: CoreContext, requests: readonly HoldRequest[]): Promise<HoldVerdict[]> {
  const verdicts: HoldVerdict[] = []
  if (requests.length === 0) return verdicts
  for (const { lines } of requests) assertWhole(lines)
  const companies = new Set(requests.map(({ connection_id }) => policyOf(ctx, connection_id).company_id))
  // Sent together and worked off one after another: the turn is taken before anything is read.
  const [, known, resolution] = await Promise.all([
    takeTurn(tx, companies, 'side_by_side'),
    loadByKeys(tx, requests),
    resolveRequests(tx, ctx, requests),
  ])
  const firsts = answerKnown(known, requests, verdicts)
  const asked = [...firsts.values()].flatMap((index): Asked[] => {
    const request = requests[index]
    return request === undefined ? [] : [{ index, request }]
  })
  const wishes = await resolveWishes(tx, ctx, asked, resolution, verdicts)
  await decide(tx, ctx, wishes, verdicts)
  // What still has no answer bears the key of another wish of this batch.
  for (const [index, request] of requests.entries()) {
    if (verdicts[index] !== undefined) continue
    const at = firsts.get(nameOf(request)) ?? index
    const [first, verdict] = [requests[at], verdicts[at]]
    const same = first !== undefined && isSameWish(wordsOf(first), wordsOf(request))
    verdicts[index] = !same || verdict === undefined ? { kind: 'conflict' } : repeated(verdict)
  }
  return verdicts
}

const repeated = (verdict: HoldVerdict): HoldVerdict =>
  verdict.kind === 'held' ? { ...verdict, again: true } : verdict

const nameOf = ({ connection_id, key }: Pick<HoldRequest, 'connection_id' | 'key'>): string => `${connection_id} ${key}`

function assertWhole(lines: HoldRequest['lines']): void {
  if (lines.some(({ quantity }) => !Number.isInteger(quantity) || quantity < 1))
    throw new HubError('bad_request', 'a quantity is a whole number above zero', { path: '$.lines' })
}

/** What was asked for, as it is kept with a hold. */
type Words = Pick<StoredHold, 'shortfall' | 'minutes' | 'order_asked' | 'skus' | 'quantities'>

const wordsOf = ({ shortfall, minutes, order_external_id, lines }: HoldRequest): Words => ({
  shortfall,
  minutes,
  order_asked: order_external_id,
  skus: lines.map(({ channel_sku }) => channel_sku),
  quantities: lines.map(({ quantity }) => quantity),
})

const isSameWish = (a: Words, b: Words): boolean =>
  a.shortfall === b.shortfall &&
  a.minutes === b.minutes &&
  a.order_asked === b.order_asked &&
  a.skus.length === b.skus.length &&
  a.skus.every((sku, line) => sku === b.skus[line] && a.quantities[line] === b.quantities[line])

/** Answers what was asked before. Returns the first position of every key that is new. */
function answerKnown(
  holds: readonly StoredHold[],
  requests: readonly HoldRequest[],
  verdicts: HoldVerdict[],
): Map<string, number> {
  const known = new Map(holds.map((hold) => [nameOf(hold), hold]))
  const firsts = new Map<string, number>()
  for (const [index, request] of requests.entries()) {
    const name = nameOf(request)
    const hold = known.get(name)
    if (hold !== undefined)
      verdicts[index] = isSameWish(hold, wordsOf(request))
        ? { ...heldVerdict(hold), again: true }
        : { kind: 'conflict' }
    else if (!firsts.has(name)) firsts.set(name, index)
  }
  return firsts
}

/** What a hold keeps, as its caller is told. */
export function heldLines({ skus, quantities, taken }: Pick<StoredHold, 'skus' | 'quantities' | 'taken'>): HoldLine[] {
  return skus.map((channel_sku, line) => {
    const quantity = quantities[line] ?? 0
    const held = heldOfLine(taken, line)
    return { channel_sku, quantity, held, short_by: quantity - held }
  })
}

function heldVerdict(hold: StoredHold): Extract<HoldVerdict, { kind: 'held' }> {
  const { id, state, expires_at } = hold
  return { kind: 'held', id, state, expires_at, again: false, lines: heldLines(hold), hold }
}

async function decide(tx: Tx, ctx: CoreContext, wishes: readonly Wish[], verdicts: HoldVerdict[]): Promise<void> {
  if (wishes.length === 0) return
  const demands = wishes.map((wish) => wish.demand)
  const orders = demands.map(({ order }) => order)
  const [stock, totals] = await Promise.all([lockStock(tx, demandKeys(orders), ctx.now), lockTotals(tx, wishes)])
  const counts = await countsFor(tx, wishes, totals, [...stock.values()])
  const available = new Map([...stock].map(([key, row]) => [key, row.available]))
  const waiting = await loadMoreUrgent(tx, ctx, available, orders)
  const decisions = decideHolds(available, counts, demands, waiting)
  const batch_id = ctx.newId()
  const made = wishes.flatMap((wish) => {
    const decision = decisions.get(wish.demand.order.order_id)
    if (decision?.kind === 'held') return [{ wish, hold: holdOf(ctx, wish, decision, batch_id) }]
    if (decision !== undefined) verdicts[wish.index] = refusal(wish, decision)
    return []
  })
  const holds = made.map(({ hold }) => hold)
  const [source, reason] = [`holds:${batch_id}`, 'hold']
  const moves = movesOf(holds, { from: 'available', to: 'reserved', reason, source, occurred_at: ctx.now })
  // None waits for what another answers, so they are sent together; the server works them off in this order.
  await Promise.all([insertHolds(tx, holds), addToCounts(tx, holds, 1), moveStock(tx, moves, ctx.now)])
  for (const { wish, hold } of made) verdicts[wish.index] = heldVerdict(hold)
}

/** Locks the counts in all of the channels and keys that the wishes count against. */
function lockTotals(tx: Tx, wishes: readonly Wish[]): Promise<CountRow[]> {
  const scopes = new Set<string>()
  for (const { demand } of wishes) {
    for (const { item_id, scope } of demand.limits) if (item_id === 0) scopes.add(scope)
  }
  return lockCounts(tx, [...scopes])
}

/**
 * Units that are held already, as far as a bound may be near. Channels and keys have a count of their own, which is locked. What a
 * channel holds of one item is part of what is reserved of it; only where that leaves the bound in doubt is it summed up, which is
 * exact because nobody can add to it without the stock that is locked.
 */
async function countsFor(
  tx: Tx,
  wishes: readonly Wish[],
  totals: readonly CountRow[],
  stock: readonly StockRow[],
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map(totals.map(({ scope, units }) => [countKey(scope, 0), units]))
  const asked = new Map<string, { connection_id: string; limit: HoldLimit; units: number }>()
  for (const { request, demand } of wishes) {
    for (const limit of demand.limits) {
      if (limit.item_id === 0) continue
      const known = asked.get(limit.key)
      if (known === undefined) asked.set(limit.key, { connection_id: request.connection_id, limit, units: limit.units })
      else known.units += limit.units
    }
  }
  const reserved = new Map<number, number>()
  for (const row of stock) reserved.set(row.item_id, (reserved.get(row.item_id) ?? 0) + row.reserved)
  const near = [...asked.values()].filter(({ limit, units }) => units + (reserved.get(limit.item_id) ?? 0) > limit.max)
  if (near.length === 0) return counts
  const sums = await sumByItem(
    tx,
    [...new Set(near.map(({ connection_id }) => connection_id))],
    near.map(({ limit }) => limit.item_id),
  )
  for (const { connection_id, item_id, units } of sums)
    counts.set(countKey(channelScope(connection_id), item_id), units)
  return counts
}

function holdOf(
  ctx: CoreContext,
  { request, demand }: Wish,
  { allocations }: Extract<HoldDecision, { kind: 'held' }>,
  batch_id: string,
): StoredHold {
  return {
    id: demand.order.order_id,
    connection_id: request.connection_id,
    key: request.key,
    api_key_id: request.api_key?.id ?? null,
    batch_id,
    state: 'held',
    ...wordsOf(request),
    taken: allocations.flatMap(({ line, location_id, units }) =>
      line.components.map(({ item_id, per_unit }) => {
        return { line: line.line_id, item_id, location_id: location_id ?? '', per_unit, units: units * per_unit }
      }),
    ),
    order_external_id: request.order_external_id,
    expires_at: new Date(ctx.now.getTime() + request.minutes * MINUTE_MS),
    created_at: ctx.now,
  }
}

function refusal({ request }: Wish, decision: Exclude<HoldDecision, { kind: 'held' }>): HoldVerdict {
  if (decision.kind === 'limit') {
    const { name, max, units } = decision.limit
    return { kind: 'refused', reason: 'limit', limit: name, max, asked: units, left: decision.left }
  }
  const lines = request.lines.map(({ channel_sku, quantity }, index) => {
    return { channel_sku, quantity, held: 0, short_by: decision.short_by[index] ?? 0 }
  })
  return { kind: 'refused', reason: 'insufficient', lines }
}
