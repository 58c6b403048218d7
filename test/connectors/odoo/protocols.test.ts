import nock from 'nock'
import { afterEach, describe, expect, it } from 'vitest'
import { openOdoo } from '../../../src/connectors/odoo/client.ts'
import { alignDeadlines } from '../../../src/connectors/odoo/deadlines.ts'
import { classify } from '../../../src/connectors/odoo/faults.ts'
import { odoo } from '../../../src/connectors/odoo/index.ts'
import { search, rows } from '../../../src/connectors/odoo/records.ts'
import { Text } from '../../../src/connectors/odoo/values.ts'
import type { Port } from '../../../src/connectors/_kit/define.ts'
import type { OdooSettings } from '../../../src/connectors/odoo/settings.ts'
import type { ErpRequest } from '../../../src/core/model/effects.ts'
import { vendorPort } from '../../kit/vendorPort.ts'

const URL = 'http://127.0.0.1:9'
const SETTINGS = { url: URL, database: 'shop', login: 'bot', api_key: 'k3y' }
const portTo = (settings: object = SETTINGS): Port<OdooSettings> =>
  vendorPort(odoo, settings as Record<string, unknown>).port as Port<OdooSettings>

const version19 = () =>
  nock(URL)
    .get('/web/version')
    .reply(200, { version: '19.0', version_info: [19, 0, 0, 'final', 0, ''] })
const noVersionPage = () =>
  nock(URL).get('/web/version').reply(404, '<html>not here</html>', { 'content-type': 'text/html' })
type Rpc = { params: { service: string; method: string; args: unknown[] } }
const rpc = (result: unknown, seen: Rpc[] = []) =>
  nock(URL)
    .post('/jsonrpc', (body) => seen.push(body as Rpc) > 0)
    .reply(200, { jsonrpc: '2.0', id: 1, ...(result as object) })
const error = (name: string, message: string) => ({
  error: { code: 0, message: 'Odoo Server Error', data: { name, message, debug: 'Traceback …' } },
})

afterEach(() => {
  const unasked = nock.pendingMocks()
  nock.cleanAll()
  if (unasked.length > 0) throw new Error(`never asked: ${unasked.join(', ')}`)
})

const LINE = rows('sale.order.line', { name: Text, tax_ids: Text })

describe('which server this is', () => {
  it('speaks JSON-2 with 19', async () => {
    version19()
    nock(URL, { reqheaders: { authorization: 'bearer k3y', 'x-odoo-database': 'shop' } })
      .post('/json/2/res.partner/search_read', { domain: [['ref', '=', 'x']], context: { lang: 'en_US', tz: 'UTC' } })
      .reply(200, [])
    const server = await openOdoo(portTo())
    expect([server.version, server.protocol]).toEqual([19, 'json2'])
    expect(await server.ask('res.partner', 'search_read', { args: { domain: [['ref', '=', 'x']] } })).toEqual([])
  })

  it('speaks JSON-RPC with 14, in its own words for fields', async () => {
    const seen: Rpc[] = []
    noVersionPage()
    rpc({ result: { server_version_info: [14, 0, 0, 'final', 0, ''] } }, seen)
    rpc({ result: 7 }, seen)
    rpc({ result: { name: {}, tax_id: {} } }, seen)
    rpc({ result: [{ id: 1, name: 'A cup', tax_id: 'x' }] }, seen)
    const port = portTo({ ...SETTINGS, company_id: 3 })
    const server = await openOdoo(port)
    expect([server.version, server.protocol]).toEqual([14, 'jsonrpc'])
    expect(await search(server, LINE, [['id', '=', 1]])).toEqual([{ id: 1, name: 'A cup', tax_ids: 'x' }])
    expect(seen.map(({ params }) => params.method)).toEqual(['version', 'authenticate', 'execute_kw', 'execute_kw'])
    expect(seen[1]?.params.args).toEqual(['shop', 'bot', 'k3y', {}])
    expect(seen[3]?.params.args).toEqual([
      'shop', 7, 'k3y', 'sale.order.line', 'search_read', [],
      { domain: [['id', '=', 1]], fields: ['name', 'tax_id'], context: { lang: 'en_US', tz: 'UTC', allowed_company_ids: [3] } },
    ]) // prettier-ignore
  })

  it('keeps the session of a port, and asks anew after the key was refused', async () => {
    const port = portTo()
    version19()
    await openOdoo(port)
    const server = await openOdoo(port)
    nock(URL)
      .post('/json/2/res.users/context_get')
      .reply(401, { name: 'werkzeug.exceptions.Unauthorized', message: 'Invalid apikey' })
    await expect(server.ask('res.users', 'context_get', {})).rejects.toMatchObject({ code: 'vendor_auth' })
    version19()
    await openOdoo(port)
  })

  it.each([
    ['a login that is refused', () => (noVersionPage(), rpc({ result: { server_version_info: ['saas~17', 2] } }), rpc({ result: false })), SETTINGS, 'vendor_auth'],
    ['a login that is missing', () => (noVersionPage(), rpc({ result: { server_version_info: [16] } })), { ...SETTINGS, login: undefined }, 'config_invalid'],
    ['JSON-2 wanted of an old server', () => (noVersionPage(), rpc({ result: { server_version_info: [18] } })), { ...SETTINGS, protocol: 'json2' }, 'config_invalid'],
    ['a page of somebody else', () => (nock(URL).get('/web/version').reply(200, '<html>soon</html>'), nock(URL).post('/jsonrpc').reply(200, '<html>soon</html>')), SETTINGS, 'vendor_response_invalid'],
  ])('tells %s', async (_, answers, settings, code) => {
    answers()
    await expect(openOdoo(portTo(settings))).rejects.toMatchObject({ code })
  }) // prettier-ignore
})

