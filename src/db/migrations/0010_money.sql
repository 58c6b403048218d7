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
  -- `held`: opening balance and lines do not come to the closing balance, or a row could not be read. Its lines wait in `held_sealed` until
  -- somebody accepts them or a better file comes; `bank_lines` has only what may be matched. `unproven`: the file states no balances.
  proof text not null default 'proven' check (proof in ('proven', 'unproven', 'held', 'accepted')),
  difference_minor bigint,
  proof_faults jsonb not null default '[]',
  held_sealed bytea,
  recorded_at timestamptz not null,
  unique (connection_id, external_id),
  check ((proof = 'held') = (held_sealed is not null))
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
create index bank_lines_statement on bank_lines (statement_id, id);
create index bank_lines_open on bank_lines (connection_id, booked_on) where match_state in ('unmatched', 'suggested');
create index bank_lines_settlement on bank_lines (settlement_id) where settlement_id is not null;

-- ── matching ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- One decision: these expected amounts and these lines belong together, by this rule, for this reason. Its members stand in it, so that
-- a match can be explained, and undone, without a search over all lines.
create table match_groups (
  id bigint generated always as identity primary key,
  company_id text not null,
  leg text not null check (leg in ('orders_to_lines', 'payouts_to_bank')),
  rule text not null,
  state text not null check (state in ('matched', 'suggested', 'rejected')),
  currency text not null,
  -- Processor (or bank) less expected; zero unless the rule has a tolerance.
  difference_minor bigint not null,
  reason jsonb not null,
  line_ids bigint[] not null default '{}',
  payment_ids bigint[] not null default '{}',
  order_id uuid,
  settlement_ids uuid[] not null default '{}',
  bank_line_ids bigint[] not null default '{}',
  made_at timestamptz not null,
  decided_by text
);
create index match_groups_suggested on match_groups (company_id, id) where state = 'suggested';
-- A payment is settled by one group. The key is what two runs at once would break on, never the money.
create table match_expected (
  payment_id bigint primary key,
  group_id bigint not null
);
-- The total of an order is what is expected where nobody told of its payments.
create table match_order_totals (
  order_id uuid not null,
  part text not null check (part in ('income', 'refund')),
  group_id bigint not null,
  amount_minor bigint not null,
  primary key (order_id, part)
);
-- What a person said does not belong together. No later run joins it again.
create table match_rejections (
  id bigint generated always as identity primary key,
  leg text not null check (leg in ('orders_to_lines', 'payouts_to_bank')),
  -- A settlement line, or a bank line.
  line_id bigint not null,
  payment_ids bigint[] not null default '{}',
  order_id uuid,
  settlement_ids uuid[] not null default '{}',
  group_id bigint not null,
  rejected_at timestamptz not null,
  rejected_by text not null
);
create index match_rejections_line on match_rejections (leg, line_id);
alter table settlements add column bank_group_id bigint;
create index settlements_not_in_bank on settlements (connection_id, id) where bank_group_id is null;
create index settlement_lines_unmatched_of on settlement_lines (settlement_id, id) where match_state = 'unmatched';
-- Lines that need no order but name one: their fees count for it.
create index settlement_lines_unlinked on settlement_lines (id)
  where match_state = 'not_needed' and order_id is null
    and (order_external_id is not null or order_number is not null or payment_ids <> '{}');

-- A group whose member changes or goes away is no longer true: all its members are open again. In the database, because importers and
-- corrections must not be able to forget it.
create function dissolve_match_group(wanted bigint) returns void language plpgsql as $$
declare gone match_groups;
begin
  delete from match_groups where id = wanted and leg = 'orders_to_lines' and state = 'matched' returning * into gone;
  if gone.id is null then return; end if;
  delete from match_expected where payment_id = any(gone.payment_ids) and group_id = wanted;
  delete from match_order_totals where order_id = gone.order_id and group_id = wanted;
  -- The payment too: the group has named it, and lines that name one themselves find it again.
  update settlement_lines set match_state = 'unmatched', match_group_id = null, match_rule = null, payment_id = null
  where id = any(gone.line_ids) and match_group_id = wanted;
end $$;
create function dissolve_match_of_line() returns trigger language plpgsql as $$
begin
  perform dissolve_match_group(old.match_group_id);
  return null;
end $$;
create trigger settlement_lines_dissolve_changed after update on settlement_lines for each row
  when (old.match_group_id is not null and (new.match_group_id is distinct from old.match_group_id or new.match_state <> 'matched'
    or (new.gross_minor, new.currency, new.kind, new.fx_currency, new.fx_original_minor)
      is distinct from (old.gross_minor, old.currency, old.kind, old.fx_currency, old.fx_original_minor)))
  execute function dissolve_match_of_line();
