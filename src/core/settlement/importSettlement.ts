import type { Tx } from '../../db/pool.ts'
import { matchSettlement } from '../matching/matchLines.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import { tellHeld } from './heldCases.ts'
import { LINE_COLUMNS, LINE_RECORD, lineStorer, mergeLines } from './putLines.ts'
import { putSettlements, raiseVersions, toPut } from './putSettlements.ts'
import { provenPayout } from './rulesProof.ts'

/**
 * Keeps one payout and its lines and looks for the orders they pay. The same payout again changes nothing; a later word on it (paid,
 * failed after paid, corrected lines) changes what differs. Lines that a later word leaves out are removed, so that the payout shown
 * is always one that the gateway has stated. What does not add up, or has a line that contradicts itself, is stored and held, with its
 * faults: hiding it would be the mistake.
 */
export async function importSettlement(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, fact } = inbound
  if (fact.kind !== 'settlement') return { kind: 'ignored', reason: 'not_ours' }
  const { external_id, lines } = fact.document
  const proof = provenPayout(fact.document)
  const [put] = await putSettlements(tx, ctx, { connection_id, file_id: null }, [toPut(proof, [], ctx.now)])
  if (put === undefined) throw new HubError('internal', 'a settlement was not stored')
  const rowOf = lineStorer()
  const touched = await putLines(tx, put.id, lines.map((line) => rowOf(external_id, line))) // prettier-ignore
  if (put.change === 'same' && touched === 0) return { kind: 'ignored', reason: 'same' }
  if (put.change !== 'new') await raiseVersions(tx, ctx.now, [put.id])
  if (put.change !== 'same') await tellHeld(tx, ctx.now, [put.id])
  const matched = await matchSettlement(tx, ctx.now, { settlement_id: put.id })
  const { difference_minor, faults_count } = proof
  const gap = difference_minor === 0 ? '' : `, differs by ${difference_minor}`
  const held = faults_count === 0 ? '' : ', held'
  return { kind: 'applied', summary: `payout with ${lines.length} lines, ${matched} matched now${gap}${held}` }
}

const FROM_JSON = `
  select ($1::uuid[])[1] as settlement_id, ${LINE_COLUMNS.join(', ')} from jsonb_to_recordset($2::jsonb) as w(${LINE_RECORD})`

/** Returns how many lines were added, changed or removed. */
async function putLines(tx: Tx, settlement_id: string, rows: readonly object[]): Promise<number> {
  const [moved] = await tx.query<{ touched: number }>(mergeLines(FROM_JSON), [[settlement_id], JSON.stringify(rows)])
  return moved?.touched ?? 0
}
