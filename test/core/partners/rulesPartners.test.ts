import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerLine, sayTheSame, verdictOf, type PartUnits } from '../../../src/core/partners/rulesAnswer.ts'
import { chargeShipment, type Sold } from '../../../src/core/partners/rulesInvoice.ts'

const part = (promised: number, missing = 0, per_unit = 1, consumed = 0): PartUnits => ({
  per_unit,
  promised,
  consumed,
  missing,
})
const line = (wanted: number, parts: PartUnits[], ordered = wanted) =>
  answerLine({
    line_external_id: '1',
    channel_sku: 'A',
    ordered,
    wanted,
    unit_price_minor: 100,
    parts,
    expected_at: '2026-03-09T00:00:00.000Z',
  })

describe('what a buyer is told of a line', () => {
  it.each([
    ['everything is promised', line(5, [part(5)]), { accepted: 5, backordered: 0, expected_at: null }],
    ['some follows', line(5, [part(3, 2)]), { accepted: 3, backordered: 2, expected_at: '2026-03-09T00:00:00.000Z' }],
    ['shipped units count', line(5, [part(2, 0, 1, 3)]), { accepted: 5, backordered: 0 }],
    ['a kit is as good as its scarcest part', line(4, [part(8, 0, 2), part(3, 1)]), { accepted: 3, backordered: 1 }],
    ['nobody knows the article', line(4, []), { accepted: 0, backordered: 0 }],
    ['what was cancelled is not accepted', line(2, [part(5)], 5), { ordered: 5, accepted: 2, backordered: 0 }],
  ])('%s', (_name, answer, expected) => {
    expect(answer).toMatchObject(expected)
  })

  it('comes to one verdict for the order', () => {
    const [all, some, none] = [line(5, [part(5)]), line(5, [part(3, 2)]), line(5, [])]
    expect([[all], [all, some], [none], [all, none]].map(verdictOf)).toEqual([
      'accepted',
      'changed',
      'rejected',
      'changed',
    ])
  })

  it('is said again only when it says something else', () => {
    const [a, b] = [line(5, [part(3, 2)]), { ...line(5, [part(5)]), line_external_id: '2' }]
    expect(sayTheSame([a, b], [b, a])).toBe(true)
    expect(sayTheSame([a], [{ ...a, expected_at: '2026-03-09T17:00:00.000Z' }])).toBe(true)
    expect(sayTheSame([a], [{ ...a, expected_at: '2026-03-10T00:00:00.000Z' }])).toBe(false)
    expect(sayTheSame([a], [line(5, [part(4, 1)])])).toBe(false)
  })
})

describe('what a shipment is charged', () => {
  const amount = fc.integer({ min: 0, max: 1_000_000 })
  const sold = fc.record({
    shipping_minor: amount,
    lines: fc.array(
      fc.record({
        quantity: fc.integer({ min: 1, max: 50 }),
        net_minor: amount,
        tax_minor: amount,
        cuts: fc.array(fc.nat(49), { maxLength: 4 }),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  })

  it('comes to the order to the minor unit, however it is split', () => {
    fc.assert(
      fc.property(sold, ({ shipping_minor, lines }) => {
        const known = lines.map((one, index) => ({
          line_external_id: `L${index}`, channel_sku: `S${index}`, title: null, quantity: one.quantity,
          unit_price_minor: Math.ceil(one.net_minor / one.quantity), net_minor: one.net_minor, tax_minor: one.tax_minor, invoiced: { quantity: 0, amount_minor: 0 },
        })) // prettier-ignore
        const state: Sold = { lines: known, shipping_minor, invoiced: { shipping_minor: 0, tax_minor: 0 } }
        let [total, tax, shipping] = [0, 0, 0]
        for (let parcel = 0; parcel < 6; parcel += 1) {
          const units = new Map(
            known.map((one, index) => {
              const left = one.quantity - one.invoiced.quantity
              return [one.line_external_id, parcel === 5 ? left : Math.min(left, lines[index]?.cuts[parcel] ?? 0)]
            }),
          )
          if ([...units.values()].every((count) => count === 0)) continue
          const charged = chargeShipment({ ...state, invoiced: { shipping_minor: shipping, tax_minor: tax } }, units)
          expect(
            charged.lines.reduce((sum, one) => sum + one.amount_minor, 0) + charged.shipping_minor + charged.tax_minor,
          ).toBe(charged.total_minor)
          for (const one of charged.lines) {
            expect(one.unit_price_minor * one.quantity).toBeGreaterThanOrEqual(one.amount_minor)
            const own = known.find(({ line_external_id }) => line_external_id === one.line_external_id)
            if (own === undefined) continue
            own.invoiced = {
              quantity: own.invoiced.quantity + one.quantity,
              amount_minor: own.invoiced.amount_minor + one.amount_minor,
            }
          }
          total += charged.total_minor
          tax += charged.tax_minor
          shipping += charged.shipping_minor
        }
        const due = shipping_minor + lines.reduce((sum, one) => sum + one.net_minor + one.tax_minor, 0)
        expect([total, shipping]).toEqual([due, shipping_minor])
      }),
      { numRuns: 300 },
    )
  })
})
