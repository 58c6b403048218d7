import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amazonFinances } from '../../../src/mappings/amazon/finances.ts'
import { amazonSettlementV2 } from '../../../src/mappings/amazon/settlementV2.ts'
import { expectFound, expectSame, faultKinds, movements, readBack, total, type Movement } from '../movements.ts'
import { AMAZON_WORDS, amazonReport } from './report.ts'

const ALL = Object.keys(AMAZON_WORDS) as Movement['what'][]
const any = movements(ALL)

it('any movements come back from a report as they were, in both ways of writing numbers and dates', async () => {
  await fc.assert(
    fc.asyncProperty(
      any,
      fc.constantFrom('us' as const, 'eu' as const),
      fc.constantFrom('EUR', 'JPY', 'KWD'),
      async (all, style, currency) => {
        // A total such as 1,234 in a currency of three decimals reads both ways; the setting decides.
        const decimal = style === 'us' ? '.' : ','
        expectSame(await readBack(amazonSettlementV2, amazonReport(all, { style, currency }), { decimal }), all)
        if (currency === 'EUR') expectSame(await readBack(amazonSettlementV2, amazonReport(all, { style })), all)
      },
    ),
    { numRuns: 60 },
  )
})

it('finds what went wrong on the way; its rows name no currency, so a swapped one cannot be seen in it', async () => {
  await fc.assert(
    fc.asyncProperty(any, fc.nat(), async (all, at) => {
      const read = (damaged: readonly Movement[]) =>
        readBack(amazonSettlementV2, amazonReport(damaged, { payout_minor: total(all) }))
      await expectFound(read, all, at)
    }),
    { numRuns: 30 },
  )
})

it('names its lines the same whenever it is read, whatever amount is corrected and however dates are written', async () => {
  await fc.assert(
    fc.asyncProperty(any, fc.nat(), async (all, at) => {
      const ids = async (text: string) =>
        (await readBack(amazonSettlementV2, text)).lines.map(({ external_id }) => external_id)
      const before = await ids(amazonReport(all))
      expect(new Set(before).size).toBe(all.length)
      expect(await ids(amazonReport(all, { style: 'eu', extra: 'promotion-id' }))).toEqual(before)
      const corrected = all.map((one, index) =>
        index === at % all.length ? { ...one, net_minor: one.net_minor * 2 } : one,
      )
      expect(await ids(amazonReport(corrected))).toEqual(before)
    }),
    { numRuns: 30 },
  )
})

const HEAD = amazonReport([]).split('\n')
const COLUMNS = (HEAD[0] ?? '').split('\t')
const rowOf = (cells: Record<string, string>): string =>
  COLUMNS.map((name) => ({ 'settlement-id': '20000000777', ...cells })[name] ?? '').join('\t')

it.each([
  ['Order', 'ItemWithheldTax', 'MarketplaceFacilitatorTax-Principal', '-4.12', 'facilitator_tax', null],
  ['Order', 'ItemWithheldTax', 'LowValueGoodsTax-Shipping', '-1.00', 'facilitator_tax', null],
  ['Order', 'Promotion', 'Shipping', '-5.99', 'promotion', null],
  ['Order', 'ItemPrice', 'GiftWrapTax', '0.10', 'tax', null],
  ['Order', 'ItemPrice', 'GiftWrap', '1.10', 'shipping', null],
  ['Refund', 'ItemPrice', 'ShippingTax', '-0.10', 'tax', null],
  ['Refund', 'ItemFees', 'RefundCommission', '-0.75', 'fee', 'refund_administration'],
  ['Order', 'ItemFees', 'DigitalServicesFee', '-0.05', 'fee', 'digital_services'],
  ['Order', 'ItemFees', 'ShippingChargeback', '-2.00', 'fee', 'fulfilment'],
  ['ServiceFee', 'Cost of Advertising', 'TransactionTotalAmount', '-12.34', 'fee', 'advertising'],
  ['other-transaction', 'other-transaction', 'Subscription Fee', '-39.99', 'fee', 'subscription'],
  ['other-transaction', 'other-transaction', 'Storage Fee', '-3.99', 'fee', 'storage'],
  ['other-transaction', 'other-transaction', 'FBA Inbound Placement Service Fee', '-3.99', 'fee', 'inbound'],
  ['other-transaction', 'FBA Inventory Reimbursement', 'WAREHOUSE_DAMAGE', '11.20', 'adjustment', null],
  ['A-to-z Guarantee Refund', 'ItemPrice', 'Principal', '-10.00', 'dispute', null],
  ['Brand New Thing', 'unheard', 'of', '1.00', 'other', null],
])('%s / %s / %s is kept as what it is', async (...expected) => {
  const [type, amountType, description, amount, kind, fee_type] = expected
  const cells = { 'transaction-type': type, 'amount-type': amountType, 'amount-description': description, amount }
  const { lines, proof } = await readBack(amazonSettlementV2, [...HEAD.slice(0, 2), rowOf(cells)].join('\n'))
  expect(lines).toMatchObject([{ kind, fee_type, vendor_type: `${type} / ${amountType} / ${description}`, row: 3 }])
  expect(proof.warnings).toHaveLength(kind === 'other' ? 1 : 0)
  if (fee_type !== null) expect(lines).toMatchObject([{ gross_minor: 0 }])
})

