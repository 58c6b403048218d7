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
  add column hold_reason text,
  add column held_at timestamptz;

alter table reservations
  add column ship_by timestamptz,
  -- A shortfall that the seller accepted knowingly: it waits for supply instead of for a decision.
  add column backordered boolean not null default false;
drop index reservations_shortfall;
-- Who waits for an item, in the order in which arriving units are given out.
create index reservations_shortfall on reservations (item_id, priority, ship_by, id) where state = 'shortfall';
