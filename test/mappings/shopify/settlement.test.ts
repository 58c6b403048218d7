import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import { shopifyBalanceTransactions, shopifySettlement } from '../../../src/mappings/shopify/settlement.ts'
import { KNOWN_TYPES } from '../../../src/mappings/shopify/settlementKinds.ts'
import { readFile } from '../../kit/settlementFile.ts'
import { documentOf, minorOf, money, rowOf, type Loose, type ShopifyDeed as Deed } from './payout.ts'

const read = (document: unknown) => readFile(shopifyBalanceTransactions, JSON.stringify(document))

describe('a payout of Shopify Payments', () => {
  const rows = [
    rowOf({ type: 'CHARGE', gross: 10_000, fee: 320 }, 0),
    rowOf({ type: 'REFUND', gross: -2_000, fee: 0 }, 1),
    rowOf({ type: 'CHARGEBACK_FEE', gross: -1_500, fee: 0 }, 2),
    rowOf({ type: 'SHIPPING_LABEL', gross: -450, fee: 0 }, 3),
    rowOf({ type: 'MARKETPLACE_FEE_CREDIT', gross: 100, fee: 0 }, 4),
    rowOf({ type: 'RESERVED_FUNDS', gross: -700, fee: 0 }, 5),
    rowOf({ type: 'RESERVED_FUNDS_REVERSAL', gross: 200, fee: 0 }, 6),
  ]

  it('comes back line by line, by file and by API alike', async () => {
    const { proven, proof, all } = await read(documentOf(rows))
    expect([proven, proof.faults, proof.warnings]).toEqual([true, [], []])
    expect(
      all.map((line) => [line.external_id, line.kind, line.gross_minor, line.fee_minor, line.fee_type ?? null]),
    ).toEqual([
      ['100', 'sale', 10_000, 320, 'payment'],
      ['101', 'refund', -2_000, 0, null],
      ['102', 'dispute_fee', 0, 1_500, null],
      ['103', 'fee', 0, 450, 'shipping_label'],
      ['104', 'fee_returned', 0, -100, null],
      ['105', 'reserve_hold', -700, 0, null],
      ['106', 'reserve_release', 200, 0, null],
    ])
    expect(all[0]!.references).toEqual({ order_external_id: '700', order_number: '#0', payment_ids: ['900', '500'] })
    const { facts, warnings } = shopifySettlement.map(documentOf(rows), {
      observed_at: '2026-03-03T00:00:00Z',
      settings: {},
    })
    expect(warnings).toEqual([])
    expect(facts[0]!.document).toMatchObject({
      external_id: '42',
      status: 'paid',
      bank_reference: 'TRACE-77001122',
      lines: all.map(({ row, ...line }) => (row === undefined ? {} : line)),
    })
  })

  it('leaves out test rows and the payout itself, and knows a withdrawal by its direction', async () => {
    const own = rowOf({ type: 'TRANSFER', gross: -5_550, fee: 0 }, 8, 1, { sourceId: '42' })
    const { proven } = await read({
      ...documentOf(rows),
      balance_transactions: [...rows, own, { ...rows[0], test: true }],
    })
    expect(proven).toBe(true)
    const debt = [rowOf({ type: 'REFUND', gross: -2_000, fee: 0 }, 1)]
    const back = documentOf(debt, { net: money(2_000), transactionType: 'WITHDRAWAL' })
    expect((await read(back)).proof.settlements).toMatchObject([{ payout_minor: -2_000, difference_minor: 0 }])
  })

  it('reads fees of either sign, but not both in one payout', async () => {
    const deeds: Deed[] = [{ type: 'CHARGE', gross: 1_000, fee: 50 }, { type: 'CHARGE', gross: 2_000, fee: 70 }] // prettier-ignore
    for (const sign of [1, -1] as const) {
      const { proven, all } = await read(documentOf(deeds.map((deed, index) => rowOf(deed, index, sign))))
      expect([proven, all.map((line) => line.fee_minor)]).toEqual([true, [50, 70]])
    }
    const mixed = [rowOf(deeds[0]!, 0, 1), rowOf(deeds[1]!, 1, -1)]
    expect((await read(documentOf(mixed))).proof.faults[0]!.message).toContain('signed the other way')
  })

  it('a new type is read by its source, a stranger is `other`; both are said', async () => {
    const odd = [
      rowOf({ type: 'CHARGE_OF_TOMORROW', gross: 100, fee: 0 }, 0),
      rowOf({ type: 'X', gross: 100, fee: 0 }, 1, 1, { sourceType: 'NEWS' }),
    ]
    const { proven, proof, all } = await read(documentOf(odd))
    expect([proven, proof.warnings.length, all.map((line) => line.kind)]).toEqual([true, 2, ['sale', 'other']])
  })

  it('has a kind for every type of the schema', () => {
    expect(new Set(KNOWN_TYPES).size).toBe(113)
  })

  it('a document that was cut off is refused, a row that is not whole is a fault', async () => {
    const text = JSON.stringify(documentOf(rows))
    await expect(readFile(shopifyBalanceTransactions, text.slice(0, -9))).rejects.toMatchObject({
      code: 'file_invalid',
    })
    const { net: _, ...lame } = rows[0]!
    expect((await read({ ...documentOf(rows), balance_transactions: [lame, ...rows.slice(1)] })).proven).toBe(false)
    const other = rowOf({ type: 'CHARGE', gross: 5, fee: 0 }, 0, 1, {
      net: money(5, 'USD'),
      amount: money(5, 'USD'),
      fee: money(0, 'USD'),
    })
    expect(() =>
      shopifySettlement.map(documentOf([other], { net: money(5) }), {
        observed_at: '2026-03-03T00:00:00Z',
        settings: {},
      }),
    ).toThrow(HubError)
  })

  const deeds = fc.array(
    fc.record({
      type: fc.constantFrom(...KNOWN_TYPES.filter((type) => type !== 'TRANSFER')),
      gross: fc.integer({ min: -90_000, max: 90_000 }).filter((minor) => minor !== 0),
      fee: fc.constantFrom(0, 0, 31, 450),
    }),
    { minLength: 1, maxLength: 20 },
  )
  it('any payout comes back, and every damage is found', async () => {
    const damages = fc.constantFrom('none', 'amount', 'net', 'both', 'drop', 'double', 'currency', 'sign', 'payout')
    await fc.assert(
      fc.asyncProperty(deeds, fc.nat(), damages, async (list, at, what) => {
        const good = list.map((deed, index) => rowOf(deed, index))
        const document = structuredClone(documentOf(good)) as { payout: Loose; balance_transactions: Loose[] }
        const index = at % list.length
        const row = document.balance_transactions[index]!
        fc.pre(what !== 'drop' || minorOf(row['net']) !== 0)
        const add = (where: Loose, name: string) => (where[name] = money(minorOf(where[name]) + 1))
        if (what === 'amount' || what === 'both') add(row, 'amount')
        if (what === 'net' || what === 'both') add(row, 'net')
        if (what === 'payout') add(document.payout, 'net')
        if (what === 'sign') row['net'] = money(-minorOf(row['net']) || 1)
        if (what === 'currency') row['net'] = money(minorOf(row['net']), 'USD')
        if (what === 'drop') document.balance_transactions.splice(index, 1)
        if (what === 'double') document.balance_transactions.splice(index, 0, row)
        const { proven, all } = await read(document)
        expect(proven).toBe(what === 'none')
        if (what === 'none')
          expect(all.map((line) => line.net_minor)).toEqual(list.map(({ gross, fee }) => gross - fee))
      }),
      { numRuns: 150 },
    )
  })
})
