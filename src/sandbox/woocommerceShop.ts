import { openJournal } from './simulator.ts'
import type { Product, SoldOrder, StorefrontLedger } from './simulator.ts'

/** What the simulated shop remembers of an order, in its own terms. Times are Unix milliseconds. */
export interface ShopOrder {
  id: number
  status: 'on-hold' | 'processing' | 'completed' | 'cancelled' | 'trash'
  /** The status before the trash, for restoring. */
  status_before: ShopOrder['status']
  created_ms: number
  modified_ms: number
  paid_ms: number | null
  completed_ms: number | null
  payment_id: string
  buyer: { name: string; email: string; country: string }
  lines: ShopLine[]
  refunds: { id: number; at_ms: number; lines: { line_id: number; quantity: number; amount_minor: number }[] }[]
  meta: { id: number; key: string; value: unknown }[]
}

export interface ShopLine {
  id: number
  sku: string
  title: string
  price_minor: number
  quantity: number
  most_quantity: number
  cancelled: number
}

export interface ShopProduct {
  product_id: number
  /** 0 for a plain product. */
  variation_id: number
  sku: string
  title: string
  price_minor: number
}

export interface Delivery {
  id: number
  topic: 'order.created' | 'order.updated' | 'order.deleted' | 'order.restored'
  order_id: number
}

/** One line of the journal: all that one deed changed, so that a kill between two changes cannot happen. */
interface Change {
  order?: ShopOrder
  shown?: Record<string, number>
  queued?: Delivery
  attempted?: number
  last_id?: number
}

export interface ShopOptions {
  journal_path: string | null
  products: readonly Product[]
  variable: readonly { title: string; skus: readonly string[] }[]
  currency: string
  /** Numbers of orders begin after it. */
  first_id?: number
  now: () => Date
  /** Whether anybody listens to this topic now; a change nobody listens to is announced to nobody. */
  listens: (topic: Delivery['topic']) => boolean
  onQueued: (delivery: Delivery) => void
}

const FIRST_PRODUCT_ID = 101
const FIRST_PARENT_ID = 901
const FIRST_ID = 7_001

export type Shop = ReturnType<typeof openShop>

/** The shop behind the API: its shelf, its orders, and what it was told. Everything it knows is in its journal. */
export function openShop(options: ShopOptions) {
  const journal = openJournal<Change>(options.journal_path)
  const orders = new Map<number, ShopOrder>()
  const shown = new Map(options.products.map(({ sku, quantity }) => [sku, quantity]))
  const undelivered = new Map<number, Delivery>()
  const stockWrites: StorefrontLedger['stock_writes'] = []
  const catalogue = catalogueOf(options)
  let lastId = options.first_id ?? FIRST_ID

  const apply = (change: Change): void => {
    if (change.order !== undefined) orders.set(change.order.id, change.order)
    for (const [sku, quantity] of Object.entries(change.shown ?? {})) shown.set(sku, quantity)
    if (change.queued !== undefined) undelivered.set(change.queued.id, change.queued)
    if (change.attempted !== undefined) undelivered.delete(change.attempted)
    lastId = Math.max(lastId, change.last_id ?? 0)
  }
  for (const change of journal.events()) apply(change)

  const nextId = (): number => (lastId += 1)
  const commit = (change: Change): void => {
    const whole = { ...change, last_id: lastId }
    journal.append(whole)
    apply(whole)
    if (change.queued !== undefined) options.onQueued(change.queued)
  }
  /** Stores the order as changed now, with the shelf moved by `moves`, and announces it. */
  const save = (
    order: ShopOrder,
    topic: Delivery['topic'],
    moves: readonly { sku: string; by: number }[] = [],
  ): void => {
    const stored = { ...order, modified_ms: options.now().getTime() }
    const levels: Record<string, number> = {}
    for (const { sku, by } of moves) levels[sku] = (levels[sku] ?? shown.get(sku) ?? 0) + by
    const queued = options.listens(topic) ? { id: nextId(), topic, order_id: order.id } : undefined
    commit({ order: stored, shown: levels, ...(queued === undefined ? {} : { queued }) })
  }

  return {
    catalogue,
    currency: options.currency,
    orders: (): readonly ShopOrder[] => [...orders.values()],
    order: (id: number): ShopOrder | undefined => orders.get(id),
    shownOf: (sku: string): number => shown.get(sku) ?? 0,
    undelivered: (): readonly Delivery[] => [...undelivered.values()],
    attempted: (id: number): void => commit({ attempted: id }),
    nextId,
    save,
    writeStock: (sku: string, quantity: number): void => {
      commit({ shown: { [sku]: quantity } })
      stockWrites.push({ sku, quantity, at_ms: options.now().getTime() })
    },
    ledger: (): StorefrontLedger => ({
      orders: [...orders.values()].map((order) => soldOrder(order, options.currency)),
      shown: Object.fromEntries(shown),
      stock_writes: stockWrites,
    }),
    close: (): void => journal.close(),
  }
}

