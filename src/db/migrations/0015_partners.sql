-- Partners who number what they send, are told what is on its way, and hear what became of their orders.

-- Parts of files that their senders number by themselves (X12 interchanges): a number is taken once.
create table inbound_envelopes (
  connection_id text not null references connections,
  key text not null,
  -- Of what it held when it was taken.
  content_sha256 bytea not null,
  file_id bigint not null references inbound_files,
  received_at timestamptz not null,
  primary key (connection_id, key)
);

-- What a buyer was last told of an order. `seen_at`: up to when the order's own changes have been looked at.
create table order_answers (
  order_id uuid primary key references orders,
  revision integer not null check (revision > 0),
  verdict text not null check (verdict in ('accepted', 'changed', 'rejected')),
  -- Lines as they were told: numbers and names of lines only.
  lines jsonb not null,
  answered_at timestamptz not null,
  seen_at timestamptz not null
);

-- One invoice per shipment, as it was sent: it is never changed, whatever the order becomes.
create table partner_invoices (
  id uuid primary key,
  company_id text not null references companies,
  number bigint not null check (number > 0),
  connection_id text not null references connections,
  order_id uuid not null references orders,
  shipment_id uuid not null unique references shipments,
  invoiced_at timestamptz not null,
  currency text not null,
  lines jsonb not null,
  shipping_minor bigint not null,
  tax_minor bigint not null,
  total_minor bigint not null,
  unique (company_id, number)
);
create index partner_invoices_order on partner_invoices (order_id);

-- What a place's operator was last told of goods on their way.
create table supply_announcements (
  supply_id uuid primary key references supplies,
  connection_id text not null references connections,
  revision integer not null check (revision > 0),
  content_sha256 bytea not null,
  announced_at timestamptz not null,
  -- The supply's own state that has been looked at.
  seen_at timestamptz not null
);

-- Goods that somebody else's warehouse said it has taken in, by its own number: told twice, they came once.
create table goods_receipts (
  connection_id text not null references connections,
  external_id text not null,
  location_id text not null references locations,
  supply_id uuid references supplies,
  reference text,
  received_at timestamptz not null,
  recorded_at timestamptz not null,
  lines jsonb not null,
  primary key (connection_id, external_id)
);
