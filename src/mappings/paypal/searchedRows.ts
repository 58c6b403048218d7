import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import { checker } from '../../core/model/validate.ts'
import { parseDate } from '../amounts.ts'
import type { Entry } from './settlementWindows.ts'

/** Rows of the transaction search as entries of the account, each with the balance that follows it, and the order in which they were booked. */

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
export type Page = Static<typeof Page>
export const readPages = checker(Type.Array(Page, { minItems: 1 }), 'file_invalid')
const readInfo = checker(Info)

/** An entry with the balance that the vendor shows behind it. */
export interface Shown {
  entry: Entry
  ending_minor: number | null
  /** When it was begun; `entry.at` is when it was last touched, as far as that is said. */
  initiated_at: string
}

/** Nothing for a row that moved no money. Throws `payload_invalid` with the field. */
export function shownOf(value: unknown, row: number): Shown[] {
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
  const ending_minor = ending ? minorFromDecimal(ending.value, currency, 'ending_balance') : null
  const initiated_at = parseDate(info.transaction_initiation_date, {
    order: 'iso',
    path: 'transaction_initiation_date',
  })
  return [{ entry, ending_minor, initiated_at }]
}

export const netOf = (entry: Entry): number => entry.gross_minor - entry.fee_minor

export const beginOf = ([first]: readonly Shown[]): number | null =>
  first === undefined || first.ending_minor === null ? null : first.ending_minor - netOf(first.entry)

/**
 * In the order in which they were booked. Whether that is the time of the last touch or that of the beginning is not documented, so the one
 * counts by which the balances follow each other; where both do, the last touch.
 */
export function inOrder(rows: readonly Shown[]): Shown[] {
  const touched = byTime(rows)
  if (gapsIn(touched) === 0) return touched
  const begun = byTime(rows.map((row) => ({ ...row, entry: { ...row.entry, at: row.initiated_at } })))
  return gapsIn(begun) < gapsIn(touched) ? begun : touched
}

const gapsIn = (ordered: readonly Shown[]): number =>
  ordered.filter((row, index) => {
    const before = ordered[index - 1]?.ending_minor ?? null
    return before !== null && row.ending_minor !== null && before + netOf(row.entry) !== row.ending_minor
  }).length

/** By time; rows of one second in the order in which each goes on where the balance before it ended. */
function byTime(rows: readonly Shown[]): Shown[] {
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
