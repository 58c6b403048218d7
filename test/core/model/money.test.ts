import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import { currencyExponent, decimalFromMinor, minorFromDecimal } from '../../../src/core/model/money.ts'

const currencyArb = fc.constantFrom('EUR', 'USD', 'JPY', 'KWD', 'CLF', 'ISK', 'XYZ')
const minorArb = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -200, max: 200 }))

describe('money', () => {
  test('minor units survive the way to decimal text and back, in every currency', () => {
    fc.assert(
      fc.property(minorArb, currencyArb, (minor, currency) => {
        expect(minorFromDecimal(decimalFromMinor(minor, currency), currency)).toBe(minor === 0 ? 0 : minor)
      }),
      { numRuns: 5000 },
    )
  })

  test('reads text exactly: sums of cents are sums of integers', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 99_999_999 }), { maxLength: 50 }), (cents) => {
        const texts = cents.map((cent) => `${Math.floor(cent / 100)}.${String(cent % 100).padStart(2, '0')}`)
        const sum = texts.reduce((total, text) => total + minorFromDecimal(text, 'EUR'), 0)
        expect(sum).toBe(cents.reduce((total, cent) => total + cent, 0))
      }),
    )
  })

  test.each([
    ['0.1', 'EUR', 10],
    ['-12.34', 'EUR', -1234],
    ['+12', 'EUR', 1200],
    ['12.', 'EUR', 1200],
    ['12.340000', 'EUR', 1234],
    ['1200', 'JPY', 1200],
    ['1200.00', 'JPY', 1200],
    ['1.234', 'KWD', 1234],
    [' 7.5 ', 'USD', 750],
    ['90071992547409.91', 'EUR', 9_007_199_254_740_991],
  ])('%j %s is %d', (text, currency, minor) => {
    expect(minorFromDecimal(text, currency)).toBe(minor)
  })

  test.each([
    ['12.345', 'EUR'],
    ['1.5', 'JPY'],
    ['1,50', 'EUR'],
    ['1e3', 'EUR'],
    ['', 'EUR'],
    ['.5', 'EUR'],
    ['NaN', 'EUR'],
    ['90071992547409.92', 'EUR'],
    ['99999999999999999999', 'JPY'],
  ])('%j %s is refused with its path', (text, currency) => {
    const thrown = (() => {
      try {
        return minorFromDecimal(text, currency, '$.total')
      } catch (fault) {
        return fault
      }
    })()
    expect(thrown).toBeInstanceOf(HubError)
    expect(thrown).toMatchObject({ code: 'payload_invalid', path: '$.total' })
  })

  test('knows how many decimals a currency has', () => {
    expect(['JPY', 'EUR', 'KWD', 'CLF'].map(currencyExponent)).toEqual([0, 2, 3, 4])
    expect(decimalFromMinor(-5, 'EUR')).toBe('-0.05')
    expect(decimalFromMinor(5, 'KWD')).toBe('0.005')
  })
})
