import type { Parcel, Rate as CanonicalRate } from '../../core/model/effects.ts'
import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import { checker } from '../../core/model/validate.ts'
import { Rate, Shipment, type Shipment as ShipmentPayload } from './payloads.ts'

export const readShipment = checker(Shipment)
const readRate = checker(Rate)

/**
 * The offers of a shipment. One that cannot be read (a sum in fractions of a cent, a carrier without a name) is left out: others may do,
 * and nobody can be charged what cannot be written down.
 */
export const ratesOf = ({ rates = [] }: ShipmentPayload): CanonicalRate[] =>
  rates.flatMap((rate): CanonicalRate[] => {
    try {
      const {
        id,
        carrier,
        service,
        currency,
        delivery_days,
        est_delivery_days,
        delivery_date_guaranteed,
        rate: sum,
      } = readRate(rate)
      return [
        {
          external_id: id,
          carrier,
          service,
          currency,
          amount_minor: minorFromDecimal(String(sum), currency),
          days: delivery_days ?? est_delivery_days ?? null,
          guaranteed: delivery_date_guaranteed === true,
        },
      ]
    } catch (thrown) {
      if (thrown instanceof HubError) return []
      throw thrown
    }
  })

/** 10⁹ · 28.349523125: grams of an ounce (avoirdupois), exactly. */
const NANOGRAMS_PER_OUNCE = 28_349_523_125n
/** Hundredths of a millimetre in an inch. */
const HUNDREDTHS_PER_INCH = 2_540n

/** A carrier that is told too little charges later, so ounces and inches are rounded up, to one decimal. */
export function parcelOf({ weight_g, size_mm }: Parcel): Record<string, number> {
  const weight = tenths(BigInt(weight_g) * 10_000_000_000n, NANOGRAMS_PER_OUNCE)
  if (size_mm === null) return { weight }
  const [length, width, height] = size_mm.map((mm) => tenths(BigInt(mm) * 1_000n, HUNDREDTHS_PER_INCH))
  return { weight, length: length ?? 0, width: width ?? 0, height: height ?? 0 }
}

/** `amount / unit` is in tenths; the quotient, rounded up, as a number with one decimal. */
function tenths(amount: bigint, unit: bigint): number {
  const count = (amount + unit - 1n) / unit
  return Number(`${count / 10n}.${count % 10n}`)
}
