-- Units that are on their way in: bought from a supplier or sent by another of our places. What is still to come of a line is in the
-- counter `incoming` of its place.
create table supplies (
  id uuid primary key,
  company_id text not null references companies,
  kind text not null check (kind in ('purchase', 'transfer')),
  -- The name by which everybody speaks of it: the purchase order's number, or the transfer's.
  reference text not null,
  location_id text not null,
  state text not null check (state in ('open', 'received', 'cancelled')),
  expected_at timestamptz,
  -- Of a transfer: where the units come from, and the order of kind `transfer` that takes them from there.
  from_location_id text,
  order_id uuid references orders,
  source text not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  unique (company_id, kind, reference)
);
create index supplies_open on supplies (location_id, expected_at) where state = 'open';
create index supplies_order on supplies (order_id) where order_id is not null;

create table supply_lines (
  supply_id uuid not null references supplies,
  item_id bigint not null,
  -- Units expected in all, and how many of them have come. More may come than were expected, never less than none.
  quantity integer not null check (quantity >= 0),
  received_quantity integer not null default 0 check (received_quantity >= 0),
  -- Of a transfer: units that have left the other place. Only these are on their way.
  shipped_quantity integer not null default 0 check (shipped_quantity >= 0),
  -- Of a transfer: units that left the other place and will not come, because somebody closed it without them.
  missing_quantity integer not null default 0 check (missing_quantity >= 0),
  primary key (supply_id, item_id)
);
create index supply_lines_item on supply_lines (item_id);

-- Goods that came in over the API: the same key again is answered with what was booked then.
create table supply_receipts (
  supply_id uuid not null references supplies,
  key text not null,
  -- Hash of what was said to have come: the same key with another delivery is a conflict, not an answer.
  request_sha256 bytea not null,
  -- Units that were booked, by item: [{item_id, quantity, state, lot, expires_on, counted_already}].
  lines jsonb not null,
  received_at timestamptz not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  primary key (supply_id, key)
);
