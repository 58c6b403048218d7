import { uuidv7 } from 'uuidv7'
import { BOOKS } from '../../../src/core/books/checks.ts'
import { closeCheck } from '../../../src/core/books/close.ts'
import { lockPeriod, unlockPeriod } from '../../../src/core/books/periods.ts'
import { postJournals } from '../../../src/core/books/post.ts'
import { postWriteOff } from '../../../src/core/books/writeOff.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from '../../kit/database.ts'

export let database: TestDatabase
export const ctx = { now: new Date('2026-12-10T09:00:00Z'), newId: uuidv7 }
const options = { timezone: 'UTC', by: 'test' }
export const query = <Row extends object>(sql: string, params: unknown[] = []) => database.db.query<Row>(sql, params)

/** For `beforeAll`: a company with a gateway, a marketplace and a bank. */
export async function openBooks(): Promise<void> {
  database = await createTestDatabase()
  await query(`
    insert into companies (id, name) values ('acme', 'Acme');
    insert into connections (id, connector, company_id) values ('gate', 'sample', 'acme'), ('mall', 'sample', 'acme'), ('bank', 'sample', 'acme')`)
}
export const closeBooks = (): Promise<void> => database.drop()

/** Books may only be forgotten by a test. */
export async function emptyBooks(): Promise<void> {
  await inTransaction(database.db, (tx) =>
    tx.query(`
      set local session_replication_role = replica;
      delete from journal_entries; delete from journals; delete from period_locks; delete from breaks; delete from bank_lines;
      delete from bank_statements; delete from settlement_lines; delete from settlements; delete from match_groups; delete from audit_log`),
  )
}

export interface Line {
  kind: string
  fee_type?: string | null
  gross_minor: number
  fee_minor: number
}

export const sumOf = (lines: readonly Line[]): number =>
  lines.reduce((sum, { gross_minor, fee_minor }) => sum + gross_minor - fee_minor, 0)

interface Wanted {
  lines: readonly Line[]
  payout_minor?: number
  connection?: string
  day?: string
  status?: string
  proof?: string
  currency?: string
}

export async function putSettlement(name: string, wanted: Wanted): Promise<string> {
  const { lines, connection = 'gate', day = '2026-11-15', status = 'paid', proof = 'proven', currency = 'EUR' } = wanted
  const net = sumOf(lines)
  const payout = wanted.payout_minor ?? net
  const gross = lines.reduce((sum, line) => sum + line.gross_minor, 0)
  const [row] = await query<{ id: string }>(
    `insert into settlements as s (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor,
       difference_minor, created_at, recorded_at, changed_at, proof)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, now(), now(), $12)
     on conflict (connection_id, external_id) do update set status = excluded.status, payout_minor = excluded.payout_minor,
       gross_minor = excluded.gross_minor, fee_minor = excluded.fee_minor, net_minor = excluded.net_minor,
       difference_minor = excluded.difference_minor, proof = excluded.proof, version = s.version + 1
     returning id`,
    [
      uuidv7(),
      connection,
      name,
      status,
      currency,
      payout,
      gross,
      gross - net,
      net,
      payout - net,
      `${day}T12:00:00Z`,
      proof,
    ],
  )
  const id = row?.id ?? ''
  await query('delete from settlement_lines where settlement_id = $1', [id])
  await query(
    `insert into settlement_lines (settlement_id, external_id, kind, fee_type, vendor_type, at, currency, gross_minor, fee_minor, net_minor, match_state)
     select $1, ordinality::text, kind, fee_type, 'x', now(), $3, gross_minor, fee_minor, gross_minor - fee_minor, 'not_needed'
     from rows from (jsonb_to_recordset($2::jsonb) as (kind text, fee_type text, gross_minor bigint, fee_minor bigint)) with ordinality`,
    [id, JSON.stringify(lines), currency],
  )
  return id
}

export async function putBankLine(amount: number, change: { settlement_id?: string; group?: number; day?: string; currency?: string } = {}): Promise<number> {
  await query(
    `insert into bank_statements (id, connection_id, external_id, account, currency, recorded_at)
     values ('00000000-0000-7000-8000-000000000001', 'bank', 's', 'a', 'EUR', now()) on conflict do nothing`,
  )
  const { settlement_id = null, group = null, day = '2026-11-20', currency = 'EUR' } = change
  const state = settlement_id === null && group === null ? 'unmatched' : 'matched'
  const [row] = await query<{ id: number }>(
    `insert into bank_lines (statement_id, connection_id, external_id, booked_on, currency, amount_minor, settlement_id, match_group_id, match_state)
     values ('00000000-0000-7000-8000-000000000001', 'bank', $1, $2, $3, $4, $5, $6, $7) returning id`,
    [uuidv7(), day, currency, amount, settlement_id, group, state],
  )
  return row?.id ?? 0
} // prettier-ignore

export async function putBreak(type: string, amount_minor: number, settlement_id: string): Promise<number> {
  const [row] = await query<{ id: number }>(
    `insert into breaks (company_id, connection_id, type, fingerprint, state, currency, amount_minor, settlement_id, opened_at, seen_at,
       changed_at, aged_from) values ('acme', 'gate', $1, $2, 'open', 'EUR', $3, $4, now(), now(), now(), '2026-11-20') returning id`,
    [type, uuidv7(), amount_minor, settlement_id],
  )
  return row?.id ?? 0
}

export async function writeOff(break_id: number, amount_minor: number): Promise<string> {
  return inTransaction(database.db, async (tx) => {
    const id = await postWriteOff(tx, ctx, {
      break_id,
      connection_id: 'gate',
      currency: 'EUR',
      amount_minor,
      by: 'anna',
    })
    await tx.query(`update breaks set state = 'written_off' where id = $1`, [break_id])
    return id
  })
}

export const post = () => postJournals(database.db, ctx, options)
export const check = (period: string) => closeCheck(database.db, { period, company_id: null, timezone: 'UTC' })
export const lock = (period: string) => inTransaction(database.db, (tx) => lockPeriod(tx, ctx.now, { company_id: 'acme', period, by: 'anna' })) // prettier-ignore
export const unlock = (period: string) => inTransaction(database.db, (tx) => unlockPeriod(tx, ctx.now, { company_id: 'acme', period, by: 'anna' })) // prettier-ignore

export async function balanceOf(account: string, currency = 'EUR'): Promise<number> {
  const [row] = await query<{ minor: number }>(
    'select coalesce(sum(amount_minor), 0)::bigint as minor from journal_entries where account = $1 and currency = $2',
    [account, currency],
  )
  return row?.minor ?? 0
}

export async function brokenChecks(): Promise<string[]> {
  const found: string[] = []
  for (const { name, broken } of BOOKS)
    for (const row of await query<{ example: string }>(`select example from (${broken}) b(example)`))
      found.push(`${name}: ${row.example}`)
  return found
}
