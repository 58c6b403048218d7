import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { IS_ACTIVE, keyOf, writeJournals } from './journals.ts'
import { holdPeriods } from './periods.ts'
import { isOnClearing, writeOffJournalOf } from './rulesJournal.ts'

export interface WriteOffRequest {
  break_id: number
  connection_id: string
  currency: string
  /** Positive: the merchant loses it. */
  amount_minor: number
  by: string
  /** Of the company's days; default UTC. */
  timezone?: string
}

/**
 * Books the loss of one break, in the transaction that closes it. Asked again for a break that is written off already it answers with
 * the journal that is there. Returns the id of the journal. Faults: `not_found`.
 */
export async function postWriteOff(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId' | 'erps'>,
  request: WriteOffRequest,
): Promise<string> {
  const { break_id, connection_id, currency, amount_minor, by } = request
  const [found] = await tx.query<{
    type: string
    company_id: string
    settlement_id: string | null
    today: string
    active_id: string | null
    posted_before: number
  }>(
    `select k.type, k.company_id, k.settlement_id, ($2::timestamptz at time zone $3)::date as today,
       (select j.id from journals j where j.break_id = k.id and j.kind = 'write_off' and ${IS_ACTIVE}) as active_id,
       (select count(*) from journals j where j.break_id = k.id and j.kind = 'write_off') as posted_before
     from breaks k where k.id = $1 for no key update of k`,
    [break_id, ctx.now, request.timezone ?? 'UTC'],
  )
  if (found === undefined) throw new HubError('not_found', 'there is no such break')
  if (found.active_id !== null) return found.active_id
  const { type: break_type, company_id, settlement_id, today, posted_before } = found
  const locked = await holdPeriods(tx, [company_id])
  const clearing_minor = isOnClearing(break_type) && amount_minor !== 0 ? -amount_minor : 0
  const journal = {
    company_id,
    key: keyOf(`write_off:${break_id}`, posted_before),
    kind: 'write_off' as const,
    connection_id,
    currency,
    clearing_minor,
    settlement_id,
    version: null,
    returned: false,
    bank_line_id: null,
    break_id,
    due_on: today,
    reverses: null,
    entries: writeOffJournalOf({ break_type, connection_id, currency, amount_minor }),
  }
  const [id] = await writeJournals(tx, ctx, [journal], locked, by)
  if (id === undefined) throw new HubError('invariant_broken', 'a write-off was not booked')
  return id
}