describe('what an exception means', () => {
  it.each([
    ['odoo.exceptions.AccessDenied', 'Access Denied', 'vendor_auth'],
    [
      'odoo.exceptions.AccessError',
      "You are not allowed to create 'Bank Statement' (account.bank.statement) records.",
      'forbidden',
    ],
    ['odoo.exceptions.UserError', 'The entry is not balanced.', 'vendor_rejected'],
    ['odoo.exceptions.ValidationError', 'Ada Example owes 12 EUR', 'vendor_rejected'],
    ['odoo.exceptions.MissingError', 'Record does not exist', 'vendor_not_found'],
    ['builtins.ValueError', 'External ID not found in the system: crossdock.order_1', 'vendor_not_found'],
    ['builtins.ValueError', "Invalid field 'zzz' on model 'sale.order'", 'vendor_rejected'],
    ['werkzeug.exceptions.NotFound', "The method 'sale.order.nope' does not exist", 'vendor_rejected'],
    ['psycopg2.errors.SerializationFailure', 'could not serialize access', 'vendor_unavailable'],
    ['psycopg2.errors.UniqueViolation', 'duplicate key value', 'vendor_conflict'],
    ['some.module.OddError', 'whatever', 'vendor_unavailable'],
  ])('%s (%s) is %s over either protocol', (name, message, code) => {
    const headers = {}
    const json2 = classify({ status: 500, headers, body: { name, message, arguments: [message] }, text: '' })
    const jsonrpc = classify({
      status: 200,
      headers,
      body: { jsonrpc: '2.0', id: 1, ...error(name, message) },
      text: '',
    })
    expect(json2?.code).toBe(code)
    expect(jsonrpc).toEqual(json2)
    expect(json2?.detail).not.toMatch(/Ada|owes|crossdock\.order/)
  })

  it('leaves pages of others and good answers alone', () => {
    expect(classify({ status: 502, headers: {}, body: undefined, text: '<html>' })).toBeUndefined()
    expect(classify({ status: 200, headers: {}, body: { ids: [1], messages: [] }, text: '' })).toBeUndefined()
    expect(classify({ status: 404, headers: {}, body: { name: 'Not Found' }, text: '' })).toBeUndefined()
  })
})

