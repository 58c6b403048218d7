-- Files of payouts that vendors keep ready behind an API: announced by a message or found in a list, then fetched and read like any file.
create table reports (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  -- What the vendor calls it; the connector finds the report by it.
  reference text not null,
  name text,
  -- `held`: it could not be fetched or read, and a person has been asked. Its bytes, where there are any, are those of the file.
  state text not null default 'announced' check (state in ('announced', 'fetched', 'held')),
  attempts integer not null default 0,
  file_id bigint references inbound_files,
  error_code text,
  announced_at timestamptz not null,
  decided_at timestamptz,
  unique (connection_id, reference)
);
create index reports_announced on reports (connection_id, id) where state = 'announced';
