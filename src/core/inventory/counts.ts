import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import type { StockCount } from '../model/stock.ts'
import { allocateShortfalls } from './allocate.ts'
import { lockStock, moveStock, peekStock, stockKey, type StockKey, type StockMove, type StockRow } from './ledger.ts'
import { resolveNames, unknownLocation, unknownSku, type Names } from './places.ts'
import { ontoShelf, placesThatCountAvailable } from './countBasis.ts'
import { movesToTarget, targetOfCount, type CountBasis, type Counted, type CountTarget } from './rulesCount.ts'
import type { Shortage } from './rulesShorten.ts'
import { shortenPromises, withOrdersAtRisk } from './shorten.ts'

/** One item at one place as somebody counted it. */
export interface CountedLine extends StockKey, Counted {
  /** Position of the fact it came with. */
  index: number
  basis: CountBasis
  as_of: Date
  source: string
}

type Read = { lines: CountedLine[] } | { outcome: FactOutcome }

/**
 * Applies counts of stock, set-based over all facts and lines. Each count wins over what we believed AS OF its own time: what the ledger
 * says happened later is added to it. A line older than the last applied count of its item and place is left out; a fact of which
 * no line is left is `ignored: older`. A fact that names an unknown location or SKU is parked and leaves no trace. Outcomes are
 * parallel to the facts.
 */
