import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { acceptProof } from '../../../src/core/books/acceptProof.ts'
import { exportJournals } from '../../../src/core/books/export.ts'
import { postJournals } from '../../../src/core/books/post.ts'
import { listJournals, showJournal } from '../../../src/core/books/read.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  balanceOf,
  brokenChecks,
  check,
  closeBooks,
  ctx,
  database,
  emptyBooks,
  lock,
  openBooks,
  post,
  putBankLine,
  putBreak,
  putSettlement,
  query,
  unlock,
  writeOff,
  type Line,
} from './ledger.ts'

beforeAll(openBooks)
afterAll(closeBooks)
beforeEach(emptyBooks)

const SALE: Line = { kind: 'sale', gross_minor: 10_000, fee_minor: 300 }
const REFUND: Line = { kind: 'refund', gross_minor: -2_000, fee_minor: 0 }

describe('posting', () => {
  it('books a payout once, and what reached the bank', async () => {
    const id = await putSettlement('po_1', { lines: [SALE, REFUND] })
    expect(await post()).toEqual({ settlements: 1, bank_lines: 0, reversed: 0 })
    expect(await post()).toEqual({ settlements: 0, bank_lines: 0, reversed: 0 })
    expect(await balanceOf('clearing:gate')).toBe(7_700)
    await putBankLine(7_700, { settlement_id: id })
    expect(await post()).toEqual({ settlements: 0, bank_lines: 1, reversed: 0 })
    expect(await balanceOf('clearing:gate')).toBe(0)
    expect(await balanceOf('bank')).toBe(7_700)
    const [journal] = (await listJournals(database.db, { kind: 'settlement' })).rows
    expect(journal).toMatchObject({ key: `settlement:${id}:1`, period: '2026-11', settlement_external_id: 'po_1' })
    expect((await showJournal(database.db, journal?.id ?? '')).entries).toEqual([
      { account: 'clearing:gate', currency: 'EUR', debit_minor: 7_700, credit_minor: 0 },
      { account: 'fees:payment', currency: 'EUR', debit_minor: 300, credit_minor: 0 },
      { account: 'refunds', currency: 'EUR', debit_minor: 2_000, credit_minor: 0 },
      { account: 'sales', currency: 'EUR', debit_minor: 0, credit_minor: 10_000 },
    ])
  })

  it('posts each thing once when many run at the same time', async () => {
    for (let index = 0; index < 450; index += 1) await putSettlement(`po_${index}`, { lines: [SALE] })
    const done = await Promise.all([post(), post(), post(), post()])
    // Whoever passed over a held row leaves it to its holder.
    expect(done.reduce((sum, { settlements }) => sum + settlements, 0)).toBe(450)
    const [counts] = await query<{ journals: number; settlements: number }>(
      'select count(*)::int as journals, count(distinct settlement_id)::int as settlements from journals',
    )
    expect(counts).toEqual({ journals: 450, settlements: 450 })
  })

  it('takes an older version back and books the newest, in the next open month where its own is locked', async () => {
    await putSettlement('po_1', { lines: [SALE] })
    await post()
    await lock('2026-11')
    await putSettlement('po_1', { lines: [SALE, REFUND] })
    expect(await post()).toEqual({ settlements: 1, bank_lines: 0, reversed: 1 })
    const rows = (await listJournals(database.db, {})).rows
    expect(rows.map(({ kind, version, due_on, posted_on }) => [kind, version, due_on, posted_on]).reverse()).toEqual([
      ['settlement', 1, '2026-11-15', '2026-11-15'],
      ['reversal', 1, '2026-11-15', '2026-12-01'],
      ['settlement', 2, '2026-11-15', '2026-12-01'],
    ])
    expect(await balanceOf('clearing:gate')).toBe(7_700)
    expect(await balanceOf('sales')).toBe(-10_000)
    // November stays what it was, and says what came later.
    expect(await check('2026-11')).toMatchObject({
      ok: true,
      locked: true,
      clearing: [{ balance_minor: 9_700, unsettled_minor: 9_700, difference_minor: 0 }],
      unposted: [{ external_id: 'po_1', reason: 'posted_later', posted_in: '2026-12', posted_version: 1, version: 2 }],
    })
    expect(await check('2026-12')).toMatchObject({ ok: true, clearing: [{ balance_minor: 7_700 }], unposted: [] })
    expect(await brokenChecks()).toEqual([])
  })

  it('leaves a payout that is held out until somebody accepts it, difference and all', async () => {
    const id = await putSettlement('po_1', { lines: [SALE], payout_minor: 9_650, proof: 'held' })
    expect((await post()).settlements).toBe(0)
    expect(await check('2026-11')).toMatchObject({
      ok: true,
      clearing: [],
      unposted: [{ external_id: 'po_1', reason: 'held' }],
    })
    const accept = (reason: string) => inTransaction(database.db, (tx) => acceptProof(tx, ctx.now, { id: 'po_1', reason, by: 'anna' })) // prettier-ignore
    await expect(accept(' ')).rejects.toMatchObject({ code: 'bad_request' })
    expect(await accept('the processor says so')).toEqual({ id, accepted_now: true, difference_minor: -50 })
    expect(await accept('again')).toMatchObject({ accepted_now: false })
    expect(await query('select actor, action, subject, data from audit_log')).toEqual([
      { actor: 'anna', action: 'settlement.accept_proof', subject: `settlement:${id}`, data: { version: 1, difference_minor: -50, reason: 'the processor says so' } },
    ]) // prettier-ignore
    await post()
    expect([await balanceOf('clearing:gate'), await balanceOf('adjustments')]).toEqual([9_650, 50])
    await putSettlement('po_2', { lines: [SALE] })
    await expect(inTransaction(database.db, (tx) => acceptProof(tx, ctx.now, { id: 'po_2', reason: 'x', by: 'anna' }))).rejects.toMatchObject({ code: 'conflict' }) // prettier-ignore
    // A later version that does not hold leaves the books as they are.
    await putSettlement('po_2', { lines: [SALE], payout_minor: 1, proof: 'held' })
    await putSettlement('po_1', { lines: [SALE, REFUND], payout_minor: 1, proof: 'held' })
    await post()
    expect((await check('2026-11')).unposted).toMatchObject([
      { external_id: 'po_1', reason: 'held', posted_version: 1, version: 2 },
      { external_id: 'po_2', reason: 'held', posted_version: null },
    ])
    expect(await brokenChecks()).toEqual([])
  })

  it('keeps a payout that failed off the clearing account, and the sale in the books', async () => {
    await putSettlement('po_1', { lines: [SALE] })
    await post()
    await query(`update settlements set status = 'failed'`)
    expect(await check('2026-11')).toMatchObject({ ok: false, unposted: [{ reason: 'not_posted_yet' }] })
    expect(await post()).toMatchObject({ settlements: 1, reversed: 1 })
    await putSettlement('po_2', { lines: [{ kind: 'transfer', gross_minor: 9_700, fee_minor: 0 }] })
    await post()
    expect([await balanceOf('clearing:gate'), await balanceOf('transfers'), await balanceOf('sales')]).toEqual([
      9_700, 0, -10_000,
    ])
    expect(await check('2026-11')).toMatchObject({ ok: true })
  })

  it('follows a match that is made anew', async () => {
    const first = await putSettlement('po_1', { lines: [SALE] })
    const second = await putSettlement('po_2', { lines: [SALE], connection: 'mall' })
    const line = await putBankLine(9_700, { settlement_id: first })
    await post()
    await query('update bank_lines set settlement_id = $2 where id = $1', [line, second])
    expect(await post()).toMatchObject({ bank_lines: 1, reversed: 1 })
    expect([await balanceOf('clearing:gate'), await balanceOf('clearing:mall')]).toEqual([9_700, 0])
    await query(`update bank_lines set settlement_id = null, match_state = 'unmatched' where id = $1`, [line])
    expect(await post()).toMatchObject({ bank_lines: 0, reversed: 1 })
    await query(`update bank_lines set settlement_id = $2, match_state = 'matched' where id = $1`, [line, first])
    await post()
    expect([await balanceOf('clearing:gate'), await balanceOf('clearing:mall'), await balanceOf('bank')]).toEqual([
      0, 9_700, 9_700,
    ])
    expect(await brokenChecks()).toEqual([])
  })

  it('gives each payout of one bank line its part, the last one what is left', async () => {
    for (const name of ['po_1', 'po_2']) await putSettlement(name, { lines: [SALE] })
    await putSettlement('mall_1', { lines: [REFUND, SALE], connection: 'mall' })
    await query('update settlements set bank_group_id = 77')
    await putBankLine(27_099, { group: 77 })
    expect(await post()).toMatchObject({ bank_lines: 3 })
    expect(await balanceOf('bank')).toBe(27_099)
    expect([await balanceOf('clearing:gate'), await balanceOf('clearing:mall')]).toEqual([0, 1])
    expect(await check('2026-11')).toMatchObject({ ok: true, clearing: [{ connection_id: 'gate' }, { connection_id: 'mall', items: [{ external_id: 'mall_1', open_minor: 1 }] }] }) // prettier-ignore
  })

  it('clears a payout whole that the bank exchanged', async () => {
    const id = await putSettlement('po_1', { lines: [SALE] })
    await putBankLine(10_500, { settlement_id: id, currency: 'USD' })
    await post()
    expect([await balanceOf('clearing:gate'), await balanceOf('bank', 'USD'), await balanceOf('fx'), await balanceOf('fx', 'USD')]).toEqual([0, 10_500, 9_700, -10_500]) // prettier-ignore
    expect(await brokenChecks()).toEqual([])
  })

  it('writes a loss off once, and takes it back when its break is open again', async () => {
    const id = await putSettlement('po_1', { lines: [SALE] })
    await putBankLine(9_600, { settlement_id: id })
    await post()
    const broken = await putBreak('bank_amount_diff', -100, id)
    const journal = await writeOff(broken, 100)
    expect(await writeOff(broken, 100)).toBe(journal)
    expect([await balanceOf('clearing:gate'), await balanceOf('write_offs')]).toEqual([0, 100])
    expect(await check('2026-12')).toMatchObject({ ok: true, clearing: [{ difference_minor: 0, items: [] }] })
    await query(`update breaks set state = 'open'`)
    expect(await post()).toMatchObject({ reversed: 1 })
    expect(await balanceOf('clearing:gate')).toBe(100)
    expect(await check('2026-12')).toMatchObject({
      ok: true,
      clearing: [{ items: [{ payout_minor: 9_700, received_minor: 9_600, written_off_minor: 0, open_minor: 100 }] }],
      breaks: [{ type: 'bank_amount_diff', count: 1, amount_minor: -100 }],
    })
  })

  it('belongs to the month of the company', async () => {
    await putSettlement('po_1', { lines: [SALE], day: '2026-11-30' })
    await query(`update settlements set created_at = '2026-11-30T23:30:00Z'`)
    await postJournals(database.db, ctx, { timezone: 'Europe/Berlin', by: 'test' })
    expect((await listJournals(database.db, {})).rows).toMatchObject([{ posted_on: '2026-12-01', period: '2026-12' }])
  })

  it('is refused by the database when it does not balance, and is never changed', async () => {
    await putSettlement('po_1', { lines: [SALE] })
    await post()
    await expect(query(`insert into journal_entries (journal_id, account, currency, amount_minor) select id, 'x', 'EUR', 1 from journals`)).rejects.toThrow(/does not balance/) // prettier-ignore
    await expect(query('update journal_entries set amount_minor = 1')).rejects.toThrow()
    await expect(query('delete from journals')).rejects.toThrow()
  })
})

