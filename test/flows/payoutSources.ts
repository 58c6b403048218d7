import type { Connector } from '../../src/connectors/_kit/define.ts'
import { connectors } from '../../src/connectors/index.ts'
import * as adyen from '../mappings/adyen/report.ts'
import { amazonReport } from '../mappings/amazon/report.ts'
import { CSV_SETTINGS, csvReport } from '../mappings/csv/report.ts'
import { ebayDocument, ebayTransaction, ebayValue } from '../mappings/ebay/report.ts'
import type { Movement } from '../mappings/movements.ts'
import { csvOf as stlText, stlRows, type Deed } from '../mappings/paypal/stl.ts'
import * as shopify from '../mappings/shopify/payout.ts'
import * as stripe from '../mappings/stripe/report.ts'
import { walmartReport } from '../mappings/walmart/report.ts'

/** One row of a payout in the merchant's words, before a vendor writes it down in its own. */
export interface Entry {
  at: number
  what: 'sale' | 'shipping' | 'tax' | 'refund' | 'dispute' | 'commission' | 'fee' | 'reserve_hold' | 'reserve_release'
  order: string
  /** Of the payment that it is about, where the vendor names it. */
  payment: string
  /** The capture behind a refund or dispute. */
  capture: string
  gross_minor: number
  fee_minor: number
}

export const netOf = ({ gross_minor, fee_minor }: Entry): number => gross_minor - fee_minor
export const total = (entries: readonly Entry[]): number => entries.reduce((sum, entry) => sum + netOf(entry), 0)

/** A vendor's file, as a program of its own writes it. */
export interface Source {
  connector: Connector
  settings?: Readonly<Record<string, unknown>>
  /** `order`: a row for each part of an order, and fees as rows. `payment`: a row for each payment, its fee beside it. */
  names: 'order' | 'payment'
  words: readonly Entry['what'][]
  /** `told`: what its rows say. `truth`: what the payout was made of, and so what was paid out. */
  file: (told: readonly Entry[], truth: readonly Entry[]) => string
  /** The same with one row in another currency; where rows have none, the whole payout. */
  swapped: (truth: readonly Entry[], at: number) => string
}

const connectorOf = (id: string): Connector => {
  const found = connectors[id]
  if (found === undefined) throw new Error(`there is no connector ${id}`)
  return found
}
const moves = (entries: readonly Entry[]): Movement[] =>
  entries.map((entry) => ({ what: entry.what, order: entry.order, net_minor: netOf(entry) }))
const EVERYTHING = ['sale', 'shipping', 'tax', 'refund', 'dispute', 'commission', 'fee', 'reserve_hold', 'reserve_release'] as const // prettier-ignore

// ── Adyen ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function adyenRow(entry: Entry): adyen.AdyenRow {
  const { what, order, payment, capture, gross_minor: gross, fee_minor } = entry
  if (what === 'fee') return adyen.netOnly('Fee', netOf(entry))
  if (what === 'reserve_hold' || what === 'reserve_release') return adyen.netOnly('DepositCorrection', netOf(entry))
  const fees = fee_minor === 0 ? [] : [fee_minor]
  const type = what === 'refund' ? 'Refunded' : what === 'dispute' ? 'Chargeback' : 'Settled'
  const row = adyen.rowOf({ type, psp: what === 'sale' ? payment : capture, gross, fees })
  return { ...row, 'Merchant Reference': order, ...(what === 'sale' ? {} : { 'Modification Reference': payment }) }
}

const adyenFile = (rows: readonly adyen.AdyenRow[], truth: readonly Entry[]): string =>
  adyen.csvOf([...rows, adyen.netOnly('MerchantPayout', -total(truth))])

// ── PayPal ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const PAYPAL_CODES = { sale: 'T0006', refund: 'T1107', dispute: 'T1201', fee: 'T0100', reserve_hold: 'T2103', reserve_release: 'T2104' } as const // prettier-ignore

const paypalDeed = ({ at, what, order, payment, capture, gross_minor, fee_minor }: Entry): Deed => {
  const code = PAYPAL_CODES[what as keyof typeof PAYPAL_CODES]
  const common = { code, currency: 'EUR' }
  if (order === '') return { ...common, id: `M${at}`, minor: gross_minor - fee_minor, fee: 0 }
  const reference = what === 'sale' ? {} : { reference: capture }
  return { ...common, id: payment, minor: gross_minor, fee: fee_minor, invoice: order, ...reference }
}

/** Rows as they are told between the totals of what was. */
function paypalRows(told: readonly Entry[], truth: readonly Entry[]): string[][] {
  const withdrawal: Deed = { id: 'WITHDRAWAL', code: 'T0400', minor: -total(truth), fee: 0, currency: 'EUR' }
  const rowsOf = (entries: readonly Entry[]) => stlRows([...entries.map(paypalDeed), withdrawal], {})
  const bodies = rowsOf(told).filter(([head]) => head === 'SB')
  const frame = rowsOf(truth)
  const first = frame.findIndex(([head]) => head === 'SB')
  return [...frame.slice(0, first), ...bodies, ...frame.slice(first).filter(([head]) => head !== 'SB')]
}

// ── Shopify Payments ──────────────────────────────────────────────────────────────────────────────────────────────────────

const SHOPIFY_TYPES = { sale: 'CHARGE', refund: 'REFUND', dispute: 'DISPUTE_WITHDRAWAL', fee: 'SHIPPING_LABEL', reserve_hold: 'RESERVED_FUNDS', reserve_release: 'RESERVED_FUNDS_REVERSAL' } as const // prettier-ignore

