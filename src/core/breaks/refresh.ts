import type { Queryable, Tx } from '../../db/pool.ts'
import { holdPeriods } from '../books/periods.ts'
import { IS_ACTIVE, reversalsOf, writeJournals } from '../books/journals.ts'
import type { CoreContext } from '../context.ts'
import { loadOpenItems } from '../matching/openItems.ts'
import { loadFacts } from './load.ts'
import { findBreaks, type BreakPolicy } from './rulesBreaks.ts'
import { notThere, stillThere, type BreakChange, type FoundBreak, type KnownBreak } from './rulesState.ts'

/** Who speaks where the hub itself changes a break. */
const HUB = 'crossdock'

export interface Refreshed {
  found: number
  opened: number
  reopened: number
  resolved: number
}

const DAY_MS = 86_400_000

interface KnownRow extends KnownBreak {
  id: number
  fingerprint: string
}

/**
 * Brings the breaks of a company in line with its data: new ones are opened, those that are gone are resolved, those that come back or
 * whose amount moved are opened again. Owners and comments stay. A second run over the same data changes nothing.
 */
export async function refreshBreaks(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId'>,
  company_id: string,
  policy: BreakPolicy,
): Promise<Refreshed> {
  // Two runs at once would each see the other's breaks as missing.
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`breaks:${company_id}`])
  const today = ctx.now.toISOString().slice(0, 10)
  const days = Math.min(policy.settlement_days, ...Object.values(policy.settlement_days_of))
  // What is younger than that is under way everywhere, and there is most of it.
  const items = await loadOpenItems(tx, company_id, { before: new Date(ctx.now.getTime() - days * DAY_MS) })
  const facts = await loadFacts(tx, { company_id, today }, items)
  const found = new Map(findBreaks(facts, today, policy).map((one) => [one.fingerprint, one]))
  const known = await lockKnown(tx, company_id, [...found.keys()])
  const changes = known.map((row) => {
    const now = found.get(row.fingerprint)
    return { row, now, change: now === undefined ? notThere(row) : stillThere(row, now) }
  })
  const isKnown = new Set(known.map((row) => row.fingerprint))
  const fresh = [...found.values()].filter((one) => !isKnown.has(one.fingerprint))
  await insertBreaks(tx, company_id, fresh, today, ctx.now)
  await updateBreaks(tx, changes, ctx.now)
  await noteChanges(tx, changes, ctx.now)
  await takeBack(
    tx,
    ctx,
    changes.filter(({ change }) => change.take_back).map(({ row }) => row.id),
    company_id,
    HUB,
  )
  return {
    found: found.size,
    opened: fresh.length,
    reopened: changes.filter(({ change }) => change.comment?.kind === 'reopened').length,
    resolved: changes.filter(({ change }) => change.comment?.kind === 'resolved').length,
  }
}

async function lockKnown(tx: Tx, company_id: string, fingerprints: readonly string[]): Promise<KnownRow[]> {
  return tx.query<KnownRow>(
    `select id, fingerprint, state, owner, currency, amount_minor, gone_at is not null as gone, write_off_requested_by
     from breaks where company_id = $1 and (gone_at is null or fingerprint = any($2::text[])) order by id for no key update`,
    [company_id, fingerprints],
  )
}

const COLUMNS = `connection_id text, type text, fingerprint text, currency text, amount_minor bigint, settlement_id uuid,
  settlement_line_id bigint, order_id uuid, payment_id bigint, bank_line_id bigint, expected_on date, data jsonb`

async function insertBreaks(
  tx: Tx,
  company_id: string,
  fresh: readonly FoundBreak[],
  today: string,
  now: Date,
): Promise<void> {
  if (fresh.length === 0) return
  await tx.query(
    `insert into breaks (company_id, connection_id, type, fingerprint, state, currency, amount_minor, settlement_id, settlement_line_id,
       order_id, payment_id, bank_line_id, expected_on, aged_from, data, opened_at, seen_at, changed_at)
     select $2, connection_id, type, fingerprint, 'open', currency, amount_minor, settlement_id, settlement_line_id, order_id, payment_id,
       bank_line_id, expected_on, coalesce(expected_on, $3::date), data, $4, $4, $4
     from jsonb_to_recordset($1::jsonb) as f(${COLUMNS})`,
    [JSON.stringify(fresh), company_id, today, now],
  )
}

