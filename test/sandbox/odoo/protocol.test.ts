import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OdooSimulator } from '../../../src/sandbox/odoo/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { caller, KEY, must, openSimulator, type Call } from './server.ts'

let simulator: OdooSimulator
let call: Call
beforeAll(async () => {
  simulator = await openSimulator()
  call = caller(simulator)
})
afterAll(() => simulator.stop())

const fault = (name: string, message: string, more: object[] = []) => ({
  name,
  message,
  arguments: [message, ...more],
  context: {},
  debug: expect.stringContaining('Traceback') as unknown,
})

describe('JSON-2 says what is wrong as the server does', () => {
  it.each([
    ['a wrong key', () => caller(simulator, 'wrong')('sale.order', 'search', { domain: [] }), 401, 'werkzeug.exceptions.Unauthorized', 'Invalid apikey'],
    ['a private method', () => call('sale.order', '_create_invoices', { ids: [1] }), 403, 'odoo.exceptions.AccessError', "Private methods (such as 'sale.order._create_invoices') cannot be called remotely."],
    ['an unknown method', () => call('sale.order', 'frobnicate', { ids: [1] }), 404, 'werkzeug.exceptions.NotFound', "The method 'sale.order.frobnicate' does not exist"],
    ['an unknown model', () => call('no.such.thing', 'read', { ids: [1] }), 404, 'werkzeug.exceptions.NotFound', "the model 'no.such.thing' does not exist"],
    ['an unknown argument', () => call('sale.order', 'read', { ids: [1], wat: 1 }), 422, 'werkzeug.exceptions.UnprocessableEntity', "got an unexpected keyword argument 'wat'"],
    ['ids where there are none', () => call('sale.order', 'search_read', { domain: [], ids: [1] }), 422, 'werkzeug.exceptions.UnprocessableEntity', 'cannot call sale.order.search_read with ids'],
    ['an unknown field in a domain', () => call('sale.order', 'search_read', { domain: [['wat', '=', 1]] }), 500, 'builtins.ValueError', "Invalid field sale.order.wat in condition ('wat', '=', 1)"],
    ['an entry that does not balance', () => call('account.move', 'create', { vals_list: [{ move_type: 'entry', line_ids: [[0, 0, { account_id: 1, debit: 3 }], [0, 0, { account_id: 2, credit: 2 }]] }] }), 422, 'odoo.exceptions.UserError', 'The entry is not balanced.'],
  ])('%s', async (_, ask, status, name, message) => {
    const answer = await ask()
    const more = name.startsWith('werkzeug') ? [status as unknown as object] : []
    expect(answer).toEqual({ status, body: fault(name, message, more) })
  }) // prettier-ignore

  it('an external id that is taken', async () => {
    const link = { module: 'own', name: 'cup', model: 'product.product', res_id: 1 }
    expect((await call('ir.model.data', 'create', { vals_list: [link] })).status).toBe(200)
    const again = await call('ir.model.data', 'create', { vals_list: [link] })
    expect(again).toMatchObject({ status: 422, body: { name: 'odoo.exceptions.ValidationError' } })
    expect(JSON.stringify(again.body)).toContain('ir_model_data_module_name_uniq_index')
  })

  it('but a record that is not there is simply left out', async () => {
    expect(await call('sale.order', 'read', { ids: [4711], fields: ['name'] })).toEqual({ status: 200, body: [] })
  })
})

