-- Cart holds: units that a checkout keeps for a buyer for some minutes, asked for over the API. One row a hold, because thousands a
-- second are made and most are gone before anybody looks. Their units are in the counter `reserved`.
create table holds (
  -- Sorts by time, which is also what old holds are removed by.
  id uuid primary key,
  connection_id text not null,
  -- The caller's own name of the hold: asking again under the same name answers with the same hold.
  key text not null,
  api_key_id text,
  -- All holds of one batch share their ledger lines; `holds:<batch_id>` is the source of those.
  batch_id uuid not null,
  state text not null check (state in ('held', 'consumed', 'released', 'expired')),
  shortfall text not null check (shortfall in ('all_or_nothing', 'partial')),
  -- What was asked for, line by line.
  skus text[] not null,
  quantities integer[] not null,
  -- Where the units are: the line (from 0), the item, the place, how many of the item one unit of the line takes, how many are kept.
  -- Changed only by those who have locked the stock rows of these units.
  taken_lines smallint[] not null,
  taken_items bigint[] not null,
  taken_locations text[] not null,
  taken_per_unit integer[] not null,
  taken_units integer[] not null,
  -- What was asked for beside the lines: the same key with another wish is a conflict, not an answer.
  minutes integer not null,
  order_asked text,
  -- The channel's order that takes the units over.
  order_external_id text,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  unique (connection_id, key)
);
create index holds_expiring on holds (expires_at) where state = 'held';
create index holds_of_order on holds (connection_id, order_external_id) where state = 'held' and order_external_id is not null;

-- The units of every hold, one row for each item, place and line.
create view hold_units as
  select h.id as hold_id, h.connection_id, h.api_key_id, h.state, t.line, t.item_id, t.location_id, t.per_unit, t.units
  from holds h, unnest(h.taken_lines, h.taken_items, h.taken_locations, h.taken_per_unit, h.taken_units)
    as t(line, item_id, location_id, per_unit, units);

-- Units that are held now, for the limits of a channel (`channel:<connection>`) and of an API key (`key:<id>`). A limit is exact because
-- its row is locked while a batch is decided. The limit of an item needs no row: the item's stock is locked then.
create table hold_counts (
  scope text primary key,
  units integer not null check (units >= 0)
) with (fillfactor = 50);

-- How many units a key may keep at once; null: only the channel's own limit counts.
alter table api_keys add column hold_units_max integer check (hold_units_max > 0);
