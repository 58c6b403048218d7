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

-- What is measured for the adaptive buffer: how fast an item sells on each channel, and how long a channel takes to be told.
create table sales_velocity (
  item_id bigint not null,
  connection_id text not null,
  units_per_hour double precision not null,
  measured_at timestamptz not null,
  primary key (item_id, connection_id)
);
create table push_lag (
  connection_id text primary key,
  -- The newest samples, oldest first: milliseconds from a change of the number to the proof that the channel has it.
  samples integer[] not null default '{}',
  lag_ms_p95 integer,
  -- The lag that counts now: longer than measured while the channel, or a place behind it, is silent.
  effective_ms bigint,
  measured_at timestamptz not null
);
-- The ledger grows at its end, so blocks of it are found by time at almost no cost.
create index stock_ledger_recorded on stock_ledger using brin (recorded_at) with (pages_per_range = 32);

-- The newest count of a place, without reading its stock.
create index stock_counted on stock (location_id, counted_as_of desc) where counted_as_of is not null;
-- Proofs by age, of rows with nothing due: what is read back and asserted again.
create index availability_proofs on availability (connection_id, proven_at) where not due;
-- Since when a read-back shows less than was proven while orders that would explain it may still come.
alter table availability add column low_since timestamptz;

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
create index cases_state on cases (state, id desc);
