import { setStockRule } from '../../src/core/availability/ruleChanges.ts'
import { allocateWaiting } from '../../src/core/inventory/allocate.ts'
import { requestMovement, type MovementRequest } from '../../src/core/movements/movements.ts'
import { putSupply, cancelSupply } from '../../src/core/supply/put.ts'
import { receiveSupply } from '../../src/core/supply/receive.ts'
import { cancelTransfer, createTransfer } from '../../src/core/supply/transfers.ts'
import { INTERNAL, onHandAt, PLACES, shelfOf, type NaiveOrder } from '../kit/naiveHub.ts'
import { settle, sweep } from '../kit/naiveOrders.ts'
import { count, moveByHand, receive, takeBack, toCome } from '../kit/naiveStock.ts'
import { policy } from '../kit/orders.ts'
import { at, must, minute, tell, type Step } from './modelStep.ts'
import { CHANNELS, ITEMS, type Rig } from './modelWorld.ts'

export async function countItem(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const [item, where] = [must(at(ITEMS, n)), must(at(PLACES, k))]
  const late = Math.max(0, rig.hub.now - [0, 1, 3, 6][m % 4]!)
  const shelf = shelfOf(rig.hub, item, where)
  const later = rig.hub.crossings.filter((one) => one.key === `${item}@${where}` && one.at > late)
  const then = onHandAt(rig.hub, item, where) - later.reduce((all, one) => all + one.on_hand, 0)
  const on_hand = Math.max(0, then + [0, 1, -1, -2, 3, -3, 6, -6][m % 8]!)
  const { damaged, quality_control } = shelf
  const said = { item, place: where, at: late, on_hand, damaged: m % 3 === 0 ? damaged : 0, quality_control }
  const external_id = `C${rig.hub.now}`
  const lines = [{ sku: item, on_hand, damaged: said.damaged, quality_control }]
  await tell(rig, 'depot', [
    { kind: 'stock_count', document: { external_id, location_code: where, as_of: minute(late), lines } },
  ])
  count(rig.hub, said)
  return `${where} counted ${on_hand} ${item} (damaged ${said.damaged}, quality ${quality_control}) at ${late}`
}

const MOVES = [
  ['receive', 'delivery', 'outside', 'available', true],
  ['adjust_up', 'miscount', 'outside', 'available', true],
  ['adjust_down', 'miscount', 'available', 'outside', true],
  ['lost', 'missing', 'available', 'outside', true],
  ['damage', 'broken', 'available', 'damaged', true],
  ['write_off', 'broken', 'damaged', 'outside', true],
  ['quarantine', 'recall', 'available', 'quality_control', false],
  ['release', 'inspected', 'quality_control', 'available', false],
  ['set_safety', 'reserve_policy', 'available', 'safety_stock', false],
  ['set_safety', 'reserve_policy', 'safety_stock', 'available', false],
  ['receive', 'delivery', 'outside', 'available', true],
] as const satisfies readonly (readonly [MovementRequest['kind'], string, string, string, boolean])[]

export async function moveItem(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const [item, where, way] = [must(at(ITEMS, n)), must(at(PLACES, k)), must(at(MOVES, m))]
  const [kind, reason, from, to, fact] = way
  const units = 1 + ((n + m) % (to === 'available' && from === 'outside' ? 8 : 3))
  const request = { key: `M${rig.hub.now}`, kind, reason, from, to, sku: item, location: where, quantity: units }
  const done = await requestMovement(rig.tx, rig.ctx, request, 'user:ada', 1_000_000)
  const could = moveByHand(rig.hub, { item, place: where, from, to, units, fact })
  if (could !== (done.kind === 'applied'))
    throw new Error(`${kind} of ${units} ${item} at ${where}: ${done.kind}, model ${could}`)
  return `${kind} ${units} ${item} at ${where}${could ? '' : ' (refused)'}`
}

export async function buy(rig: Rig, { n, m, k }: Step): Promise<string> {
  const [item, where] = [must(at(ITEMS, n)), must(at(PLACES, k))]
  const reference = `P${rig.hub.now}`
  const quantity = 1 + (m % 6)
  const wish = { company_id: 'acme', kind: 'purchase' as const, reference, location_id: where, expected_at: null }
  await putSupply(rig.tx, rig.ctx, { ...wish, lines: [{ sku: item, quantity }] }, 'user:ada')
  const lines = [{ item, quantity, shipped: 0, received: 0, missing: 0 }]
  rig.hub.supplies.push({ reference, kind: 'purchase', place: where, cancelled: false, lines })
  shelfOf(rig.hub, item, where).incoming += quantity
  return `${reference}: ${quantity} ${item} are to come to ${where}`
}

export async function transfer(rig: Rig, { n, m, k }: Step): Promise<string> {
  const from = must(at(PLACES, k))
  const to = must(at(PLACES.filter((one) => one !== from), n)) // prettier-ignore
  const reference = `T${rig.hub.now}`
  const items = m % 3 === 0 ? [must(at(ITEMS, n)), must(at(ITEMS, n + 1))] : [must(at(ITEMS, n))]
  const lines = items.map((sku, which) => ({ sku, quantity: 1 + ((m + which) % 4) }))
  const wish = { reference, from_location_id: from, to_location_id: to, expected_at: null, lines }
  await createTransfer(rig.tx, rig.ctx, wish, 'user:ada')
  const one: NaiveOrder = {
    id: reference, channel: INTERNAL, placed: rig.hub.now * 60, paid: true, open: true, onHold: false,
    lines: lines.map(({ sku, quantity }) => ({ id: sku, sku, quantity })), refused: new Set(), items: new Set(), from,
  } // prettier-ignore
  rig.hub.orders.set(reference, one)
  const none = { shipped: 0, received: 0, missing: 0 }
  const own = lines.map(({ sku, quantity }) => ({ item: sku, quantity, ...none }))
  rig.hub.supplies.push({ reference, kind: 'transfer', place: to, cancelled: false, lines: own })
  settle(rig.hub, [reference])
  return `${reference}: ${lines.map((row) => `${row.quantity} ${row.sku}`).join(', ')} from ${from} to ${to}`
}

