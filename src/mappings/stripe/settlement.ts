import { HubError } from '../../core/errors.ts'
import { currencyExponent } from '../../core/model/money.ts'
import type { Settlement, SettlementLine } from '../../core/model/settlement.ts'
import { defineMapping, fromTable, type MappingContext } from '../define.ts'
import { booked, feeTypeOfPart, feeTypeOfRow, kindOfRow } from './settlementKinds.ts'
import { PayoutWithRows, type BalanceTransaction, type StripePayout } from './payloads.ts'
import { currencyOf, idOf, instantFromUnix, minorFromStripe, referencesOf } from './units.ts'

const PAYOUT_STATUSES: Readonly<Record<string, Settlement['status']>> = {
  pending: 'pending',
  in_transit: 'in_transit',
  paid: 'paid',
  failed: 'failed',
  canceled: 'cancelled',
}

/**
 * A payout and its ledger rows. Every row must obey net = amount - fee and be in the payout's currency, otherwise nothing of the
 * payout is taken. Whether the rows sum to the payout is the settlement check's business; here it is only said aloud.
 */
export const stripeSettlement = defineMapping({
  from: PayoutWithRows,
  map: ({ payout, balance_transactions }, context) => {
    const currency = currencyOf(payout.currency)
    const payout_minor = minorFromStripe(payout.amount, currency, '$.payout.amount')
    const lines = balance_transactions.flatMap((row, index) =>
      isOwnRow(row, payout.id) ? [] : linesOf(row, currency, `$.balance_transactions[${index}]`, context),
    )
    if (isUnexplained(payout, balance_transactions)) lines.push(unexplainedLine(payout, currency, payout_minor))
    const net_minor = lines.reduce((total, line) => total + line.net_minor, 0)
    if (net_minor !== payout_minor)
      context.warn(`the rows sum to ${net_minor} and the payout is ${payout_minor}, in minor units`)
    return [
      {
        kind: 'settlement' as const,
        document: {
          external_id: payout.id,
          status: fromTable(PAYOUT_STATUSES, payout.status, 'pending', context, 'payout status'),
          currency,
          payout_minor,
          created_at: instantFromUnix(payout.created),
          arrival_at:
            payout.arrival_date === null || payout.arrival_date === undefined
              ? null
              : instantFromUnix(payout.arrival_date),
          bank_reference: payout.trace_id?.value?.slice(0, 200) || null,
          lines,
        },
      },
    ]
  },
})

/** The ledger books the payout itself as a row against the rest, so that all rows together are zero. */
const isOwnRow = (row: BalanceTransaction, payout_id: string): boolean =>
  row.type === 'payout' && idOf(row.source) === payout_id

/**
 * Only automatic payouts know their rows. Of a manual (or instant) one the vendor says the amount and nothing else: it was paid out of the
 * balance, and it is shown as just that, so that the bank's side of it can be matched.
 */
const isUnexplained = (payout: StripePayout, rows: readonly BalanceTransaction[]): boolean =>
  !payout.automatic && rows.length === 0

function unexplainedLine(payout: StripePayout, currency: string, payout_minor: number): SettlementLine {
  return {
    external_id: `${payout.id}:balance`,
    kind: 'carry_over',
    vendor_type: 'payout:manual',
    at: instantFromUnix(payout.created),
    currency,
    gross_minor: payout_minor,
    fee_minor: 0,
    net_minor: payout_minor,
    references: { order_external_id: null, order_number: null, payment_ids: [] },
  }
}

/** One line a row, and one more for each part of its fee that is of another sort (tax on the fee, a platform's share). */
function linesOf(row: BalanceTransaction, currency: string, path: string, context: MappingContext): SettlementLine[] {
  if (currencyOf(row.currency) !== currency) {
    throw new HubError(
      'payload_invalid',
      `row ${row.id} is in ${currencyOf(row.currency)}, its payout in ${currency}`,
      {
        path: `${path}.currency`,
      },
    )
  }
  if (BigInt(row.net) !== BigInt(row.amount) - BigInt(row.fee)) {
    throw new HubError('payload_invalid', `row ${row.id}: net is not amount minus fee`, { path: `${path}.net` })
  }
  const source = row.source
  const expanded = typeof source === 'object' && source !== null ? source : undefined
  const category = row.reporting_category ?? row.type
  const known = kindOfRow(row.type, category, row.net)
  if (known === undefined) context.warn(`unknown ledger row type "${row.type.slice(0, 60)}" taken as "other"`)
  const amounts = booked({
    kind: known ?? 'other',
    gross_minor: minorFromStripe(row.amount, currency, `${path}.amount`),
    fee_minor: minorFromStripe(row.fee, currency, `${path}.fee`),
  })
  const parts = amounts.kind === 'fee' || amounts.kind === 'fee_returned' ? [] : feeParts(row, currency, path, context)
  const [main, ...others] = parts
  const fee_minor = main?.fee_minor ?? amounts.fee_minor
  const fee_type =
    amounts.kind === 'fee' ? feeTypeOfRow(row.type) : (main?.fee_type ?? (fee_minor === 0 ? null : 'payment'))
  const fx = fxOf(row, currency, amounts.gross_minor, path, context)
  const line: SettlementLine = {
    external_id: row.id,
    ...amounts,
    fee_minor,
    vendor_type: vendorType(row),
    at: instantFromUnix(row.created),
    currency,
    net_minor: amounts.gross_minor - fee_minor,
    references: referencesOf(expanded?.metadata, [source, expanded?.charge, expanded?.payment_intent]),
    ...(fee_type === null || amounts.kind === 'fee_returned' ? {} : { fee_type }),
    ...(fx === undefined ? {} : { fx }),
  }
  return [line, ...others.map((part) => partLine(line, part))]
}