describe('periods', () => {
  it('are locked and opened once, with a trace', async () => {
    expect([await lock('2026-11'), await lock('2026-11'), await unlock('2026-11'), await unlock('2026-11')]).toEqual([true, false, true, false]) // prettier-ignore
    expect(await query('select action, subject from audit_log order by id')).toEqual([
      { action: 'period.lock', subject: 'period:acme:2026-11' },
      { action: 'period.unlock', subject: 'period:acme:2026-11' },
    ])
    await expect(lock('2026-13')).rejects.toMatchObject({ code: 'bad_request' })
  })
})

describe('the export', () => {
  it('is the same bytes each time', async () => {
    const id = await putSettlement('po_1', { lines: [SALE, REFUND] })
    await putBankLine(7_700, { settlement_id: id })
    await post()
    for (const format of ['csv', 'json'] as const) {
      const request = { period: '2026-11', company_id: null, format }
      const first = await exportJournals(database.db, request)
      expect(await exportJournals(database.db, request)).toBe(first)
      expect(first.length).toBeGreaterThan(300)
    }
    const json = JSON.parse(
      await exportJournals(database.db, { period: '2026-11', company_id: 'acme', format: 'json' }),
    ) as object
    expect(json).toMatchObject({
      period: '2026-11',
      totals: [{ currency: 'EUR', debit_minor: 17_700, credit_minor: 17_700 }],
    })
  })
})
