-- Routing rules are versioned data: a draft becomes active as a whole, and what was active stays readable for ever.
create table routing_rules (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  version integer not null,
  state text not null check (state in ('draft', 'active', 'retired')),
  -- `config`: from the configuration file; else a person's or a key's name.
  source text not null,
  document jsonb not null,
  document_sha256 bytea not null,
  created_at timestamptz not null,
  created_by text not null,
  activated_at timestamptz,
  activated_by text,
  unique (company_id, version)
);
create unique index routing_rules_active on routing_rules (company_id) where state = 'active';

-- What a location can do: whom it serves, when it works, how much a day, what it costs. One document, as the configuration has it.
alter table locations add column services jsonb not null default '{}';

-- Fulfillment orders that a location has been given per day of its own calendar: what is left of its capacity is measured from here.
create table location_days (
  location_id text not null,
  day date not null,
  orders integer not null default 0 check (orders >= 0),
  primary key (location_id, day)
);

-- Where postcode areas are, for distances: the longest prefix that fits wins. Loaded from the merchant's own file.
create table postcode_areas (
  country text not null,
  prefix text not null,
  latitude double precision not null,
  longitude double precision not null,
  primary key (country, prefix)
);