interface FeePart {
  fee_type: NonNullable<SettlementLine['fee_type']>
  fee_minor: number
}

/** The fee by sort, payment processing first; empty where the vendor gives no details, or details that do not come to the fee. */
function feeParts(row: BalanceTransaction, currency: string, path: string, context: MappingContext): FeePart[] {
  const details = row.fee_details ?? []
  if (details.length === 0) return []
  const isWhole =
    details.reduce((total, detail) => total + BigInt(detail.amount), 0n) === BigInt(row.fee) &&
    details.every((detail) => currencyOf(detail.currency) === currency)
  if (!isWhole) {
    context.warn('the details of a fee do not come to the fee: it is kept as one')
    return []
  }
  const parts = new Map<FeePart['fee_type'], number>()
  details.forEach((detail, index) => {
    const type = feeTypeOfPart(detail.type)
    const minor = minorFromStripe(detail.amount, currency, `${path}.fee_details[${index}].amount`)
    parts.set(type, (parts.get(type) ?? 0) + minor)
  })
  return [...parts]
    .map(([fee_type, fee_minor]) => ({ fee_type, fee_minor }))
    .filter((part) => part.fee_minor !== 0)
    .toSorted((a, b) => rankOf(a) - rankOf(b))
}

const rankOf = (part: FeePart): number => (part.fee_type === 'payment' ? 0 : 1)

function partLine(line: SettlementLine, { fee_type, fee_minor }: FeePart): SettlementLine {
  const { at, currency, references } = line
  const isReturned = fee_minor < 0
  return {
    external_id: `${line.external_id}:${fee_type}`,
    kind: isReturned ? 'fee_returned' : 'fee',
    vendor_type: `${line.vendor_type}:${fee_type}`.slice(0, 200),
    at,
    currency,
    gross_minor: 0,
    fee_minor,
    net_minor: -fee_minor,
    references,
    ...(isReturned ? {} : { fee_type }),
  }
}

/** What the buyer paid, where it was in another currency. The rate is no amount: it is kept as the text of what came. */
function fxOf(
  row: BalanceTransaction,
  currency: string,
  gross_minor: number,
  path: string,
  context: MappingContext,
): SettlementLine['fx'] | undefined {
  const source = typeof row.source === 'object' && row.source !== null ? row.source : undefined
  if (row.exchange_rate === null || row.exchange_rate === undefined) return undefined
  if (typeof source?.amount !== 'number' || typeof source.currency !== 'string') return undefined
  const original = currencyOf(source.currency)
  const rate = String(row.exchange_rate)
  if (original === currency || !/^\d+(\.\d+)?$/.test(rate)) return undefined
  const paid = minorFromStripe(source.amount, original, `${path}.source.amount`)
  const original_minor = gross_minor < 0 ? -Math.abs(paid) : Math.abs(paid)
  if (!isConverted([original_minor, original], [gross_minor, currency], rate))
    context.warn(`row ${row.id}: its amount is not what the source's amount comes to at its rate`)
  return { currency: original, original_minor, rate }
}

/** Within one unit of the last place, because the vendor rounds once. */
function isConverted([from_minor, from]: [number, string], [to_minor, to]: [number, string], rate: string): boolean {
  const [whole = '0', fraction = ''] = rate.split('.')
  const product = BigInt(from_minor) * BigInt(whole + fraction) * 10n ** BigInt(currencyExponent(to))
  const divisor = 10n ** BigInt(fraction.length + currencyExponent(from))
  const gap = product - BigInt(to_minor) * divisor
  return gap <= divisor && gap >= -divisor
}

function vendorType(row: BalanceTransaction): string {
  const category = row.reporting_category ?? row.type
  return (category === row.type ? row.type : `${row.type}:${category}`).slice(0, 200)
}
