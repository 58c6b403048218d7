import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, stockKey, touchOnce, type StockMove, type StockRow } from '../inventory/ledger.ts'
import { lockOrdersById } from '../orders/sql.ts'
import { takeTurn } from '../turn.ts'
import { moveIncoming } from './put.ts'
import { expectedOf, settledState, unitsToCome, withReceived } from './rulesSupply.ts'
import {
  findSupply,
  lockSupply,
  refuseOverflow,
  resolveUnits,
  saveSupply,
  supplySource,
  wishHash,
  type NamedUnits,
  type ResolvedUnits,
  type StoredSupply,
  type SupplyName,
} from './sql.ts'
import { closeTransfer } from './transfers.ts'

/** Where units may go that come in. */
export type ReceivedState = 'available' | 'quality_control' | 'damaged'

export interface ReceivedLine extends NamedUnits {
  to: ReceivedState
  lot?: string | null
  /** `2027-05-31`. */
  expires_on?: string | null
}

export interface Receipt {
  /** The caller's own name of this delivery: the same again is booked once. */
  key: string
  /** Where it came in; null: where it was expected. */
  location_id: string | null
  lines: readonly ReceivedLine[]
  /** When it came (null: now); a count of that time or later has counted it already. */
  at: Date | null
  /** `close`: nothing more will come, whatever was expected. */
  rest: 'expected' | 'close'
}

/** Units as they were booked. */
export interface BookedLine {
  sku: string
  item_id: number
  quantity: number
  to: ReceivedState
  lot: string | null
  expires_on: string | null
  /** Of these, units that were on their way; the rest is more than was expected. */
  expected: number
  /** A count had them already: they left `incoming` and came in nowhere. */
  counted_already: boolean
}

export interface ReceiveResult {
  id: string
  state: StoredSupply['state']
  outcome: 'received' | 'repeated'
  lines: BookedLine[]
}

type Arriving = ResolvedUnits & ReceivedLine

/**
 * Books goods that came in for a supply: what was expected leaves `incoming`, what is more comes from outside, and what arrived is given
 * at once to the orders that wait for it. Faults: `not_found`; `conflict` for another place, for the same key with other goods and for a
 * supply with nothing left to receive; `bad_request` and `unknown_sku` with the path of the line.
 */
export async function receiveSupply(
  tx: Tx,
  ctx: CoreContext,
  name: SupplyName,
  receipt: Receipt,
  by: string,
): Promise<ReceiveResult> {
  const { id, company_id, order_id } = await findSupply(tx, name)
  // Closing looks at items that did not come, and at the source of a transfer: a second round of locks.
  await takeTurn(tx, [company_id], receipt.rest === 'close' ? 'alone' : 'side_by_side')
  return touchOnce(tx, ctx.now, async () => {
    if (order_id !== null) await lockOrdersById(tx, [order_id])
    const supply = await lockSupply(tx, id)
    const hash = receiptHash(receipt)
    const known = await repeated(tx, supply, receipt.key, hash)
    if (known !== null) return { id, state: supply.state, outcome: 'repeated', lines: known }
    const lines = await judge(tx, ctx, supply, receipt)
    const at = receipt.at ?? ctx.now
    const { after, booked } = await takeIn(tx, ctx, supply, { lines, at, source: supplySource(id) })
    const ended = receipt.rest === 'close' ? await close(tx, ctx, after, by) : after
    await saveSupply(tx, ended, ctx.now)
    await remember(tx, ctx, supply, { receipt, hash, booked, by })
    const data = { key: receipt.key, lines: booked, rest: receipt.rest }
    await writeAudit(tx, { at: ctx.now, actor: by, action: 'supply.receive', subject: supplySource(id), data })
    return { id, state: ended.state, outcome: 'received', lines: booked }
  })
}

const receiptHash = ({ location_id, lines, at, rest }: Receipt): Buffer =>
  wishHash({
    location_id,
    at: at?.toISOString() ?? null,
    rest,
    lines: lines.map((line) => [line.sku, line.quantity, line.to, line.lot ?? null, line.expires_on ?? null]),
  })