create trigger settlement_lines_dissolve_gone after delete on settlement_lines for each row
  when (old.match_group_id is not null) execute function dissolve_match_of_line();
create function dissolve_match_of_payment() returns trigger language plpgsql as $$
begin
  perform dissolve_match_group(group_id) from match_expected where payment_id = new.id;
  return null;
end $$;
create trigger payments_dissolve_changed after update on payments for each row
  when ((new.amount_minor, new.currency, new.order_id) is distinct from (old.amount_minor, old.currency, old.order_id)
    or (new.status <> old.status and new.status in ('failed', 'cancelled')))
  execute function dissolve_match_of_payment();
create function dissolve_bank_match() returns trigger language plpgsql as $$
declare
  wanted bigint := case tg_table_name when 'settlements' then (to_jsonb(old) ->> 'bank_group_id')::bigint
    else (to_jsonb(old) ->> 'match_group_id')::bigint end;
  gone match_groups;
begin
  delete from match_groups where id = wanted and leg = 'payouts_to_bank' and state <> 'rejected' returning * into gone;
  if gone.id is null then return null; end if;
  update settlements set bank_group_id = null where id = any(gone.settlement_ids) and bank_group_id = wanted;
  update bank_lines set match_state = 'unmatched', match_group_id = null, match_rule = null, settlement_id = null
  where id = any(gone.bank_line_ids) and match_group_id = wanted;
  return null;
end $$;
create trigger settlements_dissolve_changed after update on settlements for each row
  when (old.bank_group_id is not null and (new.payout_minor, new.currency) is distinct from (old.payout_minor, old.currency))
  execute function dissolve_bank_match();
create trigger bank_lines_dissolve_changed after update on bank_lines for each row
  when (old.match_group_id is not null and (new.amount_minor, new.currency) is distinct from (old.amount_minor, old.currency))
  execute function dissolve_bank_match();
create trigger bank_lines_dissolve_gone after delete on bank_lines for each row
  when (old.match_group_id is not null) execute function dissolve_bank_match();

-- ── breaks ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
-- A payout that was paid once and failed later is another thing than one that never left.
alter table settlements add column was_paid boolean not null default false;
create function remember_paid() returns trigger language plpgsql as $$
begin
  new.was_paid := new.status = 'paid' or (tg_op = 'UPDATE' and old.was_paid);
  return new;
end $$;
create trigger settlements_remember_paid before insert or update of status on settlements for each row execute function remember_paid();

create table breaks (
  id bigint generated always as identity primary key,
  company_id text not null references companies,
  connection_id text,
  type text not null,
  -- Made from what it is about, so that a re-run finds the same break and never opens a second.
  fingerprint text not null,
  state text not null check (state in ('open', 'assigned', 'explained', 'written_off', 'resolved')),
  currency text not null,
  -- What came less what was expected.
  amount_minor bigint not null,
  settlement_id uuid references settlements,
  settlement_line_id bigint,
  order_id uuid,
  payment_id bigint,
  bank_line_id bigint,
  expected_on date,
  -- Days past the expected date are counted from here.
  aged_from date not null,
  owner text,
  reason_code text,
  data jsonb not null default '{}',
  opened_at timestamptz not null,
  seen_at timestamptz not null,
  changed_at timestamptz not null,
  -- When the data stopped to show it. Null: they still do.
  gone_at timestamptz,
  -- Four eyes above the limit.
  write_off_requested_by text,
  approved_by text,
  unique (company_id, fingerprint)
);
create index breaks_open on breaks (company_id, type, opened_at) where state not in ('resolved', 'written_off');
create index breaks_present on breaks (company_id) where gone_at is null;
create index breaks_settlement on breaks (settlement_id) where settlement_id is not null;
create table break_comments (
  id bigint generated always as identity primary key,
  break_id bigint not null references breaks,
  at timestamptz not null,
  by text not null,
  kind text not null,
  text text not null
);
create index break_comments_break on break_comments (break_id, id);

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
  source text not null check (source in ('config', 'api')),
  -- What the configuration no longer says is kept, because audits refer to it.
  active boolean not null default true,
  changed_by text not null,
  changed_at timestamptz not null,
  unique (company_id, connection_id, name, valid_from)
);
create table fee_audits (
  settlement_line_id bigint primary key references settlement_lines on delete cascade,
  tariff_id bigint not null references tariffs,
  clause text,
  basis_minor bigint not null,
  expected_minor bigint not null,
  charged_minor bigint not null,
  variance_minor bigint not null check (variance_minor = charged_minor - expected_minor),
  reason text not null,
  computed_at timestamptz not null
);
-- The version of the payout and the state of the tariffs that its fees were judged by; another one: they have to be judged (again).
-- Not an instant: what is written with an earlier clock may be committed later.
alter table settlements add column fees_audited_of text;
create index settlement_lines_order_name on settlement_lines (order_external_id) where order_external_id is not null;
create index fee_audits_variance on fee_audits (settlement_line_id) where variance_minor <> 0;
-- What units cost when they came. `landed_minor` is of the whole quantity, with its share of freight and duty: per unit it would not be exact.
create table item_costs (
  id bigint generated always as identity primary key,
  item_id bigint not null references items,
  received_at timestamptz not null,
  quantity integer not null check (quantity > 0),
  currency text not null,
  unit_minor bigint not null check (unit_minor >= 0),
  landed_minor bigint not null check (landed_minor >= 0),
  source text not null unique
);
create index item_costs_item on item_costs (item_id, received_at, id);

