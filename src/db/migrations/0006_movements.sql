-- What people (and systems in their name) do to stock, apart from orders. A movement above the limit waits for a second person.
create table stock_movements (
  id uuid primary key,
  company_id text not null references companies,
  -- The caller's own name of it: asking again under the same name answers with the same movement.
  key text not null,
  kind text not null,
  item_id bigint not null,
  location_id text not null,
  from_state text not null,
  to_state text not null,
  quantity integer not null check (quantity > 0),
  reason text not null,
  reference text,
  lot text,
  expires_on date,
  state text not null check (state in ('applied', 'waiting', 'rejected')),
  occurred_at timestamptz not null,
  requested_by text not null,
  requested_at timestamptz not null,
  decided_by text,
  decided_at timestamptz,
  unique (company_id, key)
);
create index stock_movements_item on stock_movements (item_id, id);
create index stock_movements_waiting on stock_movements (requested_at) where state = 'waiting';

-- A cycle count: somebody counts some items at one place without being shown what we believe.
create table cycle_counts (
  id uuid primary key,
  company_id text not null references companies,
  -- The caller's own name of it.
  key text not null,
  location_id text not null,
  state text not null check (state in ('open', 'waiting', 'posted', 'cancelled')),
  created_at timestamptz not null,
  created_by text not null,
  counted_at timestamptz,
  counted_by text,
  decided_at timestamptz,
  decided_by text,
  unique (company_id, key)
);
create table cycle_count_lines (
  count_id uuid not null references cycle_counts,
  item_id bigint not null,
  counted_quantity integer check (counted_quantity >= 0),
  counted_damaged integer check (counted_damaged >= 0),
  -- What we believed as of the time of counting, written down when the count came in.
  expected_quantity integer,
  primary key (count_id, item_id)
);

-- Items whose units carry a lot and an expiry date. Σ of an item's lots at a place = its on_hand there; '' is what nobody has named.
alter table items
  add column tracks_lots boolean not null default false,
  -- A lot with fewer days left than this is not sold.
  add column days_left_min integer not null default 0 check (days_left_min >= 0);

create table stock_lots (
  item_id bigint not null,
  location_id text not null,
  lot text not null,
  expires_on date,
  quantity integer not null check (quantity >= 0),
  -- Units of the lot that are known to be among those in `quality_control`, because it is too old to be sold or for any other reason.
  quarantined integer not null default 0 check (quarantined >= 0 and quarantined <= quantity),
  primary key (item_id, location_id, lot)
);
create index stock_lots_expiring on stock_lots (expires_on) where quantity > quarantined;
create index items_tracked on items (days_left_min) where tracks_lots;

-- What the snapshots of a place count: everything on its shelves, or only what its own system has not promised to work of ours.
alter table locations add column count_basis text not null default 'on_hand' check (count_basis in ('on_hand', 'available'));
-- How the last count of a row was meant; null: everything on the shelf.
alter table stock add column counted_basis text check (counted_basis = 'available');
-- When the 3PL, by its own clock, gave the units of this work back (it refused it, or was called back in time).
alter table fulfillment_orders add column given_back_at timestamptz;
create index fulfillment_orders_given_back on fulfillment_orders (given_back_at) where given_back_at is not null;
create index shipments_shipped_at on shipments (shipped_at);
