import { BOOKS } from './books/checks.ts'
import { BREAKS } from './breaks/checks.ts'
import { MATCHING } from './matching/checks.ts'
import { LINE_PARTS } from './fulfillment/lineParts.ts'
import { LABELS } from './labels/checks.ts'
import { TO_COME } from './supply/read.ts'

/** One invariant as SQL: how many things are looked at, and a text that names each thing which breaks it. */
export interface Check {
  name: string
  checked: string
  broken: string
}

const STATES = ['available', 'reserved', 'committed', 'damaged', 'quality_control', 'safety_stock', 'incoming'] as const
const UNPIVOTED = STATES.map((state) => `('${state}', s.${state})`).join(', ')

const STOCK: readonly Check[] = [
  {
    name: 'ledger_equals_counters',
    checked: `select count(*) * ${STATES.length} from stock`,
    broken: `
      with moved as (
        select item_id, location_id, state, sum(units) as units from (
          select item_id, location_id, to_state as state, quantity as units from stock_ledger
          union all select item_id, location_id, from_state, -quantity from stock_ledger
        ) m where state <> 'outside' group by 1, 2, 3
      ), counted as (
        select s.item_id, s.location_id, c.state, c.units from stock s, lateral (values ${UNPIVOTED}) as c(state, units)
      )
      select format('item %s at %s: %s is %s, its ledger says %s', item_id, location_id, state, coalesce(c.units, 0), coalesce(m.units, 0))
      from counted c full join moved m using (item_id, location_id, state)
      where coalesce(c.units, 0) <> coalesce(m.units, 0)`,
  },
  {
    name: 'counters_not_negative',
    checked: 'select count(*) from stock',
    broken: `
      select format('item %s at %s', item_id, location_id) from stock
      where least(available, reserved, committed, damaged, quality_control, safety_stock, incoming) < 0`,
  },
  {
    name: 'reservations_equal_counters',
    checked: 'select count(*) from stock',
    broken: `
      with promised as (
        select item_id, location_id, coalesce(sum(quantity) filter (where state = 'held'), 0) as reserved,
               coalesce(sum(quantity) filter (where state = 'committed'), 0) as committed
        from (
          select item_id, location_id, state, quantity from reservations where state in ('held', 'committed')
          union all select item_id, location_id, state, units from hold_units where state = 'held'
        ) r group by 1, 2
      )
      select format('item %s at %s: reserved %s, promised %s; committed %s, promised %s', item_id, location_id, coalesce(s.reserved, 0),
                    coalesce(p.reserved, 0), coalesce(s.committed, 0), coalesce(p.committed, 0))
      from stock s full join promised p using (item_id, location_id)
      where coalesce(s.reserved, 0) <> coalesce(p.reserved, 0) or coalesce(s.committed, 0) <> coalesce(p.committed, 0)`,
  },
  {
    name: 'lots_equal_on_hand',
    checked: 'select count(*) from stock s join items i on i.id = s.item_id and i.tracks_lots',
    broken: `
      with lots as (
        select item_id, location_id, sum(quantity) as units, sum(quarantined) as quarantined from stock_lots group by 1, 2
      )
      select format('item %s at %s: on hand %s, its lots say %s', i.id, coalesce(s.location_id, l.location_id), coalesce(s.on_hand, 0),
                    coalesce(l.units, 0))
      from (select * from stock where item_id in (select id from items where tracks_lots)) s
      full join (select * from lots where item_id in (select id from items where tracks_lots)) l using (item_id, location_id)
      join items i on i.id = coalesce(s.item_id, l.item_id)
      where coalesce(s.on_hand, 0) <> coalesce(l.units, 0) or coalesce(l.quarantined, 0) > coalesce(s.quality_control, 0)`,
  },
  {
    name: 'movements_are_in_the_ledger',
    checked: `select count(*) from stock_movements where state = 'applied'`,
    broken: `
      select format('movement %s', m.id) from stock_movements m
      left join lateral (
        select sum(l.quantity) as units from stock_ledger l
        where l.item_id = m.item_id and l.location_id = m.location_id and l.source = 'movement:' || m.id
          and l.from_state = m.from_state and l.to_state = m.to_state and l.reason = m.kind || ':' || m.reason
      ) l on true
      where coalesce(l.units, 0) <> case when m.state = 'applied' then m.quantity else 0 end`,
  },
  {
    name: 'hold_counts_equal_holds',
    checked: 'select count(*) from hold_counts',
    broken: `
      with kept as (
        select scope, sum(units) as units from (
          select 'channel:' || connection_id as scope, units from hold_units where state = 'held'
          union all select 'key:' || api_key_id, units from hold_units where state = 'held' and api_key_id is not null
        ) u group by 1
      )
      select format('%s: counted %s, held %s', scope, coalesce(c.units, 0), coalesce(k.units, 0))
      from hold_counts c full join kept k using (scope) where coalesce(c.units, 0) <> coalesce(k.units, 0)`,
  },
]

