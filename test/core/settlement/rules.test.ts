import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Settlement } from '../../../src/core/model/settlement.ts'
import { needsMatch } from '../../../src/core/settlement/rules.ts'
import { provenPayout } from '../../../src/core/settlement/rulesProof.ts'

const NOTHING = { order_external_id: null, order_number: null, payment_ids: [] }
const line = (external_id: string, gross_minor: number, fee_minor: number): Settlement['lines'][number] => ({
  external_id,
  kind: 'sale',
  vendor_type: 'charge',
  at: '2026-03-01T00:00:00Z',
  currency: 'EUR',
  references: NOTHING,
  gross_minor,
  fee_minor,
  net_minor: gross_minor - fee_minor,
})
const payout = (payout_minor: number, lines: Settlement['lines']): Settlement => ({
  external_id: 'po',
  status: 'paid',
  currency: 'EUR',
  payout_minor,
  created_at: '2026-03-01T00:00:00Z',
  arrival_at: null,
  bank_reference: null,
  lines,
})

const kindsOf = (settlement: Settlement): string[] => provenPayout(settlement).faults.map(({ kind }) => kind)

describe('provenPayout', () => {
  it('adds the lines up and says what they leave open', () => {
    expect(provenPayout(payout(1900, [line('a', 1000, 30), line('b', 1000, 30), line('c', -10, 0)]))).toMatchObject({
      gross_minor: 1990,
      fee_minor: 60,
      sum_minor: 1930,
      difference_minor: -30,
      faults: [{ kind: 'payout_identity', difference_minor: -30 }],
    })
  })

  it('names lines that contradict themselves', () => {
    expect(kindsOf(payout(6, [line('a', 1, 0), { ...line('b', 5, 1), net_minor: 5 }]))).toEqual(['line_identity'])
    expect(kindsOf(payout(1, [{ ...line('a', 1, 0), currency: 'USD' }]))).toEqual(['currency'])
    expect(kindsOf(payout(2, [line('a', 1, 0), line('a', 1, 0)]))).toEqual(['duplicate_line'])
    const large = payout(Number.MAX_SAFE_INTEGER + 2, [line('a', Number.MAX_SAFE_INTEGER, 0), line('b', 2, 0)])
    expect(kindsOf(large)).toContain('too_large')
  })

  it('keeps both identities for any amounts', () => {
    const amount = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 })
    fc.assert(
      fc.property(amount, fc.array(fc.tuple(amount, amount)), (paid, pairs) => {
        const lines = pairs.map(([gross, fee], index) => line(String(index), gross, fee))
        const { gross_minor, fee_minor, sum_minor, difference_minor } = provenPayout(payout(paid, lines))
        expect(sum_minor).toBe(gross_minor - fee_minor)
        expect(sum_minor + difference_minor).toBe(paid)
      }),
    )
  })
})

describe('needsMatch', () => {
  it('looks for an order only where there can be one', () => {
    expect(needsMatch({ kind: 'sale', references: NOTHING })).toBe(true)
    expect(needsMatch({ kind: 'refund', references: NOTHING })).toBe(true)
    for (const kind of ['fee', 'transfer', 'adjustment', 'reserve_hold', 'reserve_release'] as const) {
      expect(needsMatch({ kind, references: { ...NOTHING, payment_ids: ['x'] } })).toBe(false)
    }
    expect(needsMatch({ kind: 'other', references: NOTHING })).toBe(false)
    expect(needsMatch({ kind: 'other', references: { ...NOTHING, order_number: '7' } })).toBe(true)
  })
})
