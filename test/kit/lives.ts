import { applyFacts } from '../../src/core/apply.ts'
import { bindHold } from '../../src/core/holds/handOver.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { inbound, type World } from './orders.ts'

/** One thing that is told of an order. */
export type Word = { connection_id: string; fact: Fact } | { bind: string; order: string }

export const shop = (fact: Fact): Word => ({ connection_id: 'shop', fact })
export const bank = (fact: Fact): Word => ({ connection_id: 'bank', fact })
export const depot = (fact: Fact): Word => ({ connection_id: 'depot', fact })

export function permutations(length: number): number[][] {
  let all: number[][] = [[]]
  for (let next = 0; next < length; next += 1)
    all = all.flatMap((order) => Array.from({ length: next + 1 }, (_, place) => order.toSpliced(place, 0, next)))
  return all
}

/** So many of them, chosen by the seed; all of them where there are no more. */
export function sampleOf<T>(all: readonly T[], count: number, seed: number): T[] {
  const random = seededRandom(seed)
  const drawn = all.map((one) => ({ one, at: random() })).toSorted((a, b) => a.at - b.at)
  return drawn.slice(0, count).map(({ one }) => one)
}

/** The words of a life in some order, with one of them told twice: at once, later, or at the very end. */
export function withDuplicate(words: readonly Word[], order: readonly number[], index: number): Word[] {
  const arrival = order.flatMap((at) => words[at] ?? [])
  const again = arrival[index % arrival.length]
  const place =
    (index % arrival.length) + 1 + (Math.floor(index / arrival.length) % (arrival.length - (index % arrival.length)))
  return again === undefined ? arrival : arrival.toSpliced(place, 0, again)
}

const BATCH_FACTS = 100

/**
 * Tells every life its words, each life an order of its own: the first word of all lives, then the second of all, in batches of one
 * kind, so that what is set-based in the product is so here. What was parked is told again when its order has heard something new.
 */
export async function playLives(world: World, lives: readonly (readonly Word[])[]): Promise<void> {
  const parked = lives.map((): Word[] => [])
  const slots = Math.max(...lives.map((life) => life.length))
  for (let slot = 0; slot < slots; slot += 1) {
    const now = lives.flatMap((life, index) => life.slice(slot, slot + 1).map((word) => ({ index, word })))
    await tellAll(world, now, parked)
    const woken = now.flatMap(({ index, word }) => {
      const kind = 'fact' in word ? word.fact.kind : 'bind'
      return ['order', 'cancellation'].includes(kind)
        ? (parked[index]?.splice(0) ?? []).map((one) => ({ index, word: one }))
        : []
    })
    await tellAll(world, woken, parked)
  }
  if (parked.some((words) => words.length > 0)) throw new Error('something is parked to the end')
}

interface Told {
  index: number
  word: Word
}

async function tellAll(world: World, told: readonly Told[], parked: Word[][]): Promise<void> {
  const kinds = Map.groupBy(told, ({ word }) => ('fact' in word ? `${word.fact.kind} ${word.connection_id}` : 'bind'))
  for (const own of kinds.values()) {
    for (let from = 0; from < own.length; from += BATCH_FACTS)
      await tell(world, own.slice(from, from + BATCH_FACTS), parked)
  }
}

async function tell(world: World, told: readonly Told[], parked: Word[][]): Promise<void> {
  const facts = told.flatMap(({ word }) => ('fact' in word ? word.fact : []))
  const [first] = told
  await inTransaction(world.db, async (tx) => {
    for (const { word } of told) if ('bind' in word) await bindHold(tx, world.ctx, word.bind, word.order)
    if (first === undefined || !('fact' in first.word)) return
    const { outcomes } = await applyFacts(tx, world.ctx, inbound(facts, first.word.connection_id))
    for (const [place, outcome] of outcomes.entries()) {
      const one = told[place]
      if (outcome.kind === 'parked' && one !== undefined) parked[one.index]?.push(one.word)
    }
  })
}

/** How every order ended, without its own name: texts that differ, how many orders end so, and one of them. */
const ENDS = `
  select d.text, count(*)::int as orders, min(d.external_id) as example from (
    select jsonb_pretty(jsonb_build_object(
      'axes', jsonb_build_array(o.lifecycle, o.payment_state, o.fulfillment_state, o.reservation_state),
      'picture', jsonb_build_array(o.version_updated_at, o.version_observed_at, o.tombstone_updated_at, o.shipping_method, o.total_minor),
      'lines', (select jsonb_agg(jsonb_build_array(l.external_id, l.channel_sku, l.quantity, l.cancelled_quantity, l.shipped_quantity)
        order by l.external_id) from order_lines l where l.order_id = o.id and l.quantity > 0),
      'reservations', (select jsonb_agg(x.row order by x.row) from (
        select jsonb_build_array(l.external_id, i.sku, r.location_id,
          sum(r.quantity) filter (where r.state = 'held'), sum(r.quantity) filter (where r.state = 'committed'),
          sum(r.quantity) filter (where r.state = 'shortfall'), nullif(sum(r.consumed_quantity), 0)) as row
        from reservations r join order_lines l on l.id = r.order_line_id join items i on i.id = r.item_id
        where r.order_id = o.id and (r.state in ('held', 'committed', 'shortfall') or r.consumed_quantity > 0)
        group by l.external_id, i.sku, r.location_id) x),
      'work', (select jsonb_agg(jsonb_build_array(f.location_id, f.state, b.state) order by f.location_id, f.state)
        from fulfillment_orders f left join outbox b on b.key = 'fulfillment.new:' || f.number
        where f.order_id = o.id and f.state <> 'CANCELLED'),
      'payments', (select jsonb_agg(jsonb_build_array(p.kind, p.status, p.amount_minor) order by p.kind, p.amount_minor)
        from payments p where p.order_id = o.id),
      'holds', (select jsonb_agg(h.state) from holds h where h.connection_id = o.connection_id and h.order_external_id = o.external_id),
      'heard', (select jsonb_agg(distinct t.kind) from order_facts t where t.order_id = o.id and t.kind = any($2::text[]))
    )) as text, o.external_id
    from orders o where o.external_id like $1 || '%'
  ) d group by d.text order by 2 desc`

/** Words that are in every history in whatever order they came. What was reserved and given back on the way is not among them, nor a cancellation that a newer picture had overtaken. */
const ALWAYS_HEARD = ['order.received', 'refund.recorded', 'shipment.recorded']

export async function endsOf(
  world: World,
  prefix: string,
): Promise<{ text: string; orders: number; example: string }[]> {
  return world.db.query(ENDS, [prefix, ALWAYS_HEARD])
}
