import { markFulfillmentSent, type EffectRef } from '../../src/core/fulfillment/requests.ts'
import { expireCartHolds } from '../../src/core/holds/end.ts'
import { expireHolds } from '../../src/core/orders/expireHolds.ts'
import { placeOnHold, releaseFromHold } from '../../src/core/orders/hold.ts'
import { type NaiveOrder } from '../kit/naiveHub.ts'
import { settle, replan } from '../kit/naiveOrders.ts'
import { expire, giveBackWork, heldBy, ship, shortPick } from '../kit/naiveStock.ts'
import { capture } from '../kit/orders.ts'
import {
  at,
  must,
  minute,
  tell,
  picture,
  channelOrders,
  boundTo,
  numberOf,
  idOf,
  spokenOf,
  type Step,
  setClock,
} from './modelStep.ts'
import { CHANNELS, SKUS, type Rig } from './modelWorld.ts'

export async function place(rig: Rig, { n, m, k }: Step): Promise<string> {
  const channel = must(at(CHANNELS, n)).id
  const many = k % 5 === 0 ? 2 : 1
  const said: string[] = []
  const orders = Array.from({ length: many }, (_, index): NaiveOrder => {
    const lines = Array.from({ length: 1 + ((m + index) % 3) }, (__, which) => {
      const sku = must(at(SKUS, n + which * (1 + (k % 3)) + index))
      return { id: `L${which}`, sku, quantity: 1 + ((m + which * k) % 4) }
    })
    const id = `o${channelOrders(rig).length + 1 + index}`
    said.push(`${id} of ${channel}: ${lines.map((one) => `${one.quantity} ${one.sku}`).join(' + ')}`)
    return {
      id, channel, placed: rig.hub.now * 60 + index, paid: k % 3 !== 1, open: true, onHold: false, lines, refused: new Set(),
      items: new Set(), from: null,
    } // prettier-ignore
  })
  await tell(rig, channel, orders.map((one) => picture(rig, one, !one.paid))) // prettier-ignore
  for (const one of orders) rig.hub.orders.set(one.id, one)
  settle(rig.hub, orders.map((one) => one.id), { holds: orders.flatMap((one) => boundTo(rig, one)) }) // prettier-ignore
  return `${said.join(', ')}${k % 3 === 1 ? ' (unpaid)' : ''}`
}

export async function edit(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const one = at(channelOrders(rig), n)
  if (one === undefined) return null
  const shown = one.lines.filter((row) => row.quantity > 0)
  const which = must(at(shown, m))
  const way = k % 5
  if (way === 0) one.lines.push({ id: `L${one.lines.length}`, sku: must(at(SKUS, m)), quantity: 1 + (m % 3) })
  else if (way === 1 && shown.length > 1) which.quantity = 0
  else if (way === 2) which.sku = must(at(SKUS, SKUS.indexOf(which.sku) + 1 + (m % 5)))
  else which.quantity = which.quantity > 1 && m % 2 === 0 ? which.quantity - 1 : which.quantity + 1 + (m % 3)
  one.open = true
  await tell(rig, one.channel, [picture(rig, one, !one.paid)])
  settle(rig.hub, [one.id], { holds: boundTo(rig, one) })
  return `${one.id} is now ${one.lines.map((row) => `${row.quantity} ${row.sku}`).join(' + ')}`
}

export async function pay(rig: Rig, { n }: Step): Promise<string | null> {
  const one = at(channelOrders(rig).filter((each) => !each.paid), n) // prettier-ignore
  if (one === undefined) return null
  await tell(rig, 'bank', [capture(`pay-${one.id}-${rig.hub.now}`, 1_000_000, { order_external_id: one.id })])
  one.paid = true
  replan(rig.hub, one.id)
  return `${one.id} is paid`
}

export async function cancel(rig: Rig, { n }: Step): Promise<string | null> {
  const one = at(channelOrders(rig).filter((each) => each.open), n) // prettier-ignore
  if (one === undefined) return null
  const version = { updated_at: minute(rig.hub.now), observed_at: minute(rig.hub.now) }
  await tell(rig, one.channel, [{ kind: 'cancellation', document: { external_id: one.id, version, reason: null } }])
  one.open = false
  settle(rig.hub, [one.id])
  return `${one.id} is cancelled`
}

export async function tick(rig: Rig, { m }: Step): Promise<string | null> {
  rig.hub.now += m % 2 === 0 ? 65 : 12
  setClock(rig)
  await expireHolds(rig.tx, rig.ctx, 1000)
  await expireCartHolds(rig.tx, rig.ctx, 1000)
  expire(rig.hub)
  return 'time passes'
}

