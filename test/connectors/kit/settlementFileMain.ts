import { readSettlementFile } from '../../../src/connectors/_kit/settlementFile.ts'
import { settlementTotals } from '../../../src/core/settlement/rulesProof.ts'
import { amazonSettlementV2 } from '../../../src/mappings/amazon/settlementV2.ts'

/** Reads a settlement report of so many rows, made while it is read, and prints what came of it: run with a small heap. */

const ROWS = Number(process.argv[2])
const HEADINGS =
  'settlement-id settlement-start-date settlement-end-date deposit-date total-amount currency transaction-type order-id merchant-order-id adjustment-id shipment-id marketplace-name amount-type amount-description amount fulfillment-id posted-date posted-date-time order-item-code merchant-order-item-id merchant-adjustment-item-id sku quantity-purchased'.split(
    ' ',
  )

const rowOf = (cells: Record<string, string>): string => `${HEADINGS.map((name) => cells[name] ?? '').join('\t')}\n`

async function* report(): AsyncGenerator<Buffer> {
  const total = String(ROWS)
  yield Buffer.from(`${HEADINGS.join('\t')}\n`)
  const dates = { 'settlement-end-date': '2026-09-15 00:00:00 UTC', 'deposit-date': '2026-09-17 00:00:00 UTC' }
  yield Buffer.from(rowOf({ 'settlement-id': '1', ...dates, 'total-amount': `${total}.00`, currency: 'EUR' }))
  for (let at = 0; at < ROWS; at += 100) {
    const rows = Array.from({ length: 100 }, (_, index) =>
      rowOf({
        'settlement-id': '1',
        'transaction-type': 'Order',
        'order-id': `333-${at + index}-0000001`,
        'shipment-id': `D${at + index}`,
        'marketplace-name': 'Amazon.com',
        'amount-type': 'ItemPrice',
        'amount-description': 'Principal',
        amount: '1.00',
        'posted-date-time': '2026-09-03 10:15:22 UTC',
        sku: `SKU-${(at + index) % 1000}`,
      }),
    )
    yield Buffer.from(rows.join(''))
  }
}

const totals = settlementTotals()
const batches: number[] = []
await readSettlementFile(
  report,
  { label: 'Amazon', formats: [amazonSettlementV2], settings: {} },
  {
    ...totals,
    batch: (lines) => {
      batches.push(lines.length)
      return Promise.resolve()
    },
  },
)
const { settlements, faults_count } = totals.result()
process.stdout.write(
  JSON.stringify({
    lines: settlements[0]?.lines,
    batches: batches.length,
    largest: Math.max(...batches),
    difference_minor: settlements[0]?.difference_minor,
    faults: faults_count,
  }),
)
