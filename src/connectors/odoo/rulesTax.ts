/** A tax on sales in percent. */
export interface SaleTax {
  id: number
  name: string
  /** In ten-thousandths of a percent: 19 % is 190000. */
  rate_e4: number
  /** Whether a price includes it. */
  included: boolean
}

export const RATE_ONE = 1_000_000

/** a × b ÷ c, halves away from zero, exact for any amount. */
export function mulDiv(a: number, b: number, c: number): number {
  const product = BigInt(a) * BigInt(b)
  const divisor = BigInt(c)
  const half = divisor / 2n
  return Number((product + (product < 0n ? -half : half)) / divisor)
}

export const taxOf = (net_minor: number, rate_e4: number): number => mulDiv(net_minor, rate_e4, RATE_ONE)
export const netOf = (gross_minor: number, rate_e4: number): number => mulDiv(gross_minor, RATE_ONE, RATE_ONE + rate_e4)

export interface Taxed {
  net_minor: number
  tax_minor: number
  quantity: number
}

/**
 * The tax by which this line comes to this amount of tax; null: none, because there is no tax; undefined: none fits. Channels round by
 * unit, by line or by order, and units that left although they were taken off are told at the rounded tax of those that stayed: so half a
 * minor unit a piece is allowed, and one for the line; what comes nearest wins, then what has the price's own way.
 */
export function pickTax(
  taxes: readonly SaleTax[],
  line: Taxed,
  prices_include_tax: boolean,
): SaleTax | null | undefined {
  const { net_minor, tax_minor, quantity } = line
  if (tax_minor === 0) return taxes.find(({ rate_e4 }) => rate_e4 === 0) ?? null
  const slack = 1 + Math.ceil(quantity / 2)
  const fits = taxes
    .map((tax, place) => ({ tax, place, off: Math.abs(taxOf(net_minor, tax.rate_e4) - tax_minor) }))
    .filter(({ tax, off }) => tax.rate_e4 > 0 && off <= slack)
  fits.sort(
    (a, b) =>
      a.off - b.off ||
      Number(b.tax.included === prices_include_tax) - Number(a.tax.included === prices_include_tax) ||
      a.place - b.place,
  )
  return fits[0]?.tax
}

/** For people: the rate that an amount of tax would be, in percent with two decimals. */
export function shownRate({ net_minor, tax_minor }: Taxed): string {
  if (net_minor === 0) return 'an unknown rate'
  const hundredths = mulDiv(tax_minor, 10_000, net_minor)
  return `${Math.trunc(hundredths / 100)}.${String(Math.abs(hundredths % 100)).padStart(2, '0')} %`
}

/** `19` or `7.7` → ten-thousandths of a percent. */
export function rateOf(text: string): number {
  const [whole = '0', fraction = ''] = text.split('.')
  return Number(whole) * 10_000 + Number(fraction.slice(0, 4).padEnd(4, '0'))
}
