import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import { occurrenceCounter } from '../../core/model/occurrences.ts'
import type { SettlementLine } from '../../core/model/settlement.ts'
import { parseDate } from '../amounts.ts'
import { headLine, tableReader, type SettlementFormat, type SettlementSink, type TableRow } from '../settlement.ts'

/**
 * Settlement detail report, one file for each batch of a merchant account. Amounts are decimals in two columns, debit and credit, of the
 * gross and of the net currency. What the vendor kept is either the commission (blended pricing) or markup, scheme fees and interchange
 * (Interchange++), never both. All rows of a batch together come to zero: the payout is a row, and so is what stays for the next batch.
 * Columns are found by name, because accounts add and leave out some. Not checked against a live account.
 */

type Kind = SettlementLine['kind']
type FeeType = NonNullable<SettlementLine['fee_type']>

const REQUIRED = [
  'merchant account', 'psp reference', 'merchant reference', 'creation date', 'type', 'gross currency', 'gross debit (gc)', 'gross credit (gc)',
  'net currency', 'net debit (nc)', 'net credit (nc)', 'batch number',
] as const // prettier-ignore
const BLENDED = ['commission (nc)'] as const
const INTERCHANGE = ['markup (nc)', 'scheme fees (nc)', 'interchange (nc)'] as const

/** Words of the type column, in lower case. */
const KINDS: Readonly<Record<string, Kind>> = {
  settled: 'sale',
  refunded: 'refund',
  refundedreversed: 'refund',
  chargeback: 'dispute',
  secondchargeback: 'dispute',
  chargebackreversed: 'dispute',
  fee: 'fee',
  misccosts: 'fee',
  invoicededuction: 'fee',
  paymentcost: 'fee',
  depositcorrection: 'reserve_hold',
  balancetransfer: 'carry_over',
  paidout: 'transfer',
  paidoutreversed: 'transfer',
  matchedstatement: 'transfer',
  bankinstructionreturned: 'transfer',
  epapaid: 'transfer',
  manualcorrected: 'adjustment',
}
const FEE_TYPES: Readonly<Record<string, FeeType>> = { fee: 'payment', paymentcost: 'payment' }
const PAYOUT = 'merchantpayout'

interface Batch {
  currency: string
  /** Net currencies of its rows: more than one is a mistake of the file. */
  currencies: Set<string>
  payout_minor: number
  payouts: number
  last_at: string
  reference: string | null
}

export const adyenSettlementDetail: SettlementFormat = {
  id: 'adyen_settlement_detail',
  label: 'Adyen settlement detail report',
  expects: 'with the columns Psp Reference, Type, Gross Debit (GC), Net Credit (NC), Batch Number',
  content: 'delimited',
  delimiter: null,
  accepts: (head) => REQUIRED.every((column) => headLine(head).includes(column)),
  open: (sink, { settings }) => {
    const batches = new Map<string, Batch>()
    const seen = occurrenceCounter()
    const read = tableReader(sink, { required: REQUIRED, short_rows: 'fault' }, (row) =>
      readRow({ sink, batches, seen, zone: settings['zone'] }, row),
    )
    return {
      row: read,
      end: () => {
        for (const [external_id, batch] of batches) tellBatch(sink, external_id, batch)
      },
    }
  },
}

interface Reading {
  sink: SettlementSink
  batches: Map<string, Batch>
  seen: (text: string) => number
  zone: unknown
}

interface Amounts {
  currency: string
  net_minor: number
  fee_minor: number
  gross_minor: number
  fx: NonNullable<SettlementLine['fx']> | null
  pricing: 'blended' | 'interchange' | null
}

function readRow(reading: Reading, table: TableRow): void {
  const { sink, batches } = reading
  const batch_number = table.cell('batch number')
  if (batch_number === '') throw new HubError('payload_invalid', 'names no batch', { path: 'batch number' })
  const external_id = `${table.cell('merchant account')}:${batch_number}`
  const type = table.cell('type')
  const word = type.toLowerCase().replace(/[^a-z]/g, '')
  if (word === '') throw new HubError('payload_invalid', 'is empty: the row was cut off', { path: 'type' })
  const at = instantOf(table, reading.zone)
  const amounts = amountsOf(table)
  const batch = batches.get(external_id) ?? newBatch(amounts.currency, at)
  batches.set(external_id, batch)
  batch.currencies.add(amounts.currency)
  if (at > batch.last_at) batch.last_at = at
  if (word === PAYOUT) return addPayout(batch, amounts, table, at)
  const known = Object.hasOwn(KINDS, word) ? KINDS[word] : undefined
  if (known === undefined) sink.warn(table.row, `unknown row type "${type.slice(0, 60)}" taken as "other"`)
  sink.line(external_id, lineOf(reading, table, { type, word, at, kind: known ?? 'other', amounts, external_id }))
}

