import type { Settlement, SettlementLine } from '../model/settlement.ts'

/** Kinds of lines that need no order: their money may be the processor's own business with the merchant. */
const WITHOUT_ORDER: ReadonlySet<SettlementLine['kind']> = new Set([
  'transfer',
  'reserve_hold',
  'reserve_release',
  'carry_over',
  'loan',
])

/** Kinds that belong to an order only where they name it: a fee for storage does not, one for shipping it does. */
const WITH_ORDER_IF_NAMED: ReadonlySet<SettlementLine['kind']> = new Set(['fee', 'adjustment'])

/** Whether a line has to find the order it is about. An unclear kind is looked for where it names something. */
export function needsMatch(line: Pick<SettlementLine, 'kind' | 'references'>): boolean {
  if (WITHOUT_ORDER.has(line.kind)) return false
  const { order_external_id, order_number, payment_ids } = line.references
  const namesOrder = order_external_id !== null || order_number !== null
  if (WITH_ORDER_IF_NAMED.has(line.kind)) return namesOrder
  if (line.kind !== 'other' && line.kind !== 'fee_returned') return true
  return namesOrder || payment_ids.length > 0
}

export interface SettlementTotals {
  gross_minor: number
  fee_minor: number
  net_minor: number
  /** What the payout is more (less: negative) than the sum of its lines. Zero in a payout that explains itself. */
  difference_minor: number
}

export type SettlementFault =
  | { kind: 'line_identity'; index: number }
  | { kind: 'currency'; index: number }
  | { kind: 'duplicate_line'; index: number }
  | { kind: 'too_large' }

/**
 * The identities of a payout, in integers. A line whose net is not gross - fee, that is in another currency, or that is there twice
 * cannot be stored and is a fault of the message. A payout that its lines do not add up to is stored with the difference: hiding it
 * would be the mistake.
 */
export function totalsOf(settlement: Settlement): SettlementTotals | SettlementFault {
  const totals: SettlementTotals = { gross_minor: 0, fee_minor: 0, net_minor: 0, difference_minor: 0 }
  const ids = new Set<string>()
  for (const [index, line] of settlement.lines.entries()) {
    if (line.net_minor !== line.gross_minor - line.fee_minor) return { kind: 'line_identity', index }
    if (line.currency !== settlement.currency) return { kind: 'currency', index }
    if (ids.has(line.external_id)) return { kind: 'duplicate_line', index }
    ids.add(line.external_id)
    totals.gross_minor += line.gross_minor
    totals.fee_minor += line.fee_minor
    totals.net_minor += line.net_minor
  }
  totals.difference_minor = settlement.payout_minor - totals.net_minor
  return Object.values(totals).every((value) => Number.isSafeInteger(value)) ? totals : { kind: 'too_large' }
}
