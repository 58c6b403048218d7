export interface KestrelAddress {
  name: string
  company: string | null
  street: string
  street_extra: string | null
  postcode: string
  city: string
  region: string | null
  country: string
  phone: string | null
}

export interface KestrelLine {
  id: string
  sku: string
  title: string
  quantity: number
  cancelled_quantity: number
  shipped_quantity: number
  unit_price: string
  discount: string
  vat: string
  total: string
}

export interface KestrelParcel {
  reference: string
  carrier: string
  tracking_number: string
  lines: readonly { line_id: string; quantity: number }[]
  created_at: string
}

export interface KestrelOrder {
  id: string
  number: string
  status: 'awaiting_payment' | 'paid' | 'part_shipped' | 'shipped' | 'cancelled'
  revision: number
  placed_at: string
  changed_at: string
  currency: string
  buyer: { name: string; email: string }
  shipping_address: KestrelAddress
  lines: KestrelLine[]
  shipping_price: string
  shipping_vat: string
  total: string
  parcels: KestrelParcel[]
}

export interface KestrelStock {
  sku: string
  available: number
  updated_at: string
}

/** What a buyer puts on the table. Amounts in cents; the API writes them as decimals. */
export interface Sale {
  lines: readonly { sku: string; title: string; quantity: number; unit_price_minor: number; discount_minor: number }[]
  shipping_minor: number
  paid: boolean
}

export type Refusal =
  | 'invalid_request'
  | 'order_unknown'
  | 'sku_unknown'
  | 'order_cancelled'
  | 'order_unpaid'
  | 'quantity_not_open'

export interface KestrelLedger {
  sell: (sale: Sale) => KestrelOrder | Refusal
  pay: (id: string) => KestrelOrder | Refusal
  /** Takes units back that have not left; the order is cancelled when none is left and none has left. */
  cancelUnits: (id: string, line_id: string, quantity: number) => KestrelOrder | Refusal
  addParcel: (id: string, parcel: Omit<KestrelParcel, 'created_at'>) => KestrelParcel | Refusal
  order: (id: string) => KestrelOrder | undefined
  orders: () => readonly KestrelOrder[]
  stock: (sku: string) => KestrelStock | undefined
  setStock: (sku: string, available: number) => KestrelStock | Refusal
  available: (sku: string) => number | undefined
}

interface LedgerOptions {
  now: () => Date
  stock: Readonly<Record<string, number>>
  onEvent: (type: 'order.created' | 'order.changed', order: KestrelOrder) => void
}

const VAT_PERCENT = 7
const BUYER = { name: 'Ada Example', email: 'ada@buyers.kestrel.example' }
const ADDRESS: KestrelAddress = {
  name: 'Ada Example',
  company: null,
  street: 'Lindenweg 4',
  street_extra: null,
  postcode: '10115',
  city: 'Berlin',
  region: null,
  country: 'DE',
  phone: null,
}