-- ── books ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
create table journals (
  id uuid primary key,
  company_id text not null references companies,
  -- `settlement:<id>:<version>`, `bank:<bank line id>:<settlement id>`, `write_off:<break id>`, each with `.<n>` where it is posted anew, and
  -- `reversal:<journal id>`: posted once.
  key text not null unique,
  kind text not null check (kind in ('settlement', 'bank', 'write_off', 'reversal')),
  -- Whose clearing account it moves, in which currency, and by how much: stated from its source, so that its entries can be held against it.
  connection_id text not null references connections,
  currency text not null,
  clearing_minor bigint not null,
  settlement_id uuid references settlements,
  version integer,
  -- The payout failed or was cancelled: its money is the processor's again, and comes with a later payout.
  returned boolean not null default false,
  bank_line_id bigint references bank_lines,
  break_id bigint references breaks,
  -- The day of what happened, and the day it is booked: the first of the next open period where its own is locked.
  due_on date not null,
  posted_on date not null,
  period text not null,
  reverses uuid unique references journals,
  created_at timestamptz not null,
  created_by text not null,
  check ((kind = 'reversal') = (reverses is not null))
);
create index journals_period on journals (company_id, period);
create index journals_settlement on journals (settlement_id);
create index journals_bank_line on journals (bank_line_id) where bank_line_id is not null;
create index journals_break on journals (break_id) where break_id is not null;
create table journal_entries (
  id bigint generated always as identity primary key,
  journal_id uuid not null references journals,
  account text not null,
  currency text not null,
  -- Debit is positive, credit negative; the entries of a journal sum to zero per currency.
  amount_minor bigint not null check (amount_minor <> 0),
  data jsonb not null default '{}',
  unique (journal_id, account, currency)
);
create index journal_entries_account on journal_entries (account, currency);
-- What each bank line pays of each payout that is joined to it. Of several payouts in one line each gets what it says, and the last what
-- is left, so that the parts are the line. Where the bank exchanged, the first line pays the payout whole.
create index settlements_bank_group on settlements (bank_group_id) where bank_group_id is not null;
create view bank_parts as
  select b.id as bank_line_id, s.id as settlement_id, s.connection_id, s.currency, b.currency as bank_currency, b.booked_on,
    case when b.currency = s.currency then
           case when n.is_last then b.amount_minor - n.before_minor else s.payout_minor end
         when b.id = (select min(f.id) from bank_lines f where f.match_state = 'matched' and f.currency <> s.currency
                        and (f.settlement_id = s.id or (f.settlement_id is null and f.match_group_id = s.bank_group_id)))
         then s.payout_minor else 0 end as clearing_minor,
    case when n.is_last then b.amount_minor - case when b.currency = s.currency then n.before_minor else 0 end
         when b.currency = s.currency then s.payout_minor else 0 end as bank_minor
  from bank_lines b
  join lateral (
    select m.id, row_number() over (order by m.id desc) = 1 as is_last,
      coalesce(sum(m.payout_minor) over (order by m.id rows between unbounded preceding and 1 preceding), 0)::bigint as before_minor
    from settlements m where m.id = b.settlement_id or (b.settlement_id is null and m.bank_group_id = b.match_group_id)
  ) n on true
  join settlements s on s.id = n.id
  where b.match_state = 'matched';
create table period_locks (
  company_id text not null references companies,
  period text not null check (period ~ '^\d{4}-(0[1-9]|1[0-2])$'),
  locked_at timestamptz not null,
  locked_by text not null,
  primary key (company_id, period)
);
create trigger journals_append_only before update or delete on journals for each statement execute function refuse_change();
create trigger journal_entries_append_only before update or delete on journal_entries for each statement execute function refuse_change();
-- The books refuse what does not balance, whoever writes it.
create function refuse_unbalanced() returns trigger language plpgsql as $$
begin
  if exists (select 1 from journal_entries where journal_id = new.journal_id group by currency having sum(amount_minor) <> 0) then
    raise exception 'journal % does not balance', new.journal_id using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger journal_entries_balance after insert on journal_entries deferrable initially deferred
  for each row execute function refuse_unbalanced();
