import { createHash } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { MinorUnits } from '../../core/model/money.ts'
import { checker } from '../../core/model/validate.ts'
import { inOrder, shownOf, type Shown } from '../../mappings/paypal/searchedRows.ts'
import { cutWindows, type CutWindow } from '../../mappings/paypal/searchedWindows.ts'
import { isConversion } from '../../mappings/paypal/settlementEvents.ts'
import type { SearchedWindow } from '../../mappings/paypal/settlementSearched.ts'
import type { Pull, PulledItem } from '../_kit/define.ts'
import { searchAll, type Searched, type SearchedRow } from './search.ts'
import type { PaypalSettings } from './settings.ts'

const DAY_MS = 86_400_000
const FIRST_DAYS = 90
/** Rows come late and withdrawals are corrected; a window this old, and proven, is no longer looked at. */
const SETTLED_DAYS = 3
/** A search goes by when something was begun, and some payments take weeks: where a balance has a gap, it reaches back so far. */
const GAP_DAYS = 31

const Told = Type.Object({ hash: Type.String(), currency: Type.String(), to: Type.String() })
const Cursor = Type.Object({
  /** Up to here every window of every currency is settled. */
  floor: Type.String(),
  reach_days: Type.Integer({ minimum: 0 }),
  anchors: Type.Record(
    Type.String(),
    Type.Object({ at: Type.String(), id: Type.Union([Type.String(), Type.Null()]), balance_minor: MinorUnits }),
  ),
  /** Windows behind the anchors, as they were told. */
  told: Type.Record(Type.String(), Told),
})
type Cursor = Static<typeof Cursor>
const readCursor = checker(Cursor, 'internal')

/**
 * Withdrawals with what led to them, and months with what stayed on the account, one item each. Windows of the last days are cut again in
 * every pull: a row that came late makes the window be told again, and one whose withdrawal has been given another id is told as
 * superseded before the new one is. Nothing is believed after the time up to which the vendor's own records are complete.
 */
export const pullSettlements: Pull<PaypalSettings> = async function* (port, request) {
  if (port.settings.client_id === undefined) return
  const { now } = request
  const first_ms = now.getTime() - (port.settings.first_days ?? FIRST_DAYS) * DAY_MS
  const cursor: Cursor =
    request.cursor === null
      ? { floor: new Date(first_ms).toISOString(), reach_days: 0, anchors: {}, told: {} }
      : readCursor(JSON.parse(request.cursor))
  const reach_ms = Math.max(cursor.reach_days * DAY_MS, request.cursor === null ? 0 : request.overlap_ms)
  const searched = await searchAll(port, new Date(Date.parse(cursor.floor) - reach_ms), now)
  if (searched === null) return
  const cut = cutAll(searched, cursor)
  const refreshed = searched.until.toISOString()
  let told = cursor.told
  for (const { item, next } of itemsOf(cut, { searched, told, refreshed })) {
    told = next
    yield { items: [item], cursor: JSON.stringify({ ...cursor, told }) }
  }
  yield { items: [], cursor: JSON.stringify(settled(cursor, { cut, told, until_ms: searched.until.getTime() })) }
}

interface Cut {
  currency: string
  windows: CutWindow[]
}

function cutAll({ account, rows, until }: Searched, { anchors, floor }: Cursor): Cut[] {
  const last = until.toISOString()
  const shown = rows
    .flatMap(({ transaction_info }, index) => readRow(transaction_info, index))
    .filter(({ entry }) => entry.at <= last)
  const byCurrency = Map.groupBy(shown, ({ entry }) => entry.currency)
  return [...new Set([...Object.keys(anchors), ...byCurrency.keys()])].map((currency) => {
    const anchor = anchors[currency] ?? null
    const own = (byCurrency.get(currency) ?? []).filter(({ entry }) => anchor !== null || entry.at >= floor)
    if (own.some(({ ending_minor }) => ending_minor === null))
      throw new HubError('vendor_response_invalid', `transactions.search: rows in ${currency} show no balances`)
    return {
      currency,
      windows: cutWindows(inOrder(own), { account: account || 'account', currency, anchor, until: last }),
    }
  })
}

function readRow(info: unknown, index: number): Shown[] {
  try {
    return shownOf(info, index)
  } catch (thrown) {
    if (!(thrown instanceof HubError)) throw thrown
    throw new HubError('vendor_response_invalid', `transactions.search: row ${index + 1}: ${thrown.message}`, {
      cause: thrown,
    })
  }
}

interface Telling {
  searched: Searched
  told: Cursor['told']
  refreshed: string
}

