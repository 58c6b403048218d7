import { openJournal, type Product, type SoldOrder, type StorefrontLedger } from '../simulator.ts'

/** What the simulated marketplace remembers of an order, in its own terms. Times are Unix milliseconds. */
export interface AccountOrder {
  id: string
  status: 'PENDING' | 'UNSHIPPED' | 'PARTIALLY_SHIPPED' | 'SHIPPED' | 'CANCELLED'
  by: 'MERCHANT' | 'AMAZON'
  created_ms: number
  updated_ms: number
  buyer: { name: string; email: string; country: string }
  lines: AccountLine[]
  packages: AccountPackage[]
  /** Money given back for goods that have left; they stay with the buyer. */
  refunds: { id: string; line_id: string; amount_minor: number; at_ms: number }[]
}

export interface AccountLine {
  id: string
  sku: string
  title: string
  price_minor: number
  quantity: number
  /** The buyer would like to have it cancelled; the seller has not answered. */
  cancel_asked: boolean
}

export interface AccountPackage {
  reference: string
  carrier: string
  tracking_number: string
  ship_ms: number
  created_ms: number
  items: { line_id: string; quantity: number }[]
}

export interface AccountListing extends Omit<Product, 'quantity'> {
  asin: string
  product_type: string
  by: 'MERCHANT' | 'AMAZON'
  created_ms: number
}

/** A message as the queue keeps it: one publication. */
export interface AccountMessage {
  id: string
  visible_ms: number
  body: string
}

export interface AccountFeed {
  id: string
  created_ms: number
  document_id: string
  result_document_id: string | null
  status: 'IN_QUEUE' | 'DONE' | 'FATAL'
}

export interface AccountReport {
  id: string
  settlement_id: string
  created_ms: number
  document_id: string
  payout_minor: number
  /** Orders whose money it holds, so that none is paid twice. */
  orders: string[]
  refunds: string[]
  lines: number
}

/** One line of the journal: all that one deed changed, so that a kill between two changes cannot happen. */
interface Change {
  order?: AccountOrder
  shown?: Record<string, number>
  messages?: AccountMessage[]
  removed?: string[]
  feed?: AccountFeed
  document?: { id: string; text: string }
  report?: AccountReport
  last_id?: number
}

export interface AccountOptions {
  journal_path: string | null
  products: readonly Product[]
  /** SKUs that lie in the marketplace's own warehouses; the seller neither counts nor ships them. */
  by_amazon: readonly string[]
  currency: string
  now: () => Date
  /** What is published of a changed order. */
  publish: (order: AccountOrder, nextId: () => number) => AccountMessage[]
}

export type Account = ReturnType<typeof openAccount>

