-- The spine: everything between "bytes arrived" and "the vendor was told". Names are the field's own (see ARCHITECTURE.md).
-- Tables that every order writes to declare only the foreign keys that hold the order's own tree together: a check per row of parents that
-- are never deleted (companies, connections, locations, items, listings) cost a third of the whole write, and `verify` looks for orphans.
-- Money is bigint minor units with a currency beside it; quantities are integers in the item's base unit; instants are timestamptz.

-- ── who and where ────────────────────────────────────────────────────────────────────────────────────────────────────────
create table companies (
  id text primary key,
  name text not null
);

create table locations (
  id text primary key,
  company_id text not null references companies,
  name text not null,
  kind text not null check (kind in ('warehouse', '3pl', 'store', 'drop_ship')),
  country text not null,
  postcode text,
  timezone text,
  latitude double precision,
  longitude double precision,
  priority integer not null default 100,
  -- The connection whose 3PL does the work there, and the name the 3PL has for the place.
  connection_id text,
  external_code text,
  active boolean not null default true
);
create unique index locations_external_code on locations (connection_id, external_code) where external_code is not null;

create table items (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  sku text not null,
  name text,
  barcode text,
  active boolean not null default true,
  unique (company_id, sku)
);

-- A kit has no stock of its own: a demand for it is a demand for its components.
create table kit_components (
  kit_item_id bigint not null references items,
  component_item_id bigint not null references items,
  quantity integer not null check (quantity > 0),
  primary key (kit_item_id, component_item_id),
  check (kit_item_id <> component_item_id)
);

-- One configured account of a connector. Settings stay in the configuration; only what changes at run time is kept here.
create table connections (
  id text primary key,
  connector text not null,
  company_id text not null references companies,
  state text not null default 'active' check (state in ('active', 'paused', 'failing')),
  state_reason text,
  state_at timestamptz,
  last_received_at timestamptz,
  last_pulled_at timestamptz,
  last_pushed_at timestamptz
);

create table connection_locations (
  connection_id text not null references connections,
  location_id text not null references locations,
  rank integer not null,
  primary key (connection_id, location_id)
);

create table cursors (
  connection_id text not null references connections,
  stream text not null,
  cursor text,
  updated_at timestamptz not null,
  -- When the last pull began that reached its end: what the vendor listed before that time is in the inbox.
  pulled_at timestamptz,
  primary key (connection_id, stream)
);

-- ── listings: what a channel offers, and which items one unit of it takes ───────────────────────────────────────────────
create table listings (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  channel_sku text not null,
  title text,
  external jsonb not null default '{}',
  active boolean not null default true,
  unique (connection_id, channel_sku)
);

create table listing_items (
  listing_id bigint not null references listings,
  item_id bigint not null references items,
  quantity integer not null check (quantity > 0),
  primary key (listing_id, item_id)
);
create index listing_items_item on listing_items (item_id);

-- What is due on the channel is computed at send time; what was last proven there is kept here, apart from it.
create table availability (
  listing_id bigint primary key references listings,
  connection_id text not null references connections,
  -- Raised whenever the number may have moved; the push remembers which value it read. Equal = nothing due.
  dirty_seq bigint not null default 1,
  sent_seq bigint not null default 0,
  -- Indexed in place of the two numbers: dirtying a row again, as every order does, then touches no index at all.
  due boolean not null generated always as (dirty_seq > sent_seq) stored,
  dirty_at timestamptz not null,
  claimed_until timestamptz,
  proven_quantity integer,
  proven_at timestamptz,
  -- Units this channel itself sold since the proof: it has already taken them off its own number.
  sold_since_proof integer not null default 0,
  -- Units the channel must have sold that no order has told us of yet (see core/availability/push.ts); held back until then.
  unseen integer not null default 0 check (unseen >= 0),
  unseen_until timestamptz,
  -- A push whose answer is not known yet: how far it may have lifted the channel's number above what is proven.
  inflight_excess integer,
  -- Raised by every claim; the answer to an older claim changes nothing.
  fence integer not null default 0,
  state text not null default 'unknown' check (state in ('unknown', 'ok', 'error')),
  error_code text,
  error_detail text,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null
) with (fillfactor = 70);
create index availability_due on availability (connection_id, next_attempt_at) where due;
create index availability_unseen on availability (connection_id, unseen_until) where unseen > 0;

-- ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table inbound_files (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  name text not null,
  type text not null,
  sequence text,
  sha256 bytea not null,
  -- Sealed bytes of a held file, until somebody decides. Of any other file the rows in the inbox say it all.
  body bytea,
  rows integer not null default 0,
  scope text not null default 'partial' check (scope in ('full', 'partial')),
  state text not null check (state in ('applied', 'rejected', 'held', 'duplicate')),
  error_code text,
  error_detail text,
  totals jsonb not null default '{}',
  received_at timestamptz not null,
  decided_at timestamptz,
  decided_by text,
  unique (connection_id, sha256)
);
create unique index inbound_files_sequence on inbound_files (connection_id, type, sequence) where sequence is not null and state in ('applied', 'held');

create table inbox (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  source text not null check (source in ('webhook', 'poll', 'file', 'api')),
  topic text not null,
  dedupe_key text not null,
  -- Sealed (AES-256-GCM) raw bytes, exactly as they came. Null after erasure: the hash stays.
  body bytea,
  body_sha256 bytea not null,
  file_id bigint references inbound_files,
  file_row integer,
  observed_at timestamptz not null,
  received_at timestamptz not null,
  state text not null default 'pending' check (state in ('pending', 'done', 'ignored', 'parked', 'dropped')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  processed_at timestamptz,
  outcome text,
  cause_code text,
  cause_path text,
  cause_detail text,
  -- A parked row wakes by itself when the thing named here appears: 'listing:<connection>:<sku>', 'order:<connection>:<id>' …
  wake_key text,
  -- The order that a message which did not go through speaks of, so that it can be found before there is an order.
  order_external_id text,
  order_number text,
  warnings text[],
  -- Times that the process died with this row alone in its hands. Counted before the row is worked on, cleared when that ends well.
  deaths integer not null default 0,
  unique (connection_id, dedupe_key)
);
create index inbox_due on inbox (connection_id, id) where state = 'pending';
create index inbox_parked on inbox (wake_key) where state = 'parked';
create index inbox_order_external_id on inbox (order_external_id) where order_external_id is not null;
create index inbox_order_number on inbox (order_number) where order_number is not null;

-- Who drains a connection now. A run that is found here long after its last sign of life took its process down with it.
create table drain_runs (
  connection_id text primary key references connections,
  run_id uuid,
  started_at timestamptz not null,
  alive_at timestamptz not null,
  deaths integer not null default 0
);

-- Same key, other body: flagged, never applied.
create table inbox_conflicts (
  id bigint generated always as identity primary key,
  inbox_id bigint not null references inbox,
  body bytea not null,
  body_sha256 bytea not null,
  received_at timestamptz not null,
  unique (inbox_id, body_sha256)
);

-- ── people: the one place of personal data ──────────────────────────────────────────────────────────────────────────────
create table people_keys (
  subject_id uuid primary key,
  connection_id text not null,
  -- HMAC of the customer id or e-mail under the vault key: finds a subject again without storing who it is.
  lookup bytea not null,
  -- The same for the e-mail of a subject that is known by its customer id: a request may name either.
  email_lookup bytea,
  -- The subject's own data key, wrapped by the vault key. Destroying it makes every entry unreadable.
  wrapped_key bytea,
  created_at timestamptz not null,
  erased_at timestamptz,
  unique (connection_id, lookup)
);
create index people_keys_email on people_keys (connection_id, email_lookup) where email_lookup is not null;

create table people (
  id uuid primary key,
  subject_id uuid not null,
  sealed bytea,
  -- HMAC of the content: an update that says the same is not sealed again. Null after erasure, as is the sealed text.
  digest bytea,
  created_at timestamptz not null
);
create index people_subject on people (subject_id);

-- ── orders: separate axes, one timeline ─────────────────────────────────────────────────────────────────────────────────
create table orders (
  id uuid primary key,
  company_id text not null,
  connection_id text not null,
  external_id text not null,
  number text,
  version_updated_at timestamptz not null,
  version_observed_at timestamptz not null,
  -- Null while only a cancellation has been heard of.
  content_sha256 bytea,
  -- What the newest picture says by itself; lifecycle and payment_state below are derived from it and from what others tell.
  picture_lifecycle text check (picture_lifecycle in ('open', 'cancelled', 'closed')),
  picture_payment_state text,
  -- Version of a cancellation that came by itself. It holds until a newer picture says otherwise, and may come before the order.
  tombstone_updated_at timestamptz,
  tombstone_observed_at timestamptz,
  placed_at timestamptz,
  currency text,
  lifecycle text not null check (lifecycle in ('open', 'cancelled', 'closed')),
  payment_state text not null default 'pending',
  fulfillment_state text not null default 'unfulfilled' check (fulfillment_state in ('unfulfilled', 'partial', 'fulfilled', 'not_needed')),
  reservation_state text not null default 'none' check (reservation_state in ('none', 'held', 'committed', 'partial', 'shortfall', 'released', 'consumed')),
  cancelled_at timestamptz,
  is_test boolean not null default false,
  person_id uuid,
  ship_country text,
  shipping_method text,
  subtotal_minor bigint,
  discount_minor bigint,
  shipping_minor bigint,
  tax_minor bigint,
  total_minor bigint,
  refunded_minor bigint,
  payment_ids text[] not null default '{}',
  received_at timestamptz not null,
  changed_at timestamptz not null,
  unique (connection_id, external_id)
);
create index orders_number on orders (number);
create index orders_received on orders (received_at desc, id);
create index orders_person on orders (person_id) where person_id is not null;

create table order_lines (
  id bigint generated always as identity primary key,
  order_id uuid not null references orders,
  external_id text not null,
  -- Null only for a line that needs no stock (not shipped, or nothing wanted) and whose SKU nobody knows.
  listing_id bigint,
  channel_sku text not null,
  title text,
  quantity integer not null check (quantity >= 0),
  -- Units given back before shipping (refund with restock cancel): no longer wanted.
  cancelled_quantity integer not null default 0 check (cancelled_quantity >= 0),
  shipped_quantity integer not null default 0 check (shipped_quantity >= 0),
  unit_price_minor bigint not null,
  discount_minor bigint not null,
  tax_minor bigint not null,
  total_minor bigint not null,
  requires_shipping boolean not null default true,
  unique (order_id, external_id)
);

create table order_facts (
  id bigint generated always as identity,
  order_id uuid not null,
  kind text not null,
  at timestamptz not null,
  recorded_at timestamptz not null,
  -- Where it comes from: 'inbox:123', 'outbox:45', 'user:name'.
  source text not null,
  data jsonb not null default '{}',
  -- Only ever read by order: the one index is the key.
  primary key (order_id, id)
);

-- Inbox rows that spoke of an order and changed nothing: an erasure has to find their bodies, too.
create table order_repeats (
  order_id uuid not null references orders,
  source text not null,
  primary key (order_id, source)
);

create table payments (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  external_id text not null,
  kind text not null check (kind in ('authorization', 'capture', 'dispute', 'refund')),
  status text not null,
  at timestamptz not null,
  currency text not null,
  amount_minor bigint not null,
  order_id uuid references orders,
  order_external_id text,
  order_number text,
  payment_ids text[] not null default '{}',
  recorded_at timestamptz not null,
  unique (connection_id, kind, external_id)
);
create index payments_order on payments (order_id);
create index payments_external on payments (external_id);
create index payments_unlinked on payments (id) where order_id is null;
create index payments_unlinked_external on payments (order_external_id) where order_id is null;
create index payments_unlinked_number on payments (order_number) where order_id is null;
create index payments_ids on payments using gin (payment_ids);
-- Most orders name no payment when they come; those that look here repeat the condition.
create index orders_payment_ids on orders using gin (payment_ids) where payment_ids <> '{}';

-- What a refund says about units. `cancel` units are no longer wanted; they are summed from here, so no refund counts twice.
create table refund_lines (
  payment_id bigint not null references payments,
  line_external_id text not null,
  restock text not null check (restock in ('none', 'cancel', 'return')),
  quantity integer not null check (quantity >= 0),
  amount_minor bigint not null,
  tax_minor bigint not null,
  primary key (payment_id, line_external_id, restock)
);

-- ── stock: counters, their ledger, and who the units are promised to ────────────────────────────────────────────────────
create table stock (
  item_id bigint not null references items,
  location_id text not null references locations,
  available integer not null default 0 check (available >= 0),
  reserved integer not null default 0 check (reserved >= 0),
  committed integer not null default 0 check (committed >= 0),
  damaged integer not null default 0 check (damaged >= 0),
  quality_control integer not null default 0 check (quality_control >= 0),
  safety_stock integer not null default 0 check (safety_stock >= 0),
  incoming integer not null default 0 check (incoming >= 0),
  on_hand integer generated always as (available + reserved + committed + damaged + quality_control + safety_stock) stored,
  counted_as_of timestamptz,
  primary key (item_id, location_id)
) with (fillfactor = 70);

-- Append-only, double entry between states: `quantity` units moved from one state to another. 'outside' is the world beyond our walls.
create table stock_ledger (
  id bigint generated always as identity primary key,
  item_id bigint not null,
  location_id text not null,
  from_state text not null,
  to_state text not null,
  quantity integer not null check (quantity > 0),
  reason text not null,
  -- What caused it: 'order:<uuid>', 'file:12', 'inbox:99'.
  source text not null,
  occurred_at timestamptz not null,
  recorded_at timestamptz not null,
  check (from_state <> to_state),
  check (from_state in ('outside', 'available', 'reserved', 'committed', 'damaged', 'quality_control', 'safety_stock', 'incoming')),
  check (to_state in ('outside', 'available', 'reserved', 'committed', 'damaged', 'quality_control', 'safety_stock', 'incoming'))
);
create index stock_ledger_item on stock_ledger (item_id, location_id, id);
-- What crossed our walls or changed its condition, by the time it happened: a count is brought forward by these.
create index stock_ledger_countable on stock_ledger (item_id, location_id, occurred_at)
  where from_state in ('outside', 'incoming', 'damaged', 'quality_control')
     or to_state in ('outside', 'incoming', 'damaged', 'quality_control');
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;
create trigger stock_ledger_append_only before update or delete on stock_ledger for each statement execute function refuse_change();
create trigger order_facts_append_only before update or delete on order_facts for each statement execute function refuse_change();

create table fulfillment_orders (
  id uuid primary key,
  -- The number the 3PL knows the work by.
  number text not null unique,
  order_id uuid not null references orders,
  location_id text not null,
  connection_id text,
  state text not null default 'OPEN' check (state in ('OPEN', 'SCHEDULED', 'IN_PROGRESS', 'ON_HOLD', 'INCOMPLETE', 'CLOSED', 'CANCELLED')),
  cancel_requested_at timestamptz,
  reasons jsonb not null default '[]',
  created_at timestamptz not null,
  changed_at timestamptz not null
);
create index fulfillment_orders_order on fulfillment_orders (order_id);

create table reservations (
  id bigint generated always as identity primary key,
  order_id uuid not null,
  order_line_id bigint not null references order_lines,
  item_id bigint not null,
  -- Null while the units are missing (shortfall).
  location_id text,
  fulfillment_order_id uuid,
  -- The sent work that these missing units were taken from by a count: while it lives they come back to it or not at all.
  lost_from uuid,
  -- Units of the item that one unit of the line takes (kit or multipack factor).
  per_unit integer not null check (per_unit > 0),
  -- Units in this state now. Shipping moves them to consumed_quantity.
  quantity integer not null check (quantity >= 0),
  consumed_quantity integer not null default 0 check (consumed_quantity >= 0),
  state text not null check (state in ('held', 'committed', 'consumed', 'released', 'expired', 'shortfall')),
  priority integer not null default 100,
  expires_at timestamptz,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  check ((state = 'shortfall') = (location_id is null) or state in ('released', 'expired'))
);
create index reservations_order on reservations (order_id);
create index reservations_item on reservations (item_id, location_id) where state in ('held', 'committed');
create index reservations_shortfall on reservations (item_id, priority, id) where state = 'shortfall';
create index reservations_lost on reservations (item_id) where state = 'shortfall' and lost_from is not null;
create index reservations_fulfillment_order on reservations (fulfillment_order_id) where fulfillment_order_id is not null;

create table shipments (
  id uuid primary key,
  connection_id text not null references connections,
  external_id text not null,
  fulfillment_order_id uuid not null references fulfillment_orders,
  order_id uuid not null references orders,
  carrier text,
  tracking_number text,
  tracking_url text,
  shipped_at timestamptz not null,
  recorded_at timestamptz not null,
  unique (connection_id, external_id)
);
create index shipments_order on shipments (order_id);
create index shipments_tracking on shipments (tracking_number) where tracking_number is not null;

create table shipment_lines (
  shipment_id uuid not null references shipments,
  order_line_id bigint not null references order_lines,
  item_id bigint not null references items,
  quantity integer not null check (quantity > 0),
  lot text,
  primary key (shipment_id, order_line_id, item_id)
);

create table tracking_events (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  tracking_number text not null,
  carrier text,
  code text not null,
  status text not null,
  at timestamptz not null,
  place text,
  recorded_at timestamptz not null,
  unique (connection_id, tracking_number, code, at)
);

create table returns (
  id uuid primary key,
  connection_id text not null references connections,
  external_id text not null,
  order_id uuid references orders,
  location_id text not null references locations,
  received_at timestamptz not null,
  recorded_at timestamptz not null,
  lines jsonb not null,
  unique (connection_id, external_id)
);

-- ── money that arrives ──────────────────────────────────────────────────────────────────────────────────────────────────
create table settlements (
  id uuid primary key,
  connection_id text not null references connections,
  external_id text not null,
  status text not null,
  currency text not null,
  payout_minor bigint not null,
  gross_minor bigint not null,
  fee_minor bigint not null,
  net_minor bigint not null,
  difference_minor bigint not null,
  created_at timestamptz not null,
  arrival_at timestamptz,
  bank_reference text,
  recorded_at timestamptz not null,
  changed_at timestamptz not null,
  unique (connection_id, external_id)
);

create table settlement_lines (
  id bigint generated always as identity primary key,
  settlement_id uuid not null references settlements,
  external_id text not null,
  kind text not null,
  vendor_type text not null,
  at timestamptz not null,
  currency text not null,
  gross_minor bigint not null,
  fee_minor bigint not null,
  net_minor bigint not null,
  order_external_id text,
  order_number text,
  payment_ids text[] not null default '{}',
  order_id uuid references orders,
  payment_id bigint references payments,
  match_state text not null check (match_state in ('matched', 'unmatched', 'not_needed')),
  match_reason text,
  unique (settlement_id, external_id),
  check (net_minor = gross_minor - fee_minor)
);
create index settlement_lines_unmatched on settlement_lines (id) where match_state = 'unmatched';
create index settlement_lines_order on settlement_lines (order_id);

-- ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table outbox (
  id bigint generated always as identity primary key,
  connection_id text not null,
  kind text not null,
  -- Made from business identity and stored before the call: the same effect can never be two rows.
  key text not null unique,
  -- Ids only; what is sent is read when it is sent.
  reference jsonb not null,
  order_id uuid,
  -- Rows that leave in one call (one file) share it; a retry sends the same group again under the same name.
  batch_key text,
  state text not null default 'pending' check (state in ('pending', 'queued', 'sending', 'done', 'dead', 'cancelled')),
  -- Set when a call ended without an answer: the next attempt reads back before it sends.
  unknown_outcome boolean not null default false,
  attempts integer not null default 0,
  -- Raised by every claim; a write by an older claim changes nothing.
  fence integer not null default 0,
  lease_until timestamptz,
  next_attempt_at timestamptz not null,
  created_at timestamptz not null,
  done_at timestamptz,
  result jsonb,
  error_code text,
  error_detail text
);
create index outbox_due on outbox (next_attempt_at, id) where state = 'pending';
create index outbox_leased on outbox (lease_until) where state in ('queued', 'sending');
create index outbox_order on outbox (order_id);
create index outbox_batch on outbox (batch_key) where batch_key is not null;

create table attempts (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  -- 'outbox:<batch_key>', 'availability:<push key>', 'pull:orders'.
  subject text not null,
  operation text not null,
  at timestamptz not null,
  duration_ms integer not null,
  outcome text not null,
  status integer,
  error_code text,
  -- Redacted: structure, ids, numbers and allow-listed words only.
  request jsonb,
  response jsonb
);
create index attempts_subject on attempts (subject, id);
create index attempts_connection on attempts (connection_id, id desc);

create table dead_letters (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  source text not null check (source in ('inbox', 'outbox')),
  source_id bigint not null,
  kind text not null,
  code text not null,
  detail text not null,
  state text not null default 'open' check (state in ('open', 'replayed', 'dropped')),
  created_at timestamptz not null,
  decided_at timestamptz,
  decided_by text
);
create unique index dead_letters_open on dead_letters (source, source_id) where state = 'open';
create index dead_letters_state on dead_letters (state, id);

-- ── operators ───────────────────────────────────────────────────────────────────────────────────────────────────────────
create table users (
  name text primary key,
  role text not null check (role in ('viewer', 'operator', 'finance', 'admin')),
  password_hash text not null,
  source text not null check (source in ('config', 'first_start')),
  created_at timestamptz not null
);

create table sessions (
  id text primary key,
  data jsonb not null,
  expires_at timestamptz not null
);

create table api_keys (
  id text primary key,
  name text not null,
  role text not null check (role in ('viewer', 'operator', 'finance', 'admin')),
  -- SHA-256 of a 256-bit random key: a hash of high entropy needs no salt and no stretching.
  key_sha256 bytea not null unique,
  created_at timestamptz not null,
  created_by text not null,
  last_used_at timestamptz,
  revoked_at timestamptz
);

create table audit_log (
  id bigint generated always as identity primary key,
  at timestamptz not null,
  actor text not null,
  action text not null,
  subject text not null,
  data jsonb not null default '{}'
);

create trigger audit_log_append_only before update or delete on audit_log for each statement execute function refuse_change();

-- Shared by processes: vendor rate limits (rate-limiter-flexible's own shape) and breakers.
create table rate_limits (
  key varchar(255) primary key,
  points integer not null default 0,
  expire bigint
);

create table breakers (
  connection_id text primary key references connections,
  failures integer not null default 0,
  open_until timestamptz,
  changed_at timestamptz not null
);