const SUPPLY: readonly Check[] = [
  {
    name: 'incoming_equals_supplies',
    checked: 'select count(*) from supply_lines',
    broken: `
      with coming as (
        select s.location_id, l.item_id, sum(${TO_COME}) as units
        from supplies s join supply_lines l on l.supply_id = s.id group by 1, 2 having sum(${TO_COME}) > 0
      ), counted as (select item_id, location_id, incoming as units from stock where incoming > 0)
      select format('item %s at %s: incoming is %s, its supplies say %s', item_id, location_id, coalesce(c.units, 0), coalesce(s.units, 0))
      from counted c full join coming s using (item_id, location_id) where coalesce(c.units, 0) <> coalesce(s.units, 0)`,
  },
  {
    name: 'transfers_count_what_was_shipped',
    checked: `select count(*) from supplies where kind = 'transfer'`,
    broken: `
      with shipped as (
        select h.order_id, l.item_id, sum(l.quantity) as units from shipment_lines l join shipments h on h.id = l.shipment_id
        where h.order_id in (select order_id from supplies where order_id is not null) group by 1, 2
      )
      select format('transfer %s, item %s: says %s, its shipments say %s', s.reference, l.item_id, l.shipped_quantity, coalesce(h.units, 0))
      from supplies s join supply_lines l on l.supply_id = s.id
      left join shipped h on h.order_id = s.order_id and h.item_id = l.item_id
      where s.kind = 'transfer' and l.shipped_quantity <> coalesce(h.units, 0)`,
  },
  {
    name: 'transfers_are_orders_of_their_own',
    checked: `select count(*) from supplies where kind = 'transfer'`,
    broken: `
      select format('transfer %s, item %s: %s units, its order wants %s', s.reference, l.item_id, l.quantity, coalesce(ol.quantity, 0))
      from supplies s join supply_lines l on l.supply_id = s.id join items i on i.id = l.item_id
      left join orders o on o.id = s.order_id and o.kind = 'transfer'
      left join order_lines ol on ol.order_id = o.id and ol.channel_sku = i.sku
      where s.kind = 'transfer' and l.quantity <> coalesce(ol.quantity, 0)
      union all
      select format('transfer %s: a reservation at %s', s.reference, r.location_id)
      from supplies s join reservations r on r.order_id = s.order_id
      where s.kind = 'transfer' and r.state in ('held', 'committed') and r.quantity > 0 and r.location_id <> s.from_location_id
      union all
      select format('order %s is a transfer of nobody', o.id) from orders o
      where o.kind = 'transfer' and not exists (select 1 from supplies s where s.order_id = o.id)`,
  },
]

