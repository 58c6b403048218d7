import { userError } from './faults.ts'
import { follow, linesOf, momentOf, type Env } from './orm.ts'
import { isTrue, numberOf, refOf, textOf, type Row, type Value } from './values.ts'

/** Goods on their way: reserving, moving, and what is left over of a transfer. */

const OPEN = new Set(['draft', 'confirmed', 'partially_available', 'assigned'])
export const isOpen = (move: Row): boolean => OPEN.has(textOf(move, 'state'))

const isStored = (env: Env, product: number): boolean =>
  env.valueOf('product.product', env.need('product.product', product), 'is_storable') === true
const usageOf = (env: Env, location: number): string => textOf(env.need('stock.location', location), 'usage')

// ── quants ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Place {
  product: number
  location: number
  lot?: number
}

function quantOf(env: Env, { product, location, lot = 0 }: Place): Row | undefined {
  return env.store
    .by('stock.quant', 'product_id', product)
    .find((quant) => refOf(quant, 'location_id') === location && refOf(quant, 'lot_id') === lot)
}

function changeQuant(env: Env, place: Place, by: { quantity?: number; reserved?: number }): void {
  const quant = quantOf(env, place)
  const { quantity = 0, reserved = 0 } = by
  if (quant === undefined) {
    const lot_id = place.lot === undefined || place.lot === 0 ? false : place.lot
    const values = { product_id: place.product, location_id: place.location, lot_id, reserved_quantity: reserved }
    env.store.put('stock.quant', { ...env.need('stock.quant', env.create('stock.quant', values)), quantity })
    return
  }
  env.store.put('stock.quant', {
    ...quant,
    quantity: numberOf(quant, 'quantity') + quantity,
    reserved_quantity: Math.max(0, numberOf(quant, 'reserved_quantity') + reserved),
    write_date: momentOf(env.now()),
  })
}

export function moveUnits(
  env: Env,
  product: number,
  path: { from: number; to: number; lot?: number },
  quantity: number,
): void {
  const lot = path.lot === undefined ? {} : { lot: path.lot }
  changeQuant(env, { product, location: path.from, ...lot }, { quantity: -quantity })
  changeQuant(env, { product, location: path.to, ...lot }, { quantity })
}

/** Free units below a location, by the quants that hold them. */
function freeQuants(env: Env, product: number, location: number): { location: number; lot: number; free: number }[] {
  return env.store
    .by('stock.quant', 'product_id', product)
    .filter((quant) => refOf(quant, 'location_id') === location)
    .map((quant) => ({
      location,
      lot: refOf(quant, 'lot_id'),
      free: numberOf(quant, 'quantity') - numberOf(quant, 'reserved_quantity'),
    }))
    .filter(({ free }) => free > 0)
}

// ── moves ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const quantityOf = (env: Env, move: Row): number =>
  linesOf(env, 'stock.move.line', 'move_id', move.id).reduce((sum, line) => sum + numberOf(line, 'quantity'), 0)

/** What a move is by its lines. */
export function settleMove(env: Env, id: number): void {
  const move = env.need('stock.move', id)
  if (!isOpen(move) || textOf(move, 'state') === 'draft') return
  const quantity = quantityOf(env, move)
  const demand = numberOf(move, 'product_uom_qty')
  const state = demand === 0 && quantity === 0 ? 'cancel' : quantity === 0 ? 'confirmed' : quantity >= demand ? 'assigned' : 'partially_available' // prettier-ignore
  env.store.put('stock.move', { ...move, state })
}

/** Takes what is free for an open move; what comes from outside our walls is always there. */
export function reserve(env: Env, id: number): void {
  const move = env.need('stock.move', id)
  if (!isOpen(move) || textOf(move, 'state') === 'draft') return
  const [product, location] = [refOf(move, 'product_id'), refOf(move, 'location_id')]
  let wanted = numberOf(move, 'product_uom_qty') - quantityOf(env, move)
  if (wanted > 0 && (!isStored(env, product) || usageOf(env, location) !== 'internal'))
    addLine(env, move, { quantity: wanted, reserved: 0, lot: 0 })
  else {
    for (const { free, lot } of freeQuants(env, product, location)) {
      const take = Math.min(free, wanted)
      if (take <= 0) break
      addLine(env, move, { quantity: take, reserved: take, lot })
      wanted -= take
    }
  }
  settleMove(env, id)
}

function addLine(
  env: Env,
  move: Row,
  { quantity, reserved, lot }: { quantity: number; reserved: number; lot: number },
): void {
  const own = linesOf(env, 'stock.move.line', 'move_id', move.id).find(
    (line) =>
      refOf(line, 'lot_id') === lot &&
      !isTrue(line, 'picked') &&
      refOf(line, 'location_id') === refOf(move, 'location_id'),
  )
  const place = { product: refOf(move, 'product_id'), location: refOf(move, 'location_id'), lot }
  if (reserved > 0) changeQuant(env, place, { reserved })
  if (own !== undefined) {
    env.store.put('stock.move.line', {
      ...own,
      quantity: numberOf(own, 'quantity') + quantity,
      reserved: numberOf(own, 'reserved') + reserved,
    })
    return
  }
  const values = {
    move_id: move.id,
    picking_id: refOf(move, 'picking_id') || false,
    product_id: place.product,
    location_id: place.location,
    location_dest_id: refOf(move, 'location_dest_id'),
    lot_id: lot === 0 ? false : lot,
    quantity,
    reserved,
  }
  env.create('stock.move.line', values)
}