it('tells a number that contradicts the others, a row without an amount, and a report of the older kind', async () => {
  const mixed = amazonReport([{ what: 'sale', order: 'A', net_minor: 12_34 }], { style: 'eu' })
  const bad = rowOf({
    'transaction-type': 'Order',
    'amount-type': 'ItemPrice',
    'amount-description': 'Tax',
    amount: '1.5',
  })
  expect(faultKinds(await readBack(amazonSettlementV2, `${mixed}${bad}\n`))).toContain('unreadable')
  const cut = await readBack(amazonSettlementV2, `${mixed}${bad.slice(0, bad.indexOf('1.5'))}`)
  expect(cut.proof.faults).toMatchObject([{ row: 4, column: 'amount', message: 'has no amount: cut off?' }])
  const older = 'settlement-id\tcurrency\ttransaction-type\torder-id\tprice-type\tprice-amount\n'
  await expect(readBack(amazonSettlementV2, older)).rejects.toMatchObject({
    code: 'file_invalid',
    message: expect.stringContaining('V2 flat file') as string,
  })
})

const money = (minor: number) => `{"currencyCode":"USD","currencyAmount":${(minor / 100).toString()}}`
const NAMES: Readonly<Partial<Record<Movement['what'], readonly [string, string]>>> = {
  sale: ['Shipment', 'ProductCharges'],
  tax: ['Shipment', 'Tax'],
  shipping: ['Shipment', 'ShippingCharges'],
  refund: ['Refund', 'ProductCharges'],
  commission: ['Shipment', 'Commission'],
  fee: ['Shipment', 'FBAPerUnitFulfillmentFee'],
  fee_returned: ['Refund', 'Commission'],
}

function finances(all: readonly Movement[], payout: number, status: (at: number) => string = () => 'RELEASED'): string {
  const transactions = all.map(({ what, order, net_minor }, at) => {
    const [type, name] = NAMES[what] ?? ['Other', 'Other']
    return `{"transactionId":"T${at}","transactionType":"${type}","transactionStatus":"${status(at)}","postedDate":"2026-09-03T10:15:22Z",
      "totalAmount":${money(net_minor)},"relatedIdentifiers":[{"relatedIdentifierName":"ORDER_ID","relatedIdentifierValue":"${order}"},
      {"relatedIdentifierName":"FINANCIAL_EVENT_GROUP_ID","relatedIdentifierValue":"G1"}],
      "breakdowns":[{"breakdownType":"Outer","breakdownAmount":${money(net_minor)},
        "breakdowns":[{"breakdownType":"${name}","breakdownAmount":${money(net_minor)}}]}]}`
  })
  const group = `{"FinancialEventGroupId":"G1","ProcessingStatus":"Closed","FundTransferStatus":"Succeeded","OriginalTotal":{"CurrencyCode":"USD","CurrencyAmount":${payout / 100}},
    "FundTransferDate":"2026-09-17T00:00:00Z","FinancialEventGroupEnd":"2026-09-15T00:00:00Z","TraceId":"TR1"}`
  return `[{"payload":{"transactions":[${transactions.join(',')}]}},{"payload":{"financialEventGroups":[${group}]}}]`
}

it('transactions of the Finances API come back as they were, and damage is found', async () => {
  await fc.assert(
    fc.asyncProperty(movements(Object.keys(NAMES) as Movement['what'][]), fc.nat(), async (all, at) => {
      const read = (told: readonly Movement[]) => readBack(amazonFinances, finances(told, total(all)))
      expectSame(await read(all), all)
      // Numbers of this document are exact texts, so that a difference is one of the file and never one of a float.
      await expectFound(read, all, at)
    }),
    { numRuns: 30 },
  )
})

it('counts a deferred sale once, when it is released', async () => {
  const sale: Movement = { what: 'sale', order: 'A', net_minor: 10_10 }
  const text = finances(
    [sale, sale, sale],
    sale.net_minor,
    (at) => ['DEFERRED', 'DEFERRED_RELEASED', 'RELEASED'][at] ?? '',
  )
  const { lines, proof } = await readBack(amazonFinances, text)
  expect(lines).toHaveLength(1)
  expect(proof).toMatchObject({
    settlements: [{ difference_minor: 0, header: { status: 'paid', bank_reference: 'TR1' } }],
    warnings: [{ message: '2 deferred transactions are left out: they count when they are released' }],
  })
})