const newBatch = (currency: string, at: string): Batch => ({
  currency,
  currencies: new Set(),
  payout_minor: 0,
  payouts: 0,
  last_at: at,
  reference: null,
})

/** Money that leaves is a debit; a payout that is taken back from the bank account is a credit. */
function addPayout(batch: Batch, amounts: Amounts, table: TableRow, at: string): void {
  if (amounts.currency !== batch.currency && batch.payouts > 0)
    throw new HubError('payload_invalid', 'one batch is paid out in two currencies', { path: 'net currency' })
  batch.currency = amounts.currency
  batch.payout_minor -= amounts.net_minor
  batch.payouts += 1
  batch.last_at = at
  batch.reference = table.cell('modification reference') || table.cell('psp reference') || null
}

function instantOf(table: TableRow, zone: unknown): string {
  // The column is called TimeZone, and its words are abbreviations such as CET.
  const named = table.cell('timezone') || (typeof zone === 'string' ? zone : 'UTC')
  return parseDate(table.cell('creation date'), { order: 'iso', zone: named, path: 'creation date' })
}

function amountsOf(table: TableRow): Amounts {
  const gross_currency = currencyOf(table, 'gross currency')
  const net_currency = currencyOf(table, 'net currency')
  const currency = net_currency ?? gross_currency
  if (currency === null) throw new HubError('payload_invalid', 'names no currency', { path: 'net currency' })
  const net_minor = sideOf(table, ['net credit (nc)', 'net debit (nc)'], currency)
  const fees = feesOf(table, currency)
  const original_minor = sideOf(table, ['gross credit (gc)', 'gross debit (gc)'], gross_currency ?? currency)
  const gross_minor = net_minor + fees.minor
  // A row without a gross amount (a fee, a transfer) has all there is to say in its net amount.
  if (original_minor === 0)
    return { currency, net_minor, fee_minor: fees.minor, gross_minor, fx: null, pricing: fees.pricing }
  if (gross_currency === null || gross_currency === currency) {
    if (original_minor !== gross_minor) throw unequal(BigInt(gross_minor), BigInt(original_minor), currency)
    return { currency, net_minor, fee_minor: fees.minor, gross_minor, fx: null, pricing: fees.pricing }
  }
  const rate = table.cell('exchange rate')
  if (!/^\d{1,12}(\.\d{1,12})?$/.test(rate))
    throw new HubError('payload_invalid', 'has no rate between its two currencies', { path: 'exchange rate' })
  const expected = converted(original_minor, gross_currency, currency, rate)
  // The vendor rounds once; a unit of the last place is all that may be apart.
  if (expected - BigInt(gross_minor) > 1n || BigInt(gross_minor) - expected > 1n)
    throw unequal(BigInt(gross_minor), expected, currency)
  const fx = { currency: gross_currency, original_minor, rate }
  return { currency, net_minor, fee_minor: fees.minor, gross_minor, fx, pricing: fees.pricing }
}

const unequal = (found: bigint, stated: bigint, currency: string): HubError =>
  new HubError(
    'payload_invalid',
    `net and fees come to ${found}, gross is ${stated}: ${found - stated} apart (${currency}, minor units)`,
    { path: 'gross' },
  )

function currencyOf(table: TableRow, column: string): string | null {
  const text = table.cell(column)
  if (text === '') return null
  if (!/^[A-Z]{3}$/.test(text)) throw new HubError('payload_invalid', 'is not a currency', { path: column })
  return text
}

/**
 * Decimal text. The vendor writes CLP and ISK with two decimals that are always zero, CVE and IDR with none: the value is the same, and
 * a fraction that the currency does not have is a fault.
 */
const minorOf = (table: TableRow, column: string, currency: string): number => {
  const text = table.cell(column)
  return text === '' ? 0 : minorFromDecimal(text, currency, column)
}

function sideOf(table: TableRow, [credit, debit]: readonly [string, string], currency: string): number {
  const into = minorOf(table, credit, currency)
  const out = minorOf(table, debit, currency)
  if (into < 0 || out < 0) throw new HubError('payload_invalid', 'is negative in a column of its own', { path: debit })
  if (into !== 0 && out !== 0) throw new HubError('payload_invalid', 'has a debit and a credit', { path: debit })
  return into - out
}

