-- What an ERP has been told, and under which names it can find our documents again.

create table erp_links (
  id bigint generated always as identity unique,
  connection_id text not null references connections,
  kind text not null
    check (kind in ('order', 'cancellation', 'delivery', 'return', 'invoice', 'credit', 'journal', 'bank_statement')),
  -- The hub's id of it: an order, a shipment, a return, a refund, a journal in one currency.
  subject text not null,
  -- The name under which it exists there once, whatever happens.
  key text not null,
  order_id uuid,
  -- Raised whenever it has to be told anew: an edit, or a person who asks for it.
  version integer not null default 1 check (version > 0),
  -- What the version says, as a digest without anybody's data: another one makes the next version due.
  digest text,
  due_at timestamptz not null,
  -- The last version that the ERP has, what it calls it, and since when.
  told_version integer,
  external_id text,
  told_at timestamptz,
  primary key (connection_id, kind, subject)
);
create index erp_links_order on erp_links (order_id) where order_id is not null;
create index erp_links_waiting on erp_links (connection_id, kind) where told_version is distinct from version;
create index erp_links_goods_told on erp_links (connection_id, told_at) where kind in ('delivery', 'return');

-- How far a place's stock has been told, where the hub is the one who knows it.
create table erp_stock_told (
  connection_id text not null references connections,
  location_id text not null references locations,
  -- Movements up to this one have been looked at.
  ledger_id bigint not null,
  at timestamptz not null,
  primary key (connection_id, location_id)
);

-- Items that an ERP brought. Those of the configuration are the merchant's own word and win.
alter table items add column source text not null default 'config' check (source in ('config', 'erp'));