function shopifyRow(entry: Entry): shopify.Loose {
  const { at, what, order, payment, capture } = entry
  const isFee = what === 'fee'
  const type = SHOPIFY_TYPES[what as keyof typeof SHOPIFY_TYPES]
  const deed = { type, gross: isFee ? netOf(entry) : entry.gross_minor, fee: isFee ? 0 : entry.fee_minor }
  const about = {
    sourceOrderTransactionId: payment === '' ? null : payment,
    sourceId: capture === '' ? `S${at}` : capture,
    associatedOrder: order === '' ? null : { id: `gid://shopify/Order/${order}`, name: `#${order}` },
  }
  return shopify.rowOf(deed, at, 1, about)
}

const shopifyFile = (rows: readonly shopify.Loose[], truth: readonly Entry[]): string =>
  JSON.stringify(shopify.documentOf(rows, { net: shopify.money(total(truth)) }))

// ── Stripe ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const STRIPE_CATEGORIES = { sale: 'charge', refund: 'refund', dispute: 'dispute', fee: 'fee', reserve_hold: 'risk_reserved_funds', reserve_release: 'risk_reserved_funds' } as const // prettier-ignore

function stripeRow(entry: Entry): stripe.StripeRow {
  const { at, what, order, payment, capture } = entry
  const isFee = what === 'fee'
  const category = STRIPE_CATEGORIES[what as keyof typeof STRIPE_CATEGORIES]
  const deed = { category, gross: isFee ? netOf(entry) : entry.gross_minor, fee: isFee ? 0 : entry.fee_minor }
  return stripe.rowOf(deed, at, {
    source_id: payment === '' ? `x_${at}` : payment,
    charge_id: capture,
    'payment_metadata[order_number]': order,
  })
}

const stripeFile = (rows: readonly stripe.StripeRow[], truth: readonly Entry[]): string => {
  const paid = { category: 'payout', gross: -total(truth), fee: 0 }
  return stripe.csvOf([...rows, stripe.rowOf(paid, 999, { source_id: 'po_1' })])
}

const BY_PAYMENT = ['sale', 'refund', 'dispute', 'fee', 'reserve_hold', 'reserve_release'] as const
const swapAt = <Row>(rows: readonly Row[], at: number, swap: (row: Row) => Row): Row[] =>
  rows.map((row, index) => (index === at ? swap(row) : row))

export const SOURCES: Readonly<Record<string, Source>> = {
  adyen: {
    connector: connectorOf('adyen'),
    names: 'payment',
    words: BY_PAYMENT,
    file: (told, truth) => adyenFile(told.map(adyenRow), truth),
    swapped: (truth, at) => adyenFile(swapAt(truth.map(adyenRow), at, (row) => ({ ...row, 'Gross Currency': 'USD', 'Net Currency': 'USD' })), truth),
  },
  amazon: {
    connector: connectorOf('amazon'),
    names: 'order',
    words: EVERYTHING,
    file: (told, truth) => amazonReport(moves(told), { payout_minor: total(truth), style: 'eu' }),
    swapped: (truth) => amazonReport(moves(truth), { currency: 'USD' }),
  },
  csv: {
    connector: connectorOf('csv'),
    settings: { settlement_files: CSV_SETTINGS },
    names: 'order',
    words: EVERYTHING,
    file: (told, truth) => csvReport(moves(told), total(truth)),
    swapped: (truth, at) => csvReport(moves(truth), total(truth), (row) => (row === at ? 'CHF' : 'EUR')),
  },
  ebay: {
    connector: connectorOf('ebay'),
    names: 'order',
    words: ['sale', 'refund', 'dispute', 'fee'],
    file: (told, truth) => ebayDocument(moves(told).map((move, index) => ebayTransaction(move, told[index]?.at ?? 0)), total(truth)),
    swapped: (truth, at) =>
      ebayDocument(
        swapAt(moves(truth).map(ebayTransaction), at, (row) => ({ ...row, amount: ebayValue(netOf(truth[at] ?? never()), 'USD') })),
        total(truth),
      ),
  },
  paypal: {
    connector: connectorOf('paypal'),
    names: 'payment',
    words: BY_PAYMENT,
    file: (told, truth) => stlText(paypalRows(told, truth)),
    swapped: (truth, at) => {
      const rows = paypalRows(truth, truth)
      const first = rows.findIndex(([head]) => head === 'SB')
      return stlText(swapAt(rows, first + at, (row) => row.with(10, 'USD').with(13, 'USD')))
    },
  },
  shopify: {
    connector: connectorOf('shopify'),
    names: 'payment',
    words: BY_PAYMENT,
    file: (told, truth) => shopifyFile(told.map(shopifyRow), truth),
    swapped: (truth, at) => {
      const dollars = (value: unknown) => ({ ...(value as object), currencyCode: 'USD' })
      const swap = (row: shopify.Loose) => ({ ...row, amount: dollars(row['amount']), fee: dollars(row['fee']), net: dollars(row['net']) })
      return shopifyFile(swapAt(truth.map(shopifyRow), at, swap), truth)
    },
  },
  stripe: {
    connector: connectorOf('stripe'),
    names: 'payment',
    words: BY_PAYMENT,
    file: (told, truth) => stripeFile(told.map(stripeRow), truth),
    swapped: (truth, at) => stripeFile(swapAt(truth.map(stripeRow), at, (row) => ({ ...row, currency: 'usd' })), truth),
  },
  walmart: {
    connector: connectorOf('walmart'),
    names: 'order',
    words: EVERYTHING,
    file: (told, truth) => walmartReport(moves(told), total(truth), () => 'EUR', 'EUR'),
    swapped: (truth, at) => walmartReport(moves(truth), total(truth), (row) => (row === at ? 'USD' : 'EUR'), 'EUR'),
  },
} // prettier-ignore

function never(): never {
  throw new Error('there is no such row')
}
