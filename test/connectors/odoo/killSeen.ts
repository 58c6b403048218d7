import { call, find, type LiveServer, type Row } from './liveServer.ts'

export interface KillWorld {
  server: LiveServer
  /** Of the connector, past the proxy. */
  settings: Readonly<Record<string, unknown>>
  sku: (name: string) => string
}

// ── what the ERP shows ────────────────────────────────────────────────────────────────────────────────────────────────────

/** A product's name there begins with its SKU, whose last part tells it in every run. */
const shown = (value: unknown): unknown => {
  const name: unknown = Array.isArray(value) && typeof value[1] === 'string' ? value[1] : value
  return typeof name === 'string' ? (/^\[.*-([A-Z]+)\]/.exec(name)?.[1] ?? name) : name
}
const pick = (rows: readonly Row[], fields: readonly string[]): unknown[][] =>
  rows.map((row) => fields.map((field) => shown(row[field])))

export const look = async (
  { server }: KillWorld,
  model: string,
  domain: unknown[],
  fields: string[],
): Promise<unknown[][]> => pick(await find(server, model, domain, fields), fields)

export const refOfOrder = (number: string): string => `SO-${number}`
export const goodsLines = (world: KillWorld, number: string, fields: string[]): Promise<unknown[][]> =>
  look(world, 'sale.order.line', [['order_id.client_order_ref', '=', refOfOrder(number)]], fields)

export async function seenOrder(world: KillWorld, number: string) {
  const email = `ada-${number}@example.test`
  const order = refOfOrder(number)
  return {
    orders: await look(world, 'sale.order', [['client_order_ref', '=', order]], ['state', 'amount_total', 'amount_tax', 'date_order']), // prettier-ignore
    lines: await goodsLines(world, number, ['product_id', 'product_uom_qty', 'price_unit', 'price_total']),
    people: await look(world, 'res.partner', [['email', '=', email]], ['name']),
    addresses: await look(world, 'res.partner', [['parent_id.email', '=', email]], ['type', 'street', 'city']),
    goods: await look(world, 'stock.move', [['picking_id.sale_id.client_order_ref', '=', order], ['state', '!=', 'cancel']], ['product_id', 'product_uom_qty']), // prettier-ignore
  }
}

/** Transfers, with what each of them moved and was to move. */
export async function seenTransfers(world: KillWorld, domain: unknown[]) {
  const pickings = await find(world.server, 'stock.picking', domain, ['state', 'picking_type_code', 'carrier_tracking_ref', 'move_ids']) // prettier-ignore
  return await Promise.all(
    pickings.map(async (picking) => ({
      transfer: [picking['picking_type_code'], picking['state'] === 'done' ? 'done' : 'open', picking['carrier_tracking_ref']],
      // What an open one has reserved depends on what there is.
      ...(picking['state'] === 'done'
        ? { moved: await look(world, 'stock.move.line', [['picking_id', '=', picking.id]], ['product_id', 'quantity', 'lot_id', 'state']) } // prettier-ignore
        : {}),
      planned: await look(world, 'stock.move', [['picking_id', '=', picking.id]], ['product_id', 'product_uom_qty']),
    })), // prettier-ignore
  )
}

export async function seenInvoices(world: KillWorld, domain: unknown[]) {
  const moves = await find(world.server, 'account.move', domain, ['state', 'move_type', 'amount_total', 'invoice_date', 'reversed_entry_id']) // prettier-ignore
  return await Promise.all(
    moves.map(async (move) => ({
      head: [move['state'], move['move_type'], move['amount_total'], move['invoice_date'], move['reversed_entry_id'] !== false],
      lines: await look(world, 'account.move.line', [['move_id', '=', move.id], ['display_type', '=', 'product']], ['product_id', 'quantity', 'price_unit']),
    })), // prettier-ignore
  )
}

// ── how many there are of everything ──────────────────────────────────────────────────────────────────────────────────────

const COUNTED = (
  'res.partner product.product sale.order sale.order.line stock.picking stock.move stock.lot account.move account.move.line ' +
  'account.bank.statement account.bank.statement.line'
).split(' ')

/** Records of each model, of whomever: what one document adds to them is the same with and without deaths. */
export async function countAll({ server }: KillWorld): Promise<Record<string, number>> {
  const counts = await Promise.all(
    COUNTED.map(async (model) => await call<number>(server, `${model}/search_count`, { domain: [] })),
  )
  return Object.fromEntries(COUNTED.map((model, index) => [model, counts[index] ?? 0]))
}

/** Pure: what came to be between two counts. */
export const addedBetween = (before: Record<string, number>, after: Record<string, number>): Record<string, number> =>
  Object.fromEntries(COUNTED.map((model) => [model, (after[model] ?? 0) - (before[model] ?? 0)]))