const ORDERS: readonly Check[] = [
  {
    name: 'reservations_have_an_order_line',
    checked: 'select count(*) from reservations',
    broken: `
      select format('reservation %s', r.id) from reservations r
      left join order_lines l on l.id = r.order_line_id
      left join orders o on o.id = r.order_id
      where o.id is null or l.order_id is distinct from r.order_id`,
  },
  {
    // Work that has left stays committed until its cancellation is answered; nothing else may outlive the order.
    name: 'live_reservations_have_an_open_order',
    checked: `select count(*) from reservations where state in ('held', 'committed', 'shortfall')`,
    broken: `
      select format('reservation %s (%s) of order %s (%s)', r.id, r.state, o.id, o.lifecycle) from reservations r
      join orders o on o.id = r.order_id
      left join fulfillment_orders f on f.id = r.fulfillment_order_id
      where r.state in ('held', 'committed', 'shortfall') and r.quantity > 0 and o.lifecycle <> 'open'
        and (r.state <> 'committed' or f.cancel_requested_at is null)`,
  },
  {
    name: 'lines_hold_what_they_want',
    checked: 'select count(*) from order_lines',
    broken: `
      select format('line %s, item %s: holds %s units of the %s it wants', l.id, r.item_id, r.units, r.wanted)
      from (
        select r.order_line_id, r.item_id, max(r.per_unit) * max(w.units) as wanted, sum(r.consumed_quantity) as consumed,
               sum(case when r.state in ('held', 'committed', 'shortfall') and f.cancel_requested_at is null then r.quantity else 0 end) as units
        from reservations r join order_lines n on n.id = r.order_line_id
        join lateral (
          select case when l.requires_shipping and not o.is_test then greatest(0, l.quantity - l.cancelled_quantity) else 0 end as units
          from order_lines l join orders o on o.id = l.order_id where l.id = r.order_line_id
        ) w on true
        left join fulfillment_orders f on f.id = r.fulfillment_order_id
        -- A line that became another listing is judged by what it is now; what left of the old one has served it, if it was whole.
        group by 1, 2, coalesce(r.listing_id, n.listing_id)
      ) r join order_lines l on l.id = r.order_line_id
      where r.units > 0 and r.units + r.consumed > r.wanted`,
  },
  {
    name: 'consumed_equals_shipped',
    checked: 'select count(*) from shipment_lines',
    broken: `
      with consumed as (
        select order_line_id, item_id, sum(consumed_quantity) as units from reservations group by 1, 2 having sum(consumed_quantity) > 0
      ), shipped as (select order_line_id, item_id, sum(quantity) as units from shipment_lines group by 1, 2)
      select format('line %s, item %s: consumed %s, shipped %s', order_line_id, item_id, coalesce(c.units, 0), coalesce(s.units, 0))
      from consumed c full join shipped s using (order_line_id, item_id) where coalesce(c.units, 0) <> coalesce(s.units, 0)`,
  },
  {
    name: 'lines_count_whole_shipped_units',
    checked: 'select count(*) from order_lines',
    broken: `
      with per_item as (
        select order_line_id, listing_id, item_id, sum(consumed_quantity) / max(per_unit) as units from (${LINE_PARTS}) parts group by 1, 2, 3
      ), per_listing as (select order_line_id, listing_id, min(units) as units from per_item group by 1, 2
      ), per_line as (select order_line_id, sum(units) as units from per_listing group by 1)
      select format('line %s: says %s, its shipments say %s', l.id, l.shipped_quantity, coalesce(p.units, 0))
      from order_lines l left join per_line p on p.order_line_id = l.id where l.shipped_quantity <> coalesce(p.units, 0)`,
  },
]

/** A row is passed over when others of its connection were finished so long after it was due. The data's own clock is enough for that. */
const PASSED_OVER = `interval '1 hour'`

