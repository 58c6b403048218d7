import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstExpiredFirstOut,
  lotsAfter,
  quarantinePlan,
  type Lot,
  type LotMove,
} from '../../../src/core/inventory/rulesLots.ts'

const lot = (name: string, quantity: number, change: Partial<Lot> = {}): Lot => ({
  lot: name,
  expires_on: null,
  quantity,
  quarantined: 0,
  too_old: false,
  ...change,
})

const date = fc.integer({ min: 1, max: 28 }).map((day) => `2026-06-${String(day).padStart(2, '0')}`)
const lots = fc
  .uniqueArray(
    fc.record({
      lot: fc.constantFrom('', 'A', 'B', 'C', 'D', 'E'),
      expires_on: fc.option(date, { nil: null }),
      quantity: fc.integer({ min: 0, max: 20 }),
      share: fc.integer({ min: 0, max: 100 }),
    }),
    { selector: (one) => one.lot, maxLength: 6 },
  )
  .map((rows) =>
    rows.map(({ share, ...row }): Lot => ({
      ...row,
      quarantined: Math.floor((row.quantity * share) / 100),
      too_old: row.expires_on !== null && row.expires_on < '2026-06-08',
    })),
  )
const place = fc.constantFrom('outside', 'shelf', 'quality_control')
const move = fc
  .record({
    from: place,
    to: place,
    quantity: fc.integer({ min: 1, max: 15 }),
    lot: fc.option(fc.constantFrom('A', 'B', 'Z'), { nil: null }),
    expires_on: fc.option(date, { nil: null }),
  })
  .filter(({ from, to }) => from !== to || from === 'shelf') as fc.Arbitrary<LotMove>

const units = (all: readonly Lot[]): number => all.reduce((sum, one) => sum + one.quantity, 0)

describe('first expired, first out', () => {
  it('takes the earliest date first, what has none later, what nobody named last, the too old after all', () => {
    const all = [
      lot('', 5),
      lot('B', 5, { expires_on: '2026-06-20' }),
      lot('N', 5),
      lot('A', 5, { expires_on: '2026-06-10' }),
      lot('OLD', 5, { expires_on: '2026-06-01', too_old: true }),
    ]
    expect(firstExpiredFirstOut(all, 23)).toEqual([
      { lot: 'A', quantity: 5 },
      { lot: 'B', quantity: 5 },
      { lot: 'N', quantity: 5 },
      { lot: '', quantity: 5 },
      { lot: 'OLD', quantity: 3 },
    ])
  })

  it('gives all that is asked for as far as there is any, and skips no earlier lot', () => {
    fc.assert(
      fc.property(lots, fc.integer({ min: 1, max: 120 }), (all, quantity) => {
        const shares = firstExpiredFirstOut(all, quantity)
        const given = new Map(shares.map((share) => [share.lot, share.quantity]))
        expect(shares.reduce((sum, share) => sum + share.quantity, 0)).toBe(Math.min(quantity, units(all)))
        for (const one of all) {
          expect(given.get(one.lot) ?? 0).toBeLessThanOrEqual(one.quantity)
          if ((given.get(one.lot) ?? 0) === 0) continue
          const passedOver = all.filter(
            (other) =>
              other.too_old === one.too_old &&
              other.lot !== '' &&
              other.expires_on !== null &&
              other.expires_on < (one.expires_on ?? '9999') &&
              (given.get(other.lot) ?? 0) < other.quantity,
          )
          expect(passedOver).toEqual([])
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('lots after movements', () => {
  it('keep their sum in step with the counter, and never know of more in quality control than are there', () => {
    fc.assert(
      fc.property(lots, fc.array(move, { maxLength: 8 }), fc.nat(60), (all, wanted, spare) => {
        const into = wanted.filter((one) => one.from === 'outside').reduce((sum, one) => sum + one.quantity, 0)
        // The counters would have refused to take out more than there is.
        let left = units(all) + into
        const moves = wanted.filter((one) => one.to !== 'outside' || (left -= one.quantity) >= 0)
        const out = moves.filter((one) => one.to === 'outside').reduce((sum, one) => sum + one.quantity, 0)
        const after = lotsAfter(all, moves, spare)
        expect(units(after)).toBe(units(all) + into - out)
        for (const one of after) {
          expect(one.quarantined).toBeGreaterThanOrEqual(0)
          expect(one.quarantined).toBeLessThanOrEqual(one.quantity)
        }
        expect(after.reduce((sum, one) => sum + one.quarantined, 0)).toBeLessThanOrEqual(spare)
        expect(after.map((one) => one.lot)).toEqual(expect.arrayContaining(all.map((one) => one.lot)))
      }),
      { numRuns: 500 },
    )
  })

  it('take a named lot before any other, and the rest by date', () => {
    const all = [lot('A', 3, { expires_on: '2026-06-10' }), lot('B', 2, { expires_on: '2026-06-20' }), lot('', 4)]
    const gone: LotMove = { from: 'shelf', to: 'outside', quantity: 4, lot: 'B', expires_on: null }
    expect(lotsAfter(all, [gone], 0).map((one) => [one.lot, one.quantity])).toEqual([['A', 1], ['B', 0], ['', 4]]) // prettier-ignore
  })

  it('keep the earlier of two dates', () => {
    const all = [lot('A', 3, { expires_on: '2026-06-10' })]
    const come = (expires_on: string): LotMove => ({ from: 'outside', to: 'shelf', quantity: 1, lot: 'A', expires_on })
    expect(lotsAfter(all, [come('2026-06-12')], 0)[0]?.expires_on).toBe('2026-06-10')
    expect(lotsAfter(all, [come('2026-06-08')], 0)[0]?.expires_on).toBe('2026-06-08')
  })
})

describe('lots that are too old', () => {
  it('leave sale as far as nobody was promised them', () => {
    fc.assert(
      fc.property(lots, fc.integer({ min: 0, max: 100 }), (all, percent) => {
        const shelf = all.reduce((sum, one) => sum + one.quantity - one.quarantined, 0)
        const committed = Math.floor((shelf * percent) / 100)
        const stock = { available: shelf - committed, safety_stock: 0, reserved: 0, committed }
        const { moves, promised } = quarantinePlan(all, stock)
        const moved = moves.reduce((sum, one) => sum + one.quantity, 0)
        const old = all.filter((one) => one.too_old).reduce((sum, one) => sum + one.quantity - one.quarantined, 0)
        expect(moved).toBe(Math.min(old, stock.available))
        expect(promised).toBe(old - moved)
      }),
      { numRuns: 500 },
    )
  })
})
