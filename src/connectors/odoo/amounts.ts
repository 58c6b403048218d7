import { HubError } from '../../core/errors.ts'
import { currencyExponent, decimalFromMinor, minorFromDecimal } from '../../core/model/money.ts'

/**
 * The border of money: Odoo computes in floats and shows them in JSON. Here they become integer minor units by their decimal digits; a
 * double holds 15 of them, the rest is noise of the computation and is cut off.
 */
const DIGITS = 15

/** Minor units of an amount as Odoo answers it. A real fraction of a cent is a fault. */
export function minorOf(value: unknown, currency: string, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new HubError('vendor_response_invalid', `${what} is not an amount`)
  return minorFromDecimal(decimalOf(value), currency, what)
}

/** Nearest minor units; for prices, which may have more decimals than the currency. */
export function nearestMinorOf(value: unknown, currency: string, what: string): number {
  if (typeof value !== 'number' || !Number.isFinite(value))
    throw new HubError('vendor_response_invalid', `${what} is not an amount`)
  const [whole = '0', fraction = ''] = decimalOf(value).replace('-', '').split('.')
  const exponent = currencyExponent(currency)
  const digits = fraction.padEnd(exponent + 1, '0')
  const minor = BigInt(whole + digits.slice(0, exponent)) + (Number(digits[exponent]) >= 5 ? 1n : 0n)
  return Number(value < 0 ? -minor : minor)
}

/** Decimal text of a float, never in exponent notation. */
export function decimalOf(value: number): string {
  const text = value.toPrecision(DIGITS)
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text)
  if (parts === null) throw new HubError('vendor_response_invalid', 'a number cannot be read')
  const [, sign = '', whole = '0', fraction = '', power = '0'] = parts
  const digits = whole + fraction
  const point = whole.length + Number(power)
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0')
  const at = Math.max(1, point)
  const decimals = padded.slice(at).replace(/0+$/, '')
  const plain = `${padded.slice(0, at).replace(/^0+(?=\d)/, '')}${decimals === '' ? '' : `.${decimals}`}`
  return /[1-9]/.test(plain) ? sign + plain : '0'
}

/** Text for `load`. */
export const amountText = (minor: number, currency: string): string => decimalFromMinor(minor, currency)

/** For people, in messages. */
export const shownAmount = (minor: number, currency: string): string =>
  `${decimalFromMinor(minor, currency)} ${currency}`
