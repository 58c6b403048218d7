import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { acceptStatement, importStatement } from '../../../src/core/bank/importStatement.ts'
import { listBankLines, listStatements } from '../../../src/core/bank/read.ts'
import { isIban, isPlainReference, referencesIn } from '../../../src/core/bank/rulesReferences.ts'
import type { BankLine, BankStatement } from '../../../src/core/model/bankStatement.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, type World } from '../world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())

const line = (external_id: string, amount_minor: number, change: Partial<BankLine> = {}): BankLine => ({
  external_id,
  booked_on: '2026-03-02',
  value_on: null,
  amount_minor,
  reference: null,
  text: null,
  ...change,
})
const statement = (external_id: string, lines: BankLine[], change: Partial<BankStatement> = {}): BankStatement => ({
  external_id,
  account: 'DE02120300000000202051',
  currency: 'EUR',
  begin_minor: 1_000,
  end_minor: 1_000 + lines.reduce((sum, each) => sum + each.amount_minor, 0),
  from_at: null,
  to_at: null,
  lines,
  ...change,
})
const put = (document: BankStatement) =>
  inTransaction(world.db, (tx) =>
    importStatement(
      tx,
      world.ctx,
      { connection_id: 'bank', company_id: 'acme', statement: document, faults: [] },
      'test',
    ),
  )
const cases = () =>
  world.db.query<{ state: string; data: object }>(
    `select state, data from cases where kind = 'bank_statement_held' order by id`,
  )

describe('bank statements', () => {
  it('are kept once, corrected line by line, and their texts are sealed', async () => {
    const text = 'Ada Example PAYOUT 7700112233 po_1AbCdEf23456'
    const lines = [line('a', 500, { text, reference: 'TRACE-991' }), line('b', -20, { reference: 'Ada Example' })]
    expect(await put(statement('S1', lines))).toMatchObject({
      outcome: 'imported',
      proof: 'proven',
      added: 2,
      difference_minor: 0,
    })
    expect(await put(statement('S1', lines))).toMatchObject({ outcome: 'same', added: 0, changed: 0, removed: 0 })
    const bytes = await world.db.query('select text_sealed, reference, references_found from bank_lines order by id')
    expect(JSON.stringify(bytes)).not.toContain('Ada')
    expect(bytes).toMatchObject([
      { reference: 'TRACE-991', references_found: ['TRACE-991', 'po_1AbCdEf23456', '7700112233'] },
      { reference: null, references_found: [] },
    ])
    const seen = await listBankLines(world.db, { connection: 'bank' }, world.ctx.vault)
    expect(seen.rows.map((row) => row.text)).toEqual([text, 'Ada Example'])
    const blind = await listBankLines(world.db, { connection: 'bank' }, null)
    expect(blind.rows.map((row) => [row.text, row.has_text, row.booked_on])).toEqual([
      [null, true, '2026-03-02'],
      [null, true, '2026-03-02'],
    ])
    const corrected = [lines[0]!, line('c', 30)]
    expect(await put(statement('S1', corrected))).toMatchObject({ outcome: 'corrected', added: 1, removed: 1 })
  })

  it('that do not come to their balances are held out of sight, until a better file or a person', async () => {
    const broken = statement('S2', [line('x', 100)], { end_minor: 1_101 })
    const held = await put(broken)
    expect(held).toMatchObject({ outcome: 'held', proof: 'held', difference_minor: 1, faults: [{ row: null }] })
    expect(await put(broken)).toMatchObject({ outcome: 'held', id: held.id })
    expect((await listBankLines(world.db, { statement: held.id }, null)).rows).toEqual([])
    expect(await cases()).toMatchObject([{ state: 'open', data: { difference_minor: 1 } }])
    expect(await put(statement('S2', [line('x', 101)]))).toMatchObject({ outcome: 'imported', proof: 'proven' })
    expect(await cases()).toMatchObject([{ state: 'resolved' }])
    await expect(put(broken)).rejects.toMatchObject({ code: 'control_total_mismatch' })
    const other = await put(statement('S3', [line('y', 5), line('y', 5)]))
    expect(other.outcome).toBe('held')
    const taken = await inTransaction(world.db, (tx) => acceptStatement(tx, world.ctx, other.id, 'anna'))
    expect(taken).toMatchObject({ proof: 'accepted', added: 1 })
    const again = inTransaction(world.db, (tx) => acceptStatement(tx, world.ctx, other.id, 'anna'))
    await expect(again).rejects.toMatchObject({ code: 'conflict' })
    const page = await listStatements(world.db, { proof: 'accepted' })
    expect(page.rows).toMatchObject([{ external_id: 'S3', lines: 1, unmatched_lines: 1 }])
  })

  it('that overlap share their lines; one with another amount, or without a matched line, is refused', async () => {
    await put(statement('O1', [line('p', 1), line('q', 2)]))
    expect(await put(statement('O2', [line('q', 2), line('r', 3)]))).toMatchObject({ added: 1, known: 1 })
    await expect(put(statement('O3', [line('q', 9)]))).rejects.toMatchObject({ code: 'conflict' })
    await world.db.query(`update bank_lines set match_state = 'matched' where external_id = 'p'`)
    await expect(put(statement('O1', [line('q', 2)]))).rejects.toMatchObject({ code: 'conflict' })
    expect(await put(statement('U1', [line('u', 1)], { begin_minor: null, end_minor: null }))).toMatchObject({
      proof: 'unproven',
      difference_minor: null,
    })
  })
})

describe('references in a text', () => {
  it.each([
    ['STRIPE po_1AbCdEf23456 SEPA', ['po_1AbCdEf23456']],
    ['Amazon Payments 1A2B3C4D5E', ['1A2B3C4D5E']],
    ['Herr Mustermann Rechnung', []],
    ['IBAN DE02120300000000202051 an', []],
    ['DE03120300000000202051', ['DE03120300000000202051']],
    ['am 20260301 und 2026-03-01', []],
    ['kurz A1', []],
  ])('%s: %j', (text, found) => expect(referencesIn(text, null)).toEqual(found))

  it('an account of somebody is no reference', () => {
    expect([isIban('DE02120300000000202051'), isPlainReference('DE02120300000000202051')]).toEqual([true, false])
    expect([isPlainReference('E2E-77'), isPlainReference('Ada Example 1')]).toEqual([true, false])
  })
})