describe('JSON-2 answers in its own way', () => {
  it('many2ones with their names, nothing as false, times to the second', async () => {
    const [id] = await must(call)<number[]>('res.partner', 'create', { vals_list: [{ name: 'Grace' }] })
    const [order] = await must(call)<number[]>('sale.order', 'create', { vals_list: [{ partner_id: id }] })
    const [row] = await must(call)<object[]>('sale.order', 'read', { ids: [order], fields: ['partner_id', 'client_order_ref', 'write_date', 'pricelist_id', 'state'] }) // prettier-ignore
    expect(row).toEqual({ id: order, partner_id: [id, 'Grace'], client_order_ref: false, pricelist_id: false, state: 'draft', write_date: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/) as unknown }) // prettier-ignore
    const found = await must(call)<object[]>('sale.order', 'search_read', {
      domain: [['id', '=', order]],
      fields: ['write_date'],
    })
    const at = (found[0] as { write_date: string }).write_date
    // Kept finer than it is shown: who asks for "later than what I saw" gets the same record again.
    expect(
      await must(call)<number>('sale.order', 'search_count', {
        domain: [
          ['id', '=', order],
          ['write_date', '>', at],
        ],
      }),
    ).toBe(1)
  })

  it('what is hidden stays hidden unless it is asked for', async () => {
    const [id] = await must(call)<number[]>('product.product', 'create', {
      vals_list: [{ name: 'Old', default_code: 'OLD', active: false }],
    })
    const domain = [['default_code', '=', 'OLD']]
    expect(await must(call)('product.product', 'search', { domain })).toEqual([])
    expect(await must(call)('product.product', 'search', { domain, context: { active_test: false } })).toEqual([id])
  })

  it('whose rights and which version', async () => {
    expect(await must(call)('res.users', 'context_get')).toEqual({ lang: 'en_US', tz: false, uid: 2 })
    expect(await must(call)('sale.order', 'has_access', { operation: 'write' })).toBe(true)
    const asked = { allfields: ['qty_available', 'free_qty'], attributes: ['type', 'store'] }
    expect(await must(call)('product.product', 'fields_get', asked)).toEqual({ qty_available: { type: 'float', store: false }, free_qty: { type: 'float', store: false } }) // prettier-ignore
    const version = await fetch(`${simulator.url}/web/version`)
    expect(await version.json()).toMatchObject({ version: '19.0', version_info: [19, 0, 0, 'final', 0, ''] })
  })

  it('JSON-RPC with errors inside of 200', async () => {
    const rpc = async (service: string, method: string, args: unknown[]) => {
      const body = JSON.stringify({ jsonrpc: '2.0', method: 'call', id: 7, params: { service, method, args } })
      const answer = await fetch(`${simulator.url}/jsonrpc`, { method: 'POST', body })
      return {
        status: answer.status,
        body: (await answer.json()) as { result?: unknown; error?: { data: { name: string } } },
      }
    }
    expect((await rpc('common', 'version', [])).body.result).toMatchObject({ server_version: '19.0' })
    expect((await rpc('common', 'authenticate', ['sandbox', 'hub', 'nonsense', {}])).body.result).toBe(false)
    expect((await rpc('common', 'authenticate', ['sandbox', 'hub', KEY, {}])).body.result).toBe(2)
    const read = await rpc('object', 'execute_kw', [
      'sandbox',
      2,
      KEY,
      'product.product',
      'search_count',
      [[['default_code', '=', 'CUP']]],
      {},
    ])
    expect(read.body.result).toBe(1)
    const refused = await rpc('object', 'execute_kw', ['sandbox', 2, KEY, 'sale.order', 'action_confirm', [[4711]], {}])
    expect(refused).toMatchObject({ status: 200, body: { id: 7, error: { message: 'Odoo Server Error', data: { name: 'odoo.exceptions.MissingError' } } } }) // prettier-ignore
  })
})

