import { parse } from 'csv-parse/sync'
import { answerTo, book, emptyLedger, freeUnits, type Answer, type Ledger, type WorkLine } from './threeplLedger.ts'

/** How willingly work is taken on. */
export interface Picking {
  random: () => number
  /** Share of works with nothing but these items that are sent back although the goods are there: a blocked aisle, a broken lift. */
  cannot_pick?: { share: number; skus: readonly string[] }
}

/** One after the other, because a file may hold a work and its recall. They are booked on a copy of the work they are about. */
export function answerAll(ledger: Ledger, options: Picking, orders: readonly Order[]): Answer[] {
  const known = orders.flatMap(({ fulfillment_order }) => ledger.work.get(fulfillment_order) ?? [])
  const trial = { ...emptyLedger(), work: new Map(known.map((item) => [item.fulfillment_order, { ...item }])) }
  const free = freeUnits(ledger)
  return orders.map((order) => {
    const answer =
      trial.work.has(order.fulfillment_order) || !isNotPicked(order, options)
        ? answerTo(trial, order, free)
        : { ...order, verdict: 'rejected' as const, reason: 'cannot pick', refused_units: 0 }
    book(trial, { kind: 'received', file: '', at_ms: 0, due_ms: 0, answers: [answer], dispatches: [] })
    return answer
  })
}

function isNotPicked({ action, lines }: Order, { cannot_pick, random }: Picking): boolean {
  if (cannot_pick === undefined || action === 'CANCEL') return false
  return lines.every(({ sku }) => cannot_pick.skus.includes(sku)) && random() < cannot_pick.share
}

export type Order = Pick<Answer, 'action' | 'fulfillment_order' | 'order_number' | 'lines' | 'label'>

/** Undefined when the file is not whole: no trailer, or totals that do not agree. */
export function readOrders(text: string): Order[] | undefined {
  const firstLine = text.split('\n', 1)[0] ?? ''
  const delimiter = [',', ';', '\t', '|'].reduce((best, next) =>
    firstLine.split(next).length > firstLine.split(best).length ? next : best,
  )
  const [header, ...records] = parse(text, { delimiter, relax_column_count: true, bom: true })
  const trailer = records.pop()
  const rows = records.map((record) =>
    Object.fromEntries(
      (header ?? []).map((column, i) => [column, record[i]?.replace(/^'(?='*[=+\-@\t\r])/, '') ?? '']),
    ),
  )
  const units = rows.reduce((sum, row) => sum + Number(row['quantity']), 0)
  if (trailer?.[0] !== 'TRAILER' || Number(trailer[1]) !== rows.length || Number(trailer[2]) !== units) return undefined
  return [...Map.groupBy(rows, (row) => `${row['action']} ${row['fulfillment_order']}`).values()].map((group) => ({
    action: group[0]?.['action'] === 'CANCEL' ? 'CANCEL' : 'NEW',
    fulfillment_order: group[0]?.['fulfillment_order'] ?? '',
    order_number: group[0]?.['order_number'] ?? '',
    ...labelOf(group[0] ?? {}),
    lines: group.flatMap((row): WorkLine[] =>
      row['sku'] === ''
        ? []
        : [{ sku: row['sku'] ?? '', quantity: Number(row['quantity']), line_reference: row['line_reference'] ?? '' }],
    ),
  }))
}

function labelOf({ carrier, tracking_number, label_file }: Readonly<Record<string, string>>): Pick<Order, 'label'> {
  if (tracking_number === undefined || tracking_number === '') return {}
  return { label: { carrier: carrier ?? '', tracking_number, file: label_file ?? '' } }
}