function catalogueOf({ products, variable }: ShopOptions): readonly ShopProduct[] {
  return products.map(({ sku, title, price_minor }, index) => {
    const parent = variable.findIndex((group) => group.skus.includes(sku))
    const id = FIRST_PRODUCT_ID + index
    return parent < 0
      ? { product_id: id, variation_id: 0, sku, title, price_minor }
      : { product_id: FIRST_PARENT_ID + parent, variation_id: id, sku, title, price_minor }
  })
}

export const orderTotal = (order: ShopOrder): number =>
  order.lines.reduce((total, line) => total + line.price_minor * line.quantity, 0)

/** A parcel as the hub noted it in the order's meta data. */
interface Note {
  tracking_number: string
  more_tracking_numbers: string[]
  lines: { sku: string; quantity: number; line_id: string }[]
}

/** Every meta entry that names a tracking number counts, whatever its key: two entries of one number are a doubled notice. */
function notesOf(order: ShopOrder): Note[] {
  return order.meta.flatMap(({ value }) => {
    const note = value as { tracking_number?: unknown; more_tracking_numbers?: unknown; lines?: unknown } | null
    if (
      typeof note !== 'object' ||
      note === null ||
      typeof note.tracking_number !== 'string' ||
      !Array.isArray(note.lines)
    )
      return []
    const more = Array.isArray(note.more_tracking_numbers) ? (note.more_tracking_numbers as string[]) : []
    return [{ tracking_number: note.tracking_number, more_tracking_numbers: more, lines: note.lines as Note['lines'] }]
  })
}

export function soldOrder(order: ShopOrder, currency: string): SoldOrder {
  const notes = notesOf(order)
  const shipped = (line: ShopLine): number =>
    notes
      .flatMap((note) => note.lines)
      .reduce((units, told) => units + (told.line_id === String(line.id) ? told.quantity : 0), 0)
  return {
    external_id: String(order.id),
    number: String(order.id),
    placed_ms: order.created_ms,
    cancelled: order.status === 'cancelled' || order.status === 'trash',
    paid: order.paid_ms !== null,
    lines: order.lines.map((line) => ({
      line_id: String(line.id),
      sku: line.sku,
      quantity: line.quantity,
      most_quantity: line.most_quantity,
      cancelled: line.cancelled,
      shipped: shipped(line),
    })),
    notices: notes.flatMap(({ tracking_number, more_tracking_numbers, lines }) => [
      { tracking_number, lines: lines.map(({ sku, quantity }) => ({ sku, quantity })) },
      ...more_tracking_numbers.map((number) => ({ tracking_number: number, lines: [] })),
    ]),
    total_minor: orderTotal(order),
    currency,
    payment_id: order.payment_id === '' ? null : order.payment_id,
  }
}