describe('load', () => {
  const fields = [
    'id',
    'partner_id/.id',
    'client_order_ref',
    'order_line/id',
    'order_line/product_id/.id',
    'order_line/product_uom_qty',
    'order_line/price_unit',
  ]
  const rows = (partner: number, second: string) => [
    ['own.so_1', String(partner), 'A-1', 'own.sol_1', '1', '2', '4.5'],
    ['', '', '', 'own.sol_2', '2', second, '1'],
  ]

  it('makes an order with its lines once, however often it is told', async () => {
    const [partner = 0] = await must(call)<number[]>('res.partner', 'create', { vals_list: [{ name: 'Lin' }] })
    const first = await must(call)<{ ids: number[] }>('sale.order', 'load', { fields, data: rows(partner, '1') })
    expect(first).toEqual({ ids: [expect.any(Number)], messages: [], nextrow: 0 })
    expect(await must(call)('sale.order', 'load', { fields, data: rows(partner, '3') })).toEqual(first)
    const lines = await must(call)<{ product_uom_qty: number }[]>('sale.order.line', 'search_read', { domain: [['order_id.client_order_ref', '=', 'A-1']], fields: ['product_uom_qty'] }) // prettier-ignore
    expect(lines.map((line) => line.product_uom_qty)).toEqual([2, 3])
    const names = await must(call)<Record<string, string>>('sale.order', 'get_external_id', { ids: first.ids })
    expect(Object.values(names)).toEqual(['own.so_1'])
  })

  it('keeps nothing of rows that are wrong, says so in messages, and answers 200', async () => {
    const before = await must(call)('sale.order', 'search_count', { domain: [] })
    const data = [...rows(3, '1'), ['own.so_9', '999999', 'A-9', 'own.sol_9', '1', '1', '1']]
    const answer = await must(call)<{ ids: unknown; messages: object[] }>('sale.order', 'load', { fields, data })
    expect(answer.ids).toBe(false)
    expect(answer.messages).toMatchObject([{ type: 'error', record: 2, rows: { from: 2, to: 2 }, message: expect.stringContaining('No matching record found') as unknown }]) // prettier-ignore
    expect(await must(call)('sale.order', 'search_count', { domain: [] })).toBe(before)
  })
})

describe('one call, one transaction', () => {
  it('undoes all of a call that fails half-way', async () => {
    const before = await must(call)('res.partner', 'search_count', { domain: [] })
    const broken = await call('res.partner', 'create', { vals_list: [{ name: 'kept?' }, { name: 'no', nonsense: 1 }] })
    expect(broken.status).toBe(500)
    expect(await must(call)('res.partner', 'search_count', { domain: [] })).toBe(before)
  })

  it('has had its effect when the line is cut before the answer', async () => {
    const cut = await openSimulator({ faults: { ...KIND, cut_share: 1 } })
    await expect(caller(cut)('res.partner', 'create', { vals_list: [{ name: 'Unheard' }] })).rejects.toThrow()
    cut.setFaults(KIND)
    expect(await must(caller(cut))('res.partner', 'search_count', { domain: [['name', '=', 'Unheard']] })).toBe(1)
    cut.setFaults({ ...KIND, throttle_share: 1 })
    const url = `${cut.url}/json/2/res.partner/search_count`
    const throttled = await fetch(url, { method: 'POST', body: '{}' })
    expect([throttled.status, throttled.headers.get('retry-after')]).toEqual([429, '1'])
    cut.setFaults({ ...KIND, fail_share: 1 })
    expect((await fetch(url, { method: 'POST', body: '{}' })).headers.get('content-type')).toContain('text/html')
    await cut.stop()
  })

  it('outlives its process, with its numbers', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'odoo-'))
    const journal_path = join(folder, 'erp.jsonl')
    const first = await openSimulator({ journal_path })
    const [partner] = await must(caller(first))<number[]>('res.partner', 'create', { vals_list: [{ name: 'Zoe' }] })
    const values = { partner_id: partner, order_line: [[0, 0, { product_id: 1, product_uom_qty: 1, price_unit: 5 }]] }
    const [order] = await must(caller(first))<number[]>('sale.order', 'create', { vals_list: [values] })
    await must(caller(first))('sale.order', 'action_confirm', { ids: [order] })
    const before = first.ledger()
    await first.stop()
    const second = await openSimulator({ journal_path })
    expect(second.ledger()).toEqual(before)
    const [next] = await must(caller(second))<number[]>('sale.order', 'create', { vals_list: [values] })
    expect(next).toBe((order ?? 0) + 1)
    const [row] = await must(caller(second))<{ name: string }[]>('sale.order', 'read', {
      ids: [next],
      fields: ['name'],
    })
    expect(row?.name).toBe('S00002')
    await second.stop()
    rmSync(folder, { recursive: true })
  })
})
