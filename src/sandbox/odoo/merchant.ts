import { allItems } from '../assortment.ts'
import type { Seed } from './seed.ts'
import { isRecord } from './values.ts'

interface Merchant {
  locations: readonly { id: string; erp_code?: string }[]
}

/** Tax that the simulated storefronts have in their prices. */
const VAT_PERCENT = 20

/** The sandbox merchant as the people who work in the ERP have set it up: the same goods, places and accounts. */
export function erpSeed(
  { locations }: Merchant,
  { currency, accounts }: { currency: string; accounts: unknown },
): Seed {
  const codes = new Set(isRecord(accounts) ? Object.values(accounts).map(String) : [])
  const offers = allItems()
  const isKit = (takes: Readonly<Record<string, number>>, sku: string): boolean => takes[sku] === undefined
  return {
    currency,
    warehouses: locations.flatMap(({ id, erp_code }) => (erp_code === undefined ? [] : [{ code: erp_code, name: id }])),
    taxes: [{ name: `${VAT_PERCENT}% in prices`, percent: VAT_PERCENT, included: true }],
    products: offers.map(({ sku, title, price_minor, takes }) => ({
      sku,
      name: title,
      price: price_minor / 100,
      ...(isKit(takes, sku) ? { kit: Object.entries(takes).map(([part, quantity]) => ({ sku: part, quantity })) } : {}),
    })),
    accounts: [...codes]
      .filter((code) => !KNOWN.has(code))
      .map((code) => ({ code, name: `Account ${code}`, type: 'expense' })),
  }
}

/** Accounts of the general chart. */
const KNOWN = new Set(['101401', '101402', '101500', '121000', '251000', '400000', '450000', '600000', '620000'])
