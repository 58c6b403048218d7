import { writeAudit } from '../../db/audit.ts'
import { isUuid } from '../../db/page.ts'
import type { Tx } from '../../db/pool.ts'
import { closeCases } from '../cases/cases.ts'
import { HubError } from '../errors.ts'
import { heldSubject } from '../settlement/heldCases.ts'

export interface ProofAccepted {
  id: string
  /** False: it was accepted before. */
  accepted_now: boolean
  difference_minor: number
}

/**
 * Lets a payout whose identities do not hold into the books, difference and all; a later version is proven anew. The reason is kept in
 * the audit log. Faults: `not_found`, `bad_request` without a reason, `conflict` where there is nothing to accept.
 */
export async function acceptProof(
  tx: Tx,
  now: Date,
  { id, reason, by }: { id: string; reason: string; by: string },
): Promise<ProofAccepted> {
  if (reason.trim() === '') throw new HubError('bad_request', 'say why', { path: 'reason' })
  const condition = isUuid(id) ? 'id = $1::uuid' : 'external_id = $1'
  const [found, ...others] = await tx.query<{ id: string; proof: string; difference_minor: number; version: number }>(
    `select id, proof, difference_minor, version from settlements where ${condition} limit 2 for no key update`,
    [id],
  )
  if (found === undefined) throw new HubError('not_found', 'there is no such settlement')
  if (others.length > 0)
    throw new HubError('conflict', 'several connections have a settlement of this name', { hint: 'name it by its id' })
  const { difference_minor, version } = found
  if (found.proof === 'accepted') return { id: found.id, accepted_now: false, difference_minor }
  if (found.proof !== 'held') throw new HubError('conflict', 'this settlement is proven: there is nothing to accept')
  await tx.query(`update settlements set proof = 'accepted', changed_at = $2 where id = $1`, [found.id, now])
  await closeCases(tx, { kind: 'settlement_held', subjects: [heldSubject(found.id)] }, by, now)
  await writeAudit(tx, {
    at: now,
    actor: by,
    action: 'settlement.accept_proof',
    subject: `settlement:${found.id}`,
    data: { version, difference_minor, reason: reason.slice(0, 500) },
  })
  return { id: found.id, accepted_now: true, difference_minor }
}
