-- Parcels that the hub buys labels for, the labels' files, and what became of parcels on their way.

-- What labels of a place are bought with, from where and by which rule: one document, as the configuration has it. Null: none are.
alter table locations add column labels jsonb;

-- What a unit weighs and measures, for parcels.
alter table items
  add column weight_g integer check (weight_g > 0),
  add column size_mm integer[] check (cardinality(size_mm) = 3);

-- When the buyer was promised to have the goods; null: no day was promised.
alter table orders add column deliver_by timestamptz;

create table parcels (
  id uuid primary key,
  connection_id text not null references connections,
  fulfillment_order_id uuid not null references fulfillment_orders,
  order_id uuid not null references orders,
  -- Our name of it at the carrier's, the same over every attempt.
  reference text not null unique,
  weight_g integer not null check (weight_g > 0),
  size_mm integer[],
  -- `dropped`: nothing was bought for it and nothing will be. `rated`: offers are known; either a person has to choose or the purchase
  -- was refused.
  state text not null check (state in ('wanted', 'rated', 'buying', 'bought', 'voiding', 'voided', 'dropped')),
  -- Who chooses among the offers: the place's rules, or the person who asked for them.
  chosen_by text not null default 'rules' check (chosen_by in ('rules', 'hand')),
  -- The work is over while a purchase is under way: what it brings is given back at once.
  unwanted_at timestamptz,
  -- The carrier's record, kept before anything is bought.
  external_id text,
  rate_external_id text,
  carrier text,
  service text,
  currency text,
  amount_minor bigint,
  tracking_number text,
  tracking_url text,
  -- What was offered, and why this one: the rule's name and what each other offer lacked.
  choice jsonb,
  -- Why there is no label, in words without any person's data.
  fault text,
  created_at timestamptz not null,
  bought_at timestamptz,
  voided_at timestamptz,
  check (state not in ('buying', 'bought') or (external_id is not null and rate_external_id is not null)),
  check (state <> 'bought' or (tracking_number is not null and amount_minor is not null and bought_at is not null))
);
create index parcels_work on parcels (fulfillment_order_id);
create index parcels_order on parcels (order_id);
create index parcels_tracking on parcels (tracking_number) where tracking_number is not null;
-- One living label per piece of work: it cannot be bought twice, whoever tries.
create unique index parcels_one_living on parcels (fulfillment_order_id) where state not in ('voiding', 'voided', 'dropped');

-- Files that carry a name and an address are sealed with the key of their person's subject: whoever destroys it has destroyed them.
create table documents (
  id uuid primary key,
  kind text not null,
  parcel_id uuid references parcels,
  person_id uuid,
  -- Whose key sealed it: a person may belong to another subject later. Null: it is about nobody, and sealed with the hub's key.
  subject_id uuid references people_keys,
  name text not null,
  content_type text not null,
  sealed bytea not null,
  bytes integer not null,
  sha256 text not null,
  created_at timestamptz not null,
  unique (parcel_id, name)
);
create index documents_person on documents (person_id) where person_id is not null;
create index documents_subject on documents (subject_id) where subject_id is not null;

-- Carriers scan the same parcel at one instant in two places, and some give no code: every part of a scan says which one it is.
alter table tracking_events drop constraint tracking_events_connection_id_tracking_number_code_at_key;
alter table tracking_events add constraint tracking_events_once
  unique nulls not distinct (connection_id, tracking_number, carrier, code, at, place);
create index tracking_events_number on tracking_events (tracking_number, at);

-- Where a parcel is, by the newest of its scans, whenever they came; and when it arrived.
alter table shipments
  add column tracking_status text,
  add column tracking_at timestamptz,
  add column delivered_at timestamptz;
-- When the last parcel of an order that has left whole was delivered.
alter table orders add column delivered_at timestamptz;
