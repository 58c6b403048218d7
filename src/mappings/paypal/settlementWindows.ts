import type { SettlementLine } from '../../core/model/settlement.ts'
import { currencyExponent } from '../../core/model/money.ts'
import type { SettlementSink } from '../settlement.ts'
import { isConversion, isWithdrawal, kindOfEvent } from './settlementEvents.ts'

/** One entry of an account, signed from the merchant's side, in the minor units of its currency. */
export interface Entry {
  row: number
  transaction_id: string
  event_code: string
  /** What it refers to: the order, the payment that was given back, the other half of a conversion. */
  reference_id: string | null
  invoice_id: string | null
  custom_field: string | null
  at: string
  currency: string
  gross_minor: number
  /** Positive when it costs the merchant. */
  fee_minor: number
  bank_reference: string | null
  /** Of money that came out of a conversion: what was paid for it. */
  fx: NonNullable<SettlementLine['fx']> | null
  /** The fee of another entry, taken from the balance of another currency: all of `gross_minor` is fee. */
  is_fee: boolean
}

/** A day (or another window) of one account in one currency. */
export interface Period {
  /** Names the rest behind the last withdrawal: the same period, read again, has to have the same name. */
  id: string
  currency: string
  begin_minor: number
  end_minor: number
  from: string
  to: string
  entries: readonly Entry[]
}

/**
 * A withdrawal is the payout, and its members are all entries since the one before it, because the vendor marks none. What stood on the
 * account before and what stays there after are lines of kind `carry_over`, so that the lines of every window come to its payout; what
 * comes after the last withdrawal is a window of its own that pays nothing out. Nothing is counted twice and nothing is left over.
 */
export function tellPeriod(sink: SettlementSink, period: Period): void {
  sink.allOf?.(`${period.id}:`)
  let balance = period.begin_minor
  let window: Entry[] = []
  let begin = balance
  for (const entry of period.entries) {
    balance += entry.gross_minor - entry.fee_minor
    if (entry.is_fee || !isWithdrawal(entry.event_code, entry.gross_minor)) {
      window.push(entry)
      continue
    }
    tellWindow(sink, period, { entries: window, begin, end: balance, withdrawal: entry })
    window = []
    begin = balance
  }
  if (window.length === 0 && begin === period.end_minor) return
  // The last balance is the one that is stated: if a row is wrong, missing or there twice, the lines do not come to zero.
  tellWindow(sink, period, { entries: window, begin, end: period.end_minor, withdrawal: null })
}

export interface Window {
  entries: readonly Entry[]
  begin: number
  end: number
  withdrawal: Entry | null
}