describe('one document', () => {
  const cancel: ErpRequest = { outbox_id: 5, key: 'cancel:o', kind: 'cancellation', order_external_key: 'order:o' }
  const send = () => odoo.erp!.send(portTo(), [cancel], cancel.key, new Date())

  it('is refused where a person has to act and thrown where time helps', async () => {
    version19()
    nock(URL).post('/json/2/ir.model.data/has_access').reply(403, {
      name: 'odoo.exceptions.AccessError',
      message: "You are not allowed to read 'X' (ir.model.data) records.",
    })
    expect(await send()).toEqual([
      {
        outbox_id: 5,
        outcome: 'refused',
        code: 'forbidden',
        detail: 'ir.model.data.has_access: AccessError: the user may not read ir.model.data',
      },
    ])
    version19()
    nock(URL)
      .post('/json/2/ir.model.data/has_access')
      .reply(500, { name: 'psycopg2.errors.SerializationFailure', message: 'x' })
    await expect(send()).rejects.toMatchObject({ code: 'vendor_unavailable' })
  })

  const nothingThere = () => {
    version19()
    nock(URL).post('/json/2/ir.model.data/has_access').reply(200, true)
    nock(URL).post('/json/2/ir.model.data/fields_get').reply(200, { name: {}, model: {}, res_id: {} })
    nock(URL).post('/json/2/ir.model.data/search_read').reply(200, [])
  }

  it('waits for what it hangs on', async () => {
    nothingThere()
    const invoice: ErpRequest = { ...cancel, kind: 'invoice', key: 'invoice:o', at: '2026-11-20T12:00:00.000Z' }
    const waiting = odoo.erp!.send(portTo(), [invoice], invoice.key, new Date())
    await expect(waiting).rejects.toMatchObject({ code: 'not_yet' })
  })

  it('is done where there is nothing to cancel', async () => {
    nothingThere()
    expect(await send()).toEqual([{ outbox_id: 5, outcome: 'done', external_id: null }])
  })
})

describe('goods of an order that is about to change', () => {
  const fields = (model: string, names: string[]) =>
    nock(URL)
      .post(`/json/2/${model}/fields_get`)
      .reply(200, Object.fromEntries(names.map((name) => [name, {}])))
  const found = (model: string, ...records: object[]) => nock(URL).post(`/json/2/${model}/search_read`).reply(200, records) // prettier-ignore
  const known = () => {
    version19()
    fields('stock.move', ['sale_line_id', 'date_deadline'])
    fields('sale.order.line', ['customer_lead'])
    fields('sale.order', ['date_order', 'commitment_date'])
  }
  const goods = (id: number, line: number, date_deadline: string) => ({ id, sale_line_id: [line, 'a line'], date_deadline }) // prettier-ignore
  const given = (deadline: string, ids: number[]) => nock(URL)
    .post('/json/2/stock.move/write', (body: { ids: number[]; vals: object }) => JSON.stringify([body.ids, body.vals]) === JSON.stringify([ids, { date_deadline: deadline }]))
    .reply(200, true) // prettier-ignore

  it('get the deadlines that the order has now, each line with its own time', async () => {
    known()
    found('sale.order', { id: 5, date_order: '2026-11-20 10:15:30', commitment_date: false })
    found('sale.order.line', { id: 7, customer_lead: 0 }, { id: 8, customer_lead: 1.5 })
    found('stock.move', goods(1, 7, '2026-11-22 09:00:00'), goods(2, 8, '2026-11-23 21:00:00'), goods(3, 7, '2026-11-20 10:15:30')) // prettier-ignore
    given('2026-11-20 10:15:30', [1])
    given('2026-11-21 22:15:30', [2])
    await alignDeadlines(await openOdoo(portTo()), 5)
  })

  it('keep the day that was promised', async () => {
    known()
    found('sale.order', { id: 5, date_order: '2026-11-20 10:15:30', commitment_date: '2026-12-01 00:00:00' })
    found('sale.order.line', { id: 7, customer_lead: 2 })
    found('stock.move', goods(1, 7, '2026-12-01 00:00:00'), goods(2, 7, '2026-11-22 09:00:00'))
    given('2026-12-01 00:00:00', [2])
    await alignDeadlines(await openOdoo(portTo()), 5)
  })
})
