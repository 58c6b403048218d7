import type { Env } from './orm.ts'
import { textOf } from './values.ts'

/** What an ERP has before anybody has told it anything: a company with its books, its warehouses and its products. */
export interface Seed {
  currency: string
  warehouses: readonly { code: string; name: string }[]
  /** Sale taxes in percent; `included`: prices have it inside. */
  taxes: readonly { name: string; percent: number; included: boolean }[]
  products: readonly { sku: string; name: string; price: number; kit?: readonly { sku: string; quantity: number }[] }[]
  /** `type` as Odoo calls it, default `asset_current`. */
  accounts: readonly { code: string; name: string; type?: string; reconcile?: boolean }[]
}

const COUNTRIES: readonly (readonly [code: string, name: string])[] = [
  ['AT', 'Austria'],
  ['BE', 'Belgium'],
  ['CH', 'Switzerland'],
  ['DE', 'Germany'],
  ['DK', 'Denmark'],
  ['ES', 'Spain'],
  ['FR', 'France'],
  ['GB', 'United Kingdom'],
  ['IT', 'Italy'],
  ['NL', 'Netherlands'],
  ['PL', 'Poland'],
  ['SE', 'Sweden'],
  ['US', 'United States'],
]

/** A small general chart: every kind of account that the models look for, once. */
const CHART: Seed['accounts'] = [
  { code: '101401', name: 'Bank', type: 'asset_cash' },
  { code: '101402', name: 'Bank Suspense Account', type: 'asset_current' },
  { code: '101500', name: 'Payouts in transit', type: 'asset_current', reconcile: true },
  { code: '121000', name: 'Account Receivable', type: 'asset_receivable', reconcile: true },
  { code: '251000', name: 'Tax Received', type: 'liability_current' },
  { code: '400000', name: 'Product Sales', type: 'income' },
  { code: '620000', name: 'Bank Fees', type: 'expense' },
  { code: '600000', name: 'Expenses', type: 'expense' },
  { code: '450000', name: 'Other Income', type: 'income_other' },
]

/** Fills an empty database; one that has a company already keeps what it has. */
export function sow(env: Env, seed: Seed): void {
  if (env.store.all('res.company').length > 0) return
  const currency = env.create('res.currency', { name: seed.currency })
  for (const name of ['EUR', 'USD', 'GBP']) if (name !== seed.currency) env.create('res.currency', { name })
  const partner = env.create('res.partner', { name: 'My Company' })
  env.create('res.company', { name: 'My Company', currency_id: currency, partner_id: partner })
  env.create('res.users', { name: 'OdooBot', login: '__system__', company_id: 1 })
  env.create('res.users', { name: 'Hub', login: 'hub', company_id: 1 })
  env.create('uom.uom', { name: 'Units' })
  for (const [code, name] of COUNTRIES) env.create('res.country', { code, name })
  sowBooks(env, seed)
  sowStock(env, seed)
}

function sowBooks(env: Env, { accounts, taxes }: Seed): void {
  const codes = new Set(accounts.map(({ code }) => code))
  for (const { code, name, type = 'asset_current', reconcile = false } of [
    ...CHART.filter((one) => !codes.has(one.code)),
    ...accounts,
  ])
    env.create('account.account', { code, name, account_type: type, reconcile })
  for (const { name, percent, included } of taxes)
    env.create('account.tax', { name, amount: percent, price_include: included })
  const general = {
    INV: ['Sales', 'sale'],
    MISC: ['Miscellaneous Operations', 'general'],
    BNK1: ['Bank', 'bank'],
  } as const
  for (const [code, [name, type]] of Object.entries(general)) env.create('account.journal', { code, name, type })
}

function sowStock(env: Env, { warehouses, products }: Seed): void {
  env.create('stock.location', { name: 'Customers', usage: 'customer' })
  env.create('stock.location', { name: 'Inventory adjustment', usage: 'inventory' })
  env.create('stock.location', { name: 'Vendors', usage: 'supplier' })
  for (const warehouse of warehouses) env.create('stock.warehouse', warehouse)
  for (const { sku, name, price, kit } of products)
    env.create('product.product', { default_code: sku, name, list_price: price, is_storable: kit === undefined })
  for (const { sku, kit } of products) if (kit !== undefined) sowKit(env, sku, kit)
}

function sowKit(env: Env, sku: string, parts: readonly { sku: string; quantity: number }[]): void {
  const productOf = (code: string) =>
    env.store.all('product.product').find((row) => textOf(row, 'default_code') === code)
  const kit = productOf(sku)
  env.create('mrp.bom', {
    product_tmpl_id: kit?.['product_tmpl_id'] ?? false,
    type: 'phantom',
    bom_line_ids: parts.map((part) => [
      0,
      0,
      { product_id: productOf(part.sku)?.id ?? false, product_qty: part.quantity },
    ]),
  })
}
