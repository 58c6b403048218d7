import { writeAudit } from '../../db/audit.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { postWriteOff } from '../books/writeOff.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { mayBeSamePerson } from '../movements/persons.ts'
import { takeBack } from './refresh.ts'
import { mayAct, needsApproval, type BreakAction, type BreakState, type ReasonCode } from './rulesState.ts'

type Context = Pick<CoreContext, 'now' | 'newId'>

interface BreakRow {
  id: number
  company_id: string
  connection_id: string | null
  type: string
  state: BreakState
  currency: string
  amount_minor: number
  owner: string | null
  write_off_requested_by: string | null
}

/** What people do to a break. Each is one transaction, with a comment and a line in the audit log; asking for what is so changes nothing. */
export interface Wish {
  id: number
  by: string
}

/** Hands it to somebody. */
export async function assignBreak(tx: Tx, ctx: Context, wish: Wish & { owner: string }): Promise<void> {
  const row = await lockFor(tx, wish.id, 'assign')
  if (row.owner === wish.owner && row.state !== 'open') return
  // An explanation stays one, whoever has it now.
  const state = row.state === 'explained' ? 'explained' : 'assigned'
  await tx.query('update breaks set owner = $2, state = $3, changed_at = $4 where id = $1', [
    row.id,
    wish.owner,
    state,
    ctx.now,
  ])
  await note(tx, ctx, { ...wish, action: 'assign', text: `to ${wish.owner}`, data: { owner: wish.owner } })
}

/** Says why it is as it is. It stays in the list until it is gone, written off or resolved. */
export async function explainBreak(tx: Tx, ctx: Context, wish: Wish & Explanation): Promise<void> {
  const row = await lockFor(tx, wish.id, 'explain')
  await tx.query(`update breaks set state = 'explained', reason_code = $2, changed_at = $3 where id = $1`, [
    row.id,
    wish.reason,
    ctx.now,
  ])
  await note(tx, ctx, { ...wish, action: 'explain', data: { reason: wish.reason } })
}

export interface Explanation {
  reason: ReasonCode
  text: string
}

/** What the books need besides. */
export interface Books {
  /** Of the company's days: the day of a journal is one of them. Left out: UTC. */
  timezone?: string
}

export type WriteOffResult = { kind: 'written_off'; journal_id: string } | { kind: 'waiting' }

/**
 * Accepts the loss (or gain). Up to the limit it is booked at once; above it the wish waits for a second person. Faults: `not_found`,
 * `conflict` for a break that is closed, or whose write-off somebody else has asked for.
 */
export async function writeOffBreak(
  tx: Tx,
  ctx: Context,
  wish: Wish & Explanation & Books & { limit_minor: number },
): Promise<WriteOffResult> {
  const row = await lockFor(tx, wish.id, 'write_off')
  if (row.connection_id === null)
    throw new HubError('unsupported', 'a break of no connection has no account to write it off from')
  if (row.amount_minor === 0)
    throw new HubError('conflict', 'a break without an amount is explained or resolved, not written off')
  if (!needsApproval(row.amount_minor, wish.limit_minor)) return book(tx, ctx, row, wish, null)
  if (row.write_off_requested_by === wish.by) return { kind: 'waiting' }
  if (row.write_off_requested_by !== null)
    throw new HubError('conflict', `${row.write_off_requested_by} has asked for it already`, {
      hint: `crossdock breaks approve ${row.id}`,
    })
  await tx.query('update breaks set write_off_requested_by = $2, reason_code = $3, changed_at = $4 where id = $1', [
    row.id,
    wish.by,
    wish.reason,
    ctx.now,
  ])
  await note(tx, ctx, { ...wish, action: 'write_off_request', data: amountOf(row) })
  return { kind: 'waiting' }
}

/** A second person's word on a write-off above the limit. Faults: `not_found`, `conflict` where nobody asks for one, `forbidden`. */
export async function approveWriteOff(tx: Tx, ctx: Context, wish: Wish & Books): Promise<WriteOffResult> {
  const row = await lockFor(tx, wish.id, 'approve')
  const { write_off_requested_by: requester } = row
  if (requester === null) throw new HubError('conflict', 'nobody has asked to write this break off')
  if (await mayBeSamePerson(tx, requester, wish.by)) {
    throw new HubError('forbidden', 'a write-off is approved by somebody else than who asked for it', {
      hint: 'an API key counts as the person who made it',
    })
  }
  return book(tx, ctx, row, { ...wish, text: `asked for by ${requester}` }, wish.by)
}

