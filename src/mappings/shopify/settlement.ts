import Type, { type Static, type TSchema } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import { checker } from '../../core/model/validate.ts'
import type { Settlement, SettlementLine } from '../../core/model/settlement.ts'
import { defineMapping, instantOf } from '../define.ts'
import { faultOfRow, type SettlementFormat, type SettlementReader, type SettlementSink } from '../settlement.ts'
import { kindOfRow } from './settlementKinds.ts'

/**
 * Shopify Payments: a payout and its balance transactions as the GraphQL Admin API gives them (2026-10). Whether a fee is written as a
 * positive cost or as a negative amount is not documented: each row is read in the way in which its net comes out right, and a file that
 * does both is refused.
 */

const open = { additionalProperties: true } as const
const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const Text = Type.String({ minLength: 1, maxLength: 200 })
const BigId = Type.Union([Text, Type.Integer()])
const Money = Type.Object({ amount: Type.String(), currencyCode: Type.String({ pattern: '^[A-Z]{3}$' }) }, open)

const ShopifyPayout = Type.Object(
  {
    id: Text,
    legacyResourceId: maybe(BigId),
    issuedAt: Type.String(),
    status: Type.String(),
    transactionType: maybe(Type.String()),
    net: Money,
    externalTraceId: maybe(Type.String()),
  },
  open,
)
const Row = Type.Object(
  {
    id: Text,
    type: Text,
    test: maybe(Type.Boolean()),
    amount: Money,
    fee: Money,
    net: Money,
    transactionDate: Type.String(),
    sourceType: maybe(Type.String()),
    sourceId: maybe(BigId),
    sourceOrderTransactionId: maybe(BigId),
    associatedOrder: maybe(Type.Object({ id: Text, name: maybe(Type.String()) }, open)),
    associatedPayout: maybe(Type.Object({ id: maybe(Text), status: maybe(Type.String()) }, open)),
    adjustmentsOrders: maybe(Type.Array(Type.Object({ orderTransactionId: BigId, name: maybe(Type.String()) }, open))),
  },
  open,
)
type Row = Static<typeof Row>
const Document = Type.Object({ payout: ShopifyPayout, balance_transactions: Type.Array(Type.Unknown()) }, open)
const readDocuments = checker(Type.Array(Document, { minItems: 1 }), 'file_invalid')
const readRow = checker(Row)

const STATUSES: Readonly<Record<string, Settlement['status']>> = {
  SCHEDULED: 'pending',
  PENDING: 'pending',
  IN_TRANSIT: 'in_transit',
  PAID: 'paid',
  FAILED: 'failed',
  CANCELED: 'cancelled',
}

/** The number behind a global id, by which the shop's own pages name a thing. */
const numberOf = (gid: string | number): string => String(gid).split('/').at(-1)?.split('?')[0] ?? String(gid)

type Warn = (message: string) => void
type FeeSign = 'cost' | 'negative' | null

/** How the fees of one payout are signed: found from the first row with a fee, and held against the others. */
interface Signs {
  fee: FeeSign
}

function headOf(payout: Static<typeof ShopifyPayout>, warn: Warn): Omit<Settlement, 'lines'> {
  const { amount, currencyCode: currency } = payout.net
  const minor = minorFromDecimal(amount, currency, 'net')
  const status = Object.hasOwn(STATUSES, payout.status) ? STATUSES[payout.status] : undefined
  if (status === undefined) warn(`unknown payout status "${payout.status.slice(0, 60)}" taken as "pending"`)
  return {
    external_id: numberOf(payout.id),
    status: status ?? 'pending',
    currency,
    // A withdrawal takes money from the merchant; should its amount be written without a sign, the direction says so.
    payout_minor: payout.transactionType === 'WITHDRAWAL' && minor > 0 ? -minor : minor,
    created_at: instantOf(payout.issuedAt, 'issuedAt'),
    arrival_at: null,
    bank_reference: payout.externalTraceId?.trim().slice(0, 200) || null,
  }
}

/** The payout's own row in its ledger: what left, not what it is made of. */
const isOwnRow = (row: Row, payout_id: string): boolean =>
  row.type.toUpperCase() === 'TRANSFER' && (row.sourceId === null || row.sourceId === undefined || numberOf(row.sourceId) === payout_id) // prettier-ignore