export async function applyCounts(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<FactOutcome[]> {
  const reads = await readCounts(tx, facts)
  const lines = reads.flatMap((read) => ('lines' in read ? read.lines : []))
  const newest = await postCounts(tx, ctx, lines)
  const applied = Map.groupBy(newest, (line) => line.index)
  return reads.map((read, index): FactOutcome => {
    if ('outcome' in read) return read.outcome
    const count = applied.get(index)?.length ?? 0
    if (count === 0 && read.lines.length > 0) return { kind: 'ignored', reason: 'older' }
    return { kind: 'applied', summary: `counted ${count} of ${read.lines.length} items` }
  })
}

/** Brings the counters to what was counted. Returns the lines that were not older than the last count of their item and place. */
export async function postCounts(tx: Tx, ctx: CoreContext, lines: readonly CountedLine[]): Promise<CountedLine[]> {
  const foreseen = foreseeShortages(await ontoShelf(tx, lines), await peekStock(tx, lines))
  return withOrdersAtRisk(tx, foreseen, async () => {
    const stock = await lockStock(tx, lines, ctx.now)
    const kept = await ontoShelf(tx, keepNewest(lines, stock))
    await applyLines(tx, ctx, kept, stock)
    return kept
  })
}

async function readCounts(tx: Tx, facts: readonly InboundFact[]): Promise<Read[]> {
  const counts = facts.flatMap(({ connection_id, fact }) =>
    fact.kind === 'stock_count' ? [{ connection_id, document: fact.document }] : [],
  )
  const names = await resolveNames(
    tx,
    counts.map(({ connection_id, document }) => ({
      connection_id,
      location_code: document.location_code,
      skus: document.lines.map((line) => line.sku),
    })),
  )
  const places = counts.map(({ connection_id, document }) => names.location(connection_id, document.location_code))
  const unpromised = await placesThatCountAvailable(tx, places)
  return facts.map((inbound, index) =>
    inbound.fact.kind === 'stock_count'
      ? readCount(inbound, inbound.fact.document, { index, names, unpromised })
      : { outcome: { kind: 'ignored', reason: 'not_ours' } },
  )
}

interface Known {
  index: number
  names: Names
  unpromised: ReadonlySet<string>
}

/** One SKU on several lines (by lot, by shelf) is counted together. */
function readCount({ connection_id, source }: InboundFact, count: StockCount, known: Known): Read {
  const { index, names, unpromised } = known
  const location_id = names.location(connection_id, count.location_code)
  if (location_id === undefined)
    return { outcome: { kind: 'parked', error: unknownLocation(connection_id, count.location_code) } }
  const lines = new Map<number, CountedLine>()
  for (const [at, { sku, on_hand, damaged, quality_control }] of count.lines.entries()) {
    const item_id = names.item(connection_id, sku)
    if (item_id === undefined) {
      const error = unknownSku(names.company(connection_id) ?? '', sku, `$.lines[${at}].sku`)
      return { outcome: { kind: 'parked', error } }
    }
    const same = lines.get(item_id)
    lines.set(item_id, {
      index,
      basis: unpromised.has(location_id) ? 'available' : 'on_hand',
      item_id,
      location_id,
      source,
      as_of: new Date(count.as_of),
      on_hand: on_hand + (same?.on_hand ?? 0),
      damaged: damaged + (same?.damaged ?? 0),
      quality_control: quality_control + (same?.quality_control ?? 0),
    })
  }
  return { lines: [...lines.values()] }
}

/** Of several counts of one item and place the newest is kept (the later one at the same instant), if it is not older than the last. */
function keepNewest(lines: readonly CountedLine[], stock: ReadonlyMap<string, StockRow>): CountedLine[] {
  const newest = new Map<string, CountedLine>()
  for (const line of lines) {
    const key = stockKey(line.item_id, line.location_id)
    const before = newest.get(key)?.as_of ?? stock.get(key)?.counted_as_of ?? null
    if (before === null || line.as_of.getTime() >= before.getTime()) newest.set(key, line)
  }
  return [...newest.values()]
}

/** What a count will probably find missing: it looks at the counters alone, before anything is locked. */
function foreseeShortages(lines: readonly CountedLine[], stock: ReadonlyMap<string, StockRow>): Shortage[] {
  return keepNewest(lines, stock).flatMap(({ item_id, location_id, on_hand, damaged, quality_control }) => {
    const row = stock.get(stockKey(item_id, location_id))
    const units = row === undefined ? 0 : row.reserved + row.committed - (on_hand - damaged - quality_control)
    return units > 0 ? [{ item_id, location_id, units }] : []
  })
}

async function applyLines(
  tx: Tx,
  ctx: CoreContext,
  lines: readonly CountedLine[],
  stock: ReadonlyMap<string, StockRow>,
): Promise<void> {
  if (lines.length === 0) return
  const after = await loadMovementsAfter(tx, lines)
  const targets = lines.flatMap((line) => {
    const key = stockKey(line.item_id, line.location_id)
    const row = stock.get(key)
    return row === undefined ? [] : [{ line, row, target: targetOfCount(row, line, after.get(key) ?? NOTHING) }]
  })
  const shortages = targets.map(({ line, target }) => ({
    item_id: line.item_id,
    location_id: line.location_id,
    units: target.broken,
    source: line.source,
    occurred_at: line.as_of,
  }))
  await shortenPromises(tx, ctx, shortages, stock)
  const moves = targets.flatMap(({ line, row, target }) => countMoves(line, row, target))
  await moveStock(tx, moves, ctx.now)
  await tx.query(
    `update stock s set counted_as_of = c.as_of, counted_basis = nullif(c.basis, 'on_hand')
     from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[]) as c(item_id, location_id, as_of, basis)
     where s.item_id = c.item_id and s.location_id = c.location_id`,
    [
      lines.map((line) => line.item_id),
      lines.map((line) => line.location_id),
      lines.map((line) => line.as_of.toISOString()),
      lines.map((line) => line.basis),
    ],
  )
  await allocateShortfalls(tx, ctx, [...new Set(moves.map((move) => move.item_id))])
}

function countMoves(line: CountedLine, row: StockRow, target: CountTarget): StockMove[] {
  const { item_id, location_id, source, as_of } = line
  return movesToTarget(row, target).map((move) => ({
    ...move,
    item_id,
    location_id,
    reason: 'count',
    source,
    occurred_at: as_of,
  }))
}

const NOTHING: Counted = { on_hand: 0, damaged: 0, quality_control: 0 }

/** By `stockKey`: net units that crossed our walls, and that changed condition, after each count was taken. */
export async function loadMovementsAfter(
  tx: Tx,
  lines: readonly (StockKey & { as_of: Date })[],
): Promise<Map<string, Counted>> {
  const rows = await tx.query<Counted & StockKey>(
    `select c.item_id, c.location_id,
       coalesce(sum(case when m.from_out then m.quantity else 0 end - case when m.to_out then m.quantity else 0 end), 0)::int as on_hand,
       coalesce(sum(case when m.to_state = 'damaged' then m.quantity when m.from_state = 'damaged' then -m.quantity end), 0)::int as damaged,
       coalesce(sum(case when m.to_state = 'quality_control' then m.quantity
                         when m.from_state = 'quality_control' then -m.quantity end), 0)::int as quality_control
     from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as c(item_id, location_id, as_of)
     join lateral (
       select from_state, to_state, quantity,
         from_state in ('outside', 'incoming') as from_out, to_state in ('outside', 'incoming') as to_out
       from stock_ledger l
       where l.item_id = c.item_id and l.location_id = c.location_id and l.occurred_at > c.as_of
         and (l.from_state in ('outside', 'incoming', 'damaged', 'quality_control')
           or l.to_state in ('outside', 'incoming', 'damaged', 'quality_control'))
     ) m on true
     group by c.item_id, c.location_id`,
    [
      lines.map((line) => line.item_id),
      lines.map((line) => line.location_id),
      lines.map((line) => line.as_of.toISOString()),
    ],
  )
  return new Map(rows.map((row) => [stockKey(row.item_id, row.location_id), row]))
}
