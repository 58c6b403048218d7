import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import { checker } from '../../core/model/validate.ts'
import { parseDate } from '../amounts.ts'
import { faultOfRow, type SettlementFormat, type SettlementReader, type SettlementSink } from '../settlement.ts'
import { linkConversions, tellPeriod, type Entry } from './settlementWindows.ts'

/**
 * Pages of the transaction search (`fields=all`, balance-affecting records only), one answer or a list of answers that follow each other.
 * The account's running balance is the proof: balance before + amount + fee = `ending_balance`, row after row and currency by currency.
 */

const open = { additionalProperties: true } as const
const maybe = <T extends Parameters<typeof Type.Optional>[0]>(schema: T) =>
  Type.Optional(Type.Union([schema, Type.Null()]))
const Money = Type.Object({ currency_code: Type.String({ pattern: '^[A-Z]{3}$' }), value: Type.String() }, open)
const Info = Type.Object(
  {
    transaction_id: Type.String({ minLength: 1, maxLength: 100 }),
    transaction_event_code: Type.String({ minLength: 1, maxLength: 20 }),
    transaction_initiation_date: Type.String(),
    transaction_updated_date: maybe(Type.String()),
    transaction_status: maybe(Type.String()),
    transaction_amount: Money,
    fee_amount: maybe(Money),
    paypal_reference_id: maybe(Type.String({ maxLength: 100 })),
    invoice_id: maybe(Type.String({ maxLength: 200 })),
    custom_field: maybe(Type.String({ maxLength: 256 })),
    bank_reference_id: maybe(Type.String({ maxLength: 200 })),
    ending_balance: maybe(Money),
  },
  open,
)
const Page = Type.Object(
  {
    transaction_details: Type.Array(Type.Object({ transaction_info: Type.Unknown() }, open)),
    account_number: maybe(Type.String()),
    start_date: maybe(Type.String()),
    end_date: maybe(Type.String()),
    page: maybe(Type.Integer()),
    total_pages: maybe(Type.Integer()),
    total_items: maybe(Type.Integer()),
  },
  open,
)
type Page = Static<typeof Page>
const readPages = checker(Type.Array(Page, { minItems: 1 }), 'file_invalid')
const readInfo = checker(Info)

export const paypalTransactions: SettlementFormat = {
  id: 'paypal_transactions',
  label: 'PayPal transaction search (JSON)',
  content: 'document',
  delimiter: null,
  accepts: (head) => /^\uFEFF?\s*[[{]/.test(head) && head.includes('"transaction_details"'),
  open: (sink): SettlementReader => {
    const pages: Page[] = []
    return {
      row: (cells) => {
        pages.push(...readPages(listOf(cells.join(''))))
      },
      end: () => tellPages(sink, pages),
    }
  },
}

function listOf(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ''))
    return Array.isArray(value) ? value : [value]
  } catch (thrown) {
    throw new HubError('file_invalid', 'the document is not whole JSON: it may have been cut off', { cause: thrown })
  }
}

/** An entry with the balance that the vendor shows behind it. */
interface Shown {
  entry: Entry
  ending_minor: number | null
}

function tellPages(sink: SettlementSink, pages: readonly Page[]): void {
  checkPaging(sink, pages)
  const infos = pages.flatMap((page) => page.transaction_details)
  const shown: Shown[] = []
  infos.forEach(({ transaction_info }, index) =>
    faultOfRow(sink, index + 1, () => shown.push(...shownOf(transaction_info, index + 1))),
  )
  const entries = linkConversions(shown.map(({ entry }) => entry))
  const linked = shown.map(({ ending_minor }, index) => ({ ending_minor, entry: entries[index] })) as Shown[]
  for (const [currency, rows] of Map.groupBy(linked, ({ entry }) => entry.currency)) {
    const ordered = inOrder(rows)
    const begin_minor = beginOf(ordered)
    const end_minor = ordered.at(-1)?.ending_minor
    if (begin_minor === null || end_minor === null || end_minor === undefined) {
      const message = `the rows in ${currency} show no balances: leave out every filter but the dates`
      sink.fault({ row: ordered[0]?.entry.row ?? 1, column: 'ending_balance', message })
    }
    checkChain(sink, ordered, begin_minor)
    const sum = ordered.reduce((total, { entry }) => total + netOf(entry), 0)
    const from = ordered[0]?.entry.at ?? ''
    const to = ordered.at(-1)?.entry.at ?? from
    tellPeriod(sink, {
      id: `${accountOf(pages)}:${from.slice(0, 10)}:${to.slice(0, 10)}`,
      currency,
      begin_minor: begin_minor ?? 0,
      end_minor: end_minor ?? sum,
      from,
      to,
      entries: ordered.map(({ entry }) => entry),
    })
  }
}

