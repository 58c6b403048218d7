import type { Tx } from '../../db/pool.ts'
import { matchSettlement } from '../matching/matchLines.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Settlement, SettlementLine } from '../model/settlement.ts'
import { LINE_COLUMNS, LINE_RECORD, lineRow, mergeLines } from './putLines.ts'
import { putSettlements, raiseVersions, type SettlementToPut } from './putSettlements.ts'
import { totalsOf, type SettlementFault, type SettlementTotals } from './rules.ts'

const FAULTS: Readonly<Record<SettlementFault['kind'], string>> = {
  line_identity: 'the net of this line is not its gross less its fee',
  currency: 'this line is in another currency than the payout',
  duplicate_line: 'two lines have the same id',
  too_large: 'the amounts are too large to be kept exactly',
}

/**
 * Keeps one payout and its lines and looks for the orders they pay. The same payout again changes nothing; a later word on it (paid,
 * failed after paid, corrected lines) changes what differs. Lines that a later word leaves out are removed, so that the payout shown
 * is always one that the gateway has stated. Money that does not add up is stored with its difference and held.
 */
export async function importSettlement(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, fact } = inbound
  if (fact.kind !== 'settlement') return { kind: 'ignored', reason: 'not_ours' }
  const settlement = fact.document
  const totals = totalsOf(settlement)
  if ('kind' in totals) return { kind: 'parked', error: faultOf(totals) }
  const [put] = await putSettlements(tx, ctx, { connection_id, file_id: null }, [toPut(settlement, totals)])
  if (put === undefined) throw new HubError('internal', 'a settlement was not stored')
  const touched = await putLines(tx, put.id, settlement.lines)
  if (put.change === 'same' && touched === 0) return { kind: 'ignored', reason: 'same' }
  if (put.change !== 'new') await raiseVersions(tx, ctx.now, [put.id])
  const matched = await matchSettlement(tx, ctx.now, { settlement_id: put.id })
  const gap = totals.difference_minor === 0 ? '' : `, differs by ${totals.difference_minor}`
  return { kind: 'applied', summary: `payout with ${settlement.lines.length} lines, ${matched} matched now${gap}` }
}

function toPut(settlement: Settlement, totals: SettlementTotals): SettlementToPut {
  const { difference_minor } = totals
  const { external_id, status, currency, payout_minor, created_at, arrival_at, bank_reference } = settlement
  const message = `the lines come to ${totals.net_minor}, the payout says ${payout_minor}`
  const fault = { kind: 'payout_identity' as const, row: null, column: null, difference_minor, message }
  return {
    header: {
      external_id,
      status,
      currency,
      payout_minor,
      created_at,
      arrival_at,
      bank_reference,
      control_minor: null,
      begin_minor: null,
      end_minor: null,
    },
    ...totals,
    faults: difference_minor === 0 ? [] : [fault],
  }
}

function faultOf(fault: SettlementFault): HubError {
  const path = 'index' in fault ? `$.lines[${fault.index}]` : '$.lines'
  return new HubError('payload_invalid', FAULTS[fault.kind], { path })
}

const FROM_JSON = `
  select ($1::uuid[])[1] as settlement_id, ${LINE_COLUMNS.join(', ')} from jsonb_to_recordset($2::jsonb) as w(${LINE_RECORD})`

/** Returns how many lines were added, changed or removed. */
async function putLines(tx: Tx, settlement_id: string, lines: readonly SettlementLine[]): Promise<number> {
  const [moved] = await tx.query<{ touched: number }>(mergeLines(FROM_JSON), [
    [settlement_id],
    JSON.stringify(lines.map(lineRow)),
  ])
  return moved?.touched ?? 0
}
