-- Cart holds: units that a checkout keeps for a buyer for some minutes, asked for over the API. One row a hold, because thousands a
-- second are made and most are gone before anybody looks. Their units are in the counter `reserved`.
create table holds (
  id uuid primary key,
  company_id text not null,
  connection_id text not null,
  -- The caller's own name of the hold: asking again under the same name answers with the same hold.
  key text not null,
  api_key_id text,
  state text not null check (state in ('held', 'consumed', 'released', 'expired')),
  -- What was asked for and where each unit is: [{channel_sku, listing_id, quantity, taken: [{item_id, location_id, quantity}]}].
  lines jsonb not null,
  -- Hash of what was asked for: the same key with another wish is a conflict, not an answer.
  request_sha256 bytea not null,
  -- The channel's order that takes the units over.
  order_external_id text,
  expires_at timestamptz not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  unique (connection_id, key)
);
create index holds_expiring on holds (expires_at) where state = 'held';
create index holds_of_order on holds (connection_id, order_external_id) where state = 'held' and order_external_id is not null;

-- How many units a key may keep at once; null: only the channel's own limit counts.
alter table api_keys add column hold_units_max integer check (hold_units_max > 0);
