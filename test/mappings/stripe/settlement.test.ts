import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HubError } from '../../../src/core/errors.ts'
import type { Settlement } from '../../../src/core/model/settlement.ts'
import { stripeSettlement } from '../../../src/mappings/stripe/settlement.ts'
import { chargeSample, payoutSample, refundSample, rowSample } from './samples.ts'

const context = { observed_at: '2025-11-21T08:00:00.000Z', settings: {} }

function settle(payload: unknown): { settlement: Settlement; warnings: string[] } {
  const { facts, warnings } = stripeSettlement.map(payload, context)
  expect(facts).toHaveLength(1)
  return { settlement: facts[0]?.document as Settlement, warnings }
}

function faultOf(payload: unknown): HubError {
  try {
    stripeSettlement.map(payload, context)
  } catch (thrown) {
    return thrown as HubError
  }
  throw new Error('nothing was thrown')
}

const ownRow = (amount: number) =>
  rowSample({ id: 'txn_own', amount: -amount, fee: 0, type: 'payout', reporting_category: 'payout', source: 'po_1' })

describe('a Stripe settlement', () => {
  it('is a payout with its rows, without the payout itself', () => {
    const balance_transactions = [
      ownRow(963),
      rowSample({
        id: 'txn_2',
        amount: -714,
        fee: 0,
        type: 'refund',
        reporting_category: 'refund',
        source: refundSample(),
      }),
      rowSample({
        id: 'txn_3',
        amount: -1500,
        fee: 500,
        type: 'adjustment',
        reporting_category: 'dispute',
        source: 'dp_1',
      }),
      rowSample({ id: 'txn_1', amount: 3711, fee: 34, source: chargeSample() }),
    ]
    const { settlement, warnings } = settle({ payout: payoutSample({ amount: 963 }), balance_transactions })
    expect(warnings).toEqual([])
    expect(settlement).toEqual({
      external_id: 'po_1',
      status: 'paid',
      currency: 'EUR',
      payout_minor: 963,
      created_at: '2025-11-21T08:00:00.000Z',
      arrival_at: '2025-11-22T08:00:00.000Z',
      bank_reference: 'BANK-1',
      lines: [
        {
          external_id: 'txn_2',
          kind: 'refund',
          vendor_type: 'refund',
          at: '2025-11-20T08:00:00.000Z',
          currency: 'EUR',
          gross_minor: -714,
          fee_minor: 0,
          net_minor: -714,
          references: { order_external_id: null, order_number: null, payment_ids: ['re_1', 'ch_1', 'pi_1'] },
        },
        expect.objectContaining({
          kind: 'dispute',
          vendor_type: 'adjustment:dispute',
          gross_minor: -1500,
          fee_minor: 500,
          net_minor: -2000,
          references: { order_external_id: null, order_number: null, payment_ids: ['dp_1'] },
        }),
        expect.objectContaining({
          kind: 'sale',
          net_minor: 3677,
          references: { order_external_id: '4711', order_number: 'SHOP-4711', payment_ids: ['ch_1', 'pi_1'] },
        }),
      ],
    })
  })

  it.each([
    ['payment', 'payment', 100, 'sale'],
    ['charge', 'partial_capture_reversal', -100, 'sale'],
    ['stripe_fee', 'fee', -100, 'fee'],
    ['tax_fee', 'tax', -100, 'fee'],
    ['adjustment', 'dispute_reversal', 100, 'dispute'],
    ['adjustment', 'other_adjustment', 100, 'adjustment'],
    ['refund_failure', 'refund_failure', 100, 'refund'],
    ['reserved_funds', 'risk_reserved_funds', -100, 'reserve_hold'],
    ['reserved_funds', 'risk_reserved_funds', 100, 'reserve_release'],
    ['payout_minimum_balance_hold', 'payout_minimum_balance_hold', -100, 'carry_over'],
    ['anticipation_repayment', 'anticipation_repayment', -100, 'loan'],
    ['payout_failure', 'payout_reversal', 100, 'transfer'],
  ])('books %s/%s of %i as %s', (type, reporting_category, amount, kind) => {
    const row = rowSample({ amount, fee: 0, type, reporting_category, source: null })
    const { settlement, warnings } = settle({ payout: payoutSample({ amount }), balance_transactions: [row] })
    expect(warnings).toEqual([])
    expect(settlement.lines.map((line) => line.kind)).toEqual([kind])
  })

  it('keeps a row of a type it does not know as other, and says so', () => {
    const row = rowSample({ amount: 100, fee: 0, type: 'moon_rent', reporting_category: 'moon_rent' })
    const { settlement, warnings } = settle({ payout: payoutSample({ amount: 100 }), balance_transactions: [row] })
    expect(settlement.lines).toMatchObject([{ kind: 'other', vendor_type: 'moon_rent' }])
    expect(warnings).toEqual([expect.stringContaining('moon_rent')])
  })

  it('counts a failed earlier payout that comes back as a row, because only its own row is the payout', () => {
    const back = rowSample({
      id: 'txn_9',
      amount: 500,
      fee: 0,
      type: 'payout_failure',
      reporting_category: 'payout_reversal',
      source: 'po_0',
    })
    const { settlement, warnings } = settle({
      payout: payoutSample({ amount: 500 }),
      balance_transactions: [ownRow(500), back],
    })
    expect(settlement.lines).toMatchObject([{ kind: 'transfer', net_minor: 500 }])
    expect(warnings).toEqual([])
  })

  it('writes true minor units where the vendor has its own', () => {
    const row = rowSample({ amount: 50_000, fee: 1_000, currency: 'isk' })
    const { settlement } = settle({
      payout: payoutSample({ amount: 49_000, currency: 'isk' }),
      balance_transactions: [row],
    })
    expect(settlement).toMatchObject({
      currency: 'ISK',
      payout_minor: 490,
      lines: [{ gross_minor: 500, fee_minor: 10, net_minor: 490 }],
    })
  })

  it.each([
    ['pending', 'pending'],
    ['in_transit', 'in_transit'],
    ['failed', 'failed'],
    ['canceled', 'cancelled'],
  ])('a payout that is %s is %s', (given, status) => {
    expect(settle({ payout: payoutSample({ status: given }), balance_transactions: [] }).settlement.status).toBe(status)
  })

  it('refuses a payout with a row in another currency', () => {
    const balance_transactions = [
      rowSample({ amount: 5, fee: 0 }),
      rowSample({ id: 'txn_7', amount: 5, fee: 0, currency: 'usd' }),
    ]
    const fault = faultOf({ payout: payoutSample(), balance_transactions })
    expect(fault).toMatchObject({ code: 'payload_invalid', path: '$.balance_transactions[1].currency' })
    expect(fault.message).toContain('txn_7')
  })

  // Charges, partial refunds and free fees; then the same payout with one cent moved somewhere.
  const money = fc.integer({ min: 1, max: 5_000_000 })
  const deed = fc.record({
    amount: money,
    fee: fc.integer({ min: 0, max: 100_000 }),
    refunded: money,
    refund: fc.boolean(),
  })
  const deeds = fc.array(deed, { minLength: 1, maxLength: 40 })

  function payoutOf(list: readonly { amount: number; fee: number; refunded: number; refund: boolean }[]) {
    const rows = list.flatMap((each, index) => [
      rowSample({ id: `txn_c${index}`, amount: each.amount, fee: each.fee, source: `ch_${index}` }),
      ...(each.refund
        ? [
            rowSample({
              id: `txn_r${index}`,
              amount: -Math.min(each.amount, each.refunded),
              fee: 0,
              type: 'refund',
              reporting_category: 'refund',
              source: `re_${index}`,
            }),
          ]
        : []),
    ])
    const amount = rows.reduce((total, row) => total + Number(row['net']), 0)
    return { payout: payoutSample({ amount }), balance_transactions: [...rows, ownRow(amount)] }
  }

  it('adds up to the payout, whatever was charged, taken as a fee and given back', () => {
    fc.assert(
      fc.property(deeds, (list) => {
        const { settlement, warnings } = settle(payoutOf(list))
        expect(warnings).toEqual([])
        expect(settlement.lines.reduce((total, line) => total + line.net_minor, 0)).toBe(settlement.payout_minor)
        expect(settlement.lines.every((line) => line.net_minor === line.gross_minor - line.fee_minor)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it('finds a single altered cent, wherever it is', () => {
    const place = fc.constantFrom('amount', 'fee', 'net', 'payout', 'amount and net')
    fc.assert(
      fc.property(deeds, fc.nat(), place, fc.constantFrom(-1, 1), (list, at, where, by) => {
        const payload = payoutOf(list)
        const rows = payload.balance_transactions.slice(0, -1)
        const index = at % rows.length
        const fields = where === 'payout' ? [] : where.split(' and ')
        for (const field of fields) rows[index]![field] = Number(rows[index]![field]) + by
        if (where === 'payout') payload.payout['amount'] = Number(payload.payout['amount']) + by
        if (where === 'payout' || where === 'amount and net') {
          expect(settle(payload).warnings).toEqual([expect.stringContaining('rows sum to')])
        } else {
          const fault = faultOf(payload)
          expect(fault).toMatchObject({ code: 'payload_invalid', path: `$.balance_transactions[${index}].net` })
          expect(fault.message).toContain(String(rows[index]!['id']))
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('what a row says besides its sums', () => {
  const settleRows = (...rows: Record<string, unknown>[]) => {
    const amount = rows.reduce((total, row) => total + Number(row['net']), 0)
    return settle({ payout: payoutSample({ amount }), balance_transactions: rows })
  }

  it('tax on the fee and the share of a platform are lines of their own, and the sums stay', () => {
    const fee_details = [
      { amount: 6, currency: 'eur', type: 'tax' },
      { amount: 30, currency: 'eur', type: 'stripe_fee' },
      { amount: 100, currency: 'eur', type: 'application_fee' },
    ]
    const { settlement, warnings } = settleRows(rowSample({ id: 'txn_8', amount: 5_000, fee: 136, fee_details }))
    expect(warnings).toEqual([])
    const shown = settlement.lines.map((line) => [
      line.external_id,
      line.kind,
      line.gross_minor,
      line.fee_minor,
      line.fee_type,
    ])
    expect(shown).toEqual([
      ['txn_8', 'sale', 5_000, 30, 'payment'],
      ['txn_8:tax_on_fee', 'fee', 0, 6, 'tax_on_fee'],
      ['txn_8:other', 'fee', 0, 100, 'other'],
    ])
  })

  it('details that do not come to the fee are left, with a warning', () => {
    const fee_details = [{ amount: 6, currency: 'eur', type: 'tax' }]
    const { settlement, warnings } = settleRows(rowSample({ amount: 5_000, fee: 136, fee_details }))
    expect([settlement.lines.length, settlement.lines[0]!.fee_minor]).toEqual([1, 136])
    expect(warnings).toHaveLength(1)
  })

  it('a row that is a fee has nothing gross; one that gives back is a fee returned', () => {
    const { settlement } = settleRows(
      rowSample({ id: 'txn_f', amount: -200, fee: 0, type: 'stripe_fx_fee', reporting_category: 'fee' }),
      rowSample({ id: 'txn_b', amount: 50, fee: 0, type: 'stripe_fee', reporting_category: 'fee' }),
    )
    expect(settlement.lines).toMatchObject([
      { kind: 'fee', fee_type: 'fx', gross_minor: 0, fee_minor: 200, net_minor: -200 },
      { kind: 'fee_returned', gross_minor: 0, fee_minor: -50, net_minor: 50 },
    ])
  })

  it('what the buyer paid in another currency is kept with its rate, and an amount that does not fit is said', () => {
    const charge = (amount: number) => ({ id: 'ch_1', amount, currency: 'usd' })
    const row = rowSample({ amount: 1_234, fee: 0, exchange_rate: 1.234, source: charge(1_000) })
    const { settlement, warnings } = settleRows(row)
    expect(settlement.lines[0]!.fx).toEqual({ currency: 'USD', original_minor: 1_000, rate: '1.234' })
    expect(warnings).toEqual([])
    expect(settleRows({ ...row, source: charge(1_002) }).warnings).toEqual([expect.stringContaining('at its rate')])
    const back = rowSample({
      amount: -617,
      fee: 0,
      exchange_rate: 1.234,
      type: 'refund',
      reporting_category: 'refund',
      source: charge(500),
    })
    expect(settleRows(back).settlement.lines[0]!.fx).toMatchObject({ original_minor: -500 })
  })

  it('a manual payout is shown as paid out of the balance', () => {
    const payout = payoutSample({ amount: 700, automatic: false, reconciliation_status: 'not_applicable' })
    const { settlement, warnings } = settle({ payout, balance_transactions: [] })
    expect(settlement.lines).toMatchObject([{ kind: 'carry_over', vendor_type: 'payout:manual', net_minor: 700 }])
    expect(warnings).toEqual([])
  })
})