function lineOf(row: Row, signs: Signs, warn: Warn): SettlementLine {
  const { currencyCode: currency } = row.net
  if (row.amount.currencyCode !== currency || row.fee.currencyCode !== currency)
    throw new HubError('payload_invalid', 'amount, fee and net are in different currencies', { path: 'amount' })
  const gross = minorFromDecimal(row.amount.amount, currency, 'amount')
  const net_minor = minorFromDecimal(row.net.amount, currency, 'net')
  const fee = feeOf(minorFromDecimal(row.fee.amount, currency, 'fee'), gross, net_minor, signs)
  const { kind, fee_type, known } = kindOfRow(row.type, row.sourceType ?? null)
  if (!known) warn(`unknown row type "${row.type.slice(0, 60)}" taken as "${kind}"`)
  const isFee = fee_type !== undefined || kind === 'dispute_fee'
  const fee_minor = isFee ? 0 - net_minor : fee
  return {
    external_id: numberOf(row.id),
    kind: isFee && fee_minor < 0 ? 'fee_returned' : kind === 'reserve_hold' && net_minor > 0 ? 'reserve_release' : kind,
    vendor_type: row.type,
    at: instantOf(row.transactionDate, 'transactionDate'),
    currency,
    gross_minor: isFee ? 0 : gross,
    fee_minor: fee_minor === 0 ? 0 : fee_minor,
    net_minor,
    references: referencesOf(row),
    ...(fee_type !== undefined && fee_minor >= 0 ? { fee_type } : {}),
    ...(!isFee && fee_minor !== 0 ? { fee_type: 'payment' as const } : {}),
  }
}

function feeOf(written: number, gross: number, net: number, signs: Signs): number {
  const isCost = net === gross - written
  const isNegative = net === gross + written
  if (!isCost && !isNegative) {
    const message = `net is ${net}, amount less fee is ${gross - written}: ${net - gross + written} apart`
    throw new HubError('payload_invalid', message, { path: 'net' })
  }
  if (written === 0) return 0
  const sign = isCost ? 'cost' : 'negative'
  if (signs.fee !== null && signs.fee !== sign)
    throw new HubError('payload_invalid', 'the fee is signed the other way than those before it', { path: 'fee' })
  signs.fee = sign
  return isCost ? written : -written
}

function referencesOf(row: Row): SettlementLine['references'] {
  const order = row.associatedOrder
  const adjusted = row.adjustmentsOrders ?? []
  const ids = [row.sourceOrderTransactionId, ...adjusted.map((entry) => entry.orderTransactionId), row.sourceId]
  const known = ids.filter((id) => id !== null && id !== undefined).map((id) => numberOf(id).slice(0, 200))
  const name = order?.name ?? (adjusted.length === 1 ? adjusted[0]?.name : null)
  return {
    order_external_id: order ? numberOf(order.id).slice(0, 200) : null,
    order_number: name?.slice(0, 200) || null,
    payment_ids: [...new Set(known)].slice(0, 50),
  }
}

/** Rows of the payout's balance; test rows and the payout's own row are no members of it. */
const isMember = (row: Row, payout_id: string): boolean => row.test !== true && !isOwnRow(row, payout_id)

export const shopifySettlement = defineMapping({
  from: Type.Object({ payout: ShopifyPayout, balance_transactions: Type.Array(Row) }, open),
  map: ({ payout, balance_transactions }, context) => {
    const head = headOf(payout, context.warn)
    const signs: Signs = { fee: null }
    const lines = balance_transactions
      .filter((row) => isMember(row, head.external_id))
      .map((row, index) => {
        if (row.net.currencyCode !== head.currency) {
          const path = `$.balance_transactions[${index}].net.currencyCode`
          throw new HubError('payload_invalid', 'this row is in another currency than the payout', { path })
        }
        return lineOf(row, signs, context.warn)
      })
    const net_minor = lines.reduce((total, line) => total + line.net_minor, 0)
    if (net_minor !== head.payout_minor)
      context.warn(`the rows sum to ${net_minor} and the payout is ${head.payout_minor}, in minor units`)
    return [{ kind: 'settlement' as const, document: { ...head, lines } }]
  },
})

export const shopifyBalanceTransactions: SettlementFormat = {
  id: 'shopify_payments',
  label: 'Shopify Payments payout with its balance transactions (JSON)',
  expects: '{"payout": {…}, "balance_transactions": […]}, or a list of such documents',
  content: 'document',
  delimiter: null,
  accepts: (head) => /^\uFEFF?\s*[[{]/.test(head) && /"issuedAt"|"transactionDate"/.test(head),
  open: (sink): SettlementReader => ({
    row: (cells) => {
      let row = 0
      for (const document of readDocuments(documentsOf(cells.join('')))) row = tellDocument(sink, document, row)
    },
    end: () => undefined,
  }),
}

function documentsOf(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return Array.isArray(value) ? value : [value]
  } catch (thrown) {
    throw new HubError('file_invalid', 'the document is not whole JSON: it may have been cut off', { cause: thrown })
  }
}

/** Rows are counted through the whole document, from 1. Returns the last one. */
function tellDocument(
  sink: SettlementSink,
  { payout, balance_transactions }: Static<typeof Document>,
  before: number,
): number {
  const head = headOf(payout, (message) => sink.warn(before + 1, message))
  const signs: Signs = { fee: null }
  balance_transactions.forEach((value, index) => {
    const number = before + index + 1
    faultOfRow(sink, number, () => {
      const row = readRow(value)
      if (!isMember(row, head.external_id)) return
      sink.line(head.external_id, { ...lineOf(row, signs, (message) => sink.warn(number, message)), row: number })
    })
  })
  sink.settlement({ ...head, control_minor: null, begin_minor: null, end_minor: null })
  return before + balance_transactions.length
}
