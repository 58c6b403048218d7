import { applyFacts } from '../../src/core/apply.ts'
import { type Fact } from '../../src/core/model/fact.ts'
import { INTERNAL, type NaiveOrder, type Work } from '../kit/naiveHub.ts'
import { isLive } from '../kit/naiveChange.ts'
import { inbound, instant, line, order } from '../kit/orders.ts'
import { type Rig } from './modelWorld.ts'

/** One thing that happens. The numbers choose among what there is at that moment, so that a sequence without some of its steps still runs. */
export interface Step {
  do: string
  n: number
  m: number
  k: number
}

export type Play = (rig: Rig, step: Step) => Promise<string | null>
export const at = <T>(list: readonly T[], n: number): T | undefined =>
  list.length === 0 ? undefined : list[n % list.length]
export const must = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('nothing to choose from')
  return value
}
export const minute = (minutes: number): string => instant(minutes * 60)

export async function tell(rig: Rig, connection_id: string, facts: readonly Fact[]): Promise<void> {
  const { outcomes } = await applyFacts(rig.tx, rig.ctx, inbound(facts, connection_id))
  const parked = outcomes.find((outcome) => outcome.kind === 'parked')
  if (parked?.kind === 'parked') throw new Error(`parked: ${parked.error.code} ${parked.error.message}`)
}

export function picture(rig: Rig, { id, placed, lines, open }: NaiveOrder, unpaid: boolean): Fact {
  const shown = lines.filter((one) => one.quantity > 0).map((one) => line(one.id, one.sku, one.quantity))
  const document = order(id, shown, rig.hub.now * 60, {
    placed_at: instant(placed),
    payment_state: unpaid ? 'pending' : 'paid',
    lifecycle: open ? 'open' : 'cancelled',
  })
  return { kind: 'order', document }
}

export const channelOrders = (rig: Rig): NaiveOrder[] =>
  [...rig.hub.orders.values()].filter((one) => one.channel !== INTERNAL)
export const boundTo = (rig: Rig, { id, channel }: NaiveOrder) =>
  rig.hub.holds.filter((hold) => hold.state === 'held' && hold.order === id && hold.channel === channel)
export const nextOrder = (rig: Rig): string => `o${channelOrders(rig).length + 1}`

/** The product's number of a piece of work: the so-manieth of its order at its place. */
export async function numberOf(rig: Rig, work: Work): Promise<string> {
  const place = rig.hub.works.filter((one) => one.order === work.order && one.place === work.place).indexOf(work)
  const [row] = await rig.tx.query<{ number: string }>(
    `select f.number from fulfillment_orders f join orders o on o.id = f.order_id
     where o.external_id = $1 and f.location_id = $2 order by f.id offset $3 limit 1`,
    [work.order, work.place, place],
  )
  return must(row).number
}

export async function idOf(rig: Rig, { id }: NaiveOrder): Promise<string> {
  return must((await rig.tx.query<{ id: string }>('select id from orders where external_id = $1', [id]))[0]).id
}

/** Work that somebody may speak of: at the 3PL what has been sent, at our own places whatever is not on hold. */
export const spokenOf = (rig: Rig): Work[] =>
  rig.hub.works.filter(
    (work) => isLive(work) && work.state !== 'on_hold' && (work.place !== 'south' || work.state === 'sent'),
  )

export function setClock(rig: Rig): void {
  rig.world.clock.now = new Date(minute(rig.hub.now))
}
