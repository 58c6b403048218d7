import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ebayFinances } from '../../../src/mappings/ebay/settlement.ts'
import { expectFound, expectSame, faultKinds, movements, readBack, total, type Movement } from '../movements.ts'
import { EBAY_WORDS, ebayDocument, ebayTransaction, ebayValue } from './report.ts'

const any = movements(Object.keys(EBAY_WORDS) as Movement['what'][])

it('any movements come back from pages of answers as they were, and damage is found', async () => {
  await fc.assert(
    fc.asyncProperty(any, fc.nat(), async (all, at) => {
      expectSame(await readBack(ebayFinances, ebayDocument(all.map(ebayTransaction), total(all))), all)
      await expectFound(
        (damaged) => readBack(ebayFinances, ebayDocument(damaged.map(ebayTransaction), total(all))),
        all,
        at,
      )
      const swapped = all.map((one, index) => ({
        ...ebayTransaction(one, index),
        ...(index === at % all.length ? { amount: ebayValue(one.net_minor, 'USD') } : {}),
      }))
      expect(faultKinds(await readBack(ebayFinances, ebayDocument(swapped, total(all))))).toContain('currency')
    }),
    { numRuns: 40 },
  )
})

const SALE = {
  ...ebayTransaction({ what: 'sale', order: 'A', net_minor: 90_00 }, 1),
  totalFeeBasisAmount: ebayValue(100_00),
  totalFeeAmount: ebayValue(10_00),
  orderLineItems: [{ lineItemId: 'L1', marketplaceFees: [{ feeType: 'FINAL_VALUE_FEE', amount: ebayValue(10_00) }] }],
}

it('a sale keeps its gross and fee, a refund gives both back, and a basis that does not fit is found', async () => {
  const refund = { ...SALE, transactionType: 'REFUND', bookingEntry: 'DEBIT' }
  const { lines, proof } = await readBack(ebayFinances, ebayDocument([SALE, refund], 0))
  expect(lines).toMatchObject([
    { kind: 'sale', gross_minor: 100_00, fee_minor: 10_00, net_minor: 90_00, order_line_external_id: 'L1' },
    { kind: 'refund', gross_minor: -100_00, fee_minor: -10_00, net_minor: -90_00 },
  ])
  expect(proof.settlements).toMatchObject([
    { difference_minor: 0, faults: [], header: { status: 'paid', bank_reference: 'BR-1' } },
  ])
  const wrong = await readBack(ebayFinances, ebayDocument([{ ...SALE, totalFeeBasisAmount: ebayValue(100_01) }], 90_00))
  expect(wrong.proof.settlements).toMatchObject([{ faults: [{ kind: 'line_identity', difference_minor: -1 }] }])
})

it('keeps the rate of a conversion, and says what it cannot prove', async () => {
  const converted = {
    ...SALE,
    amount: {
      ...ebayValue(90_00),
      convertedFromValue: '97.20',
      convertedFromCurrency: 'USD',
      exchangeRate: '0.925926',
    },
  }
  const waiting = { ...ebayTransaction({ what: 'sale', order: 'B', net_minor: 1_00 }, 2), payoutId: undefined }
  const { lines, proof } = await readBack(ebayFinances, JSON.stringify({ transactions: [converted, waiting] }))
  expect(lines).toMatchObject([{ fx: { currency: 'USD', original_minor: 97_20, rate: '0.925926' } }])
  expect(proof.settlements).toMatchObject([{ header: { status: 'pending' }, payout_minor: 90_00 }])
  expect(proof.warnings.map(({ message }) => message)).toEqual([
    '1 transactions belong to no payout yet and are left for later',
    'payout P1 itself is not in the document: its amount is the sum of its rows',
  ])
})

it('an unknown type is kept, a sign that is neither is a fault, and half a document is refused', async () => {
  const strange = { ...SALE, transactionType: 'MOON' }
  const signless = { ...SALE, transactionId: 'T-9', bookingEntry: 'SIDEWAYS' }
  const { lines, proof } = await readBack(ebayFinances, ebayDocument([strange, signless], 90_00))
  expect(lines).toMatchObject([{ kind: 'other' }])
  expect(proof.faults).toMatchObject([{ row: 2, column: 'bookingEntry' }])
  await expect(readBack(ebayFinances, ebayDocument([SALE], 1).slice(0, -20))).rejects.toMatchObject({
    code: 'file_invalid',
  })
})
