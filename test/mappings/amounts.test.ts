import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decimalFromMinor } from '../../src/core/model/money.ts'
import { parseAmount, parseDate, shownDecimal } from '../../src/mappings/amounts.ts'

it.each([
  ['1,234.50', 'EUR', 'auto', 123_450],
  ['1.234,50', 'EUR', 'auto', 123_450],
  ['1.234', 'EUR', ',', 123_400],
  ['(12.00)', 'USD', '.', -1_200],
  ['12,00-', 'EUR', ',', -1_200],
  ['-€ 5', 'EUR', ',', -500],
  ['€ -5', 'EUR', ',', -500],
  ['\u22123.00', 'EUR', '.', -300],
  ['1\u202f234,5', 'EUR', ',', 123_450],
  ['1’234.50', 'CHF', '.', 123_450],
  ['1,23,456.70', 'INR', '.', 12_345_670],
  ['1,234', 'JPY', 'auto', 1_234],
  ['1.5', 'KWD', 'auto', 1_500],
  ['EUR 12.00', 'EUR', '.', 1_200],
  ['-.5', 'EUR', '.', -50],
  ['12.340', 'EUR', '.', 1_234],
] as const)('%s %s with %s is %i minor units', (text, currency, decimal, minor) => {
  expect(parseAmount(text, currency, { decimal })).toBe(minor)
})

it.each([
  ['', '.'],
  ['-', '.'],
  ['=1+1', '.'],
  ['1,23', '.'],
  ['1.234', 'auto'],
  ['0.125', 'auto'],
  ['1.2.3', 'auto'],
  ['-12.00-', '.'],
  ['(-1)', '.'],
  ['1 2', '.'],
  ['12.00 USD', '.'],
  ['99999999999999999', '.'],
] as const)('"%s" with %s is refused, with its place', (text, decimal) => {
  expect(() => parseAmount(text, 'EUR', { decimal, path: 'amount' })).toThrow(
    expect.objectContaining({ code: 'payload_invalid', path: 'amount' }) as Error,
  )
})

it('every amount written in any way comes back to the unit', () => {
  const group = (whole: string, mark: string): string => whole.replace(/\B(?=(\d{3})+$)/g, mark)
  fc.assert(
    fc.property(
      fc.integer({ min: -1e15, max: 1e15 }),
      fc.constantFrom('EUR', 'JPY', 'KWD'),
      fc.constantFrom(['.', ','], [',', '.'], ['.', ' '], [',', '\u00a0'], ['.', '’']),
      fc.constantFrom('before', 'behind', 'around'),
      (minor, currency, [decimal, mark], sign) => {
        const [whole = '', fraction] = decimalFromMinor(Math.abs(minor), currency).split('.')
        const bare = group(whole, mark ?? '') + (fraction === undefined ? '' : `${decimal}${fraction}`)
        const signed = { before: `-${bare}`, behind: `${bare}-`, around: `(${bare})` }[sign] ?? ''
        const read = parseAmount(minor < 0 ? signed : bare, currency, { decimal: decimal === ',' ? ',' : '.' })
        expect(read).toBe(minor)
      },
    ),
  )
})

it.each([
  ['25,84', ','],
  ['25.84', '.'],
  ['1.234', null],
  ['1,234.5', '.'],
  ['-3,1', ','],
  ['100', null],
  ['1,234,567', null],
] as const)('%s shows the mark %s', (text, mark) => {
  expect(shownDecimal(text)).toBe(mark)
})

it.each([
  ['2026-09-03', 'iso', undefined, '2026-09-03T00:00:00.000Z'],
  ['2026-09-03 10:15:22 UTC', 'mdy', undefined, '2026-09-03T10:15:22.000Z'],
  ['2026/09/03 10:15:22 -0700', 'iso', undefined, '2026-09-03T17:15:22.000Z'],
  ['20260903', 'iso', undefined, '2026-09-03T00:00:00.000Z'],
  ['03.09.2026 10:15', 'dmy', 'Europe/Berlin', '2026-09-03T08:15:00.000Z'],
  ['03.01.2026 10:15 CET', 'dmy', undefined, '2026-01-03T09:15:00.000Z'],
  ['09/03/26', 'mdy', undefined, '2026-09-03T00:00:00.000Z'],
  ['9/3/2026 12:05 AM', 'mdy', '-07:00', '2026-09-03T07:05:00.000Z'],
  ['2026-10-25 02:30', 'iso', 'Europe/Berlin', '2026-10-25T01:30:00.000Z'],
  ['2026-02-29', 'iso', undefined, undefined],
  ['31.04.2026', 'dmy', undefined, undefined],
  ['03.09.2026', 'iso', undefined, undefined],
  ['2026-09-03 25:00', 'iso', undefined, undefined],
  ['2026-09-03 10:15 Moon', 'iso', undefined, undefined],
] as const)('%s (%s, %s) is %s', (text, order, zone, instant) => {
  const read = (): string => parseDate(text, { order, path: 'day', ...(zone === undefined ? {} : { zone }) })
  if (instant === undefined) expect(read).toThrow(expect.objectContaining({ path: 'day' }) as Error)
  else expect(read()).toBe(instant)
})