function feesOf(table: TableRow, currency: string): { minor: number; pricing: Amounts['pricing'] } {
  const sum = (columns: readonly string[]): number =>
    columns.reduce((total, column) => total + minorOf(table, column, currency), 0)
  const isSaid = (columns: readonly string[]): boolean =>
    columns.some((column) => minorOf(table, column, currency) !== 0)
  const blended = isSaid(BLENDED)
  const interchange = isSaid(INTERCHANGE)
  if (blended && interchange)
    throw new HubError('payload_invalid', 'is beside markup, scheme fees or interchange: one of the two is meant', {
      path: BLENDED[0],
    })
  if (blended) return { minor: sum(BLENDED), pricing: 'blended' }
  return { minor: sum(INTERCHANGE), pricing: interchange ? 'interchange' : null }
}

/** Amount × rate in the minor units of the other currency, rounded half away from zero. */
function converted(minor: number, from: string, to: string, rate: string): bigint {
  const [whole = '0', fraction = ''] = rate.split('.')
  const one = (currency: string): bigint => BigInt(minorFromDecimal('1', currency))
  const product = BigInt(minor) * BigInt(whole + fraction) * one(to)
  const divisor = 10n ** BigInt(fraction.length) * one(from)
  const half = product < 0n ? -divisor : divisor
  return (product * 2n + half) / (divisor * 2n)
}

interface Told {
  type: string
  word: string
  at: string
  kind: Kind
  amounts: Amounts
  external_id: string
}

function lineOf(reading: Reading, table: TableRow, told: Told): SettlementLine {
  const { amounts, kind, word } = told
  const own = kind === 'fee'
  // A row that is a fee itself has nothing gross: what it takes is the fee, and what it gives is a fee given back.
  const fee_minor = own ? 0 - amounts.net_minor : amounts.fee_minor
  const fee_type = own ? (FEE_TYPES[word] ?? 'other') : amounts.fee_minor === 0 ? null : 'payment'
  const reference = table.cell('merchant reference').slice(0, 200) || null
  const ids = [table.cell('psp reference'), table.cell('modification reference')].filter((id) => id !== '')
  const kinds = { fee: fee_minor < 0 ? 'fee_returned' : 'fee', reserve_hold: amounts.net_minor > 0 ? 'reserve_release' : 'reserve_hold' } as const // prettier-ignore
  return {
    external_id: identityOf(reading, table, told),
    kind: kind === 'fee' || kind === 'reserve_hold' ? kinds[kind] : kind,
    vendor_type: (amounts.pricing === 'interchange' ? `${told.type}:interchange` : told.type).slice(0, 200),
    at: told.at,
    currency: amounts.currency,
    gross_minor: own ? 0 : amounts.gross_minor,
    fee_minor: fee_minor === 0 ? 0 : fee_minor,
    net_minor: amounts.net_minor,
    references: {
      order_external_id: reference,
      order_number: reference,
      payment_ids: [...new Set(ids)].map((id) => id.slice(0, 200)),
    },
    ...(fee_type === null || (own && fee_minor < 0) ? {} : { fee_type }),
    ...(amounts.fx === null ? {} : { fx: amounts.fx }),
    row: table.row,
  }
}

/** A payment's row is known by its references; a row without any is known by what it says and how often that was said before. */
function identityOf(reading: Reading, table: TableRow, { type, at, external_id }: Told): string {
  const ids = [table.cell('psp reference'), table.cell('modification reference')]
  const base = [type, ...ids.filter((id) => id !== '')].join(':')
  if (ids.some((id) => id !== '')) return base.slice(0, 200)
  const dated = `${base}:${at.slice(0, 10)}`
  const count = reading.seen(`${external_id}\u0000${dated}`)
  return (count === 1 ? dated : `${dated}:${count}`).slice(0, 200)
}

function tellBatch(sink: SettlementSink, external_id: string, batch: Batch): void {
  if (batch.currencies.size > 1) {
    const message = `batch ${external_id.slice(0, 80)} has rows in ${[...batch.currencies].join(' and ')}`
    sink.fault({ row: 1, column: 'net currency', message })
  }
  sink.settlement({
    external_id,
    status: 'paid',
    currency: batch.currency,
    payout_minor: batch.payout_minor,
    created_at: batch.last_at,
    arrival_at: null,
    bank_reference: batch.reference,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}
