import type { Db, Tx } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import { lineAad } from '../bank/putLines.ts'
import type { Vault } from '../people/vault.ts'
import { matchBankLines, type BankMatch, type OpenBankLine, type OpenPayout, type TextRule } from './rulesBank.ts'
import { TRANSIT } from './rulesMatch.ts'

/** Open payouts and bank lines of one company and currency that are held in memory at once; the oldest come first. */
const OPEN_MAX = 20_000

export interface BankMatched {
  matched: number
  suggested: number
  left_payouts: number
  left_bank_lines: number
}

export interface BankOptions {
  bank_days?: number
  /** Words that stand for a connection, with the vault that opens the texts in which they are looked for. */
  texts?: { rules: readonly TextRule[]; vault: Pick<Vault, 'open'> }
}

/**
 * Joins payouts to bank lines, for every company and currency that has both. Old suggestions are thought over anew, because what has come
 * since may decide them; what a person has accepted or rejected stays. The same again changes nothing.
 */
export async function matchBank(db: Db, now: Date, options: BankOptions = {}): Promise<BankMatched> {
  const scopes = await db.query<{ company_id: string; currency: string }>(
    `select distinct c.company_id, b.currency from bank_lines b join connections c on c.id = b.connection_id
     where b.match_state in ('unmatched', 'suggested') order by 1, 2`,
  )
  let matched = 0
  let suggested = 0
  for (const { company_id, currency } of scopes) {
    const made = await inTransaction(db, async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('crossdock.matching'))`)
      return matchCompany(tx, now, company_id, currency, options)
    })
    matched += made.filter(({ state }) => state === 'matched').length
    suggested += made.filter(({ state }) => state === 'suggested').length
  }
  const [left] = await db.query<{ payouts: number; lines: number }>(
    `select (select count(*) from settlements s where ${openPayout('s')})::int as payouts,
       (select count(*) from bank_lines where match_state in ('unmatched', 'suggested'))::int as lines`,
  )
  return { matched, suggested, left_payouts: left?.payouts ?? 0, left_bank_lines: left?.lines ?? 0 }
}

/** A payout that the bank must show: one of nothing moves no money, and a cancelled or failed one never arrives. */
const openPayout = (s: string): string =>
  `(${s}.bank_group_id is null and ${s}.payout_minor <> 0 and ${s}.status in ('pending', 'in_transit', 'paid'))`

/** New suggestions are compared with the old ones, so that a run that finds the same again writes nothing. */
async function matchCompany(
  tx: Tx,
  now: Date,
  company_id: string,
  currency: string,
  options: BankOptions,
): Promise<BankMatch[]> {
  const { payouts, lines, rejected, suggestions } = await load(tx, { company_id, currency }, options.texts)
  const isRejected = (line_id: number, settlement_ids: readonly string[]): boolean =>
    rejected.some((row) => row.line_id === line_id && row.settlement_ids.some((id) => settlement_ids.includes(id)))
  const found = matchBankLines({
    payouts,
    lines,
    text_rules: options.texts?.rules ?? [],
    isRejected,
    bank_days: options.bank_days ?? TRANSIT.bank_days,
  })
  const nameOf = (rule: string, line: number, ids: readonly string[]): string =>
    `${rule} ${line} ${[...ids].sort().join()}`
  const known = new Map(
    suggestions.map((row) => [nameOf(row.rule, row.bank_line_ids[0] ?? 0, row.settlement_ids), row.id]),
  )
  const kept = new Set<number>()
  const fresh = found.filter((match) => {
    const id =
      match.state === 'suggested' ? known.get(nameOf(match.rule, match.bank_line_id, match.settlement_ids)) : undefined
    if (id !== undefined) kept.add(id)
    return id === undefined
  })
  await withdraw(
    tx,
    suggestions.map((row) => row.id).filter((id) => !kept.has(id)),
  )
  for (const match of fresh) await keep(tx, now, company_id, currency, match)
  return fresh
}

interface Loaded {
  payouts: OpenPayout[]
  lines: OpenBankLine[]
  rejected: { line_id: number; settlement_ids: string[] }[]
  suggestions: { id: number; rule: string; bank_line_ids: number[]; settlement_ids: string[] }[]
}

interface Sealed {
  connection_id: string
  external_id: string
  text_sealed: Buffer | null
}

async function load(
  tx: Tx,
  { company_id, currency }: { company_id: string; currency: string },
  texts: BankOptions['texts'],
): Promise<Loaded> {
  const payouts = await tx.query<OpenPayout>(
    `select s.id, s.connection_id, s.external_id, s.bank_reference, s.payout_minor as amount_minor,
       to_char(coalesce(s.arrival_at, s.created_at), 'YYYY-MM-DD') as expected_on
     from settlements s join connections c on c.id = s.connection_id
     where c.company_id = $1 and s.currency = $2 and ${openPayout('s')}
     order by coalesce(s.arrival_at, s.created_at), s.id limit ${OPEN_MAX}`,
    [company_id, currency],
  )
  const rows = await tx.query<Omit<OpenBankLine, 'text'> & Sealed>(
    `select b.id, b.amount_minor, to_char(b.booked_on, 'YYYY-MM-DD') as booked_on,
       array_remove(b.references_found || b.reference, null) as references, b.connection_id, b.external_id,
       ${texts === undefined || texts.rules.length === 0 ? 'null::bytea as text_sealed' : 'b.text_sealed'}
     from bank_lines b join connections c on c.id = b.connection_id
     where c.company_id = $1 and b.currency = $2 and b.match_state in ('unmatched', 'suggested') and b.amount_minor <> 0
     order by b.booked_on, b.id limit ${OPEN_MAX}`,
    [company_id, currency],
  )
  const lines = rows.map(({ text_sealed, connection_id, external_id, ...line }) => ({
    ...line,
    text: text_sealed === null ? null : (texts?.vault.open(text_sealed, lineAad(connection_id, external_id)).toString('utf8') ?? null),
  })) // prettier-ignore
  const rejected = await tx.query<Loaded['rejected'][number]>(
    `select line_id, settlement_ids from match_rejections where leg = 'payouts_to_bank' and line_id = any($1::bigint[])`,
    [lines.map((line) => line.id)],
  )
  const suggestions = await tx.query<Loaded['suggestions'][number]>(
    `select id, rule, bank_line_ids, settlement_ids from match_groups
     where company_id = $1 and currency = $2 and state = 'suggested' and leg = 'payouts_to_bank'`,
    [company_id, currency],
  )
  return { payouts, lines, rejected, suggestions }
}

async function withdraw(tx: Tx, group_ids: readonly number[]): Promise<void> {
  if (group_ids.length === 0) return
  await tx.query(
    `update bank_lines set match_state = 'unmatched', match_group_id = null, match_rule = null
     where match_state = 'suggested' and match_group_id = any($1::bigint[])`,
    [group_ids],
  )
  await tx.query(`delete from match_groups where id = any($1::bigint[]) and state = 'suggested'`, [group_ids])
}

async function keep(tx: Tx, now: Date, company_id: string, currency: string, match: BankMatch): Promise<void> {
  const [group] = await tx.query<{ id: number }>(
    `insert into match_groups (company_id, leg, rule, state, currency, difference_minor, reason, settlement_ids, bank_line_ids, made_at)
     values ($1, 'payouts_to_bank', $2, $3, $4, $5, $6, $7::uuid[], $8::bigint[], $9) returning id`,
    [
      company_id,
      match.rule,
      match.state,
      currency,
      match.difference_minor,
      JSON.stringify(match.reason),
      [...match.settlement_ids],
      [match.bank_line_id],
      now,
    ],
  )
  if (group !== undefined) await joinBank(tx, group.id, match)
}

/** A suggestion marks the bank line alone: its payouts stay open until somebody has accepted it. */
export async function joinBank(
  tx: Tx,
  group_id: number,
  match: Pick<BankMatch, 'rule' | 'state' | 'bank_line_id' | 'settlement_ids'>,
): Promise<void> {
  const only = match.state === 'matched' && match.settlement_ids.length === 1 ? (match.settlement_ids[0] ?? null) : null
  await tx.query(
    `update bank_lines set match_state = $2, match_rule = $3, match_group_id = $4, settlement_id = $5 where id = $1`,
    [match.bank_line_id, match.state, match.rule, group_id, only],
  )
  if (match.state === 'matched') {
    await tx.query('update settlements set bank_group_id = $2 where id = any($1::uuid[])', [
      [...match.settlement_ids],
      group_id,
    ])
  }
}
