import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, peekStock, stockKey, touchOnce, type StockRow } from '../inventory/ledger.ts'
import { shortenPromises, withOrdersAtRisk } from '../inventory/shorten.ts'
import { takeTurn } from '../turn.ts'
import { mayBeSamePerson } from './persons.ts'
import { findMovement, insertMovement, lockMovement, type MovementRow } from './sql.ts'
import {
  judgeMovement,
  kindOf,
  needsApproval,
  wayOf,
  type MovementKindName,
  type MovementRefusal,
  type MovementSituation,
} from './rulesMovement.ts'

export interface MovementRequest {
  /** The caller's own name of it, unique in the company. */
  key: string
  kind: MovementKindName
  sku: string
  location: string
  /** Units, more than zero. */
  quantity: number
  reason: string
  from?: string | undefined
  to?: string | undefined
  reference?: string | undefined
  lot?: string | undefined
  /** A date, `2026-12-24`. */
  expires_on?: string | undefined
  /** When it happened, if not now. */
  occurred_at?: Date | undefined
}

export type MovementResult = { kind: 'applied' | 'waiting' | 'rejected'; movement: MovementRow } | MovementRefusal

/**
 * Moves units in a person's (or a system's) name. Above `limit` units, what changes on_hand waits for a second person. The same request
 * under the same key is answered the same again. Refusals leave no trace. Faults: `unknown_sku`, `unknown_location`, `bad_request`
 * (with the field), `conflict` for a key that stands for another movement.
 */
export async function requestMovement(
  tx: Tx,
  ctx: CoreContext,
  request: MovementRequest,
  by: string,
  limit: number,
): Promise<MovementResult> {
  const named = await resolve(tx, request)
  const way = wayOf(request)
  if (way.kind === 'fault') throw new HubError('bad_request', way.message, { path: way.path, hint: way.hint })
  const occurred_at = request.occurred_at ?? ctx.now
  if (occurred_at > ctx.now)
    throw new HubError('bad_request', 'a movement cannot have happened in the future', { path: 'occurred_at' })
  if (request.lot !== undefined && !named.tracks_lots)
    throw new HubError('bad_request', `${request.sku} has no lots`, {
      path: 'lot',
      hint: 'items have lots where the configuration says so: items[].lots',
    })
  await takeTurn(tx, [named.company_id], 'side_by_side')
  const waits = needsApproval(request.kind, request.quantity, limit)
  const wanted: MovementRow = {
    id: ctx.newId(),
    company_id: named.company_id,
    key: request.key,
    kind: request.kind,
    item_id: named.item_id,
    sku: request.sku,
    location_id: request.location,
    from_state: way.from,
    to_state: way.to,
    quantity: request.quantity,
    reason: request.reason,
    reference: request.reference ?? null,
    lot: request.lot ?? null,
    expires_on: request.expires_on ?? null,
    state: waits ? 'waiting' : 'applied',
    occurred_at,
    requested_by: by,
    requested_at: ctx.now,
    decided_by: null,
    decided_at: null,
  }
  if (!(await insertMovement(tx, wanted))) return answerAgain(tx, wanted, request)
  const result: MovementResult = waits ? { kind: 'waiting', movement: wanted } : await apply(tx, ctx, wanted)
  if (result.kind === 'refused') {
    await tx.query('delete from stock_movements where id = $1', [wanted.id])
    return result
  }
  await audit(tx, ctx, by, 'stock.move', wanted)
  return result
}

/**
 * A second person's word on a movement that waits. A refusal (the units are not there any more, a count has them already) leaves it
 * waiting; it can then be rejected. Faults: `not_found`, `conflict` when it was decided otherwise, `forbidden` for whoever asked for it.
 */
export async function decideMovement(
  tx: Tx,
  ctx: CoreContext,
  id: string,
  verdict: 'approve' | 'reject',
  by: string,
): Promise<MovementResult> {
  const found = await findMovement(tx, id)
  if (found === undefined) throw new HubError('not_found', 'there is no such movement')
  await takeTurn(tx, [found.company_id], 'side_by_side')
  const row = await lockMovement(tx, id)
  const state = verdict === 'approve' ? 'applied' : 'rejected'
  if (row.state !== 'waiting') {
    if (row.state === state && row.decided_by === by) return { kind: state, movement: row }
    throw new HubError('conflict', `the movement is ${row.state} already`)
  }
  if (verdict === 'approve' && (await mayBeSamePerson(tx, row.requested_by, by))) {
    throw new HubError('forbidden', 'a movement is approved by somebody else than who asked for it', {
      hint: 'an API key counts as the person who made it',
    })
  }
  const decided: MovementRow = { ...row, state, decided_by: by, decided_at: ctx.now }
  const result: MovementResult =
    verdict === 'approve' ? await apply(tx, ctx, decided) : { kind: 'rejected', movement: decided }
  if (result.kind === 'refused') return result
  await tx.query('update stock_movements set state = $2, decided_by = $3, decided_at = $4 where id = $1', [
    id,
    state,
    by,
    ctx.now,
  ])
  await audit(tx, ctx, by, `stock.${verdict}`, decided)
  return result
}

