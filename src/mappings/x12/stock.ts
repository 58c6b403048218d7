import type { Fact } from '../../core/model/fact.ts'
import type { Return } from '../../core/model/return.ts'
import type { Receipt } from '../../core/model/supply.ts'
import type { StockChange } from '../../core/model/stock.ts'
import { defineMapping, fromTable, type MappingContext } from '../define.ts'
import { SetRow } from './payload.ts'
import { profileOf, roleOf, USUAL, type Adjustment, type Condition, type Counted, type Profile } from './profile.ts'
import { all, el, maybe, one, type Node } from './structure.ts'
import { dayInstant, invalid, pairsFrom, placeOf, rootOf, skuOf, unitsOf, type SetPayload } from './values.ts'

/** The warehouse as the partner calls it (N1*WH), or the one that the connection stands for. */
function locationOf(root: Node, profile: Profile): string {
  const named = all(root, 'N1').find((node) => el(node, 1) === roleOf(profile, 'warehouse'))
  const code = profile.location_code ?? maybe(named, 4)
  if (code === null)
    throw invalid(
      'names no warehouse, and the connection has no location_code',
      placeOf(one(root, 'N1') ?? one(root, 'ST')),
    )
  return code
}

const nineOf = (node: Node | undefined, qualifier: string): string | null =>
  all(node, 'N9')
    .map((n9) => (el(n9, 1) === qualifier ? maybe(n9, 2) : null))
    .find((id) => id !== null) ?? null

// ── 944: goods that came in ───────────────────────────────────────────────────────────────────────────────────────────────

/** W1701 `C` is a customer's return by the standard; anything else is goods received. */
const RETURN_REPORT = 'C'

/** 944 stock transfer receipt advice: a receipt of what was announced, or a return. */
export const receipt = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const profile = profileOf(context.settings)
    const root = rootOf(payload)
    const w17 = one(root, 'W17')
    const shown = { date: maybe(w17, 2), time: maybe(w17, 7), path: placeOf(w17, 2) }
    const received_at = dayInstant(payload, shown, profile)
    const external_id = el(w17, 3)
    const location_code = locationOf(root, profile)
    const lines = all(root, 'W07').flatMap((node) => receivedLines(node, { profile, context }))
    if (lines.length === 0) return []
    if (el(w17, 1) === RETURN_REPORT) return [returned({ external_id, location_code, received_at, root, lines })]
    const document: Receipt = {
      external_id,
      location_code,
      received_at,
      // The number of our purchase: what a 943 named it, or what stands on the delivery note.
      reference: maybe(w17, 4) ?? maybe(w17, 5),
      lines,
    }
    return [{ kind: 'receipt', document }]
  },
})

type ReceivedLine = Receipt['lines'][number]

/** W07 counts what came off the lorry; W13 says which of those units are not as they should be. */
function receivedLines(
  node: Node,
  { profile, context }: { profile: Profile; context: MappingContext },
): ReceivedLine[] {
  const quantity = unitsOf(node, { quantity: 1, unit: 2 }, profile)
  const sku = skuOf(node, [4, 6, 10], profile)
  // Some write a qualifier without its id before the lot.
  const lot = maybe(node, 8) ?? nineOf(node, 'LT')
  const conditions: Readonly<Record<string, Condition>> = { ...USUAL.conditions, ...profile.conditions }
  const unsound = { damaged: 0, quality_control: 0 }
  for (const exception of all(node, 'W13')) {
    const meaning = fromTable<Condition>(conditions, el(exception, 3), 'quality_control', context, 'condition W1303')
    if (meaning === 'damaged' || meaning === 'quality_control')
      unsound[meaning] += unitsOf(exception, { quantity: 1, unit: 2 }, profile)
  }
  const sound = quantity - unsound.damaged - unsound.quality_control
  if (sound < 0) throw invalid('has more damaged and held units than it received', placeOf(node, 1))
  const parts = [['available', sound], ['quality_control', unsound.quality_control], ['damaged', unsound.damaged]] as const // prettier-ignore
  return parts.flatMap(([to, units]) => (units > 0 ? [{ sku, quantity: units, to, lot, expires_on: null }] : []))
}

const DISPOSITION = { available: 'restock', quality_control: 'quality_control', damaged: 'damaged' } as const

function returned(receipt_: {
  external_id: string
  location_code: string
  received_at: string
  root: Node
  lines: readonly ReceivedLine[]
}): Fact {
  const { root, lines, ...head } = receipt_
  const document: Return = {
    ...head,
    order_external_id: null,
    // Whoever sends goods back names the order that they left with; RMA numbers (N9*RZ) are the warehouse's own.
    fulfillment_order: maybe(one(root, 'W17'), 4),
    lines: lines.map(({ sku, quantity, to }) => ({
      sku,
      quantity,
      line_reference: null,
      disposition: DISPOSITION[to],
    })),
  }
  return { kind: 'return', document }
}

