import { writeAudit } from '../../db/audit.ts'
import { isUuid } from '../../db/page.ts'
import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { takeTurn } from '../turn.ts'
import { mayBeSamePerson } from './persons.ts'
import { believedAt, post } from './postCycleCount.ts'
import { readCycleCount, type CycleCountShown, type CycleCountState } from './readCycleCounts.ts'
import { countedLines, isWideOff, type CountedItem } from './rulesCycleCount.ts'

export const CYCLE_COUNT_ITEMS_MAX = 1_000

export interface CycleCountRequest {
  /** The caller's own name of it, unique in the company. */
  key: string
  location: string
  /** Undefined: every item that the place has ever had. */
  skus?: readonly string[] | undefined
}

interface CountRow {
  id: string
  company_id: string
  location_id: string
  state: CycleCountState
  created_by: string
  counted_at: Date | null
  counted_by: string | null
  decided_by: string | null
}

interface Item {
  item_id: number
  sku: string
}

/**
 * Opens a blind count: who counts is told which items, never how many are expected. The same key with the same wish is the same count.
 * Faults: `unknown_location`, `unknown_sku`, `bad_request` for kits and for more than 1,000 items, `conflict` for another wish.
 */
export async function openCycleCount(
  tx: Tx,
  ctx: CoreContext,
  request: CycleCountRequest,
  by: string,
): Promise<CycleCountShown> {
  const { key, location } = request
  const [place] = await tx.query<{ company_id: string }>('select company_id from locations where id = $1', [location])
  if (place === undefined)
    throw new HubError('unknown_location', `there is no location ${location}`, { path: 'location' })
  const items = await itemsToCount(tx, place.company_id, request)
  const id = ctx.newId()
  const made = await tx.query(
    `insert into cycle_counts (id, company_id, key, location_id, state, created_at, created_by) values ($1, $2, $3, $4, 'open', $5, $6)
     on conflict (company_id, key) do nothing returning id`,
    [id, place.company_id, key, location, ctx.now, by],
  )
  if (made.length === 0) return openedBefore(tx, place.company_id, request)
  await tx.query('insert into cycle_count_lines (count_id, item_id) select $1, * from unnest($2::bigint[])', [
    id,
    items.map((item) => item.item_id),
  ])
  await audit(tx, ctx, {
    actor: by,
    action: 'cycle_count.open',
    id,
    data: { location_id: location, items: items.length },
  })
  return readCycleCount(tx, id)
}

async function itemsToCount(tx: Tx, company_id: string, { location, skus }: CycleCountRequest): Promise<Item[]> {
  const items = await tx.query<Item & { is_kit: boolean }>(
    skus === undefined
      ? `select i.id as item_id, i.sku, false as is_kit from stock s join items i on i.id = s.item_id
         where i.company_id = $1 and s.location_id = $2 order by i.id limit ${CYCLE_COUNT_ITEMS_MAX + 1}`
      : `select i.id as item_id, i.sku, exists (select 1 from kit_components k where k.kit_item_id = i.id) as is_kit
         from items i where i.company_id = $1 and i.sku = any($2::text[]) order by i.id`,
    [company_id, skus ?? location],
  )
  const limited = { path: 'skus', hint: `name at most ${CYCLE_COUNT_ITEMS_MAX} SKUs` }
  if (items.length === 0 && skus === undefined)
    throw new HubError('bad_request', `${location} has never had any stock`, { path: 'skus', hint: 'name the SKUs' })
  if (items.length > CYCLE_COUNT_ITEMS_MAX)
    throw new HubError('bad_request', `${location} has more than ${CYCLE_COUNT_ITEMS_MAX} items`, limited)
  const known = new Set(items.map((item) => item.sku))
  const unknown = (skus ?? []).findIndex((sku) => !known.has(sku))
  if (unknown >= 0)
    throw new HubError('unknown_sku', `no item of ${company_id} has the SKU ${skus?.[unknown] ?? ''}`, {
      path: `skus[${unknown}]`,
    })
  const kit = items.find((item) => item.is_kit)
  if (kit !== undefined)
    throw new HubError('bad_request', `${kit.sku} is a kit and has no stock of its own`, { path: 'skus' })
  return items
}

async function openedBefore(tx: Tx, company_id: string, { key, location, skus }: CycleCountRequest) {
  const [row] = await tx.query<{ id: string; location_id: string }>(
    'select id, location_id from cycle_counts where company_id = $1 and key = $2',
    [company_id, key],
  )
  if (row === undefined) throw new HubError('invariant_broken', 'a count was neither made nor found')
  const known = await readCycleCount(tx, row.id)
  const same = skus === undefined || isSameSet(new Set(skus), new Set(known.lines.map((line) => line.sku)))
  if (row.location_id !== location || !same)
    throw new HubError('conflict', `the key ${key} stands for another count`, { path: 'key' })
  return known
}

const isSameSet = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean =>
  a.size === b.size && [...a].every((entry) => b.has(entry))

export interface CycleCountLines {
  /** When the shelf was looked at; what happened after it is applied on top. */
  counted_at: Date
  lines: readonly CountedItem[]
}

/**
 * Takes what was counted. Each item is compared with what we believed as of the time of counting; within `limit` units the count is
 * posted at once, else the whole of it waits for a second person. The same lines again change nothing. Faults: `not_found`,
 * `bad_request` with the line, `conflict` for other lines after the first.
 */