/** The seller's account behind the API: offers, orders, what was told and published. Everything it knows is in its journal. */
export function openAccount(options: AccountOptions) {
  const journal = openJournal<Change>(options.journal_path)
  const orders = new Map<string, AccountOrder>()
  const shown = new Map(options.products.map(({ sku, quantity }) => [sku, quantity]))
  const messages = new Map<string, AccountMessage>()
  const feeds = new Map<string, AccountFeed>()
  const documents = new Map<string, string>()
  const reports = new Map<string, AccountReport>()
  const stockWrites: StorefrontLedger['stock_writes'] = []
  const listings = listingsOf(options)
  let lastId = 0

  const apply = (change: Change): void => {
    if (change.order !== undefined) orders.set(change.order.id, change.order)
    for (const [sku, quantity] of Object.entries(change.shown ?? {})) shown.set(sku, quantity)
    for (const message of change.messages ?? []) messages.set(message.id, message)
    for (const id of change.removed ?? []) messages.delete(id)
    if (change.feed !== undefined) feeds.set(change.feed.id, change.feed)
    if (change.document !== undefined) documents.set(change.document.id, change.document.text)
    if (change.report !== undefined) reports.set(change.report.id, change.report)
    lastId = Math.max(lastId, change.last_id ?? 0)
  }
  for (const change of journal.events()) apply(change)
  const commit = (change: Change): void => {
    const whole = { ...change, last_id: lastId }
    journal.append(whole)
    apply(whole)
  }
  const nextId = (): number => (lastId += 1)

  return {
    currency: options.currency,
    listings,
    nextId,
    orders: (): readonly AccountOrder[] => [...orders.values()],
    order: (id: string): AccountOrder | undefined => orders.get(id),
    shownOf: (sku: string): number => shown.get(sku) ?? 0,
    messages: (): readonly AccountMessage[] => [...messages.values()],
    feeds: (): readonly AccountFeed[] => [...feeds.values()],
    reports: (): readonly AccountReport[] => [...reports.values()],
    document: (id: string): string | undefined => documents.get(id),
    commit,
    /** Stores an order as changed now, with the offers moved by `moves`, and publishes it. */
    save: (order: AccountOrder, moves: readonly { sku: string; by: number }[] = []): AccountOrder => {
      const stored = { ...order, updated_ms: options.now().getTime() }
      const levels: Record<string, number> = {}
      for (const { sku, by } of moves) levels[sku] = (levels[sku] ?? shown.get(sku) ?? 0) + by
      commit({ order: stored, shown: levels, messages: options.publish(stored, nextId) })
      return stored
    },
    writeStock: (quantities: Readonly<Record<string, number>>, more: Pick<Change, 'feed' | 'document'> = {}): void => {
      commit({ ...more, shown: { ...quantities } })
      const at_ms = options.now().getTime()
      for (const [sku, quantity] of Object.entries(quantities)) stockWrites.push({ sku, quantity, at_ms })
    },
    ledger: (): StorefrontLedger => ({
      orders: [...orders.values()]
        .filter(({ by }) => by === 'MERCHANT')
        .map((order) => soldOrder(order, options.currency)),
      shown: Object.fromEntries(listings.filter(({ by }) => by === 'MERCHANT').map(({ sku }) => [sku, shown.get(sku) ?? 0])), // prettier-ignore
      stock_writes: stockWrites,
    }),
    close: (): void => journal.close(),
  }
}

function listingsOf({ products, by_amazon, now }: AccountOptions): readonly AccountListing[] {
  const created_ms = now().getTime() - 86_400_000
  return products.map(({ sku, title, price_minor }, index) => ({
    sku,
    title,
    price_minor,
    asin: `B0${String(index + 1).padStart(8, '0')}`,
    product_type: 'GROCERY',
    by: by_amazon.includes(sku) ? 'AMAZON' : 'MERCHANT',
    created_ms: created_ms + index,
  }))
}

export const shippedOf = (order: AccountOrder, line_id: string, except?: string): number =>
  order.packages
    .filter(({ reference }) => reference !== except)
    .flatMap(({ items }) => items)
    .reduce((units, item) => units + (item.line_id === line_id ? item.quantity : 0), 0)

export const orderTotal = ({ lines }: AccountOrder): number =>
  lines.reduce((total, line) => total + line.price_minor * line.quantity, 0)

export function soldOrder(order: AccountOrder, currency: string): SoldOrder {
  const skus = new Map(order.lines.map(({ id, sku }) => [id, sku]))
  return {
    external_id: order.id,
    number: order.id,
    placed_ms: order.created_ms,
    cancelled: order.status === 'CANCELLED',
    paid: order.status !== 'PENDING',
    lines: order.lines.map((line) => ({
      line_id: line.id,
      sku: line.sku,
      quantity: line.quantity,
      most_quantity: line.quantity,
      cancelled: 0,
      shipped: shippedOf(order, line.id),
    })),
    notices: order.packages.map(({ tracking_number, items }) => ({
      tracking_number,
      lines: items.map(({ line_id, quantity }) => ({ sku: skus.get(line_id) ?? line_id, quantity })),
    })),
    total_minor: orderTotal(order),
    currency,
    payment_id: null,
  }
}
