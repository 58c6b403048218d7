import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { MinorUnits } from '../../core/model/money.ts'
import { occurrenceCounter } from '../../core/model/occurrences.ts'
import type { SettlementHeader, SettlementLine } from '../../core/model/settlement.ts'
import { defineMapping } from '../define.ts'
import { shownOf, type Shown } from './searchedRows.ts'
import { linkConversions, tellWindow, type Entry } from './settlementWindows.ts'

/**
 * One window of the account, as the connector cuts it out of the transaction search: a withdrawal with what led to it, or the rest of a
 * month. `related` are the other halves of its currency conversions. A withdrawal that the vendor no longer shows, because it has been
 * given another id, is told as superseded: its lines are those of another window by then.
 */

const open = { additionalProperties: true } as const
const Rows = Type.Array(Type.Object({ transaction_info: Type.Unknown() }, open))
export const SearchedWindow = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 200 }),
    account: Type.String(),
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    from: Type.String({ format: 'date-time' }),
    to: Type.String({ format: 'date-time' }),
    begin_minor: MinorUnits,
    end_minor: MinorUnits,
    transaction_details: Rows,
    withdrawal: Type.Union([Type.Object({ transaction_info: Type.Unknown() }, open), Type.Null()]),
    related: Rows,
    superseded: Type.Boolean(),
  },
  open,
)
export type SearchedWindow = Type.Static<typeof SearchedWindow>

export const paypalSettlement = defineMapping({
  from: SearchedWindow,
  map: (window, context) => {
    if (window.superseded) return [{ kind: 'settlement' as const, document: { ...emptied(window), lines: [] } }]
    const own = shownIn(window.transaction_details, '$.transaction_details')
    const last = window.withdrawal === null ? [] : shownIn([window.withdrawal], '$.withdrawal')
    const related = shownIn(window.related, '$.related')
    const entries = linkConversions([...own, ...last, ...related].map(({ entry }) => entry))
    const told = collected(
      window,
      entries.slice(0, own.length),
      entries.slice(own.length, own.length + last.length)[0] ?? null,
    )
    for (const warning of told.warnings) context.warn(warning)
    const net_minor = told.lines.reduce((sum, line) => sum + line.net_minor, 0)
    if (net_minor !== told.header.payout_minor)
      context.warn(`the rows sum to ${net_minor} and the withdrawal is ${told.header.payout_minor}, in minor units`)
    const { control_minor: _control, begin_minor: _begin, end_minor: _end, ...head } = told.header
    return [{ kind: 'settlement' as const, document: { ...head, lines: told.lines } }]
  },
})

function shownIn(rows: readonly { transaction_info: unknown }[], path: string): Shown[] {
  return rows.flatMap(({ transaction_info }, index) => {
    try {
      return shownOf(transaction_info, index + 1)
    } catch (thrown) {
      if (!(thrown instanceof HubError)) throw thrown
      throw new HubError(thrown.code, thrown.message, { path: `${path}[${index}].transaction_info`, cause: thrown })
    }
  })
}

function collected(window: SearchedWindow, entries: readonly Entry[], withdrawal: Entry | null) {
  const lines: SettlementLine[] = []
  const warnings: string[] = []
  const seen = occurrenceCounter()
  let header: SettlementHeader | undefined
  const sink = {
    settlement: (stated: SettlementHeader) => void (header = stated),
    line: (_settlement: string, line: SettlementLine) => {
      const nth = seen(line.external_id)
      const external_id = nth === 1 ? line.external_id : `${line.external_id.slice(0, 190)}#${nth}`
      lines.push({ ...line, external_id, row: null })
    },
    warn: (_row: number, message: string) => void warnings.push(message),
    fault: () => undefined,
  }
  const { currency, from, to, begin_minor, end_minor, id } = window
  const period = { id: id.slice(0, -`:${currency}`.length), currency, begin_minor, end_minor, from, to, entries }
  tellWindow(sink, period, { entries, begin: begin_minor, end: end_minor, withdrawal })
  if (header === undefined) throw new HubError('internal', 'a window told nothing')
  return { header, lines, warnings }
}

const emptied = ({ id, currency, to }: SearchedWindow) => ({
  external_id: id,
  status: 'cancelled' as const,
  currency,
  payout_minor: 0,
  created_at: to,
  arrival_at: null,
  bank_reference: null,
})
