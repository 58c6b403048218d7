import { writeAudit } from '../../db/audit.ts'
import type { Db, Tx } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import { HubError } from '../errors.ts'
import { joinBank } from './matchBank.ts'
import type { BankRule } from './rulesBank.ts'

interface Group {
  id: number
  leg: 'orders_to_lines' | 'payouts_to_bank'
  rule: string
  state: 'matched' | 'suggested' | 'rejected'
  line_ids: number[]
  payment_ids: number[]
  order_id: string | null
  settlement_ids: string[]
  bank_line_ids: number[]
  decided_by: string | null
}

export interface Decision {
  group_id: number
  by: string
  now: Date
}

/**
 * A person says that a suggestion is right. A group that is matched already is accepted as it stands (so that finance can sign what a
 * tolerance has joined). Faults: `not_found`, `conflict` when it was rejected, or a payout of it has been matched otherwise since.
 */
export async function acceptMatch(db: Db, { group_id, by, now }: Decision): Promise<{ id: number; state: 'matched' }> {
  return inTransaction(db, async (tx) => {
    const group = await lockGroup(tx, group_id)
    if (group.state === 'rejected')
      throw new HubError('conflict', 'this match was rejected', { hint: 'run the matching again' })
    if (group.state === 'matched' && group.decided_by !== null) return { id: group_id, state: 'matched' }
    if (group.state === 'suggested') await applySuggestion(tx, group)
    await tx.query(`update match_groups set state = 'matched', decided_by = $2 where id = $1`, [group_id, by])
    await note(tx, group, { action: 'match.accept', by, now })
    return { id: group_id, state: 'matched' }
  })
}

async function applySuggestion(tx: Tx, group: Group): Promise<void> {
  const taken = await tx.query('select 1 from settlements where id = any($1::uuid[]) and bank_group_id is not null', [
    group.settlement_ids,
  ])
  if (taken.length > 0) throw new HubError('conflict', 'a payout of this suggestion has been matched since')
  for (const bank_line_id of group.bank_line_ids) {
    const { settlement_ids } = group
    await joinBank(tx, group.id, { rule: group.rule as BankRule, state: 'matched', bank_line_id, settlement_ids })
  }
}

/**
 * A person says that these do not belong together. Its members are open again, and no later run joins the same ones; the same
 * rejection again changes nothing.
 */
export async function rejectMatch(db: Db, { group_id, by, now }: Decision): Promise<{ id: number; state: 'rejected' }> {
  return inTransaction(db, async (tx) => {
    const group = await lockGroup(tx, group_id)
    if (group.state === 'rejected') return { id: group_id, state: 'rejected' }
    await tx.query(
      `insert into match_rejections (leg, line_id, payment_ids, order_id, settlement_ids, group_id, rejected_at, rejected_by)
       select $1, unnest($2::bigint[]), $3::bigint[], $4, $5::uuid[], $6, $7, $8`,
      [
        group.leg,
        group.leg === 'orders_to_lines' ? group.line_ids : group.bank_line_ids,
        group.payment_ids,
        group.order_id,
        group.settlement_ids,
        group_id,
        now,
        by,
      ],
    )
    // First, because freeing the lines would dissolve a group that still counts as matched.
    await tx.query(`update match_groups set state = 'rejected', decided_by = $2 where id = $1`, [group_id, by])
    await release(tx, group)
    await note(tx, group, { action: 'match.reject', by, now })
    return { id: group_id, state: 'rejected' }
  })
}

async function release(tx: Tx, group: Group): Promise<void> {
  await tx.query('delete from match_expected where payment_id = any($1::bigint[]) and group_id = $2', [
    group.payment_ids,
    group.id,
  ])
  await tx.query('delete from match_order_totals where order_id = $1 and group_id = $2', [group.order_id, group.id])
  await tx.query(
    `update settlement_lines set match_state = 'unmatched', match_group_id = null, match_rule = null, payment_id = null
     where id = any($1::bigint[]) and match_group_id = $2`,
    [group.line_ids, group.id],
  )
  await tx.query('update settlements set bank_group_id = null where id = any($1::uuid[]) and bank_group_id = $2', [
    group.settlement_ids,
    group.id,
  ])
  await tx.query(
    `update bank_lines set match_state = 'unmatched', match_group_id = null, match_rule = null, settlement_id = null
     where id = any($1::bigint[]) and match_group_id = $2`,
    [group.bank_line_ids, group.id],
  )
}

const note = (tx: Tx, { id, rule, leg }: Group, { action, by, now }: { action: string; by: string; now: Date }) =>
  writeAudit(tx, { at: now, actor: by, action, subject: `match:${id}`, data: { rule, leg } })

async function lockGroup(tx: Tx, group_id: number): Promise<Group> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('crossdock.matching'))`)
  const [group] = await tx.query<Group>(
    `select id, leg, rule, state, line_ids, payment_ids, order_id, settlement_ids, bank_line_ids, decided_by from match_groups
     where id = $1 for update`,
    [group_id],
  )
  if (group === undefined) throw new HubError('not_found', 'there is no such match')
  return group
}
