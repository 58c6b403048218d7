import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { odoo } from '../../../src/connectors/odoo/index.ts'
import type { ErpOrder, ErpRequest } from '../../../src/core/model/effects.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'
import { startCutter, type Cut, type Cutter } from './cutter.ts'
import { call, find, liveServer, send, sendThrough, type LiveServer } from './liveServer.ts'
import {
  expectOrder,
  itemOf,
  makeCatalogue,
  NOW,
  onHand,
  orderOf,
  refOf,
  RUN,
  secondWarehouse,
  weakUser,
} from './liveDocuments.ts'

/**
 * The whole life of an order in a real Odoo, with every call that changes something cut off: before it was sent, while Odoo works on it, and
 * after its answer. What counts is what Odoo has in the end. Needs a server with sale, stock, account and mrp, in US dollars with a tax of
 * 15 % and the accounts of the generic chart, and a key of an administrator: ODOO_URL, ODOO_DB, ODOO_API_KEY.
 */
const server = liveServer()
const WAYS: readonly (readonly [string, readonly Cut[]])[] = [
  ['answers are lost', ['unsent', 'answer_lost']],
  ['calls are still running', ['in_flight']],
]
const PROTOCOLS = ['json2', 'jsonrpc'] as const
const TIMEOUT_MS = 180_000

it.skipIf(server !== undefined)('does not run without ODOO_URL, ODOO_DB and ODOO_API_KEY', ({ skip }) => {
  skip('no server to run against: set ODOO_URL, ODOO_DB and ODOO_API_KEY')
})

