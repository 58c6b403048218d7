import { HubError } from '../../core/errors.ts'
import { parseAmount, parseDate } from '../amounts.ts'
import {
  exactJson,
  faultOfRow,
  isObject,
  objectsUnder,
  textOf,
  type SettlementFormat,
  type SettlementSink,
} from '../settlement.ts'
import { booked, type AmazonKind } from './kinds.ts'

/**
 * Transactions of the Finances API 2024-06-19 as a document, and the event groups of v0 for what was paid. Every leaf of a transaction's
 * breakdowns is a line. A deferred sale comes twice, when it is deferred and when it is released; only the released one is money.
 * The names of breakdowns are from memory and not checked against a live account.
 */

const OTHER: AmazonKind = { kind: 'other' }

interface Rule extends AmazonKind {
  /** Of the transaction's type and description. */
  transaction?: RegExp
  /** Of the path of breakdown names, as `ProductCharges/Tax`. */
  path?: RegExp
}

const RULES: readonly Rule[] = [
  { path: /withh|facilitator|lowvaluegoods|tcs|tds/, kind: 'facilitator_tax' },
  { path: /promo|discount|coupon(?!fee)/, kind: 'promotion' },
  { path: /refundcommission|refundadmin/, kind: 'fee', fee_type: 'refund_administration' },
  { path: /commission|referral/, kind: 'commission' },
  { path: /fba|fulfil/, kind: 'fee', fee_type: 'fulfilment' },
  { path: /storage/, kind: 'fee', fee_type: 'storage' },
  { path: /inbound|placement/, kind: 'fee', fee_type: 'inbound' },
  { path: /advertis/, kind: 'fee', fee_type: 'advertising' },
  { path: /subscription/, kind: 'fee', fee_type: 'subscription' },
  { path: /digitalservices/, kind: 'fee', fee_type: 'digital_services' },
  { path: /fee/, kind: 'fee', fee_type: 'other' },
  { transaction: /chargeback|a-?to-?z|guarantee/, kind: 'dispute' },
  { path: /tax/, kind: 'tax' },
  { transaction: /refund/, kind: 'refund' },
  { path: /shipping|giftwrap/, kind: 'shipping' },
  { path: /principal|productcharges|ourprice/, kind: 'sale' },
  { transaction: /reserve/, kind: 'reserve_hold' },
  { transaction: /transfer|disburse/, kind: 'transfer' },
  { transaction: /loan/, kind: 'loan' },
  { transaction: /advertis|productads/, kind: 'fee', fee_type: 'advertising' },
  { transaction: /fee/, kind: 'fee', fee_type: 'other' },
  { transaction: /adjust|reimburse|safe-?t|debt/, kind: 'adjustment' },
] // prettier-ignore

