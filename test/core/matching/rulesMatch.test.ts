import { describe, expect, it } from 'vitest'
import { causeOf, PART_OF_KIND, type OpenItem } from '../../../src/core/matching/rulesMatch.ts'
import { SETTLEMENT_LINE_KINDS } from '../../../src/core/model/settlement.ts'
import { needsMatch } from '../../../src/core/settlement/rules.ts'

const item = (changes: Partial<OpenItem>): OpenItem => ({
  company_id: 'acme',
  connection_id: 'shop',
  key: 'payment:shop:capture:C1',
  part: 'income',
  order_id: 'o',
  payment_id: 1,
  settlement_id: 's',
  line_ids: [1],
  line_amounts: [1000],
  lines_minor: 1000,
  lines_currency: 'EUR',
  expected_minor: 1000,
  expected_currency: 'EUR',
  matched_amounts: [],
  failed_minor: null,
  partly_sent: false,
  at: '2026-03-01T10:00:00Z',
  ...changes,
})
const NO_LINES = { line_ids: [], line_amounts: [], lines_minor: null, lines_currency: null }
const NOT_EXPECTED = { expected_minor: null, expected_currency: null }
const cause = (changes: Partial<OpenItem>, today = '2026-06-01') => {
  const { cause: name, amount_minor, detail } = causeOf(item(changes), today)
  return [name, amount_minor, detail]
}

describe('why something is open', () => {
  it.each<[string, Partial<OpenItem>, unknown[]]>([
    ['money that never came', NO_LINES, ['missing_in_ledger', -1000, null]],
    [
      'a refund that was never paid',
      { ...NO_LINES, part: 'refund', expected_minor: -300 },
      ['missing_in_ledger', 300, null],
    ],
    ['a line of no order', { ...NOT_EXPECTED, order_id: null }, ['missing_in_orders', 1000, null]],
    ['a refund of no order', { ...NOT_EXPECTED, order_id: null, part: 'refund' }, ['refund_without_order', 1000, null]],
    ['a line of an order that expects nothing', NOT_EXPECTED, ['missing_in_orders', 1000, null]],
    ['a line that came before', { ...NOT_EXPECTED, matched_amounts: [1000] }, ['duplicate', 1000, null]],
    ['a cent', { line_amounts: [1001], lines_minor: 1001 }, ['amount_mismatch', 1, null]],
    ['a sign', { line_amounts: [-1000], lines_minor: -1000 }, ['amount_mismatch', -2000, 'sign_reversed']],
    ['a currency', { lines_currency: 'USD' }, ['currency_mismatch', 1000, null]],
    ['a row that stands there twice', { line_amounts: [400, 400, 600], lines_minor: 1400 }, ['duplicate', 400, null]],
    [
      'half of what was not sent whole',
      { line_amounts: [400], lines_minor: 400, partly_sent: true },
      ['deferred', -600, null],
    ],
    [
      'more than what was not sent whole',
      { line_amounts: [1400], lines_minor: 1400, partly_sent: true },
      ['amount_mismatch', 400, null],
    ],
    [
      'a refund that had failed',
      { ...NOT_EXPECTED, part: 'refund', line_amounts: [-300], lines_minor: -300, failed_minor: 300 },
      ['refund_failed_after_success', -300, null],
    ],
  ])('names %s', (_name, changes, expected) => {
    expect(cause(changes)).toEqual(expected)
  })

  it('waits until the expected day has passed', () => {
    expect(causeOf(item(NO_LINES), '2026-03-15')).toMatchObject({ cause: 'in_transit', expected_on: '2026-03-15' })
    expect(causeOf(item(NO_LINES), '2026-03-16')).toMatchObject({ cause: 'missing_in_ledger', currency: 'EUR' })
    expect(causeOf(item(NO_LINES), '2026-03-16', { settle_days: 30, bank_days: 3 })).toMatchObject({
      cause: 'in_transit',
    })
  })

  it('can finish every line that has to find something', () => {
    const references = { order_external_id: 'A', order_number: null, payment_ids: [] }
    for (const kind of SETTLEMENT_LINE_KINDS)
      expect([kind, needsMatch({ kind, references })]).toEqual([kind, PART_OF_KIND[kind] !== 'none'])
  })
})