/** A line that somebody else wrote takes what it can of the stock it names. */
export function reserveLine(env: Env, line: Row): void {
  const place = { product: refOf(line, 'product_id'), location: refOf(line, 'location_id'), lot: refOf(line, 'lot_id') }
  const quant = quantOf(env, place)
  const wanted = numberOf(line, 'quantity') - numberOf(line, 'reserved')
  if (quant === undefined || usageOf(env, place.location) !== 'internal') return
  const take = Math.min(wanted, Math.max(0, numberOf(quant, 'quantity') - numberOf(quant, 'reserved_quantity')))
  if (take <= 0) return
  changeQuant(env, place, { reserved: take })
  env.store.put('stock.move.line', { ...line, reserved: numberOf(line, 'reserved') + take })
}

function dropLine(env: Env, line: Row): void {
  const reserved = numberOf(line, 'reserved')
  const place = { product: refOf(line, 'product_id'), location: refOf(line, 'location_id'), lot: refOf(line, 'lot_id') }
  if (reserved > 0) changeQuant(env, place, { reserved: -reserved })
  env.unlink('stock.move.line', [line.id])
}

/** Lets go of everything that a move holds and that nobody has picked. */
export function unreserve(env: Env, id: number): void {
  for (const line of linesOf(env, 'stock.move.line', 'move_id', id)) if (!isTrue(line, 'picked')) dropLine(env, line)
  settleMove(env, id)
}

/** Another demand; what is held beyond it is let go, what is missing is taken if it is there. */
export function setDemand(env: Env, id: number, demand: number): void {
  env.store.put('stock.move', {
    ...env.need('stock.move', id),
    product_uom_qty: demand,
    write_date: momentOf(env.now()),
  })
  if (quantityOf(env, env.need('stock.move', id)) > demand) unreserve(env, id)
  settleMove(env, id)
  if (demand > 0) reserve(env, id)
}

export function cancelMove(env: Env, id: number): void {
  const move = env.need('stock.move', id)
  if (textOf(move, 'state') === 'done')
    throw userError(
      "You cannot cancel a stock move that has been set to 'Done'. Create a return in order to reverse the moves which took place.",
    )
  for (const line of linesOf(env, 'stock.move.line', 'move_id', id)) dropLine(env, line)
  env.store.put('stock.move', { ...env.need('stock.move', id), state: 'cancel', write_date: momentOf(env.now()) })
}

// ── transfers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const movesOf = (env: Env, picking: number): Row[] => linesOf(env, 'stock.move', 'picking_id', picking)

/** A transfer is what its moves are. */
export function pickingState(env: Env, picking: Row): string {
  const states = movesOf(env, picking.id).map((move) => textOf(move, 'state'))
  if (states.length === 0 || states.includes('draft')) return 'draft'
  if (states.every((state) => state === 'cancel')) return 'cancel'
  const living = states.filter((state) => state !== 'cancel')
  if (living.every((state) => state === 'done')) return 'done'
  return living.some((state) => state === 'assigned' || state === 'partially_available') ? 'assigned' : 'confirmed'
}

export function confirmPicking(env: Env, picking: number): void {
  for (const move of movesOf(env, picking)) {
    if (textOf(move, 'state') !== 'draft') continue
    env.store.put('stock.move', { ...move, state: 'confirmed' })
    reserve(env, move.id)
  }
}

/**
 * What a person does with "Validate": what was picked leaves, or all that is held where nothing was picked. When less leaves than was
 * planned a question comes back and nothing has happened, unless the caller has answered it beforehand.
 */
export function validatePicking(env: Env, id: number): Value {
  const picking = env.need('stock.picking', id)
  const open = movesOf(env, id).filter(isOpen)
  if (open.length === 0) return true
  if (open.some((move) => textOf(move, 'state') === 'draft')) confirmPicking(env, id)
  const isPicked = open.some((move) =>
    linesOf(env, 'stock.move.line', 'move_id', move.id).some((line) => isTrue(line, 'picked')),
  )
  const leaving = new Map(open.map((move) => [move.id, leavingOf(env, move.id, isPicked)]))
  if ([...leaving.values()].every((lines) => lines.length === 0))
    throw userError(
      'You cannot validate a transfer if no quantities are reserved. To force the transfer, encode quantities.',
    )
  const isShort = open.some((move) => unitsOf(leaving.get(move.id)) < numberOf(move, 'product_uom_qty'))
  if (isShort && env.context['skip_backorder'] !== true) return backorderQuestion(id)
  const rest: { move: Row; units: number }[] = []
  for (const move of open) {
    const lines = leaving.get(move.id) ?? []
    const units = unitsOf(lines)
    const demand = numberOf(move, 'product_uom_qty')
    if (units < demand) rest.push({ move, units: demand - units })
    if (units > 0) finishMove(env, move.id, lines, units)
  }
  env.store.put('stock.picking', {
    ...env.need('stock.picking', id),
    date_done: momentOf(env.now()),
    write_date: momentOf(env.now()),
  })
  if (rest.length > 0) makeBackorder(env, picking, rest, leaving)
  return true
}

