import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Settlement, SettlementLine } from '../model/settlement.ts'
import { matchLines } from './match.ts'
import { needsMatch, totalsOf, type SettlementFault, type SettlementTotals } from './rules.ts'

const FAULTS: Readonly<Record<SettlementFault['kind'], string>> = {
  line_identity: 'the net of this line is not its gross less its fee',
  currency: 'this line is in another currency than the payout',
  duplicate_line: 'two lines have the same id',
  too_large: 'the amounts are too large to be kept exactly',
}

/**
 * Keeps one payout and its lines and looks for the orders they pay. The same payout again changes nothing; a later word on it (paid,
 * failed after paid, corrected lines) changes what differs. Lines that a later word leaves out are removed, so that the payout shown
 * is always one that the gateway has stated. Money that does not add up is stored with its difference.
 */
export async function importSettlement(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, fact } = inbound
  if (fact.kind !== 'settlement') return { kind: 'ignored', reason: 'not_ours' }
  const settlement = fact.document
  const totals = totalsOf(settlement)
  if ('kind' in totals) return { kind: 'parked', error: faultOf(totals) }
  const { id, changed } = await putSettlement(tx, ctx, connection_id, settlement, totals)
  const touched = await putLines(tx, id, settlement.lines)
  if (!changed && touched === 0) return { kind: 'ignored', reason: 'same' }
  const matched = await matchLines(tx, { settlement_id: id })
  const gap = totals.difference_minor === 0 ? '' : `, differs by ${totals.difference_minor}`
  return { kind: 'applied', summary: `payout with ${settlement.lines.length} lines, ${matched} matched now${gap}` }
}

function faultOf(fault: SettlementFault): HubError {
  const path = 'index' in fault ? `$.lines[${fault.index}]` : '$.lines'
  return new HubError('payload_invalid', FAULTS[fault.kind], { path })
}

async function putSettlement(
  tx: Tx,
  ctx: CoreContext,
  connection_id: string,
  settlement: Settlement,
  totals: SettlementTotals,
): Promise<{ id: string; changed: boolean }> {
  const { external_id, status, currency, payout_minor, created_at, arrival_at, bank_reference } = settlement
  const [put] = await tx.query<{ id: string }>(
    `insert into settlements as s (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor,
       difference_minor, created_at, arrival_at, bank_reference, recorded_at, changed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)
     on conflict (connection_id, external_id) do update set
       status = excluded.status, currency = excluded.currency, payout_minor = excluded.payout_minor, gross_minor = excluded.gross_minor,
       fee_minor = excluded.fee_minor, net_minor = excluded.net_minor, difference_minor = excluded.difference_minor,
       created_at = excluded.created_at, arrival_at = excluded.arrival_at, bank_reference = excluded.bank_reference,
       changed_at = excluded.changed_at
     where (s.status, s.currency, s.payout_minor, s.gross_minor, s.fee_minor, s.net_minor, s.created_at, s.arrival_at, s.bank_reference)
       is distinct from (excluded.status, excluded.currency, excluded.payout_minor, excluded.gross_minor, excluded.fee_minor,
                         excluded.net_minor, excluded.created_at, excluded.arrival_at, excluded.bank_reference)
     returning id`,
    [
      ctx.newId(),
      connection_id,
      external_id,
      status,
      currency,
      payout_minor,
      totals.gross_minor,
      totals.fee_minor,
      totals.net_minor,
      totals.difference_minor,
      created_at,
      arrival_at,
      bank_reference,
      ctx.now,
    ],
  )
  if (put !== undefined) return { id: put.id, changed: true }
  const [known] = await tx.query<{ id: string }>(
    'select id from settlements where connection_id = $1 and external_id = $2 for no key update',
    [connection_id, external_id],
  )
  if (known === undefined) throw new HubError('internal', 'a settlement went away while it was imported')
  return { id: known.id, changed: false }
}

/** Returns how many lines were added, changed or removed. A line that has changed looks for its order again. */
async function putLines(tx: Tx, settlement_id: string, lines: readonly SettlementLine[]): Promise<number> {
  const rows = lines.map(({ references, ...line }) => ({
    ...line,
    ...references,
    match_state: needsMatch({ kind: line.kind, references }) ? 'unmatched' : 'not_needed',
  }))
  const [result] = await tx.query<{ touched: number }>(
    `with wanted as (
       select * from jsonb_to_recordset($2::jsonb) as w(external_id text, kind text, vendor_type text, at timestamptz, currency text,
         gross_minor bigint, fee_minor bigint, net_minor bigint, order_external_id text, order_number text, payment_ids text[],
         match_state text)
     ), gone as (
       delete from settlement_lines l where l.settlement_id = $1
         and not exists (select 1 from wanted w where w.external_id = l.external_id) returning 1
     ), put as (
       insert into settlement_lines as l (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor,
         order_external_id, order_number, payment_ids, match_state)
       select $1, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, order_external_id, order_number,
         payment_ids, match_state from wanted
       on conflict (settlement_id, external_id) do update set
         kind = excluded.kind, vendor_type = excluded.vendor_type, at = excluded.at, currency = excluded.currency,
         gross_minor = excluded.gross_minor, fee_minor = excluded.fee_minor, net_minor = excluded.net_minor,
         order_external_id = excluded.order_external_id, order_number = excluded.order_number, payment_ids = excluded.payment_ids,
         match_state = excluded.match_state, match_reason = null, order_id = null, payment_id = null
       where (l.kind, l.vendor_type, l.at, l.currency, l.gross_minor, l.fee_minor, l.net_minor, l.order_external_id, l.order_number,
              l.payment_ids)
         is distinct from (excluded.kind, excluded.vendor_type, excluded.at, excluded.currency, excluded.gross_minor, excluded.fee_minor,
              excluded.net_minor, excluded.order_external_id, excluded.order_number, excluded.payment_ids)
       returning 1
     )
     select ((select count(*) from gone) + (select count(*) from put))::int as touched`,
    [settlement_id, JSON.stringify(rows)],
  )
  return result?.touched ?? 0
}
