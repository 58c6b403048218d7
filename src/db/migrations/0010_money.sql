-- Every payout explained to the cent: what was expected, what the processor says, what reached the bank, what is left open and why, and
-- the books that follow from it. Money is bigint minor units with a currency beside it.

-- ── settlements at full strength ─────────────────────────────────────────────────────────────────────────────────────────
alter table settlements
  -- `held`: its identities do not hold; it is shown with the difference and not posted until somebody decides.
  add column proof text not null default 'proven' check (proof in ('proven', 'held', 'accepted')),
  add column proof_faults jsonb not null default '[]',
  add column source text not null default 'api' check (source in ('api', 'file')),
  add column file_id bigint references inbound_files,
  add column begin_minor bigint,
  add column end_minor bigint,
  -- Raised whenever its lines or its amounts change: journals are kept by (settlement, version).
  add column version integer not null default 1;

alter table settlement_lines
  add column fee_type text,
  add column sku text,
  add column quantity integer,
  add column order_line_external_id text,
  add column shipment_external_id text,
  add column fx_currency text,
  add column fx_original_minor bigint,
  add column fx_rate text,
  add column file_row integer,
  -- Which strategy joined it, and the group of lines that were joined together.
  add column match_group_id bigint,
  add column match_rule text;

-- ── the bank ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table bank_statements (
  id uuid primary key,
  connection_id text not null references connections,
  external_id text not null,
  account text not null,
  currency text not null,
  begin_minor bigint,
  end_minor bigint,
  from_at timestamptz,
  to_at timestamptz,
  recorded_at timestamptz not null,
  unique (connection_id, external_id)
);
create table bank_lines (
  id bigint generated always as identity primary key,
  statement_id uuid not null references bank_statements,
  connection_id text not null,
  external_id text not null,
  booked_on date not null,
  value_on date,
  currency text not null,
  -- Money in is positive.
  amount_minor bigint not null,
  reference text,
  -- Free text of the bank may name people: sealed, opened for finance alone. Payout references found in it stand in `references_found`.
  text_sealed bytea,
  references_found text[] not null default '{}',
  settlement_id uuid references settlements,
  match_group_id bigint,
  match_rule text,
  match_state text not null default 'unmatched' check (match_state in ('unmatched', 'matched', 'suggested', 'not_ours')),
  unique (connection_id, external_id)
);
create index bank_lines_open on bank_lines (connection_id, booked_on) where match_state in ('unmatched', 'suggested');
create index bank_lines_settlement on bank_lines (settlement_id) where settlement_id is not null;

-- ── matching ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- One decision: these expected amounts and these lines belong together, by this rule, for this reason.
create table match_groups (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  leg text not null check (leg in ('orders_to_lines', 'payouts_to_bank')),
  rule text not null,
  state text not null check (state in ('matched', 'suggested', 'rejected')),
  currency text not null,
  -- Processor (or bank) less expected; zero unless the rule has a tolerance.
  difference_minor bigint not null,
  reason jsonb not null,
  made_at timestamptz not null,
  decided_by text
);

-- ── breaks ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table breaks (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  connection_id text,
  type text not null,
  -- Made from what it is about, so that a re-run finds the same break and never opens a second.
  fingerprint text not null,
  state text not null check (state in ('open', 'assigned', 'explained', 'written_off', 'resolved')),
  currency text not null,
  amount_minor bigint not null,
  settlement_id uuid references settlements,
  settlement_line_id bigint,
  order_id uuid,
  payment_id bigint,
  bank_line_id bigint,
  expected_on date,
  owner text,
  data jsonb not null default '{}',
  opened_at timestamptz not null,
  seen_at timestamptz not null,
  changed_at timestamptz not null,
  -- Four eyes above the limit.
  write_off_requested_by text,
  approved_by text,
  unique (company_id, fingerprint)
);
create index breaks_open on breaks (company_id, type, opened_at) where state not in ('resolved', 'written_off');
create table break_comments (
  id bigint generated always as identity primary key,
  break_id bigint not null references breaks,
  at timestamptz not null,
  by text not null,
  kind text not null,
  text text not null
);

-- ── fees and what a sale is worth ────────────────────────────────────────────────────────────────────────────────────────
create table tariffs (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  connection_id text not null,
  name text not null,
  valid_from date not null,
  valid_to date,
  -- Percent and fixed part by category, tiers, minimum, refund treatment: core/model/tariff.ts.
  document jsonb not null,
  source text not null,
  changed_by text not null,
  changed_at timestamptz not null,
  unique (company_id, connection_id, name, valid_from)
);
create table fee_audits (
  settlement_line_id bigint primary key references settlement_lines on delete cascade,
  tariff_id bigint not null references tariffs,
  expected_minor bigint not null,
  charged_minor bigint not null,
  variance_minor bigint not null,
  reason text not null,
  computed_at timestamptz not null
);
-- What units cost when they came: freight and duty are allocated on top.
create table item_costs (
  id bigint generated always as identity primary key,
  item_id bigint not null,
  received_at timestamptz not null,
  quantity integer not null check (quantity > 0),
  currency text not null,
  unit_minor bigint not null,
  landed_unit_minor bigint not null,
  source text not null unique
);
create index item_costs_item on item_costs (item_id, received_at, id);

-- ── books ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table journals (
  id uuid primary key,
  company_id text not null references companies,
  -- `settlement:<id>:<version>`, `reversal:<journal id>`, `bank:<bank line id>` …: posted once.
  key text not null unique,
  kind text not null check (kind in ('settlement', 'bank', 'write_off', 'reversal')),
  connection_id text,
  settlement_id uuid references settlements,
  posted_on date not null,
  period text not null,
  reverses uuid references journals,
  created_at timestamptz not null,
  created_by text not null
);
create index journals_period on journals (company_id, period);
create table journal_entries (
  id bigint generated always as identity primary key,
  journal_id uuid not null references journals,
  account text not null,
  currency text not null,
  -- Debit is positive, credit negative; the entries of a journal sum to zero per currency.
  amount_minor bigint not null check (amount_minor <> 0),
  order_id uuid,
  data jsonb not null default '{}'
);
create index journal_entries_journal on journal_entries (journal_id);
create index journal_entries_account on journal_entries (account, currency);
create table period_locks (
  company_id text not null references companies,
  period text not null,
  locked_at timestamptz not null,
  locked_by text not null,
  primary key (company_id, period)
);
create trigger journals_append_only before update or delete on journals for each statement execute function refuse_change();
create trigger journal_entries_append_only before update or delete on journal_entries for each statement execute function refuse_change();
