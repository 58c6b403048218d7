import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { odoo } from '../../../src/connectors/odoo/index.ts'
import type { ErpRequest } from '../../../src/core/model/effects.ts'
import { startOdooSimulator, type OdooSimulator } from '../../../src/sandbox/odoo/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'
import { startCutter, type Cut, type Cutter } from './cutter.ts'
import { find, sendThrough } from './liveServer.ts'

/** The same life as in live.test.ts, in short, against the simulator: it runs everywhere. */
const WAYS: readonly Cut[] = ['unsent', 'answer_lost']
const NOW = new Date(Date.UTC(2026, 10, 22, 9))
const at = NOW.toISOString()
let simulator: OdooSimulator
let cutter: Cutter
const settings = () => ({
  ...simulator.settings,
  url: cutter.url,
  accounts: { 'clearing:*': '1000', 'fees:*': '2000', bank: '3000' },
})
const port = () => vendorPort(odoo, settings()).port
const done = async (request: ErpRequest): Promise<string | null> => {
  const { result, runs } = await sendThrough(cutter, settings(), request, WAYS)
  expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'done' })
  expect(runs).toBeGreaterThan(1)
  return result.outcome === 'done' ? result.external_id : null
}
const rows = (model: string, domain: unknown[], fields: string[]) =>
  find({ url: simulator.url, database: 'sandbox', api_key: 'key' }, model, domain, fields)

beforeAll(async () => {
  simulator = await startOdooSimulator({
    connection_id: 'erp', journal_path: null, port: 0, random: () => 0.5, now: () => NOW, faults: KIND, webhook_url: null, api_key: 'key',
    seed: {
      currency: 'EUR',
      warehouses: [{ code: 'ONE', name: 'First' }, { code: 'TWO', name: 'Second' }],
      taxes: [{ name: '19% on top', percent: 19, included: false }, { name: '19% inside', percent: 19, included: true }],
      products: [
        { sku: 'CUP', name: 'Cup', price: 9.5 },
        { sku: 'LID', name: 'Lid', price: 2 },
        { sku: 'SET', name: 'Set', price: 12, kit: [{ sku: 'CUP', quantity: 1 }, { sku: 'LID', quantity: 2 }] },
      ],
      accounts: [{ code: '1000', name: 'Clearing', type: 'asset_current' }, { code: '2000', name: 'Fees', type: 'expense' }, { code: '3000', name: 'Bank', type: 'asset_cash' }],
    },
  }) // prettier-ignore
  cutter = await startCutter(simulator.url)
})
afterAll(async () => {
  await cutter.stop()
  await simulator.stop()
})

const ORDER = 'order:shop:1'
const order: ErpRequest = {
  outbox_id: 1, key: ORDER, kind: 'order',
  order: {
    order_id: 'o', channel: 'shop', order_external_id: '1', order_number: '#1', placed_at: at, currency: 'EUR',
    lines: [
      { line_external_id: 'a', sku: 'CUP', title: 'Cup', quantity: 3, unit_price_minor: 1_190, discount_minor: 119, tax_minor: 551 },
      { line_external_id: 'b', sku: 'SET', title: null, quantity: 1, unit_price_minor: 1_190, discount_minor: 0, tax_minor: 190 },
    ],
    shipping_minor: 595, shipping_tax_minor: 95, total_minor: 5_236, prices_include_tax: true, warehouse_code: 'ONE',
    customer: { external_id: 'person:1', name: 'Ada Example', email: 'ada@example.test', ship_to: null, bill_to: null },
  },
} // prettier-ignore
const parcel = (id: string, warehouse_code: string, lines: [sku: string, line: string, quantity: number][]): ErpRequest => ({
  outbox_id: 1, key: `delivery:${id}`, kind: 'delivery', order_external_key: ORDER, shipment_id: id, carrier: 'DHL', tracking_number: `T-${id}`,
  shipped_at: at, warehouse_code, units_remaining: 0,
  lines: lines.map(([sku, line_external_id, quantity]) => ({ sku, line_external_id, quantity, lot: null })),
}) // prettier-ignore

