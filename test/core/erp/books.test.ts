import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { postJournals } from '../../../src/core/books/post.ts'
import { loadErpRequests } from '../../../src/core/erp/requests.ts'
import { checkErp } from '../../../src/core/erp/check.ts'
import { tellOverlooked } from '../../../src/core/erp/overlooked.ts'
import type { ErpPolicy } from '../../../src/core/erp/policy.ts'
import { openVault } from '../../../src/core/people/vault.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { closeBooks, ctx, database, emptyBooks, openBooks, putBankLine, putSettlement, query } from '../books/ledger.ts'
import { ERP } from './merchant.ts'

const erp: ErpPolicy = { ...ERP, connection_id: 'bank', bank_statements: true }
const told = { ...ctx, erps: new Map([['acme', erp]]) }
const options = { timezone: 'UTC', by: 'test' }
const vault = openVault(Buffer.alloc(32, 3))

beforeAll(openBooks)
afterAll(closeBooks)
beforeEach(async () => {
  await emptyBooks()
  await query(`delete from erp_links; delete from outbox`)
})

const due = () =>
  query<{ id: number; kind: string; reference: Record<string, string | number> }>(
    `select id, kind, reference from outbox order by id`,
  )
const LINES = [
  { kind: 'sale', gross_minor: 10_000, fee_minor: 250 },
  { kind: 'refund', gross_minor: -1_000, fee_minor: 0 },
]

it('tells every journal once, in the transaction that posts it, balanced and by its key', async () => {
  await putSettlement('po_1', { lines: LINES })
  await postJournals(database.db, told, options)
  await postJournals(database.db, told, options)
  const rows = await due()
  expect(rows.map(({ kind }) => kind)).toEqual(['erp.journal'])
  const [request] = await loadErpRequests(database.db, { ...told, vault }, 'bank', rows)
  if (request?.kind !== 'journal') throw new Error('no journal was loaded')
  const sums = request.lines.reduce((sum, line) => sum + line.debit_minor - line.credit_minor, 0)
  expect(sums).toBe(0)
  expect(request).toMatchObject({ at: '2026-11-15', currency: 'EUR', lines: expect.arrayContaining([expect.objectContaining({ account: 'clearing:gate', debit_minor: 8_750, credit_minor: 0 })]) as unknown }) // prettier-ignore
  expect(request.key).toMatch(/^journal:settlement:[0-9a-f-]+:1:EUR$/)
})

it('tells what takes a journal back as its reverse', async () => {
  await putSettlement('po_2', { lines: LINES })
  await postJournals(database.db, told, options)
  await putSettlement('po_2', { lines: [...LINES, { kind: 'fee', gross_minor: -100, fee_minor: 0 }] })
  await postJournals(database.db, told, options)
  const rows = await due()
  const requests = await loadErpRequests(database.db, { ...told, vault }, 'bank', rows)
  expect(requests.map((request) => (request.kind === 'journal' ? request.reference.split(':')[0] : request.kind))).toEqual(['settlement', 'reversal', 'settlement']) // prettier-ignore
  expect(requests[1]).toMatchObject({ lines: expect.arrayContaining([expect.objectContaining({ account: 'clearing:gate', debit_minor: 0, credit_minor: 8_750 })]) as unknown }) // prettier-ignore
})

it('tells money that arrived as a bank statement, which goes on from where the last one ended', async () => {
  const id = await putSettlement('po_3', { lines: LINES })
  await putBankLine(8_750, { settlement_id: id, day: '2026-11-16' })
  await postJournals(database.db, told, options)
  const rows = (await due()).filter(({ kind }) => kind === 'erp.bank_statement')
  expect(await loadErpRequests(database.db, { ...told, vault }, 'bank', rows)).toMatchObject([
    {
      kind: 'bank_statement',
      reference: 'po_3',
      at: '2026-11-16',
      begin_minor: 0,
      end_minor: 8_750,
      lines: [{ amount_minor: 8_750 }],
    },
  ])
})

it('finds journals that were posted where nobody knew of the ERP', async () => {
  await putSettlement('po_4', { lines: LINES })
  await postJournals(database.db, ctx, options)
  expect(await due()).toEqual([])
  expect(await checkErp(database.db, erp)).toMatchObject({
    ok: false,
    missing_count: 1,
    missing: [{ kind: 'journal' }],
  })
  const context = { ...told, policies: new Map() }
  const since = new Date(ctx.now.getTime() - 1)
  expect(await inTransaction(database.db, (tx) => tellOverlooked(tx, context, erp, { since, documents_max: 10 }))).toBe(
    1,
  )
  expect(await checkErp(database.db, erp)).toMatchObject({ ok: true, kinds: { journal: { waiting: 1 } } })
})