// ── 947: corrections ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** 947 inventory adjustment advice: one movement for each W19. Codes that move nothing of ours (holds) are left to the next count. */
export const adjustment = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const profile = profileOf(context.settings)
    const root = rootOf(payload)
    const w15 = one(root, 'W15')
    const g62 = all(root, 'G62').find((node) => maybe(node, 2) === maybe(w15, 1))
    const shown = { date: maybe(w15, 1), time: maybe(g62, 4), zone: maybe(g62, 5), path: placeOf(w15, 1) }
    const at = dayInstant(payload, shown, profile)
    const location_code = locationOf(root, profile)
    const number = maybe(w15, 2) ?? `${Number(payload.group.control)}`
    const meanings: Readonly<Record<string, Adjustment>> = { ...USUAL.adjustments, ...profile.adjustments }
    return all(root, 'W19').flatMap((node, index): Fact[] => {
      const reason = fromTable<Adjustment>(meanings, el(node, 1), 'adjusted', context, 'adjustment reason W1901')
      const delta = unitsOf(node, { quantity: 2, unit: 3 }, profile)
      if (reason === 'ignored' || delta === 0) return []
      const document: StockChange = {
        external_id: `${number}/${index + 1}`,
        location_code,
        sku: skuOf(node, [5, 7, 17], profile),
        delta,
        reason: plainReason(reason, delta),
        at,
        reference: null,
      }
      return [{ kind: 'stock_change', document }]
    })
  },
})

/** Found, lost and damaged say themselves which way they go; where the sign says the other way, it is a plain correction. */
function plainReason(reason: Exclude<Adjustment, 'ignored'>, delta: number): StockChange['reason'] {
  if (reason === 'found') return delta > 0 ? 'found' : 'adjusted'
  if (reason === 'lost' || reason === 'damaged') return delta < 0 ? reason : 'adjusted'
  return reason
}

// ── 846: counts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const STOCK_LINES_MAX = 500

/** 846 inventory advice: absolute units at the time that BIA names. Its parts have names of their own, so that a repeated one is known. */
export const stock = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const profile = profileOf(context.settings)
    const root = rootOf(payload)
    const bia = one(root, 'BIA')
    const as_of = countedAt(payload, root, profile)
    const location_code = locationOf(root, profile)
    const lines = all(root, 'LIN').flatMap((node) => countedLine(node, { profile, context }))
    if (new Set(lines.map(({ sku }) => sku)).size < lines.length) throw invalid('counts one item twice', 'LIN')
    const name = `${el(bia, 3)}:${as_of}`
    return Array.from({ length: Math.ceil(lines.length / STOCK_LINES_MAX) }, (_, part): Fact => ({
      kind: 'stock_count',
      document: {
        external_id: `${name}:${lines[part * STOCK_LINES_MAX]?.sku ?? part}`.slice(0, 200),
        location_code,
        as_of,
        lines: lines.slice(part * STOCK_LINES_MAX, (part + 1) * STOCK_LINES_MAX),
      },
    }))
  },
})

/** DTM*514 or BIA04 with its time. A count of an earlier day, without a time, is taken for that day's start. */
function countedAt(payload: SetPayload, root: Node, profile: Profile): string {
  const dtm = all(root, 'DTM').find((node) => el(node, 1) === '514' && maybe(node, 2) !== null)
  const bia = one(root, 'BIA')
  const [date, time] = dtm === undefined ? [maybe(bia, 4), maybe(bia, 5)] : [maybe(dtm, 2), maybe(dtm, 3)]
  const path = dtm === undefined ? placeOf(bia, 4) : placeOf(dtm, 2)
  return dayInstant(payload, { date, time, zone: maybe(dtm, 4), path, otherwise: 'start' }, profile)
}

interface CountLine {
  sku: string
  on_hand: number
  damaged: number
  quality_control: number
}

function countedLine(node: Node, { profile, context }: { profile: Profile; context: MappingContext }): CountLine[] {
  const sku = skuOf(node, pairsFrom(node, 2), profile)
  const meanings: Readonly<Record<string, Counted>> = { ...USUAL.counts, ...profile.counts }
  const found = new Map<Counted, number>()
  for (const quantity of all(node, 'QTY')) {
    const meaning = fromTable<Counted>(meanings, el(quantity, 1), 'ignored', context, 'quantity QTY01')
    if (meaning === 'ignored') continue
    const units = unitsOf(quantity, { quantity: 2, unit: 3 }, profile)
    if (units < 0) throw invalid('is less than nothing', placeOf(quantity, 2))
    found.set(meaning, (found.get(meaning) ?? 0) + units)
  }
  const damaged = found.get('damaged') ?? 0
  const quality_control = found.get('quality_control') ?? 0
  const on_hand = found.get('on_hand') ?? onHandOf(found.get('available'), damaged + quality_control)
  if (on_hand === undefined) {
    context.warn(`${placeOf(node)}: no quantity that counts units here; the item keeps its number`)
    return []
  }
  if (damaged + quality_control > on_hand)
    throw invalid('has more damaged and held units than it has in all', placeOf(node))
  return [{ sku, on_hand, damaged, quality_control }]
}

/** Where only sellable units are counted, those that are not come on top. */
const onHandOf = (available: number | undefined, unsound: number): number | undefined =>
  available === undefined ? undefined : available + unsound
