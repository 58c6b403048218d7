import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'

interface HeldRow {
  id: string
  company_id: string
  connection_id: string
  external_id: string
  currency: string
  difference_minor: number
  faults: number
  held: boolean
}

const KIND = 'settlement_held'
export const heldSubject = (settlement_id: string): string => `settlement:${settlement_id}`

/** A payout that is held is a case for a person, with its difference; one that is held no more is none. */
export async function tellHeld(tx: Tx, now: Date, settlement_ids: readonly string[]): Promise<void> {
  const rows = await tx.query<HeldRow>(
    `select s.id, c.company_id, s.connection_id, s.external_id, s.currency, s.difference_minor, jsonb_array_length(s.proof_faults) as faults,
       s.proof = 'held' as held
     from settlements s join connections c on c.id = s.connection_id where s.id = any($1::uuid[]) order by s.id`,
    [settlement_ids],
  )
  const cases = rows
    .filter(({ held }) => held)
    .map(
      ({ id, company_id, connection_id, external_id, currency, difference_minor, faults }) =>
        ({
          company_id,
          kind: KIND,
          subject: heldSubject(id),
          connection_id,
          data: { payout: external_id, currency, difference_minor, faults },
        }) as const,
    )
  await openCases(tx, cases, now)
  const subjects = rows.filter(({ held }) => !held).map(({ id }) => heldSubject(id))
  await closeCases(tx, { kind: KIND, subjects }, 'hub', now)
}
