import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { lockStock, markDirty, moveStock, touchOnce } from '../inventory/ledger.ts'
import { takeTurn } from '../turn.ts'
import { incomingMoves, settledState, type SupplyPicture } from './rulesSupply.ts'
import {
  findSupply,
  insertSupply,
  lockSupply,
  placeOf,
  refuseOverflow,
  refuseTwice,
  resolveUnits,
  saveSupply,
  supplySource,
  type NamedUnits,
  type ResolvedUnits,
  type StoredSupply,
  type SupplyName,
} from './sql.ts'

/** What a purchase is to be: the whole of it, whatever it was before. */
export interface PurchaseWish {
  company_id: string
  kind: 'purchase'
  reference: string
  location_id: string
  expected_at: Date | null
  lines: readonly NamedUnits[]
}

export interface PutResult {
  id: string
  /** `same`: it was so already, and nothing was written. */
  outcome: 'created' | 'changed' | 'same'
}

/**
 * Makes a purchase, or brings it to what it is now said to be; saying the same twice changes nothing. Only the difference moves in and
 * out of `incoming`. A line that is left out is wanted no more. Faults: `unknown_location`, `unknown_sku`, `bad_request` (each with its
 * path), `conflict` for a line below what has come, and for a purchase that is over and is to be another one.
 */
export async function putSupply(tx: Tx, ctx: CoreContext, wish: PurchaseWish, by: string): Promise<PutResult> {
  await takeTurn(tx, [wish.company_id], 'side_by_side')
  return touchOnce(tx, ctx.now, () => put(tx, ctx, wish, by))
}

async function put(tx: Tx, ctx: CoreContext, wish: PurchaseWish, by: string): Promise<PutResult> {
  const { company_id, kind, reference, location_id, expected_at } = wish
  const place = await placeOf(tx, location_id, '$.location')
  if (place.company_id !== company_id)
    throw new HubError('unknown_location', `${company_id} has no location ${location_id}`, { path: '$.location' })
  refuseTwice(wish.lines)
  const lines = await resolveUnits(tx, company_id, wish.lines, 0)
  const id = ctx.newId()
  const isNew = await insertSupply(
    tx,
    { id, company_id, kind, reference, location_id, expected_at, from_location_id: null, order_id: null },
    by,
    ctx.now,
  )
  const known = await lockSupply(tx, isNew ? id : (await findSupply(tx, { company_id, kind, reference })).id)
  const wished = wishedPicture(known, wish, lines)
  if (!isNew && isSame(known, wished)) return { id: known.id, outcome: 'same' }
  if (known.state !== 'open') {
    throw new HubError('conflict', `the purchase ${reference} is ${known.state} and cannot be changed`, {
      hint: 'what is ordered anew is a purchase of its own',
    })
  }
  const after = { ...wished, state: settledState(wished, 'leaves_no_more') }
  await moveIncoming(tx, ctx, known, { before: isNew ? null : known, after, reason: 'supply' })
  await saveSupply(tx, after, ctx.now)
  await writeAudit(tx, {
    at: ctx.now,
    actor: by,
    action: isNew ? 'supply.create' : 'supply.change',
    subject: supplySource(known.id),
    data: { reference, location_id, lines: wish.lines },
  })
  return { id: known.id, outcome: isNew ? 'created' : 'changed' }
}

function wishedPicture(known: StoredSupply, wish: PurchaseWish, lines: readonly ResolvedUnits[]): StoredSupply {
  const wanted = new Map(lines.map((line, index) => [line.item_id, { ...line, index }]))
  const kept = known.lines.map((line) => {
    const wished = wanted.get(line.item_id)
    wanted.delete(line.item_id)
    const quantity = wished?.quantity ?? 0
    // A line that came in greater number than was ordered may stay as it was ordered.
    if (quantity < line.received_quantity && quantity !== line.quantity) {
      throw new HubError('conflict', `${line.received_quantity} units have come already, ${quantity} are too few`, {
        path: wished === undefined ? '$.lines' : `$.lines[${wished.index}].quantity`,
        hint: 'name at least what has come; cancel the purchase if nothing more is to come',
      })
    }
    return { ...line, quantity }
  })
  const none = { received_quantity: 0, shipped_quantity: 0, missing_quantity: 0 }
  const added = [...wanted.values()].map(({ item_id, quantity }) => ({ item_id, quantity, ...none }))
  const { location_id, expected_at } = wish
  return { ...known, location_id, expected_at, lines: [...kept, ...added] }
}

function isSame(known: StoredSupply, wished: StoredSupply): boolean {
  const before = new Map(known.lines.map((line) => [line.item_id, line.quantity]))
  return (
    known.location_id === wished.location_id &&
    known.expected_at?.getTime() === wished.expected_at?.getTime() &&
    wished.lines.every((line) => (before.get(line.item_id) ?? 0) === line.quantity)
  )
}

/** Brings `incoming` in line with what a supply has become. What may wait for supply hangs on it, so its listings are due. */
export async function moveIncoming(
  tx: Tx,
  ctx: CoreContext,
  supply: { id: string },
  change: { before: SupplyPicture | null; after: SupplyPicture | null; reason: string },
): Promise<void> {
  const moves = incomingMoves(change.before, change.after)
  if (moves.length === 0) return
  const stock = await lockStock(tx, moves, ctx.now)
  refuseOverflow(
    stock,
    moves.filter((move) => move.to === 'incoming'),
  )
  const source = supplySource(supply.id)
  await moveStock(
    tx,
    moves.map((move) => ({ ...move, reason: change.reason, source, occurred_at: ctx.now })),
    ctx.now,
  )
  await markDirty(tx, [...new Set(moves.map((move) => move.item_id))], ctx.now)
}

/**
 * Nothing more of a purchase is to come: the rest leaves `incoming`. Cancelling it again changes nothing. Faults: `not_found`,
 * `conflict` for a purchase that has come whole, `bad_request` for a transfer (which `cancelTransfer` ends).
 */
export async function cancelSupply(tx: Tx, ctx: CoreContext, name: SupplyName, by: string): Promise<PutResult> {
  const { id, company_id, kind } = await findSupply(tx, name)
  if (kind !== 'purchase') throw new HubError('bad_request', 'this is a transfer', { hint: 'cancel it as a transfer' })
  await takeTurn(tx, [company_id], 'side_by_side')
  return touchOnce(tx, ctx.now, async (): Promise<PutResult> => {
    const before = await lockSupply(tx, id)
    if (before.state === 'cancelled') return { id, outcome: 'same' }
    if (before.state === 'received')
      throw new HubError('conflict', `the purchase ${before.reference} has come; there is nothing left to cancel`)
    const after = { ...before, state: 'cancelled' as const }
    await moveIncoming(tx, ctx, before, { before, after, reason: 'supply' })
    await saveSupply(tx, after, ctx.now)
    await writeAudit(tx, { at: ctx.now, actor: by, action: 'supply.cancel', subject: supplySource(id) })
    return { id, outcome: 'changed' }
  })
}
