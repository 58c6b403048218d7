import type { Shown } from './searchedRows.ts'
import { netOf } from './searchedRows.ts'
import { isWithdrawal } from './settlementEvents.ts'

/**
 * Cuts the account's running balance in one currency into windows. A withdrawal ends one, because it is the payout; and so does the end
 * of a month (UTC), because money may stay on the account for good, or leave it by a conversion into another currency.
 */

/** Where a window ended and the next one begins. */
export interface Boundary {
  /** Of a withdrawal: its time. Of a month: its first instant in the next one. */
  at: string
  /** The withdrawal that is the boundary; null: the end of a month. */
  id: string | null
  balance_minor: number
}

export interface CutWindow {
  id: string
  currency: string
  from: string
  to: string
  begin_minor: number
  end: Boundary
  /** Without the withdrawal. */
  rows: readonly Shown[]
  withdrawal: Shown | null
  /**
   * `proven`: what was there, what came and what went come to the balance that the vendor shows at the end. `gap`: they do not, so a row
   * is missing. `unconfirmed`: the end of a month behind which no row has come yet, so that the last row of the month may be missing.
   */
  chain: 'proven' | 'gap' | 'unconfirmed'
}

export interface CutOptions {
  account: string
  currency: string
  /** Null at the first cut: the balance before the first row follows from the row. */
  anchor: Boundary | null
  /** Up to where the vendor's records are complete. */
  until: string
}

/** Rows in the order in which they were booked. What comes after the last boundary is of a window that is still open. */
export function cutWindows(ordered: readonly Shown[], options: CutOptions): CutWindow[] {
  const { anchor, until } = options
  const rows = anchor === null ? ordered : rowsAfter(ordered, anchor)
  const [first] = rows
  const start = anchor ?? startOf(first)
  if (start === null) return []
  const windows: CutWindow[] = []
  let begin = start
  let open: Shown[] = []
  const close = (end: Boundary, to: string, withdrawal: Shown | null): void => {
    windows.push(windowOf(options, { begin, end, to, rows: open, withdrawal }))
    begin = end
    open = []
  }
  const closeMonths = (before: string): void => {
    for (let end = monthEnd(begin.at); end <= before; end = monthEnd(begin.at)) {
      const balance_minor = open.at(-1)?.ending_minor ?? begin.balance_minor
      close({ at: end, id: null, balance_minor }, secondBefore(end), null)
    }
  }
  for (const row of rows) {
    closeMonths(row.entry.at)
    const { entry } = row
    if (!isWithdrawal(entry.event_code, entry.gross_minor)) {
      open.push(row)
      continue
    }
    const balance_minor = row.ending_minor ?? (open.at(-1)?.ending_minor ?? begin.balance_minor) + netOf(entry)
    close({ at: entry.at, id: entry.transaction_id, balance_minor }, entry.at, row)
  }
  closeMonths(until)
  let next = open[0]
  return windows
    .toReversed()
    .map((window) => {
      const chain = window.chain === 'proven' ? confirmed(window, next) : window.chain
      next = window.rows[0] ?? window.withdrawal ?? next
      return { ...window, chain }
    })
    .toReversed()
}

/** A withdrawal shows the balance at its own end; that of a month is only known from the row that follows. */
function confirmed({ end, rows }: CutWindow, next: Shown | undefined): CutWindow['chain'] {
  if (end.id !== null || (next === undefined && rows.length === 0)) return 'proven'
  if (next === undefined || next.ending_minor === null) return 'unconfirmed'
  return end.balance_minor + netOf(next.entry) === next.ending_minor ? 'proven' : 'gap'
}

function startOf(first: Shown | undefined): Boundary | null {
  if (first === undefined) return null
  const { entry, ending_minor } = first
  return { at: entry.at, id: null, balance_minor: (ending_minor ?? netOf(entry)) - netOf(entry) }
}

/** A withdrawal that is gone (the vendor has given it another id) still marks the time. */
function rowsAfter(ordered: readonly Shown[], anchor: Boundary): readonly Shown[] {
  if (anchor.id === null) return ordered.filter(({ entry }) => entry.at >= anchor.at)
  const at = ordered.findIndex(
    ({ entry }) => entry.transaction_id === anchor.id && isWithdrawal(entry.event_code, entry.gross_minor),
  )
  return at === -1 ? ordered.filter(({ entry }) => entry.at > anchor.at) : ordered.slice(at + 1)
}

interface Closed {
  begin: Boundary
  end: Boundary
  to: string
  rows: readonly Shown[]
  withdrawal: Shown | null
}

function windowOf({ account, currency }: CutOptions, { begin, end, to, rows, withdrawal }: Closed): CutWindow {
  const moved = [...rows, ...(withdrawal === null ? [] : [withdrawal])].reduce(
    (sum, { entry }) => sum + netOf(entry),
    0,
  )
  return {
    id: end.id ?? `${account}:${to.slice(0, 7)}:${currency}`,
    currency,
    from: begin.at,
    to,
    begin_minor: begin.balance_minor,
    end,
    rows,
    withdrawal,
    chain: begin.balance_minor + moved === end.balance_minor ? 'proven' : 'gap',
  }
}

/** The first instant of the month after the one in which the instant is. */
function monthEnd(at: string): string {
  const year = Number(at.slice(0, 4))
  const month = Number(at.slice(5, 7))
  const next = month === 12 ? `${year + 1}-01` : `${year}-${String(month + 1).padStart(2, '0')}`
  return `${next}-01T00:00:00.000Z`
}

const secondBefore = (at: string): string => new Date(Date.parse(at) - 1_000).toISOString()
