import Type from 'typebox'
import { HubError } from '../errors.ts'

/** ISO 4217 currencies whose minor unit is not 1/100 (ISO 4217 table A.1; the rest have two decimals). */
const EXPONENT: Readonly<Record<string, number>> = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, ISK: 0, JPY: 0, KMF: 0, KRW: 0, PYG: 0, RWF: 0, UGX: 0, UYI: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0,
  BHD: 3, IQD: 3, JOD: 3, KWD: 3, LYD: 3, OMR: 3, TND: 3,
  CLF: 4, UYW: 4,
} // prettier-ignore

export const Currency = Type.String({ pattern: '^[A-Z]{3}$' })
export const MinorUnits = Type.Integer({ minimum: -9_007_199_254_740_991, maximum: 9_007_199_254_740_991 })
export const Money = Type.Object({ amount_minor: MinorUnits, currency: Currency }, { additionalProperties: false })
export type Money = Type.Static<typeof Money>

/** Decimals of a currency's minor unit: JPY 0, EUR 2, KWD 3. */
export const currencyExponent = (currency: string): number => EXPONENT[currency] ?? 2

const DECIMAL = /^([+-]?)(\d+)(?:\.(\d*))?$/

/**
 * Integer minor units from a decimal text such as `-12.34`, exactly and without a float on the way.
 * Digits beyond the currency's exponent must be zero: `12.340` is fine for EUR, `12.345` is a `payload_invalid` fault.
 */
export function minorFromDecimal(text: string, currency: string, path = '$'): number {
  const parts = DECIMAL.exec(text.trim())
  if (parts === null) throw new HubError('payload_invalid', `"${text.slice(0, 40)}" is not a decimal amount`, { path })
  const [, sign = '', whole = '0', fraction = ''] = parts
  const exponent = currencyExponent(currency)
  if (/[1-9]/.test(fraction.slice(exponent))) {
    throw new HubError(
      'payload_invalid',
      `"${text.slice(0, 40)}" has more decimals than ${currency} allows (${exponent})`,
      { path },
    )
  }
  const minor = BigInt(whole + fraction.slice(0, exponent).padEnd(exponent, '0')) * (sign === '-' ? -1n : 1n)
  return safeMinor(minor, path)
}

/** Decimal text of minor units, for vendors that want `12.34`. The inverse of `minorFromDecimal`. */
export function decimalFromMinor(amount_minor: number, currency: string): string {
  const exponent = currencyExponent(currency)
  const digits = String(Math.abs(amount_minor)).padStart(exponent + 1, '0')
  const sign = amount_minor < 0 ? '-' : ''
  if (exponent === 0) return sign + digits
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`
}

function safeMinor(minor: bigint, path: string): number {
  const value = Number(minor)
  if (!Number.isSafeInteger(value))
    throw new HubError('payload_invalid', 'amount is too large to be kept exactly', { path })
  return value
}
