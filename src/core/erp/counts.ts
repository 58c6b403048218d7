import type { Queryable, Tx } from '../../db/pool.ts'
import { openCases } from '../cases/cases.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { applyCounts } from '../inventory/counts.ts'
import type { StockCount } from '../model/stock.ts'
import { erpThatIs, type ErpPolicy } from './policy.ts'
import { untold } from './requestsStock.ts'

type Read = { fact: InboundFact } | { outcome: FactOutcome }

/**
 * Applies counts; those of an ERP only for places whose stock it is the one to know. For any other place of ours its number is ignored,
 * with one case that says so unless that is what the configuration wants; a warehouse of its own that is none of ours is passed over.
 */
export async function applyErpCounts(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<FactOutcome[]> {
  if (ctx.erps === undefined || ctx.erps.size === 0) return applyCounts(tx, ctx, facts)
  const reads: Read[] = []
  for (const fact of facts) reads.push(await readCount(tx, ctx, fact))
  const outcomes = await applyCounts(
    tx,
    ctx,
    reads.flatMap((read) => ('fact' in read ? [read.fact] : [])),
  )
  return reads.map((read) => ('fact' in read ? (outcomes.shift() ?? { kind: 'ignored', reason: 'not_ours' }) : read.outcome)) // prettier-ignore
}

const NOT_OURS: FactOutcome = { kind: 'ignored', reason: 'not_ours' }

async function readCount(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<Read> {
  const { connection_id, fact } = inbound
  const erp = erpThatIs(ctx, connection_id)
  if (erp === undefined || fact.kind !== 'stock_count') return { fact: inbound }
  const { document } = fact
  const found = [...erp.places].find(
    ([id, { code }]) => code === document.location_code || id === document.location_code,
  )
  if (found === undefined) return { outcome: NOT_OURS }
  const [location_id, { authority, is_stated }] = found
  if (authority === 'hub') {
    if (is_stated) return { outcome: NOT_OURS }
    await openCases(tx, [{ company_id: erp.company_id, kind: 'erp_stock_ignored', subject: `location:${location_id}`, connection_id, data: { location_id } }], ctx.now) // prettier-ignore
    return { outcome: NOT_OURS }
  }
  const counted = { ...document, location_code: location_id, lines: await withoutLeft(tx, erp, location_id, document) }
  return { fact: { ...inbound, fact: { kind: 'stock_count', document: counted } } }
}

/**
 * The ERP counts goods until it is told that they left, so what left and was not told yet is taken off its number. Between its taking a
 * delivery and our noting that it did, units may be taken off twice: too few are offered for one round, never too many.
 */
async function withoutLeft(
  q: Queryable,
  erp: ErpPolicy,
  location_id: string,
  { lines }: StockCount,
): Promise<StockCount['lines']> {
  if (!erp.deliveries) return lines
  const rows = await q.query<{ sku: string; units: number }>(
    `select i.sku, sum(t.units)::int as units from (${untold('$2')}) t join items i on i.id = t.item_id group by i.sku`,
    [erp.connection_id, location_id],
  )
  const left = new Map(rows.map(({ sku, units }) => [sku, units]))
  return lines.map((line) => ({ ...line, on_hand: Math.max(0, line.on_hand - (left.get(line.sku) ?? 0)) }))
}
