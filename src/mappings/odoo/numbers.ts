/** Decimal text times a fraction of integers, rounded half up. */
export function scaled(text: string, by: bigint, of: bigint): number {
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const value = BigInt(whole + fraction) * by
  const divisor = 10n ** BigInt(fraction.length) * of
  const rounded = (value * 2n + divisor) / (divisor * 2n)
  return Number(text.startsWith('-') ? -rounded : rounded)
}

/** The text as a whole number, or null. */
export function wholeOf(text: string): number | null {
  const parts = /^(-?\d+)(?:\.0+)?$/.exec(text)
  const value = parts === null ? Number.NaN : Number(parts[1])
  return Number.isSafeInteger(value) ? value : null
}

/** a ÷ b as a whole number, exactly, or null. */
export function wholeQuotient(a: string, b: string): number | null {
  const digits = (text: string): number => text.split('.')[1]?.length ?? 0
  const power = Math.max(digits(a), digits(b))
  const unscaled = (text: string): bigint => BigInt(text.replace('.', '') + '0'.repeat(power - digits(text)))
  const [dividend, divisor] = [unscaled(a), unscaled(b)]
  if (divisor === 0n || dividend % divisor !== 0n) return null
  const value = Number(dividend / divisor)
  return Number.isSafeInteger(value) ? value : null
}