const PIPES: readonly Check[] = [
  {
    name: 'inbox_is_final_due_or_parked',
    checked: 'select count(*) from inbox',
    broken: `
      select format('inbox %s (%s)', i.id, i.state) from inbox i
      left join (select connection_id, max(processed_at) as at from inbox group by 1) last on last.connection_id = i.connection_id
      where case i.state when 'parked' then i.cause_code is null
                         when 'pending' then i.next_attempt_at < last.at - ${PASSED_OVER}
                         when 'dropped' then false
                         else i.processed_at is null end`,
  },
  {
    name: 'outbox_is_final_due_or_leased',
    checked: 'select count(*) from outbox',
    broken: `
      select format('outbox %s (%s)', x.id, x.state) from outbox x
      left join (select connection_id, max(done_at) as at from outbox group by 1) last on last.connection_id = x.connection_id
      left join connections c on c.id = x.connection_id
      where case x.state when 'pending' then c.state = 'active' and x.next_attempt_at < last.at - ${PASSED_OVER}
                         when 'queued' then x.lease_until is null
                         when 'sending' then x.lease_until is null
                         when 'done' then x.done_at is null
                         when 'dead' then x.error_code is null
                           or not exists (select 1 from dead_letters d where d.source = 'outbox' and d.source_id = x.id)
                         else false end`,
  },
  {
    name: 'dead_letters_have_a_source',
    checked: 'select count(*) from dead_letters',
    broken: `
      select format('dead letter %s (%s %s)', d.id, d.source, d.source_id) from dead_letters d
      where not exists (select 1 from inbox i where d.source = 'inbox' and i.id = d.source_id)
        and not exists (select 1 from outbox x where d.source = 'outbox' and x.id = d.source_id)`,
  },
  {
    name: 'availability_is_proven_where_it_says_ok',
    checked: 'select count(*) from availability',
    broken: `
      select format('listing %s (%s)', a.listing_id, a.state) from availability a
      where (a.state = 'ok' and (a.proven_quantity is null or a.proven_at is null)) or (a.state = 'error' and a.error_code is null)
        or a.sent_seq > a.dirty_seq`,
  },
  {
    name: 'mapped_listings_are_pushed',
    checked: 'select count(distinct listing_id) from listing_items',
    broken: `
      select distinct format('listing %s', li.listing_id) from listing_items li
      where not exists (select 1 from availability a where a.listing_id = li.listing_id)`,
  },
]

const MONEY: readonly Check[] = [
  {
    name: 'settlement_lines_add_up',
    checked: 'select count(*) from settlement_lines',
    broken: `
      select format('settlement line %s', l.id) from settlement_lines l join settlements s on s.id = l.settlement_id
      where l.net_minor <> l.gross_minor - l.fee_minor or (l.currency <> s.currency and s.proof = 'proven')`,
  },
  {
    name: 'settlements_equal_their_lines',
    checked: 'select count(*) from settlements',
    broken: `
      select format('settlement %s', s.id) from settlements s
      left join (select settlement_id, sum(gross_minor) as gross, sum(fee_minor) as fee, sum(net_minor) as net
                 from settlement_lines group by 1) l on l.settlement_id = s.id
      where (s.gross_minor, s.fee_minor, s.net_minor) is distinct from (coalesce(l.gross, 0), coalesce(l.fee, 0), coalesce(l.net, 0))
        or s.difference_minor <> s.payout_minor + coalesce(s.end_minor, 0) - coalesce(s.begin_minor, 0) - coalesce(l.net, 0)`,
  },
  {
    name: 'settlement_matches_name_an_order',
    checked: 'select count(*) from settlement_lines',
    broken: `
      select format('settlement line %s', l.id) from settlement_lines l
      where (l.match_state = 'matched' and l.order_id is null)
        or (l.payment_id is not null and not exists (select 1 from payments p where p.id = l.payment_id and p.order_id = l.order_id))`,
  },
]

const PEOPLE: readonly Check[] = [
  {
    name: 'people_have_a_key_or_are_erased',
    checked: 'select count(*) from people_keys',
    broken: `
      select format('subject %s', k.subject_id) from people_keys k where (k.wrapped_key is null) <> (k.erased_at is not null)
      union all
      select format('person %s', p.id) from people p left join people_keys k on k.subject_id = p.subject_id where k.subject_id is null`,
  },
]

/** Every invariant that the data by itself can show. */
export const CHECKS: readonly Check[] = [
  ...STOCK,
  ...SUPPLY,
  ...ORDERS,
  ...PIPES,
  ...MONEY,
  ...MATCHING,
  ...BOOKS,
  ...BREAKS,
  ...PEOPLE,
  ...LABELS,
]