export async function receiveGoods(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const open = rig.hub.supplies.flatMap((supply) =>
    supply.lines.flatMap((row) => (toCome(supply, row) > 0 ? [{ supply, row }] : [])),
  )
  const chosen = at(open, n)
  if (chosen === undefined) return null
  const { supply, row } = chosen
  const units = 1 + (m % (toCome(supply, row) + (k % 4 === 0 ? 1 : 0)))
  const to = k % 5 === 1 ? 'quality_control' : 'available'
  const name = { company_id: 'acme', kind: supply.kind, reference: supply.reference }
  const receipt = { key: `R${rig.hub.now}`, location_id: null, at: null, rest: 'expected' as const }
  await receiveSupply(
    rig.tx,
    rig.ctx,
    name,
    { ...receipt, lines: [{ sku: row.item, quantity: units, to }] },
    'user:ada',
  )
  receive(rig.hub, supply, row.item, units, to)
  return `${units} ${row.item} of ${supply.reference} come in (${to})`
}

export async function cancelComing(rig: Rig, { n }: Step): Promise<string | null> {
  const open = rig.hub.supplies.filter(({ kind, cancelled, lines }) =>
    !cancelled && lines.some((row) => (kind === 'purchase' ? row.received < row.quantity : row.shipped < row.quantity))) // prettier-ignore
  const supply = at(open, n)
  if (supply === undefined) return null
  const { kind, reference, place: where } = supply
  const name = { company_id: 'acme', kind, reference }
  if (kind === 'purchase') {
    for (const row of supply.lines) shelfOf(rig.hub, row.item, where).incoming -= toCome(supply, row)
    await cancelSupply(rig.tx, rig.ctx, name, 'user:ada')
  } else {
    await cancelTransfer(rig.tx, rig.ctx, name, 'user:ada')
    const one = rig.hub.orders.get(reference)
    if (one !== undefined) one.open = false
    settle(rig.hub, [reference])
  }
  supply.cancelled = true
  return `${reference} is cancelled`
}

export async function comeBack(rig: Rig, { n, m, k }: Step): Promise<string> {
  const [item, where] = [must(at(ITEMS, n)), must(at(PLACES, k))]
  const disposition = must(at(['restock', 'quality_control', 'damaged', 'discard'] as const, m))
  const late = Math.max(0, rig.hub.now - [0, 0, 4][k % 3]!)
  const quantity = 1 + (m % 3)
  const lines = [{ sku: item, line_reference: null, quantity, disposition }]
  const of = { external_id: `B${rig.hub.now}`, order_external_id: null, fulfillment_order: null }
  await tell(rig, 'depot', [
    { kind: 'return', document: { ...of, location_code: where, received_at: minute(late), lines } },
  ])
  takeBack(rig.hub, { item, place: where, units: quantity, at: late }, disposition)
  return `${quantity} ${item} come back to ${where} (${disposition}) at ${late}`
}

export async function rule(rig: Rig, { n, m, k }: Step): Promise<string> {
  const channel = must(rig.hub.channels.get(must(at(CHANNELS, n)).id))
  if (k % 2 === 0) {
    channel.priority = must(at([10, 100, 200], m))
    channel.shortfall = must(at(['partial', 'all_or_nothing', 'backorder'] as const, m + n))
    const { id, priority, shortfall, places } = channel
    rig.world.policies.set(id, policy(id, { priority, shortfall, serves_from: places }))
    await allocateWaiting(rig.tx, rig.ctx, 1000)
    sweep(rig.hub)
    return `${id} is ${shortfall} with priority ${priority} from now on`
  }
  const fields = must(at([
    { buffer_units: 1 }, { cap: 3 }, { share_percent: 50 }, { zero_below: 2 }, { backorder: 'backorder' }, { backorder: 'deny' },
    { backorder: 'backorder', backorder_units_max: 4 }, { safety_units: 1 }, { buffer_percent: 30, cap: 5 },
  ] as const, m)) // prettier-ignore
  const where = 'safety_units' in fields ? must(at([null, ...PLACES], n)) : null
  const scope = {
    channel: m % 2 === 0 ? channel.id : null,
    item: n % 3 === 0 ? null : must(at([...ITEMS, 'KIT'], m)),
    place: where,
  }
  const none = {
    safety_units: null, buffer_units: null, buffer_percent: null, share_percent: null, cap: null, zero_below: null, backorder: null,
    backorder_units_max: null,
  } // prettier-ignore
  const wish = {
    company_id: 'acme',
    connection_id: scope.channel,
    sku: scope.item,
    location_id: where,
    ...none,
    ...fields,
  }
  await setStockRule(rig.tx, wish, 'user:ada', rig.ctx.now)
  rig.hub.rules = rig.hub.rules.filter(
    (one) => one.channel !== scope.channel || one.item !== scope.item || one.place !== where,
  )
  rig.hub.rules.push({ ...scope, fields })
  return `rule ${JSON.stringify({ ...scope, ...fields })}`
}
