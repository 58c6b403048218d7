import type { Queryable, Tx } from '../../db/pool.ts'
import { loadStockRules } from '../availability/stockRules.ts'
import { effectiveRule } from '../availability/rulesStock.ts'
import type { CoreContext } from '../context.ts'
import { takeTurn } from '../turn.ts'
import { planBackfill, type Spare, type Uncovered } from './rulesBackfill.ts'
import { readPromiseDates, type PromisedDate } from './promiseDates.ts'
import { createTransfer } from './transfers.ts'

const BY = 'backfill'

/**
 * Brings units from places that do not serve a channel to those that do, for buyers who were told that this may be waited for (mode
 * `transfer`): one transfer for each pair of places, at most `transfers_max` of them. Units that something on its way covers are left
 * alone, and so are those that an open transfer was made for. Two processes that run it at once make one transfer, because the second
 * waits for its turn and then finds the units covered. Returns how many transfers it made.
 */
export async function backfillByTransfer(tx: Tx, ctx: CoreContext, transfers_max: number): Promise<number> {
  const companies = [...new Set([...ctx.policies.values()].map((policy) => policy.company_id))]
  // Looked at without any lock first: on most runs nobody waits, and then nobody is made to wait for this.
  if ((await uncovered(tx, ctx)).length === 0) return 0
  await takeTurn(tx, companies, 'alone')
  const needs = await uncovered(tx, ctx)
  const spare = await loadSpare(tx, [...new Set(needs.map((need) => need.item_id))])
  const transfers = planBackfill(needs, spare).slice(0, transfers_max)
  for (const { company_id, from_location_id, to_location_id, lines } of transfers) {
    const reference = await nextReference(tx, { company_id, from_location_id, to_location_id })
    await createTransfer(tx, ctx, { reference, from_location_id, to_location_id, expected_at: null, lines }, BY)
  }
  return transfers.length
}

/** Missing units that may be brought from elsewhere, and that nothing brings yet. */
async function uncovered(q: Queryable, ctx: CoreContext): Promise<Uncovered[]> {
  const waiting = await q.query<{ item_id: number }>(
    `select distinct r.item_id from reservations r join orders o on o.id = r.order_id
     where r.state = 'shortfall' and r.backordered and r.quantity > 0 and o.kind = 'order'`,
  )
  if (waiting.length === 0) return []
  const item_ids = waiting.map((row) => row.item_id)
  const rules = (await loadStockRules(q, { item_ids })).filter((rule) => rule.backorder !== null)
  if (!rules.some((rule) => rule.backorder === 'transfer')) return []
  const dates = (await readPromiseDates(q, ctx, { item_ids })).filter((date) => date.supply === null)
  const orders = await loadOrders(q, dates)
  const needs = dates.flatMap(({ reservation_id, item_id, sku, units }): Uncovered[] => {
    const order = orders.get(reservation_id)
    const policy = order === undefined ? undefined : ctx.policies.get(order.connection_id)
    if (policy === undefined || order === undefined) return []
    const { connection_id, company_id } = policy
    const scope = { company_id, connection_id, item_id, location_id: null }
    if (effectiveRule(rules, scope).backorder !== 'transfer') return []
    const serves_from = policy.serves_from.filter((place) => !policy.last_resort.includes(place))
    const to_location_id = serves_from[0]
    return to_location_id === undefined
      ? []
      : [{ company_id, item_id, sku, units, to_location_id, serves_from: policy.serves_from }]
  })
  return withoutPlanned(needs, await loadPlanned(q, item_ids))
}

async function loadOrders(
  q: Queryable,
  dates: readonly PromisedDate[],
): Promise<Map<number, { connection_id: string }>> {
  const rows = await q.query<{ id: number; connection_id: string }>(
    `select r.id, o.connection_id from reservations r join orders o on o.id = r.order_id
     where r.id = any($1::bigint[]) and r.backordered and o.kind = 'order'`,
    [dates.map((date) => date.reservation_id)],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/** Units of open transfers that wait for units themselves: no promise can be made of them, but they need not be asked for again. */
async function loadPlanned(q: Queryable, item_ids: readonly number[]): Promise<Map<string, number>> {
  const rows = await q.query<{ item_id: number; location_id: string; units: number }>(
    `select l.item_id, s.location_id, sum(r.quantity)::int as units
     from supplies s join supply_lines l on l.supply_id = s.id
     join reservations r on r.order_id = s.order_id and r.item_id = l.item_id and r.state = 'shortfall'
     where s.kind = 'transfer' and s.state = 'open' and l.item_id = any($1::bigint[]) group by 1, 2`,
    [item_ids],
  )
  return new Map(rows.map((row) => [`${row.item_id}@${row.location_id}`, row.units]))
}

function withoutPlanned(needs: readonly Uncovered[], planned: Map<string, number>): Uncovered[] {
  return needs.flatMap((need): Uncovered[] => {
    const key = `${need.item_id}@${need.to_location_id}`
    const covered = Math.min(need.units, planned.get(key) ?? 0)
    planned.set(key, (planned.get(key) ?? 0) - covered)
    return covered === need.units ? [] : [{ ...need, units: need.units - covered }]
  })
}

/** Units that nobody has been promised, at places of our own. A supplier's place sends to buyers, not to us. */
async function loadSpare(q: Queryable, item_ids: readonly number[]): Promise<Spare[]> {
  return q.query<Spare>(
    `select s.item_id, s.location_id, l.company_id, s.available as units from stock s join locations l on l.id = s.location_id
     where s.item_id = any($1::bigint[]) and s.available > 0 and l.active and l.kind <> 'drop_ship' order by s.item_id, s.location_id`,
    [item_ids],
  )
}

/** Numbered by pair of places; the caller has the company to itself, so the next number is nobody else's. */
async function nextReference(
  q: Queryable,
  {
    company_id,
    from_location_id,
    to_location_id,
  }: { company_id: string; from_location_id: string; to_location_id: string },
): Promise<string> {
  const [row] = await q.query<{ made: number }>(
    `select count(*)::int as made from supplies where company_id = $1 and kind = 'transfer' and source = $4
       and from_location_id = $2 and location_id = $3`,
    [company_id, from_location_id, to_location_id, BY],
  )
  return `backfill-${from_location_id}-${to_location_id}-${(row?.made ?? 0) + 1}`
}
