import type { ErpRequest } from '../model/effects.ts'
import { inOrder, type LoadContext } from './load.ts'

const SPLIT = ':'

/** A journal that moves several currencies is one document each: every one of them balances by itself. */
export const journalSubject = (journal_id: string, currency: string): string => `${journal_id}${SPLIT}${currency}`

interface JournalRow {
  id: string
  key: string
  posted_on: string
  currency: string
  text: string
  entries: { account: string; amount_minor: number }[]
}

export async function loadJournals({ q, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<JournalRow>(
    `select j.id || '${SPLIT}' || e.currency as id, j.key, j.posted_on, e.currency,
       concat_ws(' ', j.kind, j.connection_id, s.external_id) as text,
       jsonb_agg(jsonb_build_object('account', e.account, 'amount_minor', e.amount_minor) order by e.id) as entries
     from journals j join journal_entries e on e.journal_id = j.id left join settlements s on s.id = j.settlement_id
     where j.id || '${SPLIT}' || e.currency = any($1::text[]) and j.id = any($2::uuid[])
     group by j.id, e.currency, s.external_id`,
    idsOf(wanted),
  )
  return inOrder(wanted, rows, ({ key: reference, posted_on: at, currency, entries, text }, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'journal',
    reference,
    at,
    currency,
    lines: entries.map(({ account, amount_minor }) => ({
      account,
      debit_minor: Math.max(0, amount_minor),
      credit_minor: Math.max(0, -amount_minor),
      text,
    })),
  }))
}

const idsOf = (wanted: LoadContext['wanted']): [string[], string[]] => {
  const subjects = wanted.map(({ subject }) => subject)
  return [subjects, subjects.map((subject) => subject.split(SPLIT)[0] ?? '')]
}

interface StatementRow {
  id: string
  reference: string
  at: string
  currency: string
  begin_minor: number
  amount_minor: number
  line_id: string
}

/** What arrived of one payout, and where the account stood before it as far as payouts go: all that was booked earlier. */
export async function loadBankStatements({ q, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<StatementRow>(
    `select j.id || '${SPLIT}' || e.currency as id, concat_ws(' ', s.external_id, case when j.reverses is not null then 'taken back' end) as reference,
       j.posted_on as at, e.currency, e.amount_minor, j.key as line_id,
       (select coalesce(sum(b.amount_minor), 0)::bigint from journals x join journal_entries b on b.journal_id = x.id
        where x.company_id = j.company_id and b.account = 'bank' and b.currency = e.currency and (x.created_at, x.id) < (j.created_at, j.id))
         as begin_minor
     from journals j join journal_entries e on e.journal_id = j.id and e.account = 'bank' left join settlements s on s.id = j.settlement_id
     where j.id || '${SPLIT}' || e.currency = any($1::text[]) and j.id = any($2::uuid[])`,
    idsOf(wanted),
  )
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'bank_statement',
    reference: row.reference,
    at: row.at,
    currency: row.currency,
    begin_minor: row.begin_minor,
    end_minor: row.begin_minor + row.amount_minor,
    lines: [{ external_id: row.line_id, at: row.at, text: row.reference, amount_minor: row.amount_minor }],
  }))
}
