import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { importStatement } from '../../src/core/bank/importStatement.ts'
import { closeCheck } from '../../src/core/books/close.ts'
import { postJournals } from '../../src/core/books/post.ts'
import { refreshBreaks } from '../../src/core/breaks/refresh.ts'
import { matchBank } from '../../src/core/matching/matchBank.ts'
import { matchOpenLines } from '../../src/core/matching/matchLines.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import { verify } from '../../src/core/verify.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { readCamt053 } from '../../src/mappings/bank/camt053.ts'
import { bankStatement } from '../../src/sandbox/bank.ts'
import { judgeBreaks } from '../../src/sandbox/judgeBreaks.ts'
import { plant, PLANTS, type ExpectedBreak, type ToldPayout } from '../../src/sandbox/plants.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { createWorld, orderFact, type World } from '../core/world.ts'

const ROWS = 4
const PAYOUTS = 9
const policy = { settlement_days: 14, settlement_days_of: {}, bank_days: 3, dispute_days: 7, reserve_days: 180, deferred_days: 30 } // prettier-ignore

/** Payouts of a few charges each, with amounts that no two of them share. */
function truth(random: () => number): ToldPayout[] {
  return Array.from({ length: PAYOUTS }, (_, payout) => {
    const rows = Array.from({ length: ROWS }, (__, row) => {
      const gross_minor = 10_000 * (payout * ROWS + row + 1) + Math.floor(random() * 5_000)
      const fee_minor = Math.floor((gross_minor * 150 + 5_000) / 10_000) + 25
      const id = `${payout}-${row}`
      return { id: `txn_${id}`, source: `ch_${id}`, gross_minor, fee_minor, net_minor: gross_minor - fee_minor }
    })
    return { id: `po_sandbox${payout}`, amount_minor: rows.reduce((sum, { net_minor }) => sum + net_minor, 0), rows }
  })
}

const references = (order: string | null, payment_ids: string[]) => ({ order_external_id: order, order_number: null, payment_ids }) // prettier-ignore

const settlementFact = ({ id, amount_minor, rows }: ToldPayout): Fact => ({
  kind: 'settlement',
  document: {
    external_id: id,
    status: 'paid',
    currency: 'EUR',
    payout_minor: amount_minor,
    created_at: '2026-03-03T06:00:00Z',
    arrival_at: '2026-03-04T00:00:00Z',
    bank_reference: null,
    lines: rows.map((row) => ({
      external_id: row.id,
      kind: 'sale',
      vendor_type: 'charge',
      at: '2026-03-02T09:00:00Z',
      currency: 'EUR',
      gross_minor: row.gross_minor,
      fee_minor: row.fee_minor,
      net_minor: row.net_minor,
      references: references(null, [row.source]),
    })),
  },
})

describe('what is planted in payouts and on the bank', () => {
  let world: World
  const told = (seed: number) => {
    const random = seededRandom(seed)
    return plant(truth(random), PLANTS, random)
  }

  beforeAll(async () => {
    world = await createWorld()
  })
  afterAll(() => world.drop())

  it.each([1, 2, 3])('is found exactly, with type and amount, and nothing else is (seed %i)', async (seed) => {
    await world.drop()
    world = await createWorld()
    const { payouts, bank, planted } = told(seed)
    const true_payouts = truth(seededRandom(seed))
    for (const { rows } of true_payouts) {
      for (const { source, gross_minor } of rows) {
        await world.apply('shop', orderFact(world, `order-${source}`, [{ sku: 'TEA', quantity: 1 }]))
        await world.apply('bank', {
          kind: 'payment',
          document: { external_id: source, kind: 'capture', status: 'succeeded', at: '2026-03-02T09:00:00Z', currency: 'EUR', amount_minor: gross_minor, references: references(`order-${source}`, [source]) },
        }) // prettier-ignore
      }
    }
    await world.apply('bank', ...payouts.map(settlementFact))
    const options = { id: 'S1', iban: 'DE02120300000000202051', currency: 'EUR', begin_minor: 5_000, from: '2026-03-02', to: '2026-03-13', booked_on: '2026-03-05' } // prettier-ignore
    const { statements, faults } = readCamt053(bankStatement(bank, options))
    expect(faults).toEqual([])
    // Every capture should have been in a payout by then.
    const now = new Date('2026-03-20T08:00:00Z')
    const ctx = { ...world.ctx, now }
    for (const statement of statements)
      await inTransaction(world.db, (tx) => importStatement(tx, ctx, { connection_id: 'mall', company_id: 'acme', statement, faults: [] }, 'test')) // prettier-ignore
    await matchOpenLines(world.db, now)
    await matchBank(world.db, now, { bank_days: 3 })
    await postJournals(world.db, ctx, { timezone: 'UTC', by: 'test' })
    await inTransaction(world.db, (tx) => refreshBreaks(tx, ctx, 'acme', policy))

    const found = await world.db.query<ExpectedBreak>(
      `select k.type, k.amount_minor, coalesce(k.data ->> 'payout', p.external_id, b.reference) as about
       from breaks k left join settlement_lines l on l.id = k.settlement_line_id
       left join payments p on p.id = coalesce(k.payment_id, l.payment_id) left join bank_lines b on b.id = k.bank_line_id
       where k.state not in ('resolved', 'written_off')`,
    )
    const judged = judgeBreaks(planted, found)
    expect(judged).toMatchObject({ missed_breaks: [], unplanted_breaks: [], breaks_missed: 0, breaks_unplanted: 0 })
    expect(judged.breaks_found).toBe(judged.breaks_planted)
    expect(judged.breaks_planted).toBe(10)
    expect((await verify(world.db)).checks.filter(({ violations }) => violations > 0)).toEqual([])
    const close = await closeCheck(world.db, { period: '2026-03', company_id: null, timezone: 'UTC' })
    expect(close.clearing.filter(({ difference_minor }) => difference_minor !== 0)).toEqual([])
    expect(close.unposted.map(({ reason }) => reason)).toEqual(['held', 'held', 'held', 'held'])
  })

  it('is told the same way for the same seed, and spoils nothing else', () => {
    expect(told(7)).toEqual(told(7))
    const { planted, payouts } = told(7)
    expect(planted.map((each) => each.plant).sort()).toEqual([...PLANTS].sort())
    const whole = payouts.filter(({ amount_minor, rows }) => rows.reduce((sum, row) => sum + row.net_minor, 0) === amount_minor) // prettier-ignore
    expect(whole).toHaveLength(PAYOUTS - 4)
    expect(told(7).misstated).toHaveLength(4)
  })

  it('is judged by type, place and amount', () => {
    const expected = fc.record({ type: fc.constantFrom('a', 'b'), about: fc.constantFrom('x', 'y'), amount_minor: fc.integer({ min: 1, max: 3 }) }) // prettier-ignore
    fc.assert(
      fc.property(fc.array(expected), fc.array(expected), (breaks, others) => {
        const planted = [{ plant: 'altered_fee' as const, breaks }]
        expect(judgeBreaks(planted, [...breaks, ...others])).toMatchObject({ breaks_found: breaks.length, breaks_unplanted: others.length }) // prettier-ignore
        const [first, ...rest] = breaks
        if (first === undefined) return
        const off = { ...first, amount_minor: first.amount_minor + 10 }
        expect(judgeBreaks(planted, [off, ...rest])).toMatchObject({
          breaks_found: breaks.length - 1,
          breaks_unplanted: 1,
        })
      }),
    )
  })
})
