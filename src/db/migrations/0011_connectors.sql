-- What connectors need to keep between calls.

-- A token that a vendor gave us. Both parts are sealed with the hub's key; whoever refreshes holds the row.
create table access_tokens (
  connection_id text primary key references connections,
  sealed_token bytea not null,
  -- Of grants whose every answer brings the next one.
  sealed_refresh_token bytea,
  expires_at timestamptz not null,
  -- A hash of the grant: other credentials in the configuration make the token worthless.
  grant_hash text not null,
  refreshed_at timestamptz not null
);

-- Numbers that a protocol counts by, without a gap; the same key is given the same number again.
create table numbers (
  connection_id text not null references connections,
  sequence text not null,
  key text not null,
  number bigint not null check (number > 0),
  primary key (connection_id, sequence, key),
  unique (connection_id, sequence, number)
);

-- Answers that somebody owes us: a functional acknowledgement, a processing report.
create table awaited_answers (
  id bigint generated always as identity primary key,
  connection_id text not null references connections,
  -- What the answer will name.
  reference text not null,
  what text not null,
  outbox_id bigint,
  sent_at timestamptz not null,
  due_at timestamptz not null,
  answered_at timestamptz,
  verdict text check (verdict in ('accepted', 'accepted_with_faults', 'rejected')),
  faults jsonb,
  unique (connection_id, reference)
);
create index awaited_answers_open on awaited_answers (due_at) where answered_at is null;

-- What was found when a connection was last tested.
create table self_checks (
  connection_id text not null references connections,
  name text not null,
  ok boolean not null,
  detail text not null,
  expires_at timestamptz,
  checked_at timestamptz not null,
  primary key (connection_id, name)
);
