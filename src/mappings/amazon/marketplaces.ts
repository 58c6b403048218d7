/** Amazon's stores: identifiers and countries from the vendor's page "Marketplace IDs"; currencies and tax display are common knowledge. */

export type AmazonRegion = 'na' | 'eu' | 'fe'

export interface Marketplace {
  region: AmazonRegion
  /** ISO 3166-1; Amazon itself writes UK. */
  country: string
  currency: string
  /** Whether prices are shown to buyers with their tax in them. */
  taxes_included: boolean
}

const store = (region: AmazonRegion, country: string, currency: string, tax: 'with tax' | 'plus tax'): Marketplace => ({
  region,
  country,
  currency,
  taxes_included: tax === 'with tax',
})

export const MARKETPLACES: Readonly<Record<string, Marketplace>> = {
  ATVPDKIKX0DER: store('na', 'US', 'USD', 'plus tax'),
  A2EUQ1WTGCTBG2: store('na', 'CA', 'CAD', 'plus tax'),
  A1AM78C64UM0Y8: store('na', 'MX', 'MXN', 'with tax'),
  A2Q3Y263D00KWC: store('na', 'BR', 'BRL', 'with tax'),
  A28R8C7NBKEWEA: store('eu', 'IE', 'EUR', 'with tax'),
  A1RKKUPIHCS9HS: store('eu', 'ES', 'EUR', 'with tax'),
  A1F83G8C2ARO7P: store('eu', 'GB', 'GBP', 'with tax'),
  A13V1IB3VIYZZH: store('eu', 'FR', 'EUR', 'with tax'),
  AMEN7PMS3EDWL: store('eu', 'BE', 'EUR', 'with tax'),
  A1805IZSGTT6HS: store('eu', 'NL', 'EUR', 'with tax'),
  A1PA6795UKMFR9: store('eu', 'DE', 'EUR', 'with tax'),
  APJ6JRA9NG5V4: store('eu', 'IT', 'EUR', 'with tax'),
  A2NODRKZP88ZB9: store('eu', 'SE', 'SEK', 'with tax'),
  AE08WJ6YKNBMC: store('eu', 'ZA', 'ZAR', 'with tax'),
  A1C3SOZRARQ6R3: store('eu', 'PL', 'PLN', 'with tax'),
  ARBP9OOSHTCHU: store('eu', 'EG', 'EGP', 'with tax'),
  A33AVAJ2PDY3EV: store('eu', 'TR', 'TRY', 'with tax'),
  A17E79C6D8DWNP: store('eu', 'SA', 'SAR', 'with tax'),
  A2VIGQ35RCS4UG: store('eu', 'AE', 'AED', 'with tax'),
  A21TJRUUN4KGV: store('eu', 'IN', 'INR', 'with tax'),
  A19VAU5U5O7RUS: store('fe', 'SG', 'SGD', 'with tax'),
  A39IBJ37TRP1C6: store('fe', 'AU', 'AUD', 'with tax'),
  A1VC38T7YXB528: store('fe', 'JP', 'JPY', 'with tax'),
}

export const marketplaceOf = (id: string | null | undefined): Marketplace | undefined =>
  typeof id === 'string' && Object.hasOwn(MARKETPLACES, id) ? MARKETPLACES[id] : undefined
