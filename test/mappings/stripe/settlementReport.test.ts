import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimalFromMinor } from '../../../src/core/model/money.ts'
import { stripeReport } from '../../../src/mappings/stripe/settlementReport.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { cents, csvOf, rowOf, whole, type StripeRow as Row } from './report.ts'

const read = (rows: readonly Row[]) => readFile(stripeReport, csvOf(rows))

describe('the payout reconciliation report', () => {
  it('leaves the payout itself out, and its rows come to it', async () => {
    const rows = whole([
      rowOf({ category: 'charge', gross: 10_000, fee: 320 }, 1, {
        charge_id: 'ch_1',
        payment_intent_id: 'pi_1',
        customer_facing_amount: '110.00',
        customer_facing_currency: 'usd',
        'payment_metadata[order_number]': 'SHOP-1',
      }),
      rowOf({ category: 'refund', gross: -2_000, fee: 0 }, 2),
      rowOf({ category: 'dispute', gross: -1_000, fee: 1_500 }, 3),
      rowOf({ category: 'fee', gross: -700, fee: 0 }, 4),
      rowOf({ category: 'risk_reserved_funds', gross: 300, fee: 0 }, 5),
      rowOf({ category: 'payout', gross: 100, fee: 0 }, 6, { source_id: 'po_0' }),
    ])
    const { proven, proof, all } = await read(rows)
    expect([proven, proof.faults, proof.warnings]).toEqual([true, [], []])
    expect(proof.settlements).toMatchObject([
      { external_id: 'po_1', currency: 'EUR', payout_minor: 4_880, difference_minor: 0 },
    ])
    expect(all.map((line) => [line.external_id, line.kind, line.gross_minor, line.fee_minor])).toEqual([
      ['txn_1', 'sale', 10_000, 320],
      ['txn_2', 'refund', -2_000, 0],
      ['txn_3', 'dispute', -1_000, 1_500],
      ['txn_4', 'fee', 0, 700],
      ['txn_5', 'reserve_release', 300, 0],
      ['txn_6', 'transfer', 100, 0],
    ])
    expect(all[0]).toMatchObject({
      references: { order_number: 'SHOP-1', payment_ids: ['ch_1', 'pi_1'] },
      fx: { currency: 'USD', original_minor: 11_000, rate: '0.9090909090' },
      fee_type: 'payment',
    })
    expect(proof.settlements[0]!.header).toMatchObject({ arrival_at: '2026-03-04T00:00:00.000Z' })
  })

  it.each([
    ['no row of the payout', (rows: Row[]) => rows.slice(0, -1)],
    ['the payout twice', (rows: Row[]) => [...rows, rows.at(-1)!]],
    ['no payout id', (rows: Row[]) => [{ ...rows[0], automatic_payout_id: '' }, ...rows.slice(1)]],
    ['an odd currency', (rows: Row[]) => [{ ...rows[0], currency: '€' }, ...rows.slice(1)]],
    ['a formula', (rows: Row[]) => [{ ...rows[0], gross: '=1' }, ...rows.slice(1)]],
  ])('%s is a fault', async (_name, damage) => {
    expect((await read(damage(whole([rowOf({ category: 'charge', gross: 500, fee: 5 }, 1)])))).proven).toBe(false)
  })

  it('reads BOM and gzip, and finds a truncated tail; an unknown category is `other`', async () => {
    const text = csvOf(whole([rowOf({ category: 'novelty', gross: 500, fee: 5 }, 1)]))
    const { proven, proof, all } = await readFile(stripeReport, gzipSync(`\uFEFF${text}`))
    expect([proven, proof.warnings.length, all[0]!.kind]).toEqual([true, 1, 'other'])
    expect((await readFile(stripeReport, text.slice(0, -30))).proven).toBe(false)
  })

  const deeds = fc.array(
    fc.record({
      category: fc.constantFrom('charge', 'refund', 'dispute', 'fee', 'dispute_reversal', 'other_adjustment'),
      gross: fc.integer({ min: -90_000, max: 90_000 }).filter((minor) => minor !== 0),
      fee: fc.integer({ min: 0, max: 900 }),
    }),
    { minLength: 1, maxLength: 25 },
  )

  it('any payout comes back, and every damage is found', async () => {
    const damages = fc.constantFrom('none', 'gross', 'fee', 'net', 'drop', 'double', 'currency', 'sign', 'payout')
    await fc.assert(
      fc.asyncProperty(deeds, fc.nat(), damages, async (list, at, what) => {
        const rows = whole(list.map((deed, index) => rowOf(deed, index)))
        const index = at % list.length
        const row = { ...rows[index] }
        // A row whose net is nothing may go without a trace: no sum can miss it.
        fc.pre(what !== 'drop' || cents(row.net) !== 0)
        const add = (where: Row, ...names: (keyof Row)[]) =>
          names.forEach((name) => (where[name] = decimalFromMinor(cents(where[name]) + 1, 'EUR')))
        const last = { ...rows.at(-1) }
        if (what === 'gross' || what === 'fee' || what === 'net') add(row, what)
        if (what === 'payout') add(last, 'gross', 'net')
        if (what === 'currency') row.currency = 'usd'
        if (what === 'sign') row.gross = decimalFromMinor(-cents(row.gross), 'EUR')
        const damaged = [...rows.slice(0, index), row, ...rows.slice(index + 1, -1), last]
        if (what === 'drop') damaged.splice(index, 1)
        if (what === 'double') damaged.splice(index, 0, row)
        const { proven, all } = await read(damaged)
        expect(proven).toBe(what === 'none')
        if (what === 'none')
          expect(all.map((line) => line.net_minor)).toEqual(list.map(({ gross, fee }) => gross - fee))
      }),
      { numRuns: 150 },
    )
  })
})
