import type { Address } from '../../core/model/party.ts'
import { decimalFromMinor } from '../../core/model/money.ts'
import type { RateRequest } from '../../core/model/effects.ts'
import { parcelOf } from '../../mappings/easypost/shipment.ts'
import type { Settings } from './settings.ts'

/** Customs area of the European Union; goods move in it without a declaration. */
const UNION = new Set('AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MC MT NL PL PT RO SE SI SK'.split(' '))

const areaOf = (country: string | null): string | null => (country !== null && UNION.has(country) ? 'EU' : country)

/** An address in EasyPost's words. What is not known is left out: an empty text would be checked as one. */
export function addressOf(address: Address): Record<string, string> {
  const { name, company, line1, line2, city, region, postcode, country, phone } = address
  const told = { name, company, street1: line1, street2: line2, city, state: region, zip: postcode, country, phone }
  return Object.fromEntries(
    Object.entries(told).flatMap(([key, value]) => (value === null || value === '' ? [] : [[key, value]])),
  )
}

/**
 * The declaration of a parcel that leaves its customs area; null for any other, and where the settings say nothing to declare with. The
 * parcel's weight is shared out by units, because lines carry none of their own.
 */
export function declarationOf(request: RateRequest, settings: Settings): Record<string, unknown> | null {
  const { ship_from, ship_to, lines, currency, parcel } = request
  const { customs } = settings
  if (customs === undefined || areaOf(ship_from.country) === areaOf(ship_to.country)) return null
  const units = lines.reduce((sum, { quantity }) => sum + quantity, 0)
  const items = lines.map(({ sku, title, quantity, value_minor, origin_country }) => ({
    description: (title ?? sku).slice(0, 50),
    code: sku.slice(0, 20),
    quantity,
    value: decimalFromMinor(value_minor * quantity, currency),
    currency,
    weight: parcelOf({
      weight_g: Math.max(1, Math.floor((parcel.weight_g * quantity) / Math.max(1, units))),
      size_mm: null,
    })['weight'],
    origin_country: origin_country ?? customs.origin_country,
    ...(customs.hs_tariff_number === undefined ? {} : { hs_tariff_number: customs.hs_tariff_number }),
  }))
  return {
    contents_type: 'merchandise',
    customs_certify: true,
    customs_signer: customs.signer,
    non_delivery_option: 'return',
    restriction_type: 'none',
    ...(customs.eel_pfc === undefined ? {} : { eel_pfc: customs.eel_pfc }),
    customs_items: items,
  }
}
