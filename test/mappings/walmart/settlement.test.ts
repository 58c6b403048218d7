import fc from 'fast-check'
import { expect, it } from 'vitest'
import { walmartRecon } from '../../../src/mappings/walmart/settlement.ts'
import {
  expectFound,
  expectSame,
  faultKinds,
  movements,
  readBack,
  total,
  written,
  type Movement,
} from '../movements.ts'

const WORDS: Readonly<Record<Movement['what'], readonly [type: string, amount: string]>> = {
  sale: ['Sale', 'Product Price'],
  tax: ['Sale', 'Product tax'],
  shipping: ['Sale', 'Shipping'],
  refund: ['Refund', 'Product Price'],
  commission: ['Sale', 'Commission on Product'],
  fee: ['Service Fee', 'WFS Fulfillment fee'],
  fee_returned: ['Refund', 'Commission on Product'],
  dispute: ['Dispute Settlement', 'Fee/Reimbursement'],
  reserve_hold: ['Reserve', 'Reserve'],
  reserve_release: ['Release Reserve', 'Reserve'],
}
const COLUMNS = [
  'Period Start Date', 'Period End Date', 'Total Payable', 'Currency', 'Transaction Key', 'Transaction Posted Timestamp',
  'Transaction Type', 'Transaction Description', 'Customer Order #', 'Customer Order line #', 'Purchase Order #',
  'Purchase Order line #', 'Amount', 'Amount Type', 'Ship Qty', 'Partner Item Id',
] // prettier-ignore

function report(all: readonly Movement[], payout = total(all), currency: (at: number) => string = () => 'USD'): string {
  const row = (cells: Readonly<Record<string, string>>): string =>
    COLUMNS.map((name) => `"${(cells[name] ?? '').replaceAll('"', '""')}"`).join(',')
  const summary = row({
    'Period Start Date': '09/01/2026',
    'Period End Date': '09/15/2026',
    'Total Payable': written(payout, 'USD', '.'),
    Currency: 'USD',
    'Transaction Type': 'PaymentSummary',
  })
  const rows = all.map(({ what, order, net_minor }, at) =>
    row({
      Currency: currency(at),
      'Transaction Key': `K${order}`,
      'Transaction Posted Timestamp': '09/03/2026',
      'Transaction Type': WORDS[what][0],
      'Amount Type': WORDS[what][1],
      'Purchase Order #': order,
      'Customer Order #': order === '' ? '' : `C-${order}`,
      Amount: written(net_minor, 'USD', '.'),
      'Ship Qty': '1',
      'Partner Item Id': '=SKU+1',
    }),
  )
  return [COLUMNS.map((name) => `"${name}"`).join(','), summary, ...rows].join('\r\n')
}

const any = movements(Object.keys(WORDS) as Movement['what'][])

it('any movements come back from a report as they were', async () => {
  await fc.assert(
    fc.asyncProperty(any, async (all) => {
      const back = await readBack(walmartRecon, report(all))
      expectSame(back, all)
      expect(back.lines.every(({ sku }) => sku === '=SKU+1')).toBe(true)
      expect(back.proof.settlements).toMatchObject([{ external_id: '2026-09-01_2026-09-15' }])
    }),
    { numRuns: 50 },
  )
})

it('finds what went wrong on the way, a swapped currency too', async () => {
  await fc.assert(
    fc.asyncProperty(any, fc.nat(), async (all, at) => {
      await expectFound((damaged) => readBack(walmartRecon, report(damaged, total(all))), all, at)
      const swapped = await readBack(
        walmartRecon,
        report(all, total(all), (row) => (row === at % all.length ? 'CAD' : 'USD')),
      )
      expect(faultKinds(swapped)).toEqual(['currency'])
    }),
    { numRuns: 30 },
  )
})

it('withheld tax nets the tax, and what is unknown is kept', async () => {
  const sale: Movement = { what: 'sale', order: 'A', net_minor: 1_00 }
  const strange = report([sale, sale], 2_00)
    .replace(/"Sale"(?=[^\r]*$)/, '"Moon Phase"')
    .replace(/"Product Price"(?=[^\r]*$)/, '"Glow"')
  const { lines, proof } = await readBack(walmartRecon, strange.replace('"Product Price"', '"Product tax withheld"'))
  expect(lines.map(({ kind }) => kind)).toEqual(['facilitator_tax', 'other'])
  expect(proof.warnings).toMatchObject([{ message: 'unknown kind of amount "Moon Phase / Glow" is kept as other' }])
})

it('needs the summary first, and tells a tail that was cut off', async () => {
  const [head = '', summary = '', ...rows] = report([{ what: 'sale', order: 'A', net_minor: 1_00 }]).split('\r\n')
  const late = await readBack(walmartRecon, [head, ...rows, summary].join('\r\n'))
  expect(late.proof.faults).toMatchObject([{ row: 2, message: 'the row PaymentSummary has to come first' }])
  const cut = await readBack(walmartRecon, [head, summary, ...rows].join('\r\n').slice(0, -60))
  expect(faultKinds(cut)).toEqual(expect.arrayContaining(['unreadable', 'payout_identity']))
})