export function tellWindow(sink: SettlementSink, period: Period, window: Window): void {
  const { withdrawal, begin, end, entries } = window
  const { currency } = period
  const id = withdrawal?.transaction_id ?? `${period.id}:${currency}`
  const payout_minor = withdrawal === null ? 0 : -withdrawal.gross_minor
  const last_at = withdrawal?.at ?? period.to
  const carry = (name: string, at: string, net_minor: number): void => {
    if (net_minor === 0) return
    sink.line(id, { ...bare(`${name}:${id}`, name, at, currency, net_minor), kind: 'carry_over' })
  }
  carry('balance_before', entries[0]?.at ?? period.from, begin)
  for (const entry of entries) sink.line(id, lineOf(sink, entry))
  if (withdrawal !== null && withdrawal.fee_minor !== 0) sink.line(id, feeLine(withdrawal, 'payout', 'fee', ':fee'))
  carry('balance_after', last_at, -end)
  sink.settlement({
    external_id: id,
    status: 'paid',
    currency,
    payout_minor,
    created_at: last_at,
    arrival_at: null,
    bank_reference: withdrawal?.bank_reference ?? withdrawal?.transaction_id ?? null,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}

function lineOf(sink: SettlementSink, entry: Entry): SettlementLine {
  const { event_code, gross_minor } = entry
  if (entry.is_fee) return feeLine(entry, 'payment', 'fee', ':fee')
  const known = kindOfEvent(event_code, gross_minor)
  if (known === undefined) sink.warn(entry.row, `unknown event code "${event_code.slice(0, 20)}" taken as "other"`)
  const kind = known ?? 'other'
  if (kind === 'fee' || kind === 'dispute_fee') return feeLine(entry, 'payment', kind)
  return {
    ...bare(idOf(entry), event_code, entry.at, entry.currency, gross_minor - entry.fee_minor),
    kind,
    gross_minor,
    fee_minor: entry.fee_minor,
    references: referencesOf(entry),
    ...(entry.fee_minor === 0 ? {} : { fee_type: 'payment' as const }),
    ...(entry.fx === null ? {} : { fx: entry.fx }),
    row: entry.row,
  }
}

/** A fee that is an entry of its own: nothing gross, and what it costs (or gives back) as fee. */
function feeLine(
  entry: Entry,
  fee_type: 'payment' | 'payout',
  kind: 'fee' | 'dispute_fee' = 'fee',
  suffix = '',
): SettlementLine {
  const fee_minor = fee_type === 'payout' ? entry.fee_minor : entry.fee_minor - entry.gross_minor
  return {
    ...bare(`${idOf(entry)}${suffix}`, entry.event_code, entry.at, entry.currency, -fee_minor),
    kind: fee_minor < 0 ? 'fee_returned' : kind,
    gross_minor: 0,
    fee_minor,
    references: referencesOf(entry),
    ...(kind === 'fee' ? { fee_type } : {}),
    row: entry.row,
  }
}

/** A transaction id stands for several entries; with the event code it stands for one. */
const idOf = (entry: Entry): string => `${entry.transaction_id}:${entry.event_code}`.slice(0, 200)

function referencesOf({ transaction_id, reference_id, invoice_id, custom_field }: Entry): SettlementLine['references'] {
  return {
    order_external_id: custom_field ?? invoice_id,
    order_number: invoice_id ?? custom_field,
    payment_ids: reference_id === null ? [transaction_id] : [transaction_id, reference_id],
  }
}

function bare(
  external_id: string,
  vendor_type: string,
  at: string,
  currency: string,
  net_minor: number,
): SettlementLine {
  return {
    external_id: external_id.slice(0, 200),
    kind: 'other',
    vendor_type,
    at,
    currency,
    gross_minor: net_minor,
    fee_minor: 0,
    net_minor,
    references: { order_external_id: null, order_number: null, payment_ids: [] },
  }
}

/** Decimals of a rate that is worked out here, because the vendor gives the two amounts and not the rate. */
const RATE_DIGITS = 10

/** Gives the arriving half of each currency conversion what was paid for it: two entries in two currencies with one reference. */
export function linkConversions(entries: readonly Entry[]): Entry[] {
  const halves = Map.groupBy(
    entries.filter((entry) => isConversion(entry.event_code)),
    (entry) => entry.reference_id ?? entry.transaction_id,
  )
  return entries.map((entry) => {
    if (!isConversion(entry.event_code) || entry.gross_minor <= 0) return entry
    const others = (halves.get(entry.reference_id ?? entry.transaction_id) ?? []).filter(
      (other) => other.currency !== entry.currency && other.gross_minor < 0,
    )
    const [paid] = others
    if (paid === undefined || others.length > 1) return entry
    const original_minor = -paid.gross_minor
    const rate = rateOf([entry.gross_minor, entry.currency], [original_minor, paid.currency])
    return { ...entry, fx: { currency: paid.currency, original_minor, rate } }
  })
}

/** Whole units of the one currency for one whole unit of the other. */
function rateOf([to_minor, to]: [number, string], [from_minor, from]: [number, string]): string {
  const scale = 10n ** BigInt(RATE_DIGITS + currencyExponent(from))
  const divisor = BigInt(from_minor) * 10n ** BigInt(currencyExponent(to))
  const digits = String((BigInt(to_minor) * scale + divisor / 2n) / divisor).padStart(RATE_DIGITS + 1, '0')
  return `${digits.slice(0, -RATE_DIGITS)}.${digits.slice(-RATE_DIGITS)}`
}
