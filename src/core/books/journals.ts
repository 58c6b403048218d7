import type { Queryable, Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { tellJournals } from '../erp/tellBooks.ts'
import { reversalOf, type Entry } from './rulesJournal.ts'
import { bookedOn, periodOf } from './rulesPeriod.ts'

/** A journal that is still to be written, apart from the day it is booked. */
export interface NewJournal {
  company_id: string
  key: string
  kind: 'settlement' | 'bank' | 'write_off' | 'reversal'
  connection_id: string
  currency: string
  /** What it moves the clearing account by, from the source and not from the entries. */
  clearing_minor: number
  settlement_id: string | null
  version: number | null
  returned: boolean
  bank_line_id: number | null
  break_id: number | null
  due_on: string
  reverses: string | null
  entries: readonly Entry[]
}

type Context = Pick<CoreContext, 'now' | 'newId' | 'erps'>

/** A journal counts until it is reversed. */
export const IS_ACTIVE = `j.kind <> 'reversal' and not exists (select 1 from journals r where r.reverses = j.id)`

/** Writes journals with their entries, each on the first open day, and makes them due at the company's ERP. `locked`: of `holdPeriods`, in the same transaction. */
export async function writeJournals(
  tx: Tx,
  { now, newId, erps }: Context,
  journals: readonly NewJournal[],
  locked: ReadonlyMap<string, ReadonlySet<string>>,
  by: string,
): Promise<string[]> {
  if (journals.length === 0) return []
  const heads = journals.map(({ entries, ...journal }) => {
    const posted_on = bookedOn(journal.due_on, locked.get(journal.company_id) ?? new Set())
    return { ...journal, id: newId(), posted_on, period: periodOf(posted_on), entries }
  })
  await tx.query(
    `insert into journals (id, company_id, key, kind, connection_id, currency, clearing_minor, settlement_id, version, returned,
       bank_line_id, break_id, due_on, posted_on, period, reverses, created_at, created_by)
     select id, company_id, key, kind, connection_id, currency, clearing_minor, settlement_id, version, returned, bank_line_id, break_id,
       due_on, posted_on, period, reverses, $2, $3
     from jsonb_to_recordset($1::jsonb) as j(id uuid, company_id text, key text, kind text, connection_id text, currency text,
       clearing_minor bigint, settlement_id uuid, version int, returned boolean, bank_line_id bigint, break_id bigint, due_on date,
       posted_on date, period text, reverses uuid)`,
    // The entries go along and are passed over: the record names the columns that are taken.
    [JSON.stringify(heads), now, by],
  )
  const entries = heads.flatMap(({ id, entries: own }) => own.map((entry) => ({ journal_id: id, ...entry })))
  await tx.query(
    `insert into journal_entries (journal_id, account, currency, amount_minor)
     select journal_id, account, currency, amount_minor
     from jsonb_to_recordset($1::jsonb) as e(journal_id uuid, account text, currency text, amount_minor bigint)`,
    [JSON.stringify(entries)],
  )
  await tellJournals(tx, erps === undefined ? { now } : { now, erps }, heads)
  return heads.map(({ id }) => id)
}

interface Posted extends Omit<NewJournal, 'entries' | 'due_on'> {
  id: string
  posted_on: string
}

/** The journals that take these back: on their own days, or the first open one after it. */
export async function reversalsOf(q: Queryable, journal_ids: readonly string[]): Promise<NewJournal[]> {
  if (journal_ids.length === 0) return []
  const rows = await q.query<Posted & { entries: Entry[] }>(
    `select j.id, j.company_id, j.connection_id, j.currency, j.clearing_minor, j.settlement_id, j.version, j.returned, j.bank_line_id,
       j.break_id, j.posted_on,
       coalesce((select jsonb_agg(jsonb_build_object('account', e.account, 'currency', e.currency, 'amount_minor', e.amount_minor) order by e.id)
                 from journal_entries e where e.journal_id = j.id), '[]') as entries
     from journals j where j.id = any($1) order by j.id`,
    [journal_ids],
  )
  return rows.map(({ id, posted_on, entries, clearing_minor, ...journal }) => ({
    ...journal,
    key: `reversal:${id}`,
    kind: 'reversal',
    clearing_minor: clearing_minor === 0 ? 0 : -clearing_minor,
    due_on: posted_on,
    reverses: id,
    entries: reversalOf(entries),
  }))
}

/** The key of what is posted for the n-th time, because it was taken back before. */
export const keyOf = (base: string, posted_before: number): string =>
  posted_before === 0 ? base : `${base}.${posted_before}`
