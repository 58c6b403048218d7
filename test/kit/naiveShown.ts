import { channelOf, promisedAt, shelfOf, TAKES, type NaiveHub, type StockRuleSaid } from './naiveHub.ts'

/** The most specific rule that says something of a field: more names win, then the item, then the channel. */
function said(hub: NaiveHub, field: string, scope: { channel: string; item: string; place: string | null }) {
  let best: { rule: StockRuleSaid; weight: number } | null = null
  for (const rule of hub.rules) {
    const { channel, item, place } = rule
    if ((channel ?? scope.channel) !== scope.channel || (item ?? scope.item) !== scope.item) continue
    if (place !== null && place !== scope.place) continue
    if ((rule.fields[field] ?? null) === null) continue
    const names = [channel, item, place].filter((name) => name !== null).length
    const weight = names * 100 + (item === null ? 0 : 10) + (channel === null ? 0 : 1)
    if (best === null || weight > best.weight) best = { rule, weight }
  }
  return best?.rule.fields[field] ?? null
}

const number = (value: number | string | null): number | null => (typeof value === 'number' ? value : null)

export function modeOf(hub: NaiveHub, channel: string, item: string): string {
  const usual = channelOf(hub, channel).shortfall === 'backorder' ? 'backorder' : 'deny'
  return String(said(hub, 'backorder', { channel, item, place: null }) ?? usual)
}

/** Units of an item at a place that the channel may look at, more urgent demands having taken theirs in the channel's own order. */
function freeFor(hub: NaiveHub, channel: string, item: string): { free: Map<string, number>; served: number } {
  const { places, priority } = channelOf(hub, channel)
  const free = new Map(
    places.map((place) => {
      const kept = number(said(hub, 'safety_units', { channel, item, place })) ?? 0
      return [place, shelfOf(hub, item, place).available - kept]
    }),
  )
  const waiting = new Map<string, { channel: string; priority: number; units: number }>()
  for (const row of hub.rows.filter((one) => one.state === 'missing' && one.item === item && one.priority < priority)) {
    const of = hub.orders.get(row.order)?.channel ?? ''
    const same = waiting.get(`${row.priority} ${of}`) ?? { channel: of, priority: row.priority, units: 0 }
    waiting.set(`${row.priority} ${of}`, { ...same, units: same.units + row.units })
  }
  let served = 0
  const turns = [...waiting.values()].sort((a, b) => a.priority - b.priority || (a.channel < b.channel ? -1 : 1))
  for (const turn of turns) {
    let open = turn.units
    for (const place of places.filter((one) => channelOf(hub, turn.channel).places.includes(one))) {
      const units = Math.min(open, Math.max(0, free.get(place) ?? 0))
      free.set(place, (free.get(place) ?? 0) - units)
      open -= units
      served += units
    }
  }
  return { free, served }
}

/** The number that a channel ought to show for a listing. */
export function shownBy(hub: NaiveHub, channel: string, sku: string): number {
  const takes = TAKES[sku] ?? []
  const { places } = channelOf(hub, channel)
  const items = takes.map(([item, per]) => ({ item, per, ...freeFor(hub, channel, item) }))
  let units = 0
  for (const place of places)
    units += Math.min(...items.map(({ per, free }) => Math.floor(Math.max(0, free.get(place) ?? 0) / per)))
  // The listing is of one item (a kit counts as one); only what may wait is asked of the components as well.
  const named = sku === 'A3' ? 'A' : sku
  const of = (field: string): number | null => number(said(hub, field, { channel, item: named, place: null }))
  units = Math.floor((units * (of('share_percent') ?? 100)) / 100)
  units = Math.min(units, of('cap') ?? units)
  units -= of('buffer_units') ?? 0
  units -= Math.ceil((Math.max(0, units) * (of('buffer_percent') ?? 0)) / 100)
  units = Math.max(0, units)
  if (units < (of('zero_below') ?? 0)) units = 0
  return units + ahead(hub, channel, [...new Set([named, ...takes.map(([item]) => item)])], items)
}

type Part = { item: string; per: number; served: number }

/** Units that may be ordered although nothing is there. */
function ahead(hub: NaiveHub, channel: string, asked: readonly string[], parts: readonly Part[]): number {
  if (asked.some((item) => modeOf(hub, channel, item) === 'deny')) return 0
  const bounds = asked.map((item) => number(said(hub, 'backorder_units_max', { channel, item, place: null })))
  const bound = bounds.reduce((least, one) => (one === null ? least : Math.min(least ?? one, one)), null)
  return Math.min(
    ...parts.map(({ item, per, served }) => {
      const rows = hub.rows.filter((row) => row.state === 'missing' && row.item === item)
      const units = (some: typeof rows): number => some.reduce((all, row) => all + row.units, 0)
      const incoming = channelOf(hub, channel).places.reduce(
        (all, place) => all + shelfOf(hub, item, place).incoming,
        0,
      )
      const open =
        bound === null ? incoming - (units(rows) - served) : bound - units(rows.filter((row) => row.backordered))
      return Math.floor(Math.max(0, open) / per)
    }),
  )
}

/** Counters as the hub keeps them. */
export function counters(hub: NaiveHub, item: string, place: string) {
  const { available, damaged, quality_control, safety_stock, incoming } = shelfOf(hub, item, place)
  const reserved = promisedAt(hub, item, place, 'held')
  const committed = promisedAt(hub, item, place, 'committed')
  const on_hand = available + reserved + committed + damaged + quality_control + safety_stock
  return { on_hand, available, reserved, committed, damaged, quality_control, safety_stock, incoming }
}
