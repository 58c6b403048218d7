import type { Env } from './orm.ts'
import { cents, isTrue, numberOf } from './values.ts'

/** Net and tax of an amount, rounded line by line: with the tax inside it or on top, as each tax says. */
export function taxed(env: Env, tax_ids: readonly number[], amount: number): { net: number; tax: number } {
  const taxes = tax_ids.map((id) => env.need('account.tax', id))
  const rate = (inside: boolean): number =>
    taxes
      .filter((tax) => isTrue(tax, 'price_include') === inside)
      .reduce((sum, tax) => sum + numberOf(tax, 'amount'), 0) / 100
  const [inside, onTop] = [rate(true), rate(false)]
  const given = cents(amount)
  const net = inside === 0 ? given : cents(given / (1 + inside))
  return { net, tax: cents(given - net + net * onTop) }
}