async function repeated(tx: Tx, supply: StoredSupply, key: string, hash: Buffer): Promise<BookedLine[] | null> {
  const [known] = await tx.query<{ request_sha256: Buffer; lines: BookedLine[] }>(
    'select request_sha256, lines from supply_receipts where supply_id = $1 and key = $2',
    [supply.id, key],
  )
  if (known === undefined) return null
  if (!known.request_sha256.equals(hash))
    throw new HubError('conflict', `other goods were received under the key ${key}`, { path: '$.key' })
  return known.lines
}

async function judge(tx: Tx, ctx: CoreContext, supply: StoredSupply, receipt: Receipt): Promise<Arriving[]> {
  const { location_id, at, lines, rest } = receipt
  if (location_id !== null && location_id !== supply.location_id) {
    throw new HubError('conflict', `${supply.reference} is expected at ${supply.location_id}, not at ${location_id}`, {
      path: '$.location',
      hint: 'a purchase can be sent to another place by changing it',
    })
  }
  if (supply.state !== 'open')
    throw new HubError('conflict', `${supply.reference} is ${supply.state}: nothing is left to receive`)
  if (at !== null && !(at <= ctx.now))
    throw new HubError('bad_request', 'goods cannot have come in the future', { path: '$.at' })
  if (lines.length === 0 && rest !== 'close')
    throw new HubError('bad_request', 'name at least one line, or close the supply', { path: '$.lines' })
  const resolved = await resolveUnits(tx, supply.company_id, lines, 1)
  const expected = new Set(supply.lines.map((line) => line.item_id))
  return resolved.map((line, index) => {
    const said: Partial<ReceivedLine> = lines[index] ?? {}
    const arriving: Arriving = { to: 'available', ...said, ...line }
    const path = `$.lines[${index}]`
    if (!expected.has(line.item_id)) {
      throw new HubError('bad_request', `${supply.reference} has no ${line.sku}`, {
        path: `${path}.sku`,
        hint: 'put it on the purchase first, or book it as a movement of stock',
      })
    }
    if (line.tracks_lots && (arriving.lot ?? '') === '')
      throw new HubError('bad_request', `${line.sku} is kept by lot: name the lot`, { path: `${path}.lot` })
    return arriving
  })
}

/** Units to book, whoever told of them. */
export interface Arrivals {
  lines: readonly (Omit<ReceivedLine, 'sku'> & { item_id: number; sku: string })[]
  at: Date
  source: string
}

/**
 * Moves units of a locked supply from `incoming` (and, beyond what was expected, from outside) to where they are now, and offers them to
 * whoever waits. Goods that a later count has counted already only leave `incoming`. The supply is returned as it is now, not written.
 */
export async function takeIn(
  tx: Tx,
  ctx: CoreContext,
  supply: StoredSupply,
  { lines, at, source }: Arrivals,
): Promise<{ after: StoredSupply; booked: BookedLine[] }> {
  const { location_id } = supply
  const stock = await lockStock(
    tx,
    lines.map(({ item_id }) => ({ item_id, location_id })),
    ctx.now,
  )
  const booked = expectedOf(supply, lines).map(({ arrival, expected }): BookedLine => {
    const { sku, item_id, quantity, to, lot = null, expires_on = null } = arrival
    const counted_already = isCounted(stock, item_id, location_id, at)
    return { sku, item_id, quantity, to, lot, expires_on, expected, counted_already }
  })
  refuseOverflow(
    stock,
    booked.flatMap(({ item_id, quantity, expected, counted_already }) =>
      counted_already ? [] : [{ item_id, location_id, quantity: quantity - expected }],
    ),
  )
  const moves = booked.flatMap((line) => movesOf(supply, line, { source, occurred_at: at }))
  await moveStock(tx, moves, ctx.now)
  const received = withReceived(supply, booked)
  const after = { ...received, state: settledState(received, await leavesNoMore(tx, supply)) }
  const free = moves.filter((move) => move.to === 'available').map((move) => move.item_id)
  await allocateShortfalls(tx, ctx, [...new Set(free)])
  return { after, booked }
}

