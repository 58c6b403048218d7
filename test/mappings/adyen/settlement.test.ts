import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adyenSettlementDetail } from '../../../src/mappings/adyen/settlement.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { ADYEN_COLUMNS, batch, cents, csvOf, decimal, netOf, netOnly, rowOf, type AdyenDeed as Deed, type AdyenRow as Row } from './report.ts' // prettier-ignore

const read = (rows: readonly Row[]) => readFile(adyenSettlementDetail, csvOf(rows))

describe('the settlement detail report', () => {
  it('blended and Interchange++, refunds, disputes, fees and what is carried over come to the payout', async () => {
    const rows = [
      netOnly('Balancetransfer', 250),
      rowOf({ type: 'Settled', psp: 'P1', gross: 10_000, fees: [180] }),
      rowOf({ type: 'Settled', psp: 'P2', gross: 5_000, fees: [30, 12, 40] }),
      { ...rowOf({ type: 'Refunded', psp: 'P1', gross: -2_000, fees: [10] }), 'Modification Reference': 'M1' },
      rowOf({ type: 'Chargeback', psp: 'P3', gross: -1_000, fees: [] }),
      netOnly('Fee', -700),
      netOnly('Fee', -700),
      netOnly('DepositCorrection', -300),
    ]
    const { proven, proof, all } = await read(batch(rows))
    expect([proven, proof.faults, proof.warnings]).toEqual([true, [], []])
    expect(proof.settlements).toMatchObject([{ external_id: 'ShopEU:7', currency: 'EUR', payout_minor: netOf(rows) }])
    expect(all.map((line) => [line.external_id, line.kind, line.gross_minor, line.fee_minor])).toEqual([
      ['Balancetransfer:2026-03-01', 'carry_over', 250, 0],
      ['Settled:P1', 'sale', 10_000, 180],
      ['Settled:P2', 'sale', 5_000, 82],
      ['Refunded:P1:M1', 'refund', -2_000, 10],
      ['Chargeback:P3', 'dispute', -1_000, 0],
      ['Fee:2026-03-01', 'fee', 0, 700],
      ['Fee:2026-03-01:2', 'fee', 0, 700],
      ['DepositCorrection:2026-03-01', 'reserve_hold', -300, 0],
    ])
    expect(all[1]).toMatchObject({
      at: '2026-03-01T08:00:00.000Z',
      fee_type: 'payment',
      references: { order_number: 'ORDER-P1', payment_ids: ['P1'] },
      row: 3,
    })
    expect(all[2]!.vendor_type).toBe('Settled:interchange')
  })

  it('another currency keeps what was paid and the rate, within one unit', async () => {
    const row = (net: string): Row => ({
      ...rowOf({ type: 'Settled', psp: 'P1', gross: 10_000, fees: [] }),
      'Gross Currency': 'USD',
      'Exchange Rate': '0.91237',
      'Net Credit (NC)': net,
      'Commission (NC)': '1.00',
    })
    const { proven, all } = await read(batch([row('90.24')]))
    expect(proven).toBe(true)
    expect(all[0]).toMatchObject({
      gross_minor: 9_124,
      fee_minor: 100,
      fx: { currency: 'USD', original_minor: 10_000, rate: '0.91237' },
    })
    expect((await read(batch([row('90.26')]))).proven).toBe(false)
  })

  it.each([
    ['CLP', '1000.00', 1_000],
    ['ISK', '1000.00', 1_000],
    ['CVE', '1000', 100_000],
    ['IDR', '1000', 100_000],
    ['BHD', '1.500', 1_500],
  ])('%s %s is %i', async (currency, text, minor) => {
    const row = { ...netOnly('Fee', 0, currency), 'Net Credit (NC)': text }
    const { all } = await read([row])
    expect(all[0]).toMatchObject({ currency, net_minor: minor, kind: 'fee_returned', fee_minor: -minor })
  })

  it('finds its columns by name, in any order, with others between them', async () => {
    const rows = batch([rowOf({ type: 'Settled', psp: 'P1', gross: 10_000, fees: [180] })])
    const text = csvOf(rows, ['DCC Markup', ...ADYEN_COLUMNS.toReversed(), 'Reserved'])
    expect((await readFile(adyenSettlementDetail, `\uFEFF${text}`)).proven).toBe(true)
    expect((await readFile(adyenSettlementDetail, gzipSync(text.replaceAll('\n', '\r\n')))).proven).toBe(true)
  })

  it('an unknown type is `other` with a warning', async () => {
    const { proven, proof, all } = await read(batch([rowOf({ type: 'NewThing', psp: 'P1', gross: 100, fees: [] })]))
    expect([proven, proof.warnings.length, all[0]!.kind]).toEqual([true, 1, 'other'])
  })

  it.each([
    ['both pricings in one row', { 'Markup (NC)': '0.10' }],
    ['debit and credit', { 'Net Debit (NC)': '1.00' }],
    ['a negative amount', { 'Net Credit (NC)': '-98.20' }],
    ['a formula', { 'Net Credit (NC)': '=98.20' }],
    ['no batch', { 'Batch Number': '' }],
    ['an unknown zone', { TimeZone: 'MOON' }],
    ['no currency', { 'Net Currency': 'EURO' }],
    ['no rate', { 'Gross Currency': 'USD', 'Exchange Rate': '' }],
  ])('%s is a fault', async (_name, change: Row) => {
    const rows = batch([rowOf({ type: 'Settled', psp: 'P1', gross: 10_000, fees: [180] })])
    const { proven, proof } = await read([{ ...rows[0], ...change }, ...rows.slice(1)])
    expect([proven, proof.faults_count > 0]).toEqual([false, true])
  })

  it('a truncated tail is found', async () => {
    const text = csvOf(batch([rowOf({ type: 'Settled', psp: 'P1', gross: 10_000, fees: [180] })]))
    for (const cut of [3, 40, 120])
      expect((await readFile(adyenSettlementDetail, text.slice(0, -cut))).proven).toBe(false)
  })

  const fee = fc.integer({ min: 1, max: 400 })
  const deed = fc.record({
    type: fc.constantFrom('Settled', 'Settled', 'Refunded', 'Chargeback', 'ChargebackReversed', 'RefundedReversed'),
    minor: fc.integer({ min: 1_500, max: 300_000 }),
    fees: fc.oneof(fee.map((one) => [one]), fc.tuple(fee, fee, fee).map((three) => [...three]), fc.constant<number[]>([])),
  }) // prettier-ignore
  const deeds = fc.array(deed, { minLength: 1, maxLength: 25 }).map((list) =>
    list.map(({ type, minor, fees }, index): Deed => {
      const out = type === 'Refunded' || type === 'Chargeback'
      return { type, psp: `P${index}`, gross: out ? -minor : minor, fees: type === 'Settled' ? fees : [] }
    }),
  )

  it('any batch comes back line by line and proves itself', async () => {
    await fc.assert(
      fc.asyncProperty(deeds, async (list) => {
        const { proven, proof, all } = await read(batch(list.map(rowOf)))
        expect([proven, proof.faults]).toEqual([true, []])
        const members = all.filter((line) => line.kind !== 'carry_over')
        expect(members.map((line) => [line.external_id, line.gross_minor, line.fee_minor])).toEqual(
          list.map((each) => [
            `${each.type}:${each.psp}`,
            each.gross,
            each.fees.reduce((total, one) => total + one, 0),
          ]),
        )
      }),
      { numRuns: 60 },
    )
  })

  it('a cent, a dropped or doubled row, another currency and a turned sign are found', async () => {
    const damages = fc.constantFrom('net', 'gross', 'commission', 'drop', 'double', 'currency', 'sign', 'payout')
    await fc.assert(
      fc.asyncProperty(deeds, fc.nat(), damages, async (list, at, what) => {
        const rows = batch(list.map(rowOf))
        const index = at % (rows.length - 1)
        const row = { ...rows[index] }
        const add = (where: Row, ...names: (keyof Row)[]) => {
          const name = names.find((each) => where[each] !== '') ?? names[0]!
          where[name] = decimal(cents(where[name]) + 1, 'EUR')
        }
        const last = { ...rows.at(-1) }
        if (what === 'net') add(row, 'Net Credit (NC)', 'Net Debit (NC)')
        if (what === 'gross') add(row, 'Gross Credit (GC)', 'Gross Debit (GC)')
        if (what === 'commission') add(row, 'Commission (NC)')
        if (what === 'currency') row['Net Currency'] = 'USD'
        if (what === 'sign')
          [row['Net Credit (NC)'], row['Net Debit (NC)']] = [row['Net Debit (NC)']!, row['Net Credit (NC)']!]
        if (what === 'payout') add(last, 'Net Debit (NC)', 'Net Credit (NC)')
        const damaged = [...rows.slice(0, index), row, ...rows.slice(index + 1, -1), last]
        if (what === 'drop') damaged.splice(index, 1)
        if (what === 'double') damaged.splice(index, 0, row)
        expect((await read(damaged)).proven).toBe(false)
      }),
      { numRuns: 150 },
    )
  })
})
