-- What an order asks of stock besides its units: how urgent it is, where it goes, and whether it may wait.

alter table orders
  -- `transfer`: units that another of our own places asks for; it has no buyer and no channel.
  add column kind text not null default 'order' check (kind in ('order', 'transfer')),
  -- When the goods have to leave to keep what the buyer was promised; null: nothing was promised.
  add column ship_by timestamptz,
  add column service_level text,
  -- The first characters of the postcode, as routing needs them: an area, never an address.
  add column ship_postcode_area text,
  -- An operator's (or a fraud check's) stop: nothing of the order leaves while it is set, and its holds do not expire.
  add column hold_reason text
    check (hold_reason in ('AWAITING_PAYMENT', 'HIGH_RISK_OF_FRAUD', 'INCORRECT_ADDRESS', 'OTHER', 'UNKNOWN_DELIVERY_DATE')),
  add column held_at timestamptz,
  add check ((hold_reason is null) = (held_at is null));

-- Of a line that takes several items: what one unit of it took when it was sold. A kit that is composed anew later, or of which one part
-- has left and another was given back, still asks for every part. Null: one item, or the rows themselves say it.
alter table order_lines
  add column takes_items bigint[],
  add column takes_units integer[],
  add check ((takes_items is null) = (takes_units is null));

alter table reservations
  add column ship_by timestamptz,
  -- A shortfall that the seller accepted knowingly: it waits for supply instead of for a decision.
  add column backordered boolean not null default false,
  -- The listing that the line was when this was reserved. A line that becomes another listing gives back what it held for the old one.
  add column listing_id bigint;
drop index reservations_shortfall;
-- Who waits for an item, in the order in which arriving units are given out; who was promised no date comes last.
create index reservations_shortfall on reservations (item_id, priority, (coalesce(ship_by, 'infinity')), id) where state = 'shortfall';
-- Unpaid promises by their end.
create index reservations_expiring on reservations (expires_at) where state = 'held';