const accountOf = (pages: readonly Page[]): string => pages.find((page) => page.account_number)?.account_number ?? 'account' // prettier-ignore

/** All pages of a window have to be there: a page that is missing may leave a chain of balances that looks whole. */
function checkPaging(sink: SettlementSink, pages: readonly Page[]): void {
  for (const [window, group] of Map.groupBy(pages, (page) => `${page.start_date ?? ''} to ${page.end_date ?? ''}`)) {
    const stated = group.find((page) => typeof page.total_items === 'number')?.total_items
    const found = group.reduce((total, page) => total + page.transaction_details.length, 0)
    if (typeof stated === 'number' && stated !== found)
      sink.fault({
        row: 1,
        column: 'total_items',
        message: `the window ${window} has ${stated} rows, ${found} are here`,
      })
  }
}

function shownOf(value: unknown, row: number): Shown[] {
  const info = readInfo(value)
  // Denied and pending rows moved no money.
  if (info.transaction_status === 'D' || info.transaction_status === 'P') return []
  const { currency_code: currency, value: gross } = info.transaction_amount
  const gross_minor = minorFromDecimal(gross, currency, 'transaction_amount')
  const fee = info.fee_amount
  if (fee && fee.currency_code !== currency)
    throw new HubError('payload_invalid', 'the fee is in another currency than the amount', { path: 'fee_amount' })
  const feeIn = fee ? minorFromDecimal(fee.value, currency, 'fee_amount') : 0
  const ending = info.ending_balance
  if (ending && ending.currency_code !== currency)
    throw new HubError('payload_invalid', 'the balance is in another currency than the amount', {
      path: 'ending_balance',
    })
  const at = info.transaction_updated_date ?? info.transaction_initiation_date
  const entry: Entry = {
    row,
    transaction_id: info.transaction_id,
    event_code: info.transaction_event_code,
    reference_id: info.paypal_reference_id || null,
    invoice_id: info.invoice_id?.trim() || null,
    custom_field: info.custom_field?.trim().slice(0, 200) || null,
    at: parseDate(at, { order: 'iso', path: 'transaction_updated_date' }),
    currency,
    gross_minor,
    fee_minor: feeIn === 0 ? 0 : -feeIn,
    bank_reference: info.bank_reference_id || null,
    fx: null,
    is_fee: false,
  }
  return [{ entry, ending_minor: ending ? minorFromDecimal(ending.value, currency, 'ending_balance') : null }]
}

const netOf = (entry: Entry): number => entry.gross_minor - entry.fee_minor

const beginOf = ([first]: readonly Shown[]): number | null =>
  first === undefined || first.ending_minor === null ? null : first.ending_minor - netOf(first.entry)

/** By time; rows of one second in the order in which each goes on where the balance before it ended. */
function inOrder(rows: readonly Shown[]): Shown[] {
  const seconds = [...Map.groupBy(rows, ({ entry }) => entry.at)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const ordered: Shown[] = []
  for (const [, group] of seconds) ordered.push(...chained(group, ordered.at(-1)?.ending_minor ?? null))
  return ordered
}

function chained(group: readonly Shown[], before: number | null): Shown[] {
  const left = [...group]
  const ordered: Shown[] = []
  // Of the first second the start is the balance that no other row of it ends with.
  let balance = before ?? startOf(left)
  while (left.length > 0) {
    const next = left.findIndex(
      ({ entry, ending_minor }) => ending_minor !== null && ending_minor - netOf(entry) === balance,
    )
    const [row] = left.splice(Math.max(next, 0), 1)
    if (row === undefined) break
    ordered.push(row)
    balance = row.ending_minor
  }
  return ordered
}

function startOf(group: readonly Shown[]): number | null {
  const ends = new Set(group.map(({ ending_minor }) => ending_minor))
  const starts = group.map(({ entry, ending_minor }) => (ending_minor === null ? null : ending_minor - netOf(entry)))
  return starts.find((start) => start !== null && !ends.has(start)) ?? starts[0] ?? null
}

function checkChain(sink: SettlementSink, ordered: readonly Shown[], begin: number | null): void {
  let balance = begin
  for (const { entry, ending_minor } of ordered) {
    if (balance !== null && ending_minor !== null && balance + netOf(entry) !== ending_minor) {
      const gap = ending_minor - balance - netOf(entry)
      const message = `the balance moves by ${gap} more than this row says (${entry.currency}, minor units)`
      sink.fault({ row: entry.row, column: 'ending_balance', message })
    }
    balance = ending_minor ?? (balance === null ? null : balance + netOf(entry))
  }
}