describe.skipIf(server === undefined).each(PROTOCOLS)('a real server over %s', (protocol) => {
  const live = server as LiveServer
  let cutter: Cutter
  const sku = (name: string): string => `CD-${RUN}-${protocol}-${name}`
  const settings = (): Record<string, unknown> => ({
    url: cutter.url,
    database: live.database,
    login: 'admin',
    api_key: live.api_key,
    protocol,
    external_id_module: 'crossdock_test',
    accounts: { 'clearing:*': '101701', 'fees:*': '620000', bank: '101404' },
    return_locations: { damaged: `WH/Stock/Damaged ${RUN}` },
  })
  const port = () => vendorPort(odoo, settings()).port

  beforeAll(async () => {
    cutter = await startCutter(live.url)
    await makeCatalogue(live, sku)
  }, TIMEOUT_MS)
  afterAll(async () => await cutter.stop())

  const order = (number: string, change: Partial<ErpOrder> = {}): ErpRequest => ({
    outbox_id: 1,
    key: `order:${protocol}:${number}`,
    kind: 'order',
    order: orderOf(sku, number, change),
  })
  const done = async (request: ErpRequest, ways: readonly Cut[] = []): Promise<string | null> => {
    const { result, runs } = await sendThrough(cutter, settings(), request, ways)
    expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'done' })
    if (ways.length > 0) expect(runs).toBeGreaterThan(1)
    return result.outcome === 'done' ? result.external_id : null
  }

  it('passes its own test', async () => {
    const checks = await odoo.selfTest!(port(), new Date())
    expect(checks.filter(({ ok }) => !ok)).toEqual([])
    expect(checks.find(({ name }) => name === 'key')?.expires_at).toMatch(/^\d{4}-/)
    expect(await odoo.test!(port())).toContain('Odoo 19')
  }, 60_000)

  it(
    'brings products and kits, and what changed since',
    async () => {
      const pulled = await drainPull(odoo.pull!.items!(port(), { cursor: null, overlap_ms: 0, now: NOW }))
      const items = pulled.items.map(({ payload }) => itemOf(payload)).filter((item) => item !== undefined)
      expect(items.find((item) => item.sku === sku('KIT'))).toEqual({
      sku: sku('KIT'), name: 'Gift kit', barcode: null, weight_g: null, active: true,
      kit: [{ sku: sku('MUG'), quantity: 2 }, { sku: sku('TRAY'), quantity: 1 }],
    }) // prettier-ignore
      expect(items.find((item) => item.sku === sku('MUG'))).toMatchObject({ weight_g: 400, kit: null })
      const again = await drainPull(odoo.pull!.items!(port(), { cursor: pulled.cursor, overlap_ms: 60_000, now: NOW }))
      const known = new Set(pulled.items.map(({ dedupe_key }) => dedupe_key))
      expect(again.items.filter(({ dedupe_key }) => !known.has(dedupe_key))).toEqual([])
      const [bom] = await find(live, 'mrp.bom', [['product_tmpl_id.name', '=', 'Gift kit']], ['bom_line_ids'])
      expect(bom).toBeDefined()
      const lines = await find(
        live,
        'mrp.bom.line',
        [['bom_id.product_tmpl_id.product_variant_ids.default_code', '=', sku('KIT')]],
        ['product_id'],
      )
      await call(live, 'mrp.bom.line/write', { ids: [lines[0]!.id], vals: { product_qty: 3 } })
      const changed = await drainPull(odoo.pull!.items!(port(), { cursor: again.cursor, overlap_ms: 1_000, now: NOW }))
      const fresh = changed.items
        .filter(({ dedupe_key }) => !known.has(dedupe_key))
        .map(({ payload }) => itemOf(payload))
      expect(fresh.find((item) => item?.sku === sku('KIT'))?.kit?.[0]).toEqual({ sku: sku('MUG'), quantity: 3 })
      await call(live, 'mrp.bom.line/write', { ids: [lines[0]!.id], vals: { product_qty: 2 } })
    },
    TIMEOUT_MS,
  )

  it.each(WAYS)(
    'sets stock while %s',
    async (_, ways) => {
      const on_hand = ways.length === 2 ? 100 : 120
      const lines = ['MUG', 'TRAY', 'SIDE'].map((name) => ({ sku: sku(name), on_hand }))
      await done(
        { outbox_id: 1, key: `stock:${on_hand}`, kind: 'stock', as_of: NOW.toISOString(), warehouse_code: 'WH', lines },
        ways,
      )
      for (const { sku: name } of lines) expect(await onHand(live, name)).toBe(on_hand)
      const pulled = await drainPull(odoo.pull!.stock!(port(), { cursor: null, overlap_ms: 0, now: NOW }))
      const counted = pulled.items.flatMap(
        ({ payload }) => (payload as { lines: { sku: string; quantity: string }[] }).lines,
      )
      expect(counted.find((line) => line.sku === sku('MUG'))?.quantity).toBe(String(on_hand))
    },
    TIMEOUT_MS,
  )

  it(
    'counts products for the first time, several at once',
    async () => {
      const skus = Array.from({ length: 8 }, (_, index) => sku(`FIRST${index}`))
      await call(live, 'product.product/create', {
        vals_list: skus.map((default_code) => ({ name: 'First', default_code, type: 'consu', is_storable: true })),
      })
      const counts = skus.map((counted, index): ErpRequest => ({
        outbox_id: 1, key: `first:${counted}`, kind: 'stock', as_of: NOW.toISOString(), warehouse_code: 'WH', lines: [{ sku: counted, on_hand: 20 + index }],
      })) // prettier-ignore
      const results = await Promise.all(counts.map((request) => send(settings(), request)))
      expect(results.flat().map(({ outcome }) => outcome)).toEqual(skus.map(() => 'done'))
      for (const [index, counted] of skus.entries()) expect(await onHand(live, counted)).toBe(20 + index)
    },
    TIMEOUT_MS,
  )

  it.each(WAYS)(
    'carries an order through its life while %s',
    async (_, ways) => {
      const number = `${RUN}-${protocol}-${ways.length}`
      const before = await onHand(live, sku('MUG'))
      const sold = order(number)
      const name = await done(sold, ways)
      await expectOrder(live, name, { state: 'sale', amount_total: 88.65, lines: 5 })

      // Two parcels: two mugs from the second warehouse, then the rest.
      const parcel = (id: string, lines: Extract<ErpRequest, { kind: 'delivery' }>['lines'], warehouse_code: string): ErpRequest => ({
      outbox_id: 1, key: `delivery:${protocol}:${number}:${id}`, kind: 'delivery', order_external_key: sold.key, shipment_id: id, carrier: 'UPS',
      tracking_number: `1Z-${number}-${id}`, shipped_at: NOW.toISOString(), warehouse_code, lines, units_remaining: 1,
    }) // prettier-ignore
      const first = parcel('1', [{ sku: sku('MUG'), line_external_id: 'l1', quantity: 2, lot: null }], 'WH')
      await done(first, ways)
      await done(first)
      await done(parcel('2', [
      { sku: sku('MUG'), line_external_id: 'l1', quantity: 1, lot: null },
      { sku: sku('MUG'), line_external_id: 'l2', quantity: 4, lot: null },
      { sku: sku('TRAY'), line_external_id: 'l2', quantity: 2, lot: null },
      { sku: sku('LOT'), line_external_id: 'l3', quantity: 1, lot: `L-${RUN}` },
    ], 'WH'), ways) // prettier-ignore
      const pickings = await find(live, 'stock.picking', [['sale_id.name', '=', name], ['picking_type_code', '=', 'outgoing']], ['state', 'carrier_tracking_ref']) // prettier-ignore
      expect(pickings.map(({ state, carrier_tracking_ref }) => [state, carrier_tracking_ref])).toEqual([
        ['done', `1Z-${number}-1`],
        ['done', `1Z-${number}-2`],
      ])
      expect(await onHand(live, sku('MUG'))).toBe(before - 7)
      const lines = await find(
        live,
        'sale.order.line',
        [
          ['order_id.name', '=', name],
          ['product_id.type', '!=', 'service'],
        ],
        ['product_uom_qty', 'qty_delivered', 'product_id'],
      )
      expect(lines).toHaveLength(3)
      for (const line of lines) expect(line['qty_delivered']).toBe(line['product_uom_qty'])

      await done(
        {
          outbox_id: 1,
          key: `invoice:${protocol}:${number}`,
          kind: 'invoice',
          order_external_key: sold.key,
          at: NOW.toISOString(),
        },
        ways,
      )
      const invoices = await find(
        live,
        'account.move',
        [['invoice_origin', '=', name]],
        ['state', 'amount_total', 'invoice_date'],
      )
      expect(invoices.map(({ state, amount_total }) => [state, amount_total])).toEqual([['posted', 88.65]])

      const back: ErpRequest = {
      outbox_id: 1, key: `return:${protocol}:${number}`, kind: 'return', order_external_key: sold.key, return_id: number,
      received_at: NOW.toISOString(), warehouse_code: 'WH',
      lines: [
        { sku: sku('MUG'), quantity: 1, disposition: 'restock' },
        { sku: sku('TRAY'), quantity: 1, disposition: 'damaged' },
        { sku: sku('LOT'), quantity: 1, disposition: 'restock' },
      ],
    } // prettier-ignore
      await done(back, ways)
      const returns = await find(live, 'stock.picking', [['return_id.sale_id.name', '=', name]], ['state', 'move_ids'])
      expect(returns.map(({ state, move_ids }) => [state, (move_ids as number[]).length])).toEqual([['done', 3]])
      expect(await onHand(live, sku('MUG'))).toBe(before - 6)

      const credit: ErpRequest = {
      outbox_id: 1, key: `credit:${protocol}:${number}`, kind: 'credit', order_external_key: sold.key, refund_id: `re-${number}`,
      at: NOW.toISOString(), currency: 'USD', amount_minor: 1_438 + 333,
      lines: [{ sku: sku('MUG'), quantity: 1, amount_minor: 1_438 }],
    } // prettier-ignore
      await done(credit, ways)
      const credits = await find(
        live,
        'account.move',
        [['ref', '=', `Refund re-${number}`]],
        ['state', 'amount_total', 'move_type', 'reversed_entry_id'],
      )
      expect(credits.map(({ state, amount_total, move_type }) => [state, amount_total, move_type])).toEqual([
        ['posted', 17.71, 'out_refund'],
      ])
      expect(refOf(credits[0]?.['reversed_entry_id'])).toBe(invoices[0]?.id)
      expect(await find(live, 'sale.order', [['client_order_ref', '=', `SO-${number}`]], [])).toHaveLength(1)
      expect(await find(live, 'res.partner', [['email', '=', `ada-${number}@example.test`]], [])).toHaveLength(1)
    },
    TIMEOUT_MS,
  )

  it.each(WAYS)(
    'changes, cancels and reopens an order while %s',
    async (_, ways) => {
      const number = `${RUN}-${protocol}-edit-${ways.length}`
      const request = order(number)
      const name = await done(request)
      const [line] = request.kind === 'order' ? request.order.lines : []
      const fewer = order(number, {
        lines: [{ ...line!, quantity: 2, discount_minor: 0, tax_minor: 375 }],
        shipping_minor: 0,
        shipping_tax_minor: 0,
        total_minor: 2_875,
      })
      await done(fewer, ways)
      await expectOrder(live, name, { state: 'sale', amount_total: 28.75, lines: 5 })
      await done({ outbox_id: 1, key: `cancel:${number}`, kind: 'cancellation', order_external_key: request.key }, ways)
      await expectOrder(live, name, { state: 'cancel', amount_total: 28.75, lines: 5 })
      await done(fewer, ways)
      await expectOrder(live, name, { state: 'sale', amount_total: 28.75, lines: 5 })
      expect(await find(live, 'sale.order', [['client_order_ref', '=', `SO-${number}`]], [])).toHaveLength(1)
    },
    TIMEOUT_MS,
  )

  it(
    'delivers from another warehouse than the order was planned for',
    async () => {
      const number = `${RUN}-${protocol}-far`
      const code = await secondWarehouse(live)
      const request = order(number)
      const name = await done(request)
      const before = await onHand(live, sku('MUG'), code)
      const far: ErpRequest = {
      outbox_id: 1, key: `delivery:${number}`, kind: 'delivery', order_external_key: request.key, shipment_id: number, carrier: null,
      tracking_number: null, shipped_at: NOW.toISOString(), warehouse_code: code, units_remaining: 3,
      lines: [{ sku: sku('KIT'), line_external_id: 'l2', quantity: 1, lot: null }],
    } // prettier-ignore
      await done(far, ['answer_lost'])
      expect(await onHand(live, sku('MUG'), code)).toBe(before - 2)
      const pickings = await find(live, 'stock.picking', [['sale_id.name', '=', name]], ['state'])
      expect(pickings).toHaveLength(2)
      expect(pickings.filter(({ state }) => state === 'done')).toHaveLength(1)
    },
    TIMEOUT_MS,
  )

  it(
    'says what a user with too few rights cannot do',
    async () => {
      const { login, password } = await weakUser(live)
      const weak = { ...settings(), protocol: 'jsonrpc', login, api_key: password }
      const checks = await odoo.selfTest!(vendorPort(odoo, weak).port, new Date())
      const failed = new Map(checks.filter(({ ok }) => !ok).map(({ name, detail }) => [name, detail]))
      expect([...failed.keys()]).toEqual(['rights', 'orders are seen'])
      expect(failed.get('rights')).toContain('may not create bank statements')
      expect(failed.get('orders are seen')).toContain('own documents only')
      // Without the right to read external ids they are asked for one by one, and an order goes through all the same.
      const number = `${RUN}-${protocol}-weak`
      const request = order(number)
      for (const _ of [1, 2]) expect(await send(weak, request)).toMatchObject([{ outcome: 'done' }])
      expect(await find(live, 'sale.order', [['client_order_ref', '=', `SO-${number}`]], [])).toHaveLength(1)
      const wrong = vendorPort(odoo, { ...weak, api_key: 'nobody' }).port
      expect(await odoo.selfTest!(wrong, new Date())).toMatchObject([{ name: 'server', ok: false }])
    },
    TIMEOUT_MS,
  )

  it(
    'refuses a total that does not come out and leaves the order a draft',
    async () => {
      const number = `${RUN}-${protocol}-off`
      const [result] = await send(settings(), order(number, { total_minor: 8_866 }))
      expect(result).toMatchObject({ outcome: 'refused', code: 'vendor_rejected' })
      expect(result?.outcome === 'refused' ? result.detail : '').toContain(
        '88.65 USD with 7.65 USD tax, the channel to 88.66 USD',
      )
      expect((await find(live, 'sale.order', [['client_order_ref', '=', `SO-${number}`]], ['state']))[0]).toMatchObject(
        { state: 'draft' },
      )
      await done(order(number))
    },
    TIMEOUT_MS,
  )

  it.each(WAYS)(
    'books a payout once while %s',
    async (_, ways) => {
      const reference = `po-${protocol}-${RUN}-${ways.length}`
      const journal: ErpRequest = {
      outbox_id: 1, key: `journal:${reference}`, kind: 'journal', reference, at: NOW.toISOString().slice(0, 10), currency: 'USD',
      lines: [
        { account: 'bank', debit_minor: 3_611, credit_minor: 0, text: 'payout' },
        { account: 'fees:payment', debit_minor: 139, credit_minor: 0, text: 'fees' },
        { account: 'clearing:shop', debit_minor: 0, credit_minor: 3_750, text: 'sales' },
      ],
    } // prettier-ignore
      await done(journal, ways)
      const entries = await find(live, 'account.move', [['ref', '=', reference]], ['state', 'amount_total', 'line_ids'])
      expect(entries.map(({ state, amount_total }) => [state, amount_total])).toEqual([['posted', 37.5]])
      const other = {
        ...journal,
        lines: journal.lines.map((line) => ({
          ...line,
          debit_minor: line.debit_minor * 2,
          credit_minor: line.credit_minor * 2,
        })),
      }
      expect((await send(settings(), other as ErpRequest))[0]).toMatchObject({
        outcome: 'refused',
        code: 'vendor_conflict',
      })

      const statement: ErpRequest = {
      outbox_id: 1, key: `statement:${reference}`, kind: 'bank_statement', reference: `ST ${reference}`, at: NOW.toISOString().slice(0, 10), currency: 'USD',
      begin_minor: 10_000, end_minor: 13_611,
      lines: [
        { external_id: `${reference}-1`, at: NOW.toISOString().slice(0, 10), text: 'sales', amount_minor: 3_750 },
        { external_id: `${reference}-2`, at: NOW.toISOString().slice(0, 10), text: '', amount_minor: -139 },
      ],
    } // prettier-ignore
      await done(statement, ways)
      const statements = await find(
        live,
        'account.bank.statement',
        [['name', '=', `ST ${reference}`]],
        ['balance_end_real', 'is_complete', 'line_ids'],
      )
      expect(
        statements.map((row) => [row['balance_end_real'], row['is_complete'], (row['line_ids'] as number[]).length]),
      ).toEqual([[136.11, true, 2]])
    },
    TIMEOUT_MS,
  )

  it('has really been cut', () => {
    console.info(`${protocol}: ${cutter.calls} calls, cut ${JSON.stringify(cutter.cuts)}`)
    for (const count of Object.values(cutter.cuts)) expect(count).toBeGreaterThan(10)
  })
})