const isCounted = (stock: ReadonlyMap<string, StockRow>, item_id: number, location_id: string, at: Date): boolean => {
  const counted = stock.get(stockKey(item_id, location_id))?.counted_as_of ?? null
  return counted !== null && at <= counted
}

function movesOf(
  { kind, location_id }: StoredSupply,
  { item_id, quantity, expected, to, lot, expires_on, counted_already }: BookedLine,
  cause: { source: string; occurred_at: Date },
): StockMove[] {
  const move = { item_id, location_id, ...cause }
  if (counted_already) {
    const gone = { ...move, from: 'incoming', to: 'outside', quantity: expected, reason: 'counted_already' } as const
    return expected === 0 ? [] : [gone]
  }
  const named = { ...move, to, reason: kind === 'transfer' ? 'transfer' : 'received', ...lotOf(lot, expires_on) }
  const both = [
    { ...named, from: 'incoming' as const, quantity: expected },
    { ...named, from: 'outside' as const, quantity: quantity - expected },
  ]
  return both.filter((one) => one.quantity > 0)
}

const lotOf = (lot: string | null, expires_on: string | null) => (lot === null ? {} : { lot, expires_on })

async function leavesNoMore(tx: Tx, { order_id }: StoredSupply): Promise<'leaves_no_more' | 'may_leave'> {
  if (order_id === null) return 'leaves_no_more'
  const [order] = await tx.query<{ lifecycle: string }>('select lifecycle from orders where id = $1', [order_id])
  return order?.lifecycle === 'open' ? 'may_leave' : 'leaves_no_more'
}

/** Nothing more comes: of a purchase the rest is not expected any more, of a transfer it is missing. */
async function close(tx: Tx, ctx: CoreContext, supply: StoredSupply, by: string): Promise<StoredSupply> {
  if (supply.kind === 'transfer') return closeTransfer(tx, ctx, supply, by)
  const came = supply.lines.some((line) => line.received_quantity > 0)
  const after = { ...supply, state: came ? ('received' as const) : ('cancelled' as const) }
  await moveIncoming(tx, ctx, supply, { before: supply, after, reason: 'supply' })
  return after
}

async function remember(
  tx: Tx,
  ctx: CoreContext,
  supply: StoredSupply,
  { receipt, hash, booked, by }: { receipt: Receipt; hash: Buffer; booked: readonly BookedLine[]; by: string },
): Promise<void> {
  await tx.query(
    `insert into supply_receipts (supply_id, key, request_sha256, lines, received_at, recorded_at, recorded_by)
     values ($1, $2, $3, $4::jsonb, $5, $6, $7)`,
    [supply.id, receipt.key, hash, JSON.stringify(booked), receipt.at ?? ctx.now, ctx.now, by],
  )
}

/**
 * The open supply that somebody else's message about goods received speaks of: of that name, for that place, with that item still to
 * come. A purchase before a transfer of the same name. Locked; null where the reference names nothing of ours.
 */
export async function lockNamedSupply(
  tx: Tx,
  named: { location_id: string; item_id: number; reference: string },
): Promise<StoredSupply | null> {
  const rows = await tx.query<{ id: string }>(
    `select s.id from supplies s join locations p on p.id = $1 and p.company_id = s.company_id
     join supply_lines l on l.supply_id = s.id and l.item_id = $2
     where s.location_id = $1 and s.reference = $3 and s.state = 'open' order by s.kind, s.id`,
    [named.location_id, named.item_id, named.reference],
  )
  for (const { id } of rows) {
    const supply = await lockSupply(tx, id)
    const line = supply.lines.find(({ item_id }) => item_id === named.item_id)
    if (supply.state === 'open' && line !== undefined && unitsToCome(supply, line) > 0) return supply
  }
  return null
}
