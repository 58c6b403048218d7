import type { Db, Tx } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { CoreContext } from '../context.ts'
import { IS_ACTIVE, keyOf, reversalsOf, writeJournals, type NewJournal } from './journals.ts'
import { holdPeriods } from './periods.ts'
import { bankJournalOf, isReturned, journalOf, type JournalLine } from './rulesJournal.ts'

/** Payouts, bank lines or write-offs in one transaction: large enough to be quick, small enough to hold nobody up. */
const TURN = 200

type Context = Pick<CoreContext, 'now' | 'newId' | 'erps'>

export interface PostOptions {
  /** IANA name: the company's days and months. */
  timezone: string
  by: string
}

export interface Posted {
  settlements: number
  bank_lines: number
  reversed: number
}

/**
 * Brings the books up to what is known: every proven or accepted payout in its newest version, every payout that the bank has shown,
 * and back what no longer holds (an older version, a match that was undone, a write-off that was reopened). Safe to run at any time
 * and side by side: whoever holds the row posts it, and the key is unique.
 */
export async function postJournals(db: Db, ctx: Context, options: PostOptions): Promise<Posted> {
  const posted: Posted = { settlements: 0, bank_lines: 0, reversed: 0 }
  for (const [turn, counts] of [
    [settlementsTurn, 'settlements'],
    [bankTurn, 'bank_lines'],
    [writeOffsTurn, null],
  ] as const) {
    let after: string | null = null
    do {
      const done: Turn = await inTransaction(db, (tx) => turn(tx, ctx, options, after))
      if (counts !== null) posted[counts] += done.posted
      posted.reversed += done.reversed
      after = done.after
    } while (after !== null)
  }
  return posted
}

interface Turn {
  posted: number
  reversed: number
  /** Where the next turn begins; null: nothing is left. */
  after: string | null
}

/** Reversals first, then what takes their place, all under the same locks of the periods. */
async function write(
  tx: Tx,
  ctx: Context,
  { by }: PostOptions,
  outdated: readonly string[],
  journals: readonly NewJournal[],
): Promise<Pick<Turn, 'posted' | 'reversed'>> {
  const reversals = await reversalsOf(tx, outdated)
  const all = [...reversals, ...journals]
  const locked = await holdPeriods(tx, all.map(({ company_id }) => company_id)) // prettier-ignore
  await writeJournals(tx, ctx, all, locked, by)
  return { posted: journals.length, reversed: reversals.length }
}

const lastOf = (rows: readonly { id: string }[]): string | null =>
  rows.length < TURN ? null : (rows.at(-1)?.id ?? null)

// ── payouts ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const ACTIVE_SETTLEMENT = `
  left join lateral (select j.id, j.version, j.returned from journals j where j.settlement_id = s.id and j.kind = 'settlement' and ${IS_ACTIVE}) a on true`
const SETTLEMENT_DUE = `s.proof <> 'held' and (a.id is null or a.version <> s.version or a.returned <> (s.status in ('failed', 'cancelled')))`

interface DueSettlement {
  id: string
  company_id: string
  connection_id: string
  currency: string
  payout_minor: number
  status: string
  version: number
  due_on: string
  active_id: string | null
  posted_before: number
}

async function settlementsTurn(tx: Tx, ctx: Context, options: PostOptions, after: string | null): Promise<Turn> {
  const found = await tx.query<{ id: string }>(
    `select s.id from settlements s ${ACTIVE_SETTLEMENT} where ${SETTLEMENT_DUE} and ($1::uuid is null or s.id > $1)
     order by s.id limit ${TURN} for no key update of s skip locked`,
    [after],
  )
  if (found.length === 0) return { posted: 0, reversed: 0, after: null }
  // Read anew under the locks: somebody may have posted between the look and the lock.
  const due = await tx.query<DueSettlement>(
    `select s.id, c.company_id, s.connection_id, s.currency, s.payout_minor, s.status, s.version,
       (s.created_at at time zone $2)::date as due_on, a.id as active_id,
       (select count(*) from journals p where p.settlement_id = s.id and p.kind = 'settlement' and p.version = s.version) as posted_before
     from settlements s join connections c on c.id = s.connection_id ${ACTIVE_SETTLEMENT}
     where s.id = any($1) and ${SETTLEMENT_DUE} order by s.id`,
    [found.map(({ id }) => id), options.timezone],
  )
  const lines = await linesOf(tx, due.map(({ id }) => id)) // prettier-ignore
  const journals = due.map((settlement) => settlementJournal(settlement, lines.get(settlement.id) ?? []))
  const outdated = due.flatMap(({ active_id }) => active_id ?? [])
  return { ...(await write(tx, ctx, options, outdated, journals)), after: lastOf(found) }
}

/** Summed up in the database: a payout may have a million lines, its journal has a few accounts. */
async function linesOf(tx: Tx, ids: readonly string[]): Promise<Map<string, JournalLine[]>> {
  const rows = await tx.query<JournalLine & { settlement_id: string }>(
    `select settlement_id, kind, fee_type, currency, sum(gross_minor)::bigint as gross_minor, sum(fee_minor)::bigint as fee_minor
     from settlement_lines where settlement_id = any($1) group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    [ids],
  )
  const bySettlement = new Map<string, JournalLine[]>()
  for (const { settlement_id, ...line } of rows)
    bySettlement.set(settlement_id, [...(bySettlement.get(settlement_id) ?? []), line])
  return bySettlement
}