/** What Kestrel sold, was told and shows: the vendor's own books, in memory. */
export function openLedger({ now, stock, onEvent }: LedgerOptions): KestrelLedger {
  const orders = new Map<string, KestrelOrder>()
  const shelf = new Map<string, KestrelStock>()
  for (const [sku, available] of Object.entries(stock))
    shelf.set(sku, { sku, available, updated_at: now().toISOString() })
  const take = (sku: string, units: number): void => {
    const row = shelf.get(sku)
    if (row !== undefined) shelf.set(sku, { sku, available: row.available - units, updated_at: now().toISOString() })
  }
  /** Every change is a new document, so that what was told before stays what it was. */
  const change = (order: KestrelOrder): KestrelOrder => {
    const changed = { ...order, revision: order.revision + 1, changed_at: now().toISOString() }
    orders.set(order.id, changed)
    onEvent('order.changed', changed)
    return changed
  }

  const sell = (sale: Sale): KestrelOrder | Refusal => {
    if (sale.lines.some(({ sku }) => !shelf.has(sku))) return 'sku_unknown'
    if (sale.lines.some(({ sku, quantity }) => (shelf.get(sku)?.available ?? 0) < quantity)) return 'quantity_not_open'
    for (const { sku, quantity } of sale.lines) take(sku, quantity)
    const order = newOrder(1001 + orders.size, sale, now().toISOString())
    orders.set(order.id, order)
    onEvent('order.created', order)
    return order
  }
  const pay = (id: string): KestrelOrder | Refusal => {
    const order = orders.get(id)
    if (order === undefined) return 'order_unknown'
    return order.status === 'awaiting_payment' ? change({ ...order, status: 'paid' }) : 'invalid_request'
  }
  const cancelUnits = (id: string, line_id: string, quantity: number): KestrelOrder | Refusal => {
    const order = orders.get(id)
    const line = order?.lines.find((one) => one.id === line_id)
    if (order === undefined || line === undefined) return 'order_unknown'
    if (openOf(line) < quantity) return 'quantity_not_open'
    take(line.sku, -quantity)
    const lines = order.lines.map((one) =>
      one === line ? { ...one, cancelled_quantity: one.cancelled_quantity + quantity } : one,
    )
    return change({ ...order, lines, status: statusOf(lines, order.status) })
  }
  const addParcel = (id: string, parcel: Omit<KestrelParcel, 'created_at'>): KestrelParcel | Refusal => {
    const order = orders.get(id)
    if (order === undefined) return 'order_unknown'
    if (order.status === 'cancelled') return 'order_cancelled'
    if (order.status === 'awaiting_payment') return 'order_unpaid'
    const lines = order.lines.map((line) => {
      const units = parcel.lines
        .filter(({ line_id }) => line_id === line.id)
        .reduce((sum, one) => sum + one.quantity, 0)
      return { ...line, shipped_quantity: line.shipped_quantity + units }
    })
    if (parcel.lines.some(({ line_id }) => !lines.some((line) => line.id === line_id))) return 'invalid_request'
    if (lines.some((line) => openOf(line) < 0)) return 'quantity_not_open'
    const added = { ...parcel, created_at: now().toISOString() }
    change({ ...order, lines, parcels: [...order.parcels, added], status: statusOf(lines, order.status) })
    return added
  }
  const setStock = (sku: string, available: number): KestrelStock | Refusal => {
    if (!shelf.has(sku)) return 'sku_unknown'
    const row = { sku, available, updated_at: now().toISOString() }
    shelf.set(sku, row)
    return row
  }
  return {
    sell,
    pay,
    cancelUnits,
    addParcel,
    setStock,
    order: (id) => orders.get(id),
    orders: () => [...orders.values()],
    stock: (sku) => shelf.get(sku),
    available: (sku) => shelf.get(sku)?.available,
  }
}

const openOf = (line: KestrelLine): number => line.quantity - line.cancelled_quantity - line.shipped_quantity

function statusOf(lines: readonly KestrelLine[], before: KestrelOrder['status']): KestrelOrder['status'] {
  const shipped = lines.some(({ shipped_quantity }) => shipped_quantity > 0)
  const open = lines.some((line) => openOf(line) > 0)
  if (!shipped) return open ? before : 'cancelled'
  return open ? 'part_shipped' : 'shipped'
}

function newOrder(number: number, sale: Sale, at: string): KestrelOrder {
  const lines = sale.lines.map((line, index): KestrelLine => {
    const total = line.unit_price_minor * line.quantity - line.discount_minor
    return {
      id: String(index + 1),
      sku: line.sku,
      title: line.title,
      quantity: line.quantity,
      cancelled_quantity: 0,
      shipped_quantity: 0,
      unit_price: decimal(line.unit_price_minor),
      discount: decimal(line.discount_minor),
      vat: decimal(vatIn(total)),
      total: decimal(total),
    }
  })
  const goods = sale.lines.reduce((sum, line) => sum + line.unit_price_minor * line.quantity - line.discount_minor, 0)
  return {
    id: `ord_${number}`,
    number: `K-${number}`,
    status: sale.paid ? 'paid' : 'awaiting_payment',
    revision: 1,
    placed_at: at,
    changed_at: at,
    currency: 'EUR',
    buyer: BUYER,
    shipping_address: ADDRESS,
    lines,
    shipping_price: decimal(sale.shipping_minor),
    shipping_vat: decimal(vatIn(sale.shipping_minor)),
    total: decimal(goods + sale.shipping_minor),
    parcels: [],
  }
}

const vatIn = (gross_minor: number): number => Math.round((gross_minor * VAT_PERCENT) / (100 + VAT_PERCENT))

const decimal = (minor: number): string => `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`
