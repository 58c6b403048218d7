import type { SettlementLine } from '../model/settlement.ts'

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
