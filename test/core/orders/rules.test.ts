import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareVersions, diffLines, fulfillmentStateOf, judgePicture, lifecycleOf, paymentStateOf, reservationStateOf, soldUnits, stockUnits,
  type LinkedPayment, type PictureVersion,
} from '../../../src/core/orders/rules.ts' // prettier-ignore

const versionArb: fc.Arbitrary<PictureVersion> = fc.record({
  updated_at_ms: fc.integer({ min: 0, max: 3 }),
  observed_at_ms: fc.integer({ min: 0, max: 3 }),
  content: fc.constantFrom('a', 'b', 'c'),
})

describe('versions', () => {
  test('are totally ordered, so any order of arrival keeps the same picture', () => {
    fc.assert(
      fc.property(
        fc
          .array(versionArb, { minLength: 1, maxLength: 6 })
          .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          const keep = (versions: readonly PictureVersion[]): PictureVersion | null =>
            versions.reduce<PictureVersion | null>(
              (kept, next) => (['apply', 'confirm'].includes(judgePicture(kept, next)) ? next : kept),
              null,
            )
          expect(keep(shuffled)).toEqual(keep(all))
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('compare by update, then by observation, then by content', () => {
    const at = (updated_at_ms: number, observed_at_ms: number, content: string) => ({
      updated_at_ms,
      observed_at_ms,
      content,
    })
    expect(compareVersions(at(2, 1, 'a'), at(1, 9, 'z'))).toBeGreaterThan(0)
    expect(compareVersions(at(1, 1, 'z'), at(1, 2, 'a'))).toBeLessThan(0)
    expect(compareVersions(at(1, 1, 'b'), at(1, 1, 'a'))).toBeGreaterThan(0)
    expect(judgePicture(at(1, 5, 'a'), at(1, 5, 'a'))).toBe('same')
    expect(judgePicture(at(1, 5, 'a'), at(1, 6, 'a'))).toBe('confirm')
    expect(judgePicture(at(1, 5, 'a'), at(1, 4, 'b'))).toBe('older')
  })
})

describe('lifecycle', () => {
  const open = { lifecycle: 'open' as const, updated_at_ms: 5, observed_at_ms: 5 }
  test.each([
    [null, null, 'open'],
    [null, { updated_at_ms: 1, observed_at_ms: 1 }, 'cancelled'],
    [open, { updated_at_ms: 4, observed_at_ms: 9 }, 'open'],
    [open, { updated_at_ms: 5, observed_at_ms: 5 }, 'cancelled'],
    [open, { updated_at_ms: 5, observed_at_ms: 6 }, 'cancelled'],
  ])('%j with a cancellation at %j is %s', (picture, tombstone, lifecycle) => {
    expect(lifecycleOf(picture, tombstone)).toBe(lifecycle)
  })

  test('decides what takes stock, and what the channel has sold', () => {
    const line = { quantity: 5, cancelled_quantity: 2, requires_shipping: true }
    expect(stockUnits({ lifecycle: 'open', is_test: false }, line)).toBe(3)
    expect(stockUnits({ lifecycle: 'open', is_test: true }, line)).toBe(0)
    expect(stockUnits({ lifecycle: 'closed', is_test: false }, line)).toBe(0)
    expect(stockUnits({ lifecycle: 'open', is_test: false }, { ...line, requires_shipping: false })).toBe(0)
    expect(stockUnits({ lifecycle: 'open', is_test: false }, { ...line, cancelled_quantity: 9 })).toBe(0)
    expect(soldUnits({ lifecycle: 'closed' }, line)).toBe(3)
    expect(soldUnits({ lifecycle: 'cancelled' }, line)).toBe(0)
  })
})

describe('payment axis', () => {
  const pay = (kind: LinkedPayment['kind'], amount_minor: number, connection_id = 'bank'): LinkedPayment => ({
    kind,
    amount_minor,
    connection_id,
  })
  test.each([
    ['pending', [], 'pending'],
    ['pending', [pay('authorization', 1000)], 'authorized'],
    ['pending', [pay('authorization', 999)], 'pending'],
    ['pending', [pay('capture', 400)], 'partially_paid'],
    ['authorized', [pay('capture', 400), pay('capture', 600)], 'paid'],
    ['pending', [pay('capture', 500, 'bank'), pay('capture', 500, 'shop')], 'partially_paid'],
    ['paid', [pay('refund', 300)], 'partially_refunded'],
    ['paid', [pay('refund', 500, 'bank'), pay('refund', 500, 'shop')], 'partially_refunded'],
    ['paid', [pay('refund', 1000)], 'refunded'],
    ['refunded', [pay('refund', 300)], 'refunded'],
    ['pending', [pay('capture', 1000), pay('refund', 1000)], 'refunded'],
    ['voided', [pay('capture', 1000)], 'voided'],
    ['paid', [pay('dispute', 1000)], 'paid'],
  ] as const)('a picture that says %s with %j is %s', (picture, payments, state) => {
    expect(paymentStateOf(picture, 1000, payments)).toBe(state)
  })
})

describe('other axes', () => {
  const none = { held: 0, committed: 0, consumed: 0, shortfall: 0, expired: 0 }
  test.each([
    [none, 'open', 'none'],
    [none, 'cancelled', 'released'],
    [{ ...none, expired: 1 }, 'open', 'released'],
    [{ ...none, held: 1 }, 'open', 'held'],
    [{ ...none, committed: 1, consumed: 1 }, 'open', 'committed'],
    [{ ...none, consumed: 1 }, 'closed', 'consumed'],
    [{ ...none, shortfall: 1 }, 'open', 'shortfall'],
    [{ ...none, shortfall: 1, consumed: 1 }, 'open', 'partial'],
  ] as const)('units %j of an order that is %s are %s', (units, lifecycle, state) => {
    expect(reservationStateOf(units, lifecycle)).toBe(state)
  })

  const goods = { quantity: 3, cancelled_quantity: 1, requires_shipping: true }
  test.each([
    [[], 'not_needed'],
    [[{ ...goods, shipped_quantity: 0, requires_shipping: false }], 'not_needed'],
    [[{ ...goods, shipped_quantity: 0 }], 'unfulfilled'],
    [[{ ...goods, shipped_quantity: 1 }], 'partial'],
    [[{ ...goods, shipped_quantity: 2 }], 'fulfilled'],
    [
      [
        { ...goods, shipped_quantity: 2 },
        { ...goods, shipped_quantity: 0 },
      ],
      'partial',
    ],
  ] as const)('lines %j are %s', (lines, state) => {
    expect(fulfillmentStateOf(lines)).toBe(state)
  })

  test('lines that a newer picture does not show are removed once', () => {
    const line = (external_id: string, quantity: number) => ({ external_id, quantity })
    const diff = diffLines([line('a', 1), line('b', 2), line('c', 0)], [line('a', 5), line('d', 1)])
    expect(diff.added).toEqual([line('d', 1)])
    expect(diff.kept).toEqual([{ known: line('a', 1), shown: line('a', 5) }])
    expect(diff.removed).toEqual([line('b', 2)])
  })
})
