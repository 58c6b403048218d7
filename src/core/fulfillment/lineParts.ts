/**
 * SQL: what has left of every item that a line takes, one row for each reservation that counts and one for each item that the line was
 * sold with, so that a part of a kit which has no reservation any more still counts as a part that has not left.
 */
export const LINE_PARTS = `
  select r.order_line_id, coalesce(r.listing_id, n.listing_id) as listing_id, r.item_id, r.consumed_quantity, r.per_unit
  from reservations r join order_lines n on n.id = r.order_line_id
  where r.state not in ('released', 'expired') or r.consumed_quantity > 0
  union all
  select n.id, n.listing_id, t.item_id, 0, t.per_unit
  from order_lines n cross join lateral unnest(n.takes_items, n.takes_units) as t(item_id, per_unit)`