export async function submitCycleCount(
  tx: Tx,
  ctx: CoreContext,
  id: string,
  given: CycleCountLines,
  who: { by: string; limit: number },
): Promise<CycleCountShown> {
  const count = await lockCount(tx, id)
  const items = await loadItems(tx, id)
  const counted = countedLines(
    items.map((item) => item.sku),
    given.lines,
  )
  if (counted.kind === 'fault') throw new HubError('bad_request', counted.message, { path: counted.path })
  if (given.counted_at > ctx.now)
    throw new HubError('bad_request', 'a count cannot have been taken in the future', { path: 'counted_at' })
  if (count.state !== 'open') return submittedBefore(tx, count, given.counted_at, counted.lines)

  const { location_id } = count
  const lines = items.flatMap(({ item_id, sku }) => {
    const line = counted.lines.get(sku)
    return line === undefined ? [] : [{ item_id, location_id, as_of: given.counted_at, line }]
  })
  const believed = await believedAt(tx, lines)
  const compared = lines.map(({ item_id, line }) => ({
    item_id,
    counted: line.on_hand,
    damaged: line.damaged,
    expected: believed.get(item_id)?.on_hand ?? 0,
  }))
  const waits = isWideOff(compared, who.limit)
  await tx.query(
    `update cycle_count_lines l set counted_quantity = n.counted, counted_damaged = n.damaged, expected_quantity = n.expected
     from unnest($2::bigint[], $3::int[], $4::int[], $5::int[]) as n(item_id, counted, damaged, expected)
     where l.count_id = $1 and l.item_id = n.item_id`,
    [id, ...columns(compared, ['item_id', 'counted', 'damaged', 'expected'])],
  )
  await tx.query('update cycle_counts set state = $2, counted_at = $3, counted_by = $4 where id = $1', [
    id,
    waits ? 'waiting' : 'posted',
    given.counted_at,
    who.by,
  ])
  if (!waits) await post(tx, ctx, { ...count, counted_at: given.counted_at })
  const data = { state: waits ? 'waiting' : 'posted', items: compared.length }
  await audit(tx, ctx, { actor: who.by, action: 'cycle_count.submit', id, data })
  return readCycleCount(tx, id)
}

/** A second person's word on a count that waits. Faults: `not_found`, `conflict` when it was decided otherwise, `forbidden` for the counter. */
export async function decideCycleCount(
  tx: Tx,
  ctx: CoreContext,
  id: string,
  verdict: 'approve' | 'reject',
  by: string,
): Promise<CycleCountShown> {
  const count = await lockCount(tx, id)
  const state = verdict === 'approve' ? 'posted' : 'cancelled'
  const open = verdict === 'approve' ? ['waiting'] : ['waiting', 'open']
  if (!open.includes(count.state)) {
    if (count.state === state && count.decided_by === by) return readCycleCount(tx, id)
    throw new HubError('conflict', `the count is ${count.state}`)
  }
  if (verdict === 'approve' && (await mayBeSamePerson(tx, count.counted_by ?? '', by))) {
    throw new HubError('forbidden', 'a count is approved by somebody else than who counted', {
      hint: 'an API key counts as the person who made it',
    })
  }
  if (verdict === 'approve') await post(tx, ctx, count)
  await tx.query('update cycle_counts set state = $2, decided_at = $3, decided_by = $4 where id = $1', [
    id,
    state,
    ctx.now,
    by,
  ])
  await audit(tx, ctx, { actor: by, action: `cycle_count.${verdict}`, id, data: { state } })
  return readCycleCount(tx, id)
}

async function companyOf(tx: Tx, id: string): Promise<string | undefined> {
  const [row] = await tx.query<{ company_id: string }>('select company_id from cycle_counts where id = $1', [id])
  return row?.company_id
}

/** The company's turn comes first, as everywhere; the count's own row is locked by nothing else. */
async function lockCount(tx: Tx, id: string): Promise<CountRow> {
  const seen = isUuid(id) ? await companyOf(tx, id) : undefined
  if (seen === undefined) throw new HubError('not_found', 'there is no such count')
  await takeTurn(tx, [seen], 'side_by_side')
  const [row] = await tx.query<CountRow>(
    `select id, company_id, location_id, state, created_by, counted_at, counted_by, decided_by from cycle_counts
     where id = $1 for update`,
    [id],
  )
  if (row === undefined) throw new HubError('not_found', 'there is no such count')
  return row
}

async function loadItems(tx: Tx, id: string): Promise<Item[]> {
  return tx.query<Item>(
    `select l.item_id, i.sku from cycle_count_lines l join items i on i.id = l.item_id where l.count_id = $1 order by i.id`,
    [id],
  )
}

async function submittedBefore(
  tx: Tx,
  count: CountRow,
  counted_at: Date,
  lines: ReadonlyMap<string, CountedItem>,
): Promise<CycleCountShown> {
  const known = await readCycleCount(tx, count.id)
  const same =
    count.counted_at?.getTime() === counted_at.getTime() &&
    known.lines.every(({ sku, counted, damaged }) => {
      const line = lines.get(sku)
      return line !== undefined && line.on_hand === counted && line.damaged === damaged
    })
  if (!same) throw new HubError('conflict', `the count is ${count.state}: it has other lines already`)
  return known
}

interface Audited {
  actor: string
  action: string
  id: string
  data: Readonly<Record<string, unknown>>
}

async function audit(tx: Tx, ctx: CoreContext, { actor, action, id, data }: Audited): Promise<void> {
  await writeAudit(tx, { at: ctx.now, actor, action, subject: `cycle_count:${id}`, data })
}