/** What has to be told, superseded withdrawals first: their lines must be free before others claim them. */
function* itemsOf(
  cut: readonly Cut[],
  { searched, told, refreshed }: Telling,
): Generator<{ item: PulledItem; next: Cursor['told'] }> {
  const windows = cut
    .flatMap((one) => one.windows)
    .filter(({ rows, withdrawal }) => rows.length > 0 || withdrawal !== null)
  const found = new Set(windows.map(({ id }) => id))
  const looked = new Set(cut.map(({ currency }) => currency))
  let next = { ...told }
  for (const [id, { currency, to }] of Object.entries(told)) {
    if (found.has(id) || !looked.has(currency)) continue
    const { [id]: _gone, ...rest } = next
    next = rest
    const payload: SearchedWindow = {
      ...EMPTY,
      id,
      account: searched.account,
      currency,
      from: to,
      to,
      superseded: true,
    }
    yield { item: itemOf(payload, refreshed).item, next }
  }
  for (const window of windows.toSorted((a, b) => (a.to < b.to ? -1 : 1))) {
    const { item, hash } = itemOf(payloadOf(window, searched), refreshed)
    if (next[window.id]?.hash === hash) continue
    next = { ...next, [window.id]: { hash, currency: window.currency, to: window.to } }
    yield { item, next }
  }
}

const EMPTY = { begin_minor: 0, end_minor: 0, transaction_details: [], withdrawal: null, related: [] }

/** The time of the records is part of the key: a withdrawal may be given its first id back. */
function itemOf(payload: SearchedWindow, refreshed: string): { item: PulledItem; hash: string } {
  const hash = createHash('sha256').update(JSON.stringify(payload)).digest('hex').slice(0, 32)
  return { item: { topic: 'settlement', dedupe_key: `poll:${payload.id}:${refreshed}:${hash}`, payload }, hash }
}

function payloadOf(window: CutWindow, { account, rows }: Searched): SearchedWindow {
  const { id, currency, from, to, begin_minor, end } = window
  const rowOf = ({ entry }: Shown): SearchedRow => rows[entry.row] ?? { transaction_info: null }
  return {
    id,
    account,
    currency,
    from,
    to,
    begin_minor,
    end_minor: end.balance_minor,
    transaction_details: window.rows.map(rowOf),
    withdrawal: window.withdrawal === null ? null : rowOf(window.withdrawal),
    related: relatedRows(window, rows),
    superseded: false,
  }
}

/** The other halves of the window's conversions stand in another currency and share a reference. */
function relatedRows(window: CutWindow, rows: readonly SearchedRow[]): SearchedRow[] {
  const halves = window.rows.filter(({ entry }) => isConversion(entry.event_code))
  if (halves.length === 0) return []
  const references = new Set(halves.map(({ entry }) => entry.reference_id ?? entry.transaction_id))
  return rows.filter(({ transaction_info }, index) =>
    readRow(transaction_info, index).some(
      ({ entry }) =>
        isConversion(entry.event_code) &&
        entry.currency !== window.currency &&
        references.has(entry.reference_id ?? entry.transaction_id),
    ),
  )
}

/** Moves each currency's anchor behind its last window that is old enough and proven; what is older than a month is left as it is. */
function settled(
  cursor: Cursor,
  { cut, told, until_ms }: { cut: readonly Cut[]; told: Cursor['told']; until_ms: number },
): Cursor {
  const anchors = { ...cursor.anchors }
  const left = new Set<string>()
  for (const { currency, windows } of cut) {
    const open = windows.findIndex((window) => !isSettled(window, until_ms))
    const done = open === -1 ? windows : windows.slice(0, open)
    const last = done.at(-1)
    if (last !== undefined) anchors[currency] = last.end
    for (const { id } of done) left.add(id)
  }
  const hasGap = cut.some(({ windows }) => windows.some(({ chain }) => chain === 'gap'))
  const seen = cut.flatMap(({ currency }) => anchors[currency] ?? [])
  const known = Object.values(anchors).map(({ at }) => at)
  // A currency without an anchor begins where the first search did.
  const floor = seen.length === cut.length && known.length > 0 ? known.reduce((a, b) => (a < b ? a : b)) : cursor.floor
  return {
    floor,
    reach_days: hasGap ? GAP_DAYS : SETTLED_DAYS,
    anchors,
    told: Object.fromEntries(Object.entries(told).filter(([id]) => !left.has(id))),
  }
}

function isSettled({ to, chain }: CutWindow, until_ms: number): boolean {
  const age_ms = until_ms - Date.parse(to)
  return age_ms > GAP_DAYS * DAY_MS || (chain === 'proven' && age_ms > SETTLED_DAYS * DAY_MS)
}
