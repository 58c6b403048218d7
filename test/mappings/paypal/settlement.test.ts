import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { paypalStl } from '../../../src/mappings/paypal/settlement.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { csvOf, stlRows, type Deed } from './stl.ts'

const read = (rows: readonly (readonly string[])[], settings = {}) => readFile(paypalStl, csvOf(rows), settings)
const eur = (id: string, code: string, minor: number, fee = 0): Deed => ({ id, code, minor, fee, currency: 'EUR' })

/** A day: 50.00 stood there, two sales, a refund whose fee comes back, a fee, a dispute with its fee, a withdrawal, and a sale behind it. */
const DAY: Deed[] = [
  { ...eur('S1', 'T0006', 10_000, 330), invoice: 'SHOP-1', reference: 'O-1' },
  eur('S2', 'T0006', 2_000, 95),
  { ...eur('R1', 'T1107', -2_000, -60), reference: 'S2' },
  eur('F1', 'T0100', -500),
  eur('C1', 'T1201', -1_500),
  eur('C2', 'T0106', -1_600),
  eur('H1', 'T1503', -700),
  eur('W1', 'T0400', -10_000),
  eur('S3', 'T0006', 100, 35),
]

describe('the settlement report', () => {
  it('comes back as a payout with what stood there before and stays after, and a rest that pays nothing', async () => {
    const { proof, proven, lines } = await read(stlRows(DAY, { EUR: 5_000 }))
    expect([proven, proof.faults, proof.warnings]).toEqual([true, [], []])
    expect(proof.settlements.map((s) => [s.external_id, s.payout_minor, s.sum_minor, s.difference_minor])).toEqual([
      ['W1', 10_000, 10_000, 0],
      ['MERCHANT1:2026-03-01:2026-03-02:EUR', 0, 0, 0],
    ])
    expect(lines.get('W1')!.map((line) => [line.external_id, line.kind, line.gross_minor, line.fee_minor])).toEqual([
      ['balance_before:W1', 'carry_over', 5_000, 0],
      ['S1:T0006', 'sale', 10_000, 330],
      ['S2:T0006', 'sale', 2_000, 95],
      ['R1:T1107', 'refund', -2_000, -60],
      ['F1:T0100', 'fee', 0, 500],
      ['C1:T1201', 'dispute', -1_500, 0],
      ['C2:T0106', 'dispute_fee', 0, 1_600],
      ['H1:T1503', 'reserve_hold', -700, 0],
      ['balance_after:W1', 'carry_over', -335, 0],
    ])
    expect(lines.get('W1')![1]).toMatchObject({
      at: '2026-03-01T15:00:00.000Z',
      references: { order_number: 'SHOP-1', payment_ids: ['S1', 'O-1'] },
      row: 5,
    })
  })

  it('keeps currencies apart, and what a conversion cost beside what came of it', async () => {
    const deeds: Deed[] = [
      { id: 'S1', code: 'T0006', minor: 10_000, fee: 400, currency: 'USD' },
      { id: 'X1', code: 'T0200', minor: -5_000, fee: 0, currency: 'USD', reference: 'XR' },
      { id: 'X2', code: 'T0200', minor: 4_500, fee: 0, currency: 'EUR', reference: 'XR' },
      eur('W1', 'T0400', -4_500),
    ]
    const { proven, proof, all } = await read(stlRows(deeds, {}))
    expect([proven, proof.faults]).toEqual([true, []])
    expect(proof.settlements.map((s) => [s.currency, s.payout_minor])).toEqual([['USD', 0], ['EUR', 4_500]]) // prettier-ignore
    expect(all.find((line) => line.external_id === 'X2:T0200')).toMatchObject({
      kind: 'transfer',
      fx: { currency: 'USD', original_minor: 5_000, rate: '0.9000000000' },
    })
  })

  it('a fee in another currency is taken from the balance of that currency', async () => {
    const rows = stlRows([{ ...eur('S1', 'T0006', 1_000), fee: 0 }], { EUR: 0, USD: 500 })
    const body = rows.find((row) => row[0] === 'SB')!
    body[11] = 'DR'
    body[12] = '40'
    body[13] = 'USD'
    const usd = rows.find((row) => row[0] === 'SF' && row[1] === 'USD')!
    usd[5] = '40'
    usd[7] = '460'
    const { proven, proof, all } = await read(rows)
    expect([proven, proof.faults]).toEqual([true, []])
    expect(all.filter((line) => line.kind !== 'carry_over').map((line) => [line.external_id, line.kind, line.currency, line.net_minor])).toEqual([
      ['S1:T0006', 'sale', 'EUR', 1_000],
      ['S1:T0006:fee', 'fee', 'USD', -40],
    ]) // prettier-ignore
  })

  it.each([
    ['JPY', {}, 10_000],
    ['JPY', { stl_decimals: { JPY: 2 } }, 100],
    ['KWD', {}, 10_000],
  ])('10000 of %s with %j is %i', async (currency, settings, minor) => {
    const { all } = await read(stlRows([{ id: 'S', code: 'T0006', minor: 10_000, fee: 0, currency }], {}), settings)
    expect(all.find((line) => line.kind === 'sale')?.gross_minor).toBe(minor)
  })

  it('an unknown code is `other` with a warning, and nothing fails', async () => {
    const { proven, proof, all } = await read(stlRows([eur('Q', 'T8800', 5)], {}))
    expect([proven, proof.warnings.length]).toEqual([true, 1])
    expect(all.map((line) => line.kind)).toEqual(['other', 'carry_over'])
  })

  it('reads BOM, semicolons, gzip, and totals in a declared order', async () => {
    const rows = stlRows(DAY, { EUR: 5_000 })
    const text = csvOf(rows)
    expect((await readFile(paypalStl, `\uFEFF${text.replaceAll('","', '";"')}`)).proven).toBe(true)
    expect((await readFile(paypalStl, gzipSync(text))).proven).toBe(true)
    const turned = rows.map((row) => (row[0] === 'SF' ? [row[0], row[1]!, row[6]!, row[7]!, ...row.slice(2, 6)] : row))
    const stl_footer = ['begin', 'end', 'gross_credit', 'gross_debit', 'fee_credit', 'fee_debit']
    expect((await read(turned, { stl_footer })).proven).toBe(true)
    expect((await read(turned)).proven).toBe(false)
  })

  it.each([
    ['a truncated tail', (rows: string[][]) => rows.slice(0, -1), /last row \(FF\)/],
    ['no totals', (rows: string[][]) => rows.filter((row) => row[0] !== 'SF'), /no totals/],
    ['a sign in an amount', (rows: string[][]) => edit(rows, 9, () => '-5'), /a word says the direction/],
    ['a decimal point', (rows: string[][]) => edit(rows, 9, () => '5.00'), /not a whole number/],
    ['no direction', (rows: string[][]) => edit(rows, 8, () => 'XX'), /neither CR nor DR/],
    ['a formula', (rows: string[][]) => edit(rows, 9, () => '=1+1'), /not a whole number/],
    ['an impossible day', (rows: string[][]) => edit(rows, 7, () => '2026/02/30 08:00:00 -0700'), /not a date/],
  ])('%s is found', async (_name, damage, message) => {
    const { proven, proof } = await read(damage(stlRows(DAY, { EUR: 5_000 })))
    expect(proven).toBe(false)
    expect(proof.faults.map((fault) => fault.message).join('\n')).toMatch(message)
  })

  it('a missing column is a fault of the whole file', async () => {
    const rows = stlRows(DAY, {}).map((row) => (row[0] === 'CH' ? row.with(9, 'Amount') : row))
    await expect(read(rows)).rejects.toMatchObject({ code: 'file_invalid' })
  })

  // ── properties ────────────────────────────────────────────────────────────────────────────────────────────────────────

  const money = fc.integer({ min: 1, max: 500_000 })
  const deed = fc.oneof(
    fc.record({ code: fc.constant('T0006'), minor: money, fee: fc.integer({ min: 0, max: 900 }) }),
    fc.record({ code: fc.constant('T1107'), minor: money.map((m) => -m), fee: fc.integer({ min: -90, max: 0 }) }),
    fc.record({ code: fc.constantFrom('T0100', 'T1201', 'T0106', 'T0400', 'T2103'), minor: money.map((m) => -m), fee: fc.constant(0) }),
    fc.record({ code: fc.constantFrom('T1202', 'T1105', 'T0300'), minor: money, fee: fc.constant(0) }),
  ) // prettier-ignore
  const day = fc
    .array(fc.tuple(deed, fc.constantFrom('EUR', 'USD')), { minLength: 2, maxLength: 30 })
    .map((list) => list.map(([each, currency], index): Deed => ({ id: `X${index}`, ...each, currency })))

  it('whatever the account did comes back, each entry once, and proves itself', async () => {
    await fc.assert(
      fc.asyncProperty(day, fc.integer({ min: 0, max: 99_999 }), async (deeds, begin) => {
        const { proven, proof, all } = await read(stlRows(deeds, { EUR: begin }))
        expect([proven, proof.faults]).toEqual([true, []])
        const payouts = deeds.filter((each) => each.code === 'T0400')
        const moved = all.filter((line) => line.kind !== 'carry_over')
        expect(moved).toHaveLength(deeds.length - payouts.length)
        for (const each of deeds.filter(({ code }) => code !== 'T0400')) {
          const line = moved.find(({ external_id }) => external_id === `${each.id}:${each.code}`)!
          expect([line.net_minor, line.currency]).toEqual([each.minor - each.fee, each.currency])
        }
        const paid = proof.settlements.reduce((total, settlement) => total + settlement.payout_minor, 0)
        expect(paid).toBe(payouts.reduce((total, each) => total - each.minor, 0))
      }),
      { numRuns: 60 },
    )
  })

  it('one altered cent, a dropped or doubled row, another currency and a turned sign are found', async () => {
    const damages = fc.constantFrom('cent', 'fee', 'drop', 'double', 'currency', 'sign', 'begin', 'end')
    await fc.assert(
      fc.asyncProperty(day, fc.nat(), damages, async (deeds, at, what) => {
        const rows = stlRows(deeds, { EUR: 100, USD: 100 })
        const bodies = rows.flatMap((row, index) => (row[0] === 'SB' ? [index] : []))
        const index = bodies[at % bodies.length]!
        const row = rows[index]!
        const footer = rows.find((each) => each[0] === 'SF')!
        const plusOne = (cells: string[], column: number) => cells.splice(column, 1, String(Number(cells[column]) + 1))
        if (what === 'cent') plusOne(row, 9)
        if (what === 'fee') row.splice(11, 2, row[11] || 'DR', String(Number(row[12]) + 1))
        if (what === 'drop') rows.splice(index, 1)
        if (what === 'double') rows.splice(index, 0, row)
        if (what === 'currency') row.splice(10, 1, row[10] === 'EUR' ? 'USD' : 'EUR')
        if (what === 'sign') row.splice(8, 1, row[8] === 'CR' ? 'DR' : 'CR')
        if (what === 'begin') plusOne(footer, 6)
        if (what === 'end') plusOne(footer, 7)
        expect((await read(rows)).proven).toBe(false)
      }),
      { numRuns: 120 },
    )
  })
})

function edit(rows: string[][], column: number, change: (cell: string) => string): string[][] {
  const index = rows.findIndex((row) => row[0] === 'SB')
  return rows.map((row, at) => (at === index ? row.with(column, change(row[column]!)) : row))
}
