-- Routing rules are versioned data: a draft becomes active as a whole, and what was active stays readable for ever.
create table routing_rules (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  version integer not null,
  state text not null check (state in ('draft', 'active', 'retired')),
  -- `config`: from the configuration file; `user`: proposed by a person or a key.
  source text not null check (source in ('config', 'user')),
  -- The caller's own name of a proposal: asking again under the same name answers with the same version.
  key text,
  document jsonb not null,
  document_sha256 bytea not null,
  created_at timestamptz not null,
  created_by text not null,
  activated_at timestamptz,
  activated_by text,
  unique (company_id, version),
  unique (company_id, key)
);
create unique index routing_rules_active on routing_rules (company_id) where state = 'active';

-- What a location can do: whom it serves, when it works, how much a day, what it costs. One document, as the configuration has it.
alter table locations add column services jsonb not null default '{}';

-- Words that routing restrictions speak of: hazmat, oversize, chilled.
alter table items add column routing_tags text[] not null default '{}';
create index items_routing_tags on items (company_id) where routing_tags <> '{}';

-- The day of its location's calendar on which the work leaves, where the location can do only so much a day. What is left of a day is
-- counted from here: a counter beside it would be one row that all orders of a place wait for, and could differ from the work.
alter table fulfillment_orders add column capacity_day date;
create index fulfillment_orders_capacity on fulfillment_orders (location_id, capacity_day) where capacity_day is not null;

-- Where postcode areas are, for distances: the longest prefix that fits wins. Loaded from the merchant's own file.
create table postcode_areas (
  country text not null,
  prefix text not null,
  latitude double precision not null,
  longitude double precision not null,
  primary key (country, prefix)
);
