import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { effectiveLagMs, LAG_UNMEASURED_MS, riskUnits } from './rulesAdaptive.ts'
import { touchListings } from './touch.ts'

interface ChannelRow {
  connection_id: string
  measured_ms: number | null
  effective_ms: number | null
  silent_since: Date | null
  distrusted_since: Date | null
}

/** Units of an item that one channel sells in an hour, as measured before and now. */
interface SalesRow {
  item_id: number
  connection_id: string
  before: number
  now: number
}

/**
 * Measures what the adaptive buffer is made of: what each channel sold of each item in the last `velocity_minutes`, and how long each
 * channel takes to be told. Listings whose buffer has moved by it become due. Does nothing while no channel wants such a buffer.
 * Availability rows are locked before the rows of lags, as the push does it.
 */
export async function measureRisk(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'policies'>,
  velocity_minutes: number,
): Promise<{ items: number; listings: number }> {
  const adaptive = [...ctx.policies.values()].filter((policy) => policy.availability.adaptive !== null)
  if (adaptive.length === 0) return { items: 0, listings: 0 }
  const sales = await measureSales(tx, ctx.now, velocity_minutes)
  const channels = await loadChannels(tx, ctx.now)
  const moved = adaptive.map((policy) => {
    const channel = channels.find(({ connection_id }) => connection_id === policy.connection_id)
    const before = channel?.effective_ms ?? LAG_UNMEASURED_MS
    const lag_ms = channel === undefined ? LAG_UNMEASURED_MS : lagOf(channel, ctx.now)
    const weight = policy.availability.adaptive?.oversell_weight ?? 0
    return {
      connection_id: policy.connection_id,
      item_ids: movedItems(policy.connection_id, sales, { before, lag_ms, weight }),
    }
  })
  const listings = await listingsOf(tx, moved)
  await touchListings(tx, listings, ctx.now)
  await writeSales(tx, sales, ctx.now)
  await writeLags(tx, channels, ctx.now)
  return { items: sales.length, listings: listings.length }
}

/** Sales are movements of reason `order`; the order says which channel it was. */
async function measureSales(tx: Tx, now: Date, minutes: number): Promise<SalesRow[]> {
  return tx.query<SalesRow>(
    `with sold as (
       select m.item_id, o.connection_id, sum(m.quantity)::float8 * 60 / $2 as per_hour
       from stock_ledger m
       join orders o on o.id = case when m.source like 'order:%' then substr(m.source, 7)::uuid end
       where m.recorded_at > $1::timestamptz - $2 * interval '1 minute' and m.reason = 'order' and m.from_state = 'available'
       group by 1, 2
     )
     select coalesce(s.item_id, v.item_id) as item_id, coalesce(s.connection_id, v.connection_id) as connection_id,
            coalesce(v.units_per_hour, 0)::float8 as before, coalesce(s.per_hour, 0)::float8 as now
     from sold s full join sales_velocity v on v.item_id = s.item_id and v.connection_id = s.connection_id`,
    [now, minutes],
  )
}

async function loadChannels(tx: Tx, now: Date): Promise<ChannelRow[]> {
  return tx.query<ChannelRow>(
    `select c.id as connection_id, p.lag_ms_p95 as measured_ms, p.effective_ms,
            case when c.state <> 'active' or exists (
              select 1 from breakers b where b.connection_id = c.id and b.open_until > $1)
              then coalesce(greatest(c.last_pushed_at, c.last_pulled_at), c.state_at) end as silent_since,
            (select min(l.distrusted_since) from connection_locations cl join locations l on l.id = cl.location_id and l.active
             where cl.connection_id = c.id) as distrusted_since
     from connections c left join push_lag p on p.connection_id = c.id order by c.id`,
    [now],
  )
}

const lagOf = (channel: ChannelRow, now: Date): number =>
  effectiveLagMs({
    now_ms: now.getTime(),
    measured_ms: channel.measured_ms,
    silent_since_ms: channel.silent_since?.getTime() ?? null,
    distrusted_since_ms: channel.distrusted_since?.getTime() ?? null,
  })

/** Items of which the others sell so much more or less, or the channel is told so much later or sooner, that a unit more or less is kept. */
function movedItems(
  connection_id: string,
  sales: readonly SalesRow[],
  { before, lag_ms, weight }: { before: number; lag_ms: number; weight: number },
): number[] {
  const others = Map.groupBy(
    sales.filter((row) => row.connection_id !== connection_id),
    (row) => row.item_id,
  )
  const total = (rows: readonly SalesRow[], field: 'before' | 'now'): number =>
    rows.reduce((sum, row) => sum + row[field], 0)
  return [...others]
    .filter(([, rows]) => {
      const was = riskUnits({ lag_ms: before, units_per_hour: total(rows, 'before'), weight })
      return was !== riskUnits({ lag_ms, units_per_hour: total(rows, 'now'), weight })
    })
    .map(([item_id]) => item_id)
}

async function listingsOf(
  tx: Tx,
  moved: readonly { connection_id: string; item_ids: readonly number[] }[],
): Promise<number[]> {
  const pairs = moved.flatMap(({ connection_id, item_ids }) => item_ids.map((item_id) => ({ connection_id, item_id })))
  if (pairs.length === 0) return []
  const rows = await tx.query<{ id: number }>(
    `with moved as (select * from unnest($1::text[], $2::bigint[]) as m(connection_id, item_id))
     select l.id from moved m join listing_items li on li.item_id = m.item_id
     join listings l on l.id = li.listing_id and l.connection_id = m.connection_id
     union
     select l.id from moved m join kit_components k on k.component_item_id = m.item_id
     join listing_items li on li.item_id = k.kit_item_id join listings l on l.id = li.listing_id and l.connection_id = m.connection_id`,
    [pairs.map((pair) => pair.connection_id), pairs.map((pair) => pair.item_id)],
  )
  return rows.map((row) => row.id)
}

async function writeSales(tx: Tx, sales: readonly SalesRow[], now: Date): Promise<void> {
  const changed = sales.filter((row) => row.before !== row.now)
  const gone = changed.filter((row) => row.now === 0)
  const put = changed.filter((row) => row.now > 0)
  if (changed.length === 0) return
  await tx.query(
    `delete from sales_velocity v using unnest($1::bigint[], $2::text[]) as g(item_id, connection_id)
     where v.item_id = g.item_id and v.connection_id = g.connection_id`,
    [gone.map((row) => row.item_id), gone.map((row) => row.connection_id)],
  )
  await tx.query(
    `insert into sales_velocity (item_id, connection_id, units_per_hour, measured_at)
     select p.*, $4 from unnest($1::bigint[], $2::text[], $3::float8[]) as p
     on conflict (item_id, connection_id) do update set units_per_hour = excluded.units_per_hour, measured_at = excluded.measured_at`,
    [put.map((row) => row.item_id), put.map((row) => row.connection_id), put.map((row) => row.now), now],
  )
}

async function writeLags(tx: Tx, channels: readonly ChannelRow[], now: Date): Promise<void> {
  await tx.query(
    `insert into push_lag as p (connection_id, effective_ms, measured_at)
     select c.*, $3 from unnest($1::text[], $2::bigint[]) as c
     on conflict (connection_id) do update set effective_ms = excluded.effective_ms
     where p.effective_ms is distinct from excluded.effective_ms`,
    [channels.map((channel) => channel.connection_id), channels.map((channel) => lagOf(channel, now)), now],
  )
}