export const amazonFinances: SettlementFormat = {
  id: 'amazon_finances',
  label: 'Amazon Finances API 2024-06-19 (JSON)',
  expects: 'a JSON document with the list transactions',
  content: 'document',
  delimiter: null,
  accepts: (head) =>
    /^\s*[[{]/.test(head) && /"(transactionStatus|relatedIdentifiers|FinancialEventGroupId)"/.test(head),
  open: (sink) => ({ row: ([text = '']) => readDocument(sink, exactJson(text)), end: () => undefined }),
}

interface Sum {
  currency: string
  net_minor: number
  last_at: string
}

function readDocument(sink: SettlementSink, document: unknown): void {
  const sums = new Map<string, Sum>()
  const left = { deferred: 0, ungrouped: 0 }
  for (const [index, transaction] of objectsUnder(document, 'transactions').entries()) {
    faultOfRow(sink, index + 1, () => {
      if (textOf(transaction['transactionStatus']).toUpperCase().startsWith('DEFERRED')) left.deferred += 1
      else readTransaction(sink, transaction, index + 1, sums, left)
    })
  }
  if (left.deferred > 0)
    sink.warn(1, `${left.deferred} deferred transactions are left out: they count when they are released`)
  if (left.ungrouped > 0) sink.warn(1, `${left.ungrouped} transactions belong to no payout yet and are left for later`)
  const told = new Set(
    objectsUnder(document, 'financialEventGroups').map((group, index) => tellGroup(sink, group, index + 1)),
  )
  for (const [id, sum] of sums) if (!told.has(id)) tellUnproven(sink, id, sum)
}

function readTransaction(
  sink: SettlementSink,
  transaction: Record<string, unknown>,
  row: number,
  sums: Map<string, Sum>,
  left: { ungrouped: number },
): void {
  const named = identifiersOf(transaction['relatedIdentifiers'])
  const payout = named.get('FINANCIAL_EVENT_GROUP_ID') ?? named.get('SETTLEMENT_ID')
  if (payout === undefined) {
    left.ungrouped += 1
    return
  }
  const at = parseDate(textOf(transaction['postedDate']), { order: 'iso', path: 'postedDate' })
  const total = moneyOf(transaction['totalAmount'], 'totalAmount')
  const sum = sums.get(payout) ?? { currency: total.currency, net_minor: 0, last_at: at }
  sum.net_minor += total.minor
  if (at > sum.last_at) sum.last_at = at
  sums.set(payout, sum)
  const leaves = leavesOf(transaction['breakdowns'], '')
  const whole = leaves.length > 0 ? leaves : [{ path: 'Total', ...total }]
  const parts = whole.reduce((all, leaf) => all + leaf.minor, 0)
  if (parts !== total.minor) {
    sink.fault({ row, column: 'breakdowns', message: `come to ${parts}, the transaction says ${total.minor}` })
  }
  const type = textOf(transaction['transactionType'])
  const words = `${type} ${textOf(transaction['description'])}`.toLowerCase()
  for (const [index, leaf] of whole.entries()) {
    const rule = RULES.find(
      (one) => (one.transaction?.test(words) ?? true) && (one.path?.test(leaf.path.toLowerCase()) ?? true),
    )
    if (rule === undefined)
      sink.warn(row, `unknown breakdown "${type} / ${leaf.path}"`.slice(0, 140).concat(' is kept as other'))
    sink.line(payout, {
      external_id: `${textOf(transaction['transactionId']).slice(0, 120)}:${index + 1}`,
      ...booked(rule ?? OTHER, leaf.minor),
      vendor_type: `${type} / ${leaf.path}`.slice(0, 200),
      at,
      currency: leaf.currency,
      references: {
        order_external_id: named.get('ORDER_ID')?.slice(0, 200) ?? null,
        order_number: null,
        payment_ids: [named.get('REFUND_ID')].flatMap((id) => id?.slice(0, 200) ?? []),
      },
      shipment_external_id: named.get('SHIPMENT_ID')?.slice(0, 200) ?? null,
      row,
    })
  }
}

/** `OriginalTotal` is what the group paid; a group that is open has not paid yet. */
function tellGroup(sink: SettlementSink, group: Record<string, unknown>, row: number): string {
  const external_id = textOf(group['FinancialEventGroupId'])
  faultOfRow(sink, row, () => {
    const total = moneyOf(group['OriginalTotal'], 'OriginalTotal')
    const closed = textOf(group['FinancialEventGroupEnd']) || textOf(group['FinancialEventGroupStart'])
    const transferred = textOf(group['FundTransferDate'])
    sink.settlement({
      external_id,
      status: statusOf(group),
      currency: total.currency,
      payout_minor: total.minor,
      created_at: parseDate(closed, { order: 'iso', path: 'FinancialEventGroupEnd' }),
      arrival_at: transferred === '' ? null : parseDate(transferred, { order: 'iso', path: 'FundTransferDate' }),
      bank_reference: textOf(group['TraceId']).slice(0, 200) || null,
      control_minor: null,
      begin_minor: null,
      end_minor: null,
    })
  })
  return external_id
}

function statusOf(group: Record<string, unknown>): SettlementStatus {
  if (textOf(group['ProcessingStatus']).toLowerCase() === 'open') return 'pending'
  const transfer = textOf(group['FundTransferStatus']).toLowerCase()
  if (/fail|return|reject/.test(transfer)) return 'failed'
  return /succe|complete|transferred/.test(transfer) ? 'paid' : 'in_transit'
}
type SettlementStatus = Parameters<SettlementSink['settlement']>[0]['status']

function tellUnproven(sink: SettlementSink, external_id: string, { currency, net_minor, last_at }: Sum): void {
  sink.warn(1, `payout ${external_id.slice(0, 80)} itself is not in the document: its amount is the sum of its rows`)
  sink.settlement({
    external_id,
    status: 'pending',
    currency,
    payout_minor: net_minor,
    created_at: last_at,
    arrival_at: null,
    bank_reference: null,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}

interface Leaf {
  path: string
  currency: string
  minor: number
}

const DEPTH_MAX = 20

function leavesOf(breakdowns: unknown, parent: string, depth = 0): Leaf[] {
  if (depth > DEPTH_MAX) throw new HubError('payload_invalid', 'are nested too deeply', { path: 'breakdowns' })
  if (!Array.isArray(breakdowns)) return []
  return breakdowns.filter(isObject).flatMap((breakdown) => {
    const name = textOf(breakdown['breakdownType']) || 'unnamed'
    const path = parent === '' ? name : `${parent}/${name}`
    const below = leavesOf(breakdown['breakdowns'], path, depth + 1)
    if (below.length > 0) return below
    return [{ path, ...moneyOf(breakdown['breakdownAmount'], `breakdowns ${path}`.slice(0, 100)) }]
  })
}

function moneyOf(value: unknown, path: string): { currency: string; minor: number } {
  const money = isObject(value) ? value : {}
  const currency = textOf(money['currencyCode'] ?? money['CurrencyCode'])
  if (!/^[A-Z]{3}$/.test(currency)) throw new HubError('payload_invalid', 'has no currency', { path })
  const text = textOf(money['currencyAmount'] ?? money['CurrencyAmount'])
  return { currency, minor: parseAmount(text, currency, { decimal: '.', path }) }
}

function identifiersOf(list: unknown): Map<string, string> {
  const entries = (Array.isArray(list) ? list.filter(isObject) : []).map(
    (one) => [textOf(one['relatedIdentifierName']), textOf(one['relatedIdentifierValue'])] as const,
  )
  return new Map(entries.filter(([, value]) => value !== ''))
}