interface Named {
  item_id: number
  company_id: string
  tracks_lots: boolean
}

async function resolve(tx: Tx, { sku, location }: MovementRequest): Promise<Named> {
  const [place] = await tx.query<{ company_id: string }>('select company_id from locations where id = $1', [location])
  if (place === undefined)
    throw new HubError('unknown_location', `there is no location ${location}`, { path: 'location' })
  const { company_id } = place
  const [item] = await tx.query<{ id: number; tracks_lots: boolean; is_kit: boolean }>(
    `select id, tracks_lots, exists (select 1 from kit_components k where k.kit_item_id = i.id) as is_kit
     from items i where company_id = $1 and sku = $2`,
    [company_id, sku],
  )
  if (item === undefined)
    throw new HubError('unknown_sku', `no item of ${company_id} has the SKU ${sku}`, { path: 'sku' })
  if (item.is_kit)
    throw new HubError('bad_request', `${sku} is a kit and has no stock of its own`, {
      path: 'sku',
      hint: 'move its components',
    })
  return { item_id: item.id, company_id, tracks_lots: item.tracks_lots }
}

const SAME = [
  'kind', 'item_id', 'location_id', 'from_state', 'to_state', 'quantity', 'reason', 'reference', 'lot', 'expires_on',
] as const satisfies readonly (keyof MovementRow)[] // prettier-ignore

async function answerAgain(tx: Tx, wanted: MovementRow, { occurred_at }: MovementRequest): Promise<MovementResult> {
  const known = await findMovement(tx, { company_id: wanted.company_id, key: wanted.key })
  if (known === undefined) throw new HubError('invariant_broken', 'a movement was neither made nor found')
  const sameTime = occurred_at === undefined || occurred_at.getTime() === known.occurred_at.getTime()
  const different = SAME.find((field) => wanted[field] !== known[field]) ?? (sameTime ? undefined : 'occurred_at')
  if (different !== undefined)
    throw new HubError('conflict', `the key ${wanted.key} stands for another movement`, { path: different })
  return { kind: known.state, movement: known }
}

/** Orders at risk, then stock, then availability: the one order of locks. */
async function apply(tx: Tx, ctx: CoreContext, movement: MovementRow): Promise<MovementResult> {
  const key = { item_id: movement.item_id, location_id: movement.location_id }
  const seen = await peekStock(tx, [key])
  const free = seen.get(stockKey(key.item_id, key.location_id))?.available ?? 0
  const takes = movement.from_state === 'available' && kindOf(movement.kind).fact
  const foreseen = takes ? [{ ...key, units: movement.quantity - free }] : []
  return touchOnce(tx, ctx.now, () =>
    withOrdersAtRisk(tx, foreseen, async () => {
      const stock = await lockStock(tx, [key], ctx.now)
      const row = stock.get(stockKey(key.item_id, key.location_id))
      if (row === undefined) throw new HubError('invariant_broken', 'a stock row that was locked is not there')
      return moveUnder(tx, ctx, movement, row)
    }),
  )
}

async function moveUnder(tx: Tx, ctx: CoreContext, movement: MovementRow, row: StockRow): Promise<MovementResult> {
  const { kind, item_id, location_id, quantity, reason, lot, expires_on, occurred_at } = movement
  const { from_state: from, to_state: to } = movement
  const source = `movement:${movement.id}`
  const situation: MovementSituation = { ...row, lot: await loadLot(tx, movement) }
  const verdict = judgeMovement({ kind, from, quantity, occurred_at, lot, expires_on }, situation)
  if (verdict.kind === 'refused') return verdict
  const shortage = { item_id, location_id, units: verdict.broken, source, occurred_at }
  await shortenPromises(tx, ctx, [shortage], new Map([[stockKey(item_id, location_id), row]]))
  const move = { item_id, location_id, from, to, quantity, reason: `${kind}:${reason}`, source, occurred_at }
  await moveStock(tx, [{ ...move, lot, expires_on }], ctx.now)
  await allocateShortfalls(tx, ctx, [item_id])
  return { kind: 'applied', movement }
}

async function loadLot(tx: Tx, movement: MovementRow): Promise<MovementSituation['lot']> {
  if (movement.lot === null) return null
  const [lot] = await tx.query<{ quantity: number; expires_on: string | null }>(
    'select quantity, expires_on from stock_lots where item_id = $1 and location_id = $2 and lot = $3',
    [movement.item_id, movement.location_id, movement.lot],
  )
  return lot ?? null
}

async function audit(tx: Tx, ctx: CoreContext, actor: string, action: string, movement: MovementRow): Promise<void> {
  const { id, kind, item_id, location_id, quantity, reason, state } = movement
  const data = { kind, item_id, location_id, quantity, reason, state }
  await writeAudit(tx, { at: ctx.now, actor, action, subject: `movement:${id}`, data })
}
