-- What may be shown where, as data: each row speaks of the listings and places it names (null: all), and sets only what it names.
create table stock_rules (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  connection_id text,
  item_id bigint,
  location_id text,
  -- Units never shown although they could be promised.
  safety_units integer check (safety_units >= 0),
  buffer_units integer check (buffer_units >= 0),
  buffer_percent integer check (buffer_percent between 0 and 100),
  share_percent integer check (share_percent between 0 and 100),
  cap integer check (cap >= 0),
  -- A number below this is shown as zero.
  zero_below integer check (zero_below >= 0),
  backorder text check (backorder in ('deny', 'backorder', 'drop_ship', 'transfer')),
  -- The most units that may wait for supply at once; null: as many as are on their way.
  backorder_units_max integer check (backorder_units_max >= 0),
  source text not null check (source in ('config', 'user')),
  changed_by text not null,
  changed_at timestamptz not null,
  unique nulls not distinct (company_id, connection_id, item_id, location_id)
);
create index stock_rules_item on stock_rules (item_id) where item_id is not null;

-- Switches an operator may throw, by company.
alter table companies
  add column peak_mode boolean not null default false,
  add column peak_changed_at timestamptz,
  add column peak_changed_by text;

-- What is measured for the adaptive buffer: how fast an item sells, and how long a channel takes to be told.
create table sales_velocity (
  item_id bigint primary key,
  units_per_hour double precision not null,
  measured_at timestamptz not null
);
create table push_lag (
  connection_id text primary key,
  lag_ms_p95 integer not null,
  samples integer not null,
  measured_at timestamptz not null
);

-- A place whose numbers cannot be trusted now (no snapshot for too long, its connection down), and since when.
alter table locations
  add column stale_after_minutes integer check (stale_after_minutes > 0),
  add column distrusted_since timestamptz,
  add column distrusted_because text;

-- The number that was last sent and the sum behind it: what was published, when, and why.
create table publications (
  id bigint generated always as identity primary key,
  listing_id bigint not null,
  connection_id text not null,
  quantity integer not null,
  terms jsonb not null,
  at timestamptz not null
);
create index publications_listing on publications (listing_id, id desc);
create index publications_at on publications (at);

-- Something an operator should look at: a channel that shows another number than was proven, a snapshot that does not come.
create table cases (
  id bigint generated always as identity primary key,
  company_id text not null,
  kind text not null,
  -- What it is about; one case is open per subject, however often the fault is seen again.
  subject text not null,
  connection_id text,
  state text not null default 'open' check (state in ('open', 'resolved')),
  data jsonb not null default '{}',
  times integer not null default 1,
  opened_at timestamptz not null,
  seen_at timestamptz not null,
  resolved_at timestamptz,
  resolved_by text
);
create unique index cases_open on cases (kind, subject) where state = 'open';