export async function send(rig: Rig): Promise<string | null> {
  const effects = await rig.tx.query<EffectRef>(
    `update outbox set state = 'done', attempts = 1, done_at = $1 where kind = 'fulfillment.new' and state = 'pending'
     returning id, kind, reference`,
    [rig.ctx.now],
  )
  // Recalls go with the same file; what they ask for is known from the moment they are made.
  await rig.tx.query(
    `update outbox set state = 'done', attempts = 1, done_at = $1 where kind = 'fulfillment.cancel' and state = 'pending'`,
    [rig.ctx.now],
  )
  await markFulfillmentSent(rig.tx, rig.ctx, effects)
  const own = rig.hub.works.filter((work) => work.place === 'south' && work.state === 'open')
  if (effects.length !== own.length)
    throw new Error(`${effects.length} pieces of work leave, ought to be ${own.length}`)
  for (const work of own) work.state = 'sent'
  return own.length === 0 ? null : 'work leaves for the 3PL'
}

export async function shipWork(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const work = at(spokenOf(rig).filter((one) => heldBy(rig.hub, one).size > 0), n) // prettier-ignore
  if (work === undefined) return null
  const goods = new Map<string, number>()
  for (const [item, units] of heldBy(rig.hub, work))
    if (k % 2 === 0) goods.set(item, units)
    else if (goods.size === 0 || m % 2 === 0) goods.set(item, 1 + (m % units))
  const late = Math.max(0, rig.hub.now - [0, 0, 2, 5][k % 4]!)
  await tell(rig, 'depot', [
    {
      kind: 'shipment',
      document: {
        external_id: `S${rig.hub.now}`,
        fulfillment_order: await numberOf(rig, work),
        shipped_at: minute(late),
        carrier: null, tracking_number: null, tracking_url: null,
        lines: [...goods].map(([sku, quantity]) => ({ sku, quantity, line_reference: null, lot: null })),
      },
    },
  ]) // prettier-ignore
  ship(rig.hub, work, goods, late)
  return `${work.order} leaves ${work.place}: ${[...goods].map(([item, units]) => `${units} ${item}`).join(', ')} at ${late}`
}

export async function answer(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const work = at(spokenOf(rig), n)
  if (work === undefined) return null
  const [item, units] = at([...heldBy(rig.hub, work)], m) ?? ['', 0]
  const verdict = work.calledBack ? must(at(['cancelled', 'cancelled', 'accepted', 'rejected'] as const, k)) : must(at(['accepted', 'rejected', 'short', 'short'] as const, k)) // prettier-ignore
  if (verdict === 'short' && units === 0) return null
  const short = 1 + (m % Math.max(1, units))
  const lines = verdict === 'short' ? { lines: [{ sku: item, quantity: short }] } : {}
  const document = {
    fulfillment_order: await numberOf(rig, work),
    verdict,
    reason: null,
    at: minute(rig.hub.now),
    ...lines,
  }
  await tell(rig, 'depot', [{ kind: 'acknowledgement', document }])
  if (verdict === 'accepted') {
    if (!work.accepted) work.state = 'sent'
    work.accepted = true
  } else if (verdict === 'short') shortPick(rig.hub, work, item, short)
  else giveBackWork(rig.hub, work, verdict)
  return `${work.place} says of ${work.order}: ${verdict} ${verdict === 'short' ? `${short} ${item}` : ''}`
}

export async function holdOrder(rig: Rig, { n }: Step): Promise<string | null> {
  const one = at(channelOrders(rig).filter((each) => each.open || each.onHold), n) // prettier-ignore
  if (one === undefined) return null
  const id = await idOf(rig, one)
  if (!one.onHold) {
    await placeOnHold(rig.tx, rig.ctx, id, 'OTHER', 'user:ada')
    one.onHold = true
    for (const work of rig.hub.works)
      if (work.order === one.id && work.state === 'open' && !work.calledBack) work.state = 'on_hold'
    return `${one.id} on hold`
  }
  await releaseFromHold(rig.tx, rig.ctx, id, 'user:ada')
  one.onHold = false
  for (const row of rig.hub.rows) if (row.order === one.id && row.state === 'held') row.expires = rig.hub.now + 60
  settle(rig.hub, [one.id], { work: 'anew' })
  return `${one.id} goes on`
}