const unitsOf = (lines: readonly Row[] = []): number => lines.reduce((sum, line) => sum + numberOf(line, 'quantity'), 0)

const leavingOf = (env: Env, move: number, isPicked: boolean): Row[] =>
  linesOf(env, 'stock.move.line', 'move_id', move).filter(
    (line) => numberOf(line, 'quantity') > 0 && (!isPicked || isTrue(line, 'picked')),
  )

function finishMove(env: Env, id: number, lines: readonly Row[], units: number): void {
  for (const line of linesOf(env, 'stock.move.line', 'move_id', id))
    if (!lines.some((one) => one.id === line.id)) dropLine(env, line)
  for (const line of lines) {
    const product = refOf(line, 'product_id')
    const [from, to, lot] = [refOf(line, 'location_id'), refOf(line, 'location_dest_id'), refOf(line, 'lot_id')]
    const reserved = numberOf(line, 'reserved')
    if (reserved > 0) changeQuant(env, { product, location: from, lot }, { reserved: -reserved })
    if (isStored(env, product)) moveUnits(env, product, { from, to, lot }, numberOf(line, 'quantity'))
    env.store.put('stock.move.line', { ...env.need('stock.move.line', line.id), reserved: 0, picked: true })
  }
  const move = env.need('stock.move', id)
  const demand = Math.min(units, numberOf(move, 'product_uom_qty')) || units
  env.store.put('stock.move', {
    ...move,
    state: 'done',
    product_uom_qty: Math.max(demand, 0),
    write_date: momentOf(env.now()),
  })
}

function makeBackorder(
  env: Env,
  picking: Row,
  rest: readonly { move: Row; units: number }[],
  leaving: ReadonlyMap<number, readonly Row[]>,
): void {
  const { id: _, name: __, create_date: ___, write_date: ____, ...values } = picking
  const backorder = env.create('stock.picking', {
    ...values,
    backorder_id: picking.id,
    carrier_tracking_ref: false,
    date_done: false,
  })
  for (const { move, units } of rest) {
    if (unitsOf(leaving.get(move.id)) === 0) {
      for (const line of linesOf(env, 'stock.move.line', 'move_id', move.id))
        env.store.put('stock.move.line', { ...line, picking_id: backorder })
      env.store.put('stock.move', { ...env.need('stock.move', move.id), picking_id: backorder })
      reserve(env, move.id)
      continue
    }
    const { id: own, create_date: ______, write_date: _______, ...same } = move
    reserve(
      env,
      env.create('stock.move', { ...same, picking_id: backorder, product_uom_qty: units, state: 'confirmed' }),
    )
    settleMove(env, own)
  }
}

const BACKORDER_VIEW = 943

const backorderQuestion = (picking: number): Value => ({
  name: 'Create Backorder?',
  type: 'ir.actions.act_window',
  view_mode: 'form',
  res_model: 'stock.backorder.confirmation',
  views: [[BACKORDER_VIEW, 'form']],
  view_id: BACKORDER_VIEW,
  target: 'new',
  context: {
    button_validate_picking_ids: [picking],
    default_show_transfers: false,
    default_pick_ids: [[4, picking]],
  },
})

/** Where a kit's or a plain product's goods come from: products and units for so many sold. */
export function explode(
  env: Env,
  product: number,
  units: number,
): { product: number; units: number; bom_line: number }[] {
  const template = refOf(env.need('product.product', product), 'product_tmpl_id')
  const kit = env.store
    .by('mrp.bom', 'product_tmpl_id', template)
    .find((bom) => textOf(bom, 'type') === 'phantom' && [0, product].includes(refOf(bom, 'product_id')))
  if (kit === undefined) return [{ product, units, bom_line: 0 }]
  const per = numberOf(kit, 'product_qty') || 1
  return linesOf(env, 'mrp.bom.line', 'bom_id', kit.id).flatMap((line) =>
    explode(env, refOf(line, 'product_id'), (units * numberOf(line, 'product_qty')) / per).map((part) => ({
      ...part,
      bom_line: part.bom_line === 0 ? line.id : part.bom_line,
    })),
  )
}

export const warehouseOf = (env: Env, order: Row): Row =>
  follow(env, order, 'warehouse_id', 'stock.warehouse') ?? env.need('stock.warehouse', 1)