async function book(
  tx: Tx,
  ctx: Context,
  row: BreakRow,
  wish: Wish & Books & { text: string; reason?: ReasonCode },
  approved_by: string | null,
): Promise<WriteOffResult> {
  const { id: break_id, connection_id, currency, amount_minor } = row
  const journal_id = await postWriteOff(tx, ctx, {
    break_id,
    connection_id: connection_id ?? '',
    currency,
    // What came too little is what the merchant loses.
    amount_minor: -amount_minor,
    by: wish.by,
    ...(wish.timezone === undefined ? {} : { timezone: wish.timezone }),
  })
  await tx.query(
    `update breaks set state = 'written_off', write_off_requested_by = null, approved_by = $2, reason_code = coalesce($3, reason_code),
       changed_at = $4 where id = $1`,
    [break_id, approved_by, wish.reason ?? null, ctx.now],
  )
  await note(tx, ctx, {
    ...wish,
    action: approved_by === null ? 'write_off' : 'approve',
    data: { ...amountOf(row), journal_id },
  })
  return { kind: 'written_off', journal_id }
}

/** Takes a wish back, or turns it down. */
export async function rejectWriteOff(tx: Tx, ctx: Context, wish: Wish & { text: string }): Promise<void> {
  const row = await lockFor(tx, wish.id, 'approve')
  if (row.write_off_requested_by === null) return
  await tx.query('update breaks set write_off_requested_by = null, changed_at = $2 where id = $1', [row.id, ctx.now])
  await note(tx, ctx, { ...wish, action: 'reject', data: amountOf(row) })
}

/** It needs no more work. It opens again by itself when its amount moves, or when it comes back after it was gone. */
export async function resolveBreak(tx: Tx, ctx: Context, wish: Wish & { text: string }): Promise<void> {
  const row = await lockFor(tx, wish.id, 'resolve', ['resolved'])
  if (row.state === 'resolved') return
  await tx.query(`update breaks set state = 'resolved', write_off_requested_by = null, changed_at = $2 where id = $1`, [
    row.id,
    ctx.now,
  ])
  await note(tx, ctx, { ...wish, action: 'resolve', data: amountOf(row) })
}

/** Takes an explanation, a resolution or a write-off back; of a write-off its journal, too. */
export async function reopenBreak(tx: Tx, ctx: Context, wish: Wish & { text: string }): Promise<void> {
  const row = await lockFor(tx, wish.id, 'reopen', ['open', 'assigned'])
  if (!mayAct('reopen', row.state)) return
  const state: BreakState = row.owner === null ? 'open' : 'assigned'
  await tx.query('update breaks set state = $2, approved_by = null, changed_at = $3 where id = $1', [
    row.id,
    state,
    ctx.now,
  ])
  if (row.state === 'written_off') await takeBack(tx, ctx, [row.id], row.company_id, wish.by)
  await note(tx, ctx, { ...wish, action: 'reopen', data: { was: row.state } })
}

export async function commentBreak(tx: Tx, ctx: Context, wish: Wish & { text: string }): Promise<void> {
  await lock(tx, wish.id)
  await note(tx, ctx, { ...wish, action: 'comment', data: {} })
}

// ── rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function lock(tx: Tx, id: number): Promise<BreakRow> {
  const [row] = await tx.query<BreakRow>(
    `select id, company_id, connection_id, type, state, currency, amount_minor, owner, write_off_requested_by
     from breaks where id = $1 for no key update`,
    [id],
  )
  if (row === undefined) throw new HubError('not_found', `there is no break ${id}`)
  return row
}

/** `also`: states in which the wish is fulfilled already. */
async function lockFor(tx: Tx, id: number, action: BreakAction, also: readonly BreakState[] = []): Promise<BreakRow> {
  const row = await lock(tx, id)
  if (mayAct(action, row.state) || also.includes(row.state)) return row
  throw new HubError('conflict', `the break is ${row.state.replace('_', ' ')} already`, {
    hint: `crossdock breaks show ${id}`,
  })
}

const amountOf = ({ amount_minor, currency }: BreakRow): { amount_minor: number; currency: string } => ({
  amount_minor,
  currency,
})

interface Note extends Wish {
  action: string
  text: string
  data: Readonly<Record<string, unknown>>
}

async function note(tx: Queryable, { now }: Context, { id, by, action, text, data }: Note): Promise<void> {
  await tx.query('insert into break_comments (break_id, at, by, kind, text) values ($1, $2, $3, $4, $5)', [
    id,
    now,
    by,
    action,
    text,
  ])
  await writeAudit(tx, { at: now, actor: by, action: `break.${action}`, subject: `break:${id}`, data })
}
