import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openCases } from '../../src/core/cases/cases.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'
import { seedDocuments } from '../kit/httpDocuments.ts'

let kit: HttpHub
beforeAll(async () => {
  kit = await openHttpHub()
  await seedDocuments(kit.hub)
})
afterAll(() => kit.close())

async function call(
  method: 'GET' | 'POST' | 'PUT' | 'DELETE',
  path: string,
  options: { key?: string; body?: object } = {},
): Promise<{ status: number; body: Record<string, unknown> & { rows?: Record<string, unknown>[] } }> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${options.key ?? kit.keys.operator}` },
    ...(options.body === undefined ? {} : { payload: options.body }),
  })
  return { status: answer.statusCode, body: answer.json() }
}

describe('stock rules', () => {
  const scope = { company: 'acme', connection: 'corner-eu', sku: 'BOOK-1' }

  it('are set, listed and removed by scope, by those who may, with a trace', async () => {
    const put = await call('PUT', '/stock-rules', { body: { ...scope, cap: 3, backorder: 'deny' } })
    expect(put).toMatchObject({
      status: 200,
      body: { company_id: 'acme', connection_id: 'corner-eu', sku: 'BOOK-1', location_id: null, cap: 3, backorder: 'deny', buffer_units: null, source: 'user', changed_by: 'key:operator key' },
    }) // prettier-ignore
    expect((await call('PUT', '/stock-rules', { body: { ...scope, cap: 3, backorder: 'deny' } })).body).toEqual(
      put.body,
    )
    expect((await call('GET', '/stock-rules?sku=BOOK-1')).body.rows).toEqual([put.body])
    expect((await call('PUT', '/stock-rules', { key: kit.keys.viewer, body: { ...scope, cap: 1 } })).status).toBe(403)
    expect((await call('GET', '/stock/BOOK-1')).body).toMatchObject({
      distrusted: [],
      holds: [],
      supplies: [],
      listings: [
        {
          due_quantity: 3,
          rules: [{ field: 'cap', value: 3, source: 'user', changed_by: 'key:operator key' }, { field: 'backorder', value: 'deny' }],
          publications: [],
        },
      ],
    }) // prettier-ignore
    const query = '/stock-rules?company=acme&connection=corner-eu&sku=BOOK-1'
    expect((await call('DELETE', query)).body).toEqual({ removed: true })
    expect((await call('DELETE', query)).body).toEqual({ removed: false })
    const trace = await kit.hub.db.query(`select action from audit_log where subject like 'stock-rule:%' order by id`)
    expect(trace).toEqual([{ action: 'stock_rule.set' }, { action: 'stock_rule.unset' }])
  })

  it.each([
    ['nothing at all', { ...scope }, 400],
    ['a misspelt field', { ...scope, capp: 4 }, 400],
    ['too much of a share', { ...scope, share_percent: 101 }, 400],
    ['a cap for one place', { ...scope, location: 'berlin', cap: 4 }, 400],
    ['a SKU that does not exist', { ...scope, sku: 'NONE', cap: 4 }, 404],
  ])('are refused for %s', async (_, body, status) => {
    expect((await call('PUT', '/stock-rules', { body })).status).toBe(status)
  })
})

describe('cases', () => {
  it('are listed and resolved', async () => {
    const drift = {
      company_id: 'acme', kind: 'channel_drift', subject: 'listing:1', connection_id: 'corner-eu', data: { expected: 3, shown: 5 },
    } as const // prettier-ignore
    await inTransaction(kit.hub.db, (tx) => openCases(tx, [drift], kit.hub.clock.now()))
    const { body } = await call('GET', '/cases?state=open&kind=channel_drift')
    expect(body.rows).toMatchObject([{ subject: 'listing:1', data: { expected: 3, shown: 5 }, times: 1 }])
    const path = `/cases/${String(body.rows?.[0]?.['id'])}/resolve`
    expect((await call('POST', path, { key: kit.keys.viewer })).status).toBe(403)
    expect((await call('POST', path)).body).toEqual({ ok: true, resolved_now: true })
    expect((await call('POST', path)).body).toEqual({ ok: true, resolved_now: false })
    expect((await call('POST', '/cases/999/resolve')).status).toBe(404)
    expect(await kit.hub.db.query(`select actor from audit_log where action = 'case.resolve'`)).toHaveLength(1)
  })
})

describe('peak mode', () => {
  it('is one switch', async () => {
    expect((await call('POST', '/companies/acme/peak', { body: { on: true } })).body).toMatchObject({
      company_id: 'acme', peak_mode: true, changed_by: 'key:operator key', connections: [],
    }) // prettier-ignore
    expect((await call('POST', '/companies/acme/peak', { body: { on: false } })).body).toMatchObject({
      peak_mode: false,
    })
    expect((await call('POST', '/companies/nobody/peak', { body: { on: true } })).status).toBe(404)
    expect((await call('POST', '/companies/acme/peak', { body: {} })).status).toBe(400)
  })
})
