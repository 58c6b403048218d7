/**
 * Integer arithmetic on money. Products pass through BigInt, so that nothing is lost on the way; a result that a number cannot hold
 * exactly is a fault of the data and throws a RangeError.
 */

const BASIS_POINTS = 10_000n

function exact(value: bigint): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new RangeError('an amount is too large to be kept exactly')
  return number
}

/** `numerator / denominator` rounded half up by magnitude: 2.5 → 3, -2.5 → -3. The denominator is above zero. */
function divideHalfUp(numerator: bigint, denominator: bigint): bigint {
  const magnitude = numerator < 0n ? -numerator : numerator
  const rounded = (2n * magnitude + denominator) / (2n * denominator)
  return numerator < 0n ? -rounded : rounded
}

/** Share of an amount in basis points, rounded half up by magnitude. */
export const shareOf = (amount_minor: number, percent_bp: number): number =>
  exact(divideHalfUp(BigInt(amount_minor) * BigInt(percent_bp), BASIS_POINTS))

/** Σ amount × rate, rounded once at the end, half up by magnitude. */
export const shareOfSlices = (slices: readonly { amount_minor: number; percent_bp: number }[]): number =>
  exact(
    divideHalfUp(
      slices.reduce((sum, { amount_minor, percent_bp }) => sum + BigInt(amount_minor) * BigInt(percent_bp), 0n),
      BASIS_POINTS,
    ),
  )

/** `amount × part / whole`, rounded half up by magnitude. `whole` is above zero. */
export const proportionOf = (amount_minor: number, part: number, whole: number): number =>
  exact(divideHalfUp(BigInt(amount_minor) * BigInt(part), BigInt(whole)))

/**
 * Splits an amount by weights so that the parts sum to it to the cent: each gets its share rounded toward zero, what is left goes unit
 * by unit to the largest remainders (the earlier one of equals). Without any weight above zero nothing can be split: null.
 */
export function allocate(amount_minor: number, weights: readonly number[]): number[] | null {
  const shares = weights.map((weight) => BigInt(Math.max(0, weight)))
  const whole = shares.reduce((sum, share) => sum + share, 0n)
  if (whole === 0n) return null
  const magnitude = BigInt(Math.abs(amount_minor))
  const parts = shares.map((share, index) => ({
    index,
    units: (magnitude * share) / whole,
    remainder: (magnitude * share) % whole,
  }))
  let left = exact(magnitude - parts.reduce((sum, part) => sum + part.units, 0n))
  const result = parts.map((part) => exact(part.units))
  const byRemainder = parts.toSorted((a, b) =>
    a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1,
  )
  for (const { index } of byRemainder) {
    if (left === 0) break
    result[index] = (result[index] ?? 0) + 1
    left -= 1
  }
  return amount_minor < 0 ? result.map((part) => (part === 0 ? 0 : -part)) : result
}
