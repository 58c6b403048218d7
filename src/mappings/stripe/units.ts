import { HubError } from '../../core/errors.ts'
import { currencyExponent } from '../../core/model/money.ts'
import type { References } from '../../core/model/payment.ts'

/**
 * Decimals of the vendor's integer amounts, where they are not two. ISK and UGX have no decimals by ISO 4217 and are still
 * written with two here ("500" kronur are 50000); MGA has two by ISO and is written without.
 */
const STRIPE_EXPONENT: Readonly<Record<string, number>> = {
  BIF: 0, CLP: 0, DJF: 0, GNF: 0, JPY: 0, KMF: 0, KRW: 0, MGA: 0, PYG: 0, RWF: 0, VND: 0, VUV: 0, XAF: 0, XOF: 0, XPF: 0,
  BHD: 3, JOD: 3, KWD: 3, OMR: 3, TND: 3,
} // prettier-ignore

export const currencyOf = (code: string): string => code.toUpperCase()

/** True minor units (ISO 4217) of a vendor amount. An ISK or UGX amount with a fraction cannot exist: `payload_invalid`. */
export function minorFromStripe(amount: number, code: string, path: string): number {
  const currency = currencyOf(code)
  const shift = currencyExponent(currency) - (STRIPE_EXPONENT[currency] ?? 2)
  const scaled =
    shift >= 0
      ? BigInt(amount) * 10n ** BigInt(shift)
      : wholeUnits(BigInt(amount), 10n ** BigInt(-shift), currency, path)
  const minor = Number(scaled)
  if (!Number.isSafeInteger(minor))
    throw new HubError('payload_invalid', `${path} is too large to be kept exactly`, { path })
  return minor
}

function wholeUnits(amount: bigint, divisor: bigint, currency: string, path: string): bigint {
  if (amount % divisor !== 0n)
    throw new HubError('payload_invalid', `${path} has a fraction that ${currency} does not know`, { path })
  return amount / divisor
}

export const instantFromUnix = (seconds: number): string => new Date(seconds * 1_000).toISOString()

type Reference = string | { id: string } | null | undefined
export const idOf = (reference: Reference): string | null =>
  reference === null || reference === undefined ? null : typeof reference === 'string' ? reference : reference.id

/** Metadata keys that shops' gateway plugins fill, first hit wins. */
const ORDER_ID_KEYS = ['order_external_id', 'order_id'] as const
const ORDER_NUMBER_KEYS = ['order_number', 'order'] as const

/** The order by what the shop wrote into the metadata, and every id by which the vendor names this money. */
export function referencesOf(
  metadata: Readonly<Record<string, string>> | null | undefined,
  ids: readonly Reference[],
): References {
  const read = (keys: readonly string[]): string | null => {
    const found = keys.map((key) => metadata?.[key]?.trim() ?? '').find((text) => text !== '')
    return found === undefined || found.length > 200 ? null : found
  }
  const payment_ids = [...new Set(ids.map(idOf).filter((id): id is string => id !== null))]
  return { order_external_id: read(ORDER_ID_KEYS), order_number: read(ORDER_NUMBER_KEYS), payment_ids }
}