describe('the simulator, with every call that changes something cut twice', () => {
  it('passes the self-test and brings products and kits', async () => {
    expect((await odoo.selfTest!(port(), NOW)).filter(({ ok }) => !ok)).toEqual([])
    const { items } = await drainPull(odoo.pull!.items!(port(), { cursor: null, overlap_ms: 0, now: NOW }))
    const facts = items.flatMap(
      ({ payload }) => odoo.inbound['item']!.map(payload, { observed_at: at, settings: {} }).facts,
    )
    expect(facts.map(({ document }) => document)).toContainEqual(
      expect.objectContaining({ sku: 'SET', kit: [{ sku: 'CUP', quantity: 1 }, { sku: 'LID', quantity: 2 }] }), // prettier-ignore
    )
  })

  it('takes an order from stock to credit note, each document once', async () => {
    const lines = [{ sku: 'CUP', on_hand: 50 }, { sku: 'LID', on_hand: 80 }] // prettier-ignore
    await done({ outbox_id: 1, key: 'stock:1', kind: 'stock', as_of: at, warehouse_code: 'ONE', lines })
    const name = await done(order)
    await done(parcel('1', 'ONE', [['CUP', 'a', 2]]))
    await done(parcel('2', 'TWO', [['CUP', 'a', 1], ['CUP', 'b', 1], ['LID', 'b', 2]])) // prettier-ignore
    await done({ outbox_id: 1, key: 'invoice:1', kind: 'invoice', order_external_key: ORDER, at })
    await done({
      outbox_id: 1, key: 'return:1', kind: 'return', order_external_key: ORDER, return_id: '1', received_at: at, warehouse_code: 'ONE',
      lines: [{ sku: 'CUP', quantity: 1, disposition: 'restock' }],
    }) // prettier-ignore
    await done({
      outbox_id: 1, key: 'credit:1', kind: 'credit', order_external_key: ORDER, refund_id: 're_1', at, currency: 'EUR', amount_minor: 1_190,
      lines: [{ sku: 'CUP', quantity: 1, amount_minor: 1_190 }],
    }) // prettier-ignore
    expect(await rows('sale.order', [], ['name', 'state', 'amount_total'])).toMatchObject([
      { name, state: 'sale', amount_total: 52.36 },
    ])
    expect((await rows('stock.picking', [], ['state'])).map(({ state }) => state)).toEqual(['done', 'done', 'done'])
    const moves = await rows('account.move', [], ['state', 'move_type', 'amount_total'])
    expect(moves.map(({ state, move_type, amount_total }) => [state, move_type, amount_total])).toEqual([
      ['posted', 'out_invoice', 52.36],
      ['posted', 'out_refund', 11.9],
    ])
    const { items } = await drainPull(odoo.pull!.stock!(port(), { cursor: null, overlap_ms: 0, now: NOW }))
    const counts = items.map(
      ({ payload }) => payload as { warehouse: string; lines: { sku: string; quantity: string }[] },
    )
    expect(counts.find(({ warehouse }) => warehouse === 'ONE')?.lines.find(({ sku }) => sku === 'CUP')?.quantity).toBe(
      '49',
    )
  })

  it('books a payout and what arrived of it, each once', async () => {
    const lines = [
      { account: 'bank', debit_minor: 900, credit_minor: 0, text: 'payout' },
      { account: 'fees:payment', debit_minor: 100, credit_minor: 0, text: 'fees' },
      { account: 'clearing:shop', debit_minor: 0, credit_minor: 1_000, text: 'sales' },
    ]
    await done({
      outbox_id: 1,
      key: 'journal:1',
      kind: 'journal',
      reference: 'po_1',
      at: '2026-11-22',
      currency: 'EUR',
      lines,
    })
    await done({
      outbox_id: 1, key: 'statement:1', kind: 'bank_statement', reference: 'po_1', at: '2026-11-22', currency: 'EUR', begin_minor: 0, end_minor: 900,
      lines: [{ external_id: 'l1', at: '2026-11-22', text: 'payout', amount_minor: 900 }],
    }) // prettier-ignore
    expect(await rows('account.move', [['ref', '=', 'po_1'], ['move_type', '=', 'entry']], ['state'])).toHaveLength(1) // prettier-ignore
    expect(await rows('account.bank.statement', [], ['balance_end_real'])).toMatchObject([{ balance_end_real: 9 }])
  })

  it('cancels an order and brings it back', async () => {
    const second = { ...order, key: 'order:shop:2' } as ErpRequest
    const name = await done(second)
    const cancel: ErpRequest = { outbox_id: 1, key: 'cancel:2', kind: 'cancellation', order_external_key: second.key }
    await done(cancel)
    expect(await rows('sale.order', [['name', '=', name]], ['state'])).toMatchObject([{ state: 'cancel' }])
    await done(second)
    expect(await rows('sale.order', [['name', '=', name]], ['state'])).toMatchObject([{ state: 'sale' }])
    expect(cutter.cuts.answer_lost).toBeGreaterThan(20)
  })
})