interface Changed {
  row: KnownRow
  now: FoundBreak | undefined
  change: BreakChange
}

/** How old `seen_at` may get: rewriting every open break at every run would be all that a run does. */
const SEEN_EVERY = `interval '1 hour'`

async function updateBreaks(tx: Tx, changes: readonly Changed[], now: Date): Promise<void> {
  const present = changes.flatMap(({ row, now: found, change }) =>
    found === undefined ? [] : [{ id: row.id, state: change.state, withdraw: change.withdraw, ...found }],
  )
  if (present.length > 0) {
    await tx.query(
      `update breaks b set state = f.state, currency = f.currency, amount_minor = f.amount_minor, settlement_id = f.settlement_id,
         settlement_line_id = f.settlement_line_id, order_id = f.order_id, payment_id = f.payment_id, bank_line_id = f.bank_line_id,
         expected_on = f.expected_on, data = f.data, gone_at = null, seen_at = $2,
         write_off_requested_by = case when f.withdraw then null else b.write_off_requested_by end,
         changed_at = case when (b.state, b.currency, b.amount_minor) is distinct from (f.state, f.currency, f.amount_minor)
                           then $2 else b.changed_at end
       from jsonb_to_recordset($1::jsonb) as f(id bigint, state text, withdraw boolean, ${COLUMNS})
       where b.id = f.id
         and ((b.state, b.currency, b.amount_minor, b.settlement_id, b.settlement_line_id, b.order_id, b.payment_id, b.bank_line_id,
               b.expected_on, b.data, b.gone_at)
           is distinct from (f.state, f.currency, f.amount_minor, f.settlement_id, f.settlement_line_id, f.order_id, f.payment_id,
               f.bank_line_id, f.expected_on, f.data, null)
           or b.seen_at < $2::timestamptz - ${SEEN_EVERY})`,
      [JSON.stringify(present), now],
    )
  }
  const gone = changes.filter((one) => one.now === undefined)
  if (gone.length === 0) return
  await tx.query(
    `update breaks b set state = f.state, gone_at = $2, changed_at = case when b.state <> f.state then $2 else b.changed_at end,
       write_off_requested_by = null
     from jsonb_to_recordset($1::jsonb) as f(id bigint, state text) where b.id = f.id`,
    [JSON.stringify(gone.map(({ row, change }) => ({ id: row.id, state: change.state }))), now],
  )
}

async function noteChanges(tx: Tx, changes: readonly Changed[], now: Date): Promise<void> {
  const notes = changes.flatMap(({ row, change }) => [
    ...(change.comment === null ? [] : [{ break_id: row.id, ...change.comment }]),
    ...(change.withdraw
      ? [{ break_id: row.id, kind: 'withdrawn', text: 'the wish to write it off was about another amount' }]
      : []),
  ])
  if (notes.length === 0) return
  await tx.query(
    `insert into break_comments (break_id, at, by, kind, text)
     select break_id, $2, $3, kind, text from jsonb_to_recordset($1::jsonb) as n(break_id bigint, kind text, text text)`,
    [JSON.stringify(notes), now, HUB],
  )
}

/** Takes the journals of write-offs back, each on its own day or the first open one after it. */
export async function takeBack(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId'>,
  break_ids: readonly number[],
  company_id: string,
  by: string,
): Promise<void> {
  if (break_ids.length === 0) return
  const active = await activeWriteOffs(tx, break_ids)
  const locked = await holdPeriods(tx, [company_id])
  await writeJournals(tx, ctx, await reversalsOf(tx, active), locked, by)
}

async function activeWriteOffs(q: Queryable, break_ids: readonly number[]): Promise<string[]> {
  const rows = await q.query<{ id: string }>(
    `select j.id from journals j where j.break_id = any($1) and j.kind = 'write_off' and ${IS_ACTIVE} order by j.id`,
    [break_ids],
  )
  return rows.map((row) => row.id)
}