function settlementJournal(settlement: DueSettlement, lines: readonly JournalLine[]): NewJournal {
  const { id, company_id, connection_id, currency, payout_minor, version, due_on, posted_before } = settlement
  const returned = isReturned(settlement.status)
  return {
    company_id,
    key: keyOf(`settlement:${id}:${version}`, posted_before),
    kind: 'settlement',
    connection_id,
    currency,
    clearing_minor: returned ? 0 : payout_minor,
    settlement_id: id,
    version,
    returned,
    bank_line_id: null,
    break_id: null,
    due_on,
    reverses: null,
    entries: journalOf(settlement, lines),
  }
}

// ── the bank ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What the bank has shown against what is booked of it: either side may be missing, or say another amount. */
const BANK = `
  from bank_parts p
  full join (select j.id, j.bank_line_id, j.settlement_id, j.clearing_minor from journals j where j.kind = 'bank' and ${IS_ACTIVE}) a
    on a.bank_line_id = p.bank_line_id and a.settlement_id = p.settlement_id
  where (p.bank_line_id is null or a.id is null or a.clearing_minor <> -p.clearing_minor)`

interface DueBankPart {
  bank_line_id: number | null
  company_id: string | null
  connection_id: string | null
  settlement_id: string | null
  currency: string | null
  clearing_minor: number | null
  bank_currency: string | null
  bank_minor: number | null
  due_on: string | null
  active_id: string | null
  posted_before: number
}

async function bankTurn(tx: Tx, ctx: Context, options: PostOptions, after: string | null): Promise<Turn> {
  const found = await tx.query<{ id: number }>(
    `select distinct coalesce(p.bank_line_id, a.bank_line_id) as id ${BANK}
       and ($1::bigint is null or coalesce(p.bank_line_id, a.bank_line_id) > $1) order by 1 limit ${TURN}`,
    [after],
  )
  if (found.length === 0) return { posted: 0, reversed: 0, after: null }
  const held = await tx.query<{ id: number }>(
    'select id from bank_lines where id = any($1) order by id for no key update skip locked',
    [found.map(({ id }) => id)],
  )
  // Read anew under the locks: somebody may have posted between the look and the lock.
  const due = await tx.query<DueBankPart>(
    `select d.*, c.company_id,
       (select count(*) from journals o where o.bank_line_id = d.bank_line_id and o.settlement_id = d.settlement_id and o.kind = 'bank')
         as posted_before
     from (select p.bank_line_id, p.settlement_id, p.connection_id, p.currency, p.clearing_minor, p.bank_currency, p.bank_minor,
             p.booked_on as due_on, a.id as active_id
           ${BANK} and coalesce(p.bank_line_id, a.bank_line_id) = any($1)) d
     left join connections c on c.id = d.connection_id order by d.bank_line_id, d.settlement_id`,
    [held.map(({ id }) => id)],
  )
  const journals = due.flatMap(bankJournal)
  const outdated = due.flatMap(({ active_id }) => active_id ?? [])
  const last = found.length < TURN ? null : String(found.at(-1)?.id ?? '')
  return { ...(await write(tx, ctx, options, outdated, journals)), after: last }
}

function bankJournal(part: DueBankPart): NewJournal[] {
  const { bank_line_id, company_id, connection_id, settlement_id, currency, clearing_minor, due_on, posted_before } =
    part
  const { bank_currency, bank_minor } = part
  if (company_id === null || connection_id === null || currency === null || clearing_minor === null) return []
  if (bank_currency === null || bank_minor === null || due_on === null) return []
  return [
    {
      company_id,
      key: keyOf(`bank:${bank_line_id}:${settlement_id}`, posted_before),
      kind: 'bank',
      connection_id,
      currency,
      clearing_minor: clearing_minor === 0 ? 0 : -clearing_minor,
      settlement_id,
      version: null,
      returned: false,
      bank_line_id,
      break_id: null,
      due_on,
      reverses: null,
      entries: bankJournalOf({ connection_id, currency, clearing_minor, bank_currency, bank_minor }),
    },
  ]
}

// ── write-offs that were reopened ─────────────────────────────────────────────────────────────────────────────────────────

/** A break that a corrected file has reopened is owed again: its write-off is taken back. */
async function writeOffsTurn(tx: Tx, ctx: Context, options: PostOptions): Promise<Turn> {
  const found = await tx.query<{ id: number }>(
    `select k.id from breaks k where k.state <> 'written_off'
       and exists (select 1 from journals j where j.break_id = k.id and j.kind = 'write_off' and ${IS_ACTIVE})
     order by k.id for no key update of k skip locked`,
  )
  const outdated = await tx.query<{ id: string }>(
    `select j.id from journals j where j.break_id = any($1) and j.kind = 'write_off' and ${IS_ACTIVE} order by j.id`,
    [found.map(({ id }) => id)],
  )
  const done = await write(tx, ctx, options, outdated.map(({ id }) => id), []) // prettier-ignore
  return { ...done, after: null }
}
