import { releaseHolds } from '../../src/core/holds/end.ts'
import { extendHold } from '../../src/core/holds/extend.ts'
import { bindHold } from '../../src/core/holds/handOver.ts'
import { reserveHolds } from '../../src/core/holds/reserve.ts'
import { settle } from '../kit/naiveOrders.ts'
import { endHolds, makeHold } from '../kit/naiveStock.ts'
import { at, must, channelOrders, nextOrder, type Step } from './modelStep.ts'
import { CHANNELS, SKUS, type Rig } from './modelWorld.ts'

export async function cart(rig: Rig, { n, m, k }: Step): Promise<string> {
  const channel = must(at(CHANNELS, n)).id
  const lines = Array.from({ length: 1 + (m % 2) }, (_, which): [string, number] => [
    must(at(SKUS, m + which * k)),
    1 + ((n + which) % 3),
  ])
  const wish = { channel, order: k % 4 === 0 ? nextOrder(rig) : null, minutes: 5 + (k % 20), whole: k % 2 === 0, lines }
  const [verdict] = await reserveHolds(rig.tx, rig.ctx, [
    {
      connection_id: channel,
      key: `H${rig.hub.now}`,
      api_key: null,
      shortfall: wish.whole ? 'all_or_nothing' : 'partial',
      minutes: wish.minutes,
      order_external_id: wish.order,
      lines: lines.map(([channel_sku, quantity]) => ({ channel_sku, quantity })),
    },
  ])
  const hold = makeHold(rig.hub, wish)
  if ((hold === null) !== (verdict?.kind === 'refused'))
    throw new Error(`a cart of ${channel}: ${verdict?.kind}, model ${hold?.id}`)
  if (hold !== null && verdict?.kind === 'held') rig.holds.set(hold.id, verdict.id)
  return `a cart of ${channel} for ${lines.map((one) => one.join(' x')).join(' + ')} (${wish.order ?? 'no order yet'}): ${verdict?.kind}`
}

export async function handleCart(rig: Rig, { n, m, k }: Step): Promise<string | null> {
  const hold = at(rig.hub.holds.filter((one) => one.state === 'held'), n) // prettier-ignore
  const id = hold === undefined ? undefined : rig.holds.get(hold.id)
  if (hold === undefined || id === undefined) return null
  if (m % 3 === 0) {
    await releaseHolds(rig.tx, rig.ctx, [id])
    endHolds(rig.hub, [hold])
    return 'a cart is given up'
  }
  if (m % 3 === 1) {
    const verdict = await extendHold(rig.tx, rig.ctx, id, 10)
    const wanted = rig.hub.now + 10
    const ought = hold.expires <= rig.hub.now ? 'over' : wanted > hold.made + 30 ? 'limit' : 'extended'
    if (verdict.kind !== ought) throw new Error(`extending a cart: ${verdict.kind}, ought to be ${ought}`)
    if (ought === 'extended') hold.expires = Math.max(hold.expires, wanted)
    return `a cart lives on: ${ought}`
  }
  const own = at(channelOrders(rig).filter((one) => one.channel === hold.channel), k) // prettier-ignore
  const external_id = hold.order ?? own?.id ?? nextOrder(rig)
  const known = rig.hub.orders.get(external_id)
  const verdict = await bindHold(rig.tx, rig.ctx, id, external_id)
  const there = known !== undefined && known.channel === hold.channel
  if (verdict.kind !== (there ? 'consumed' : 'bound')) throw new Error(`binding a cart: ${verdict.kind}`)
  hold.order = external_id
  if (there) settle(rig.hub, [external_id], { holds: [hold] })
  return `a cart belongs to ${external_id}: ${verdict.kind}`
}
