import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { postJournals } from '../../src/core/books/post.ts'
import { createApiKey } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/policies.ts'
import { coreContext } from '../../src/queues/context.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
const keys = new Map<Role, string>()
const ID = '01930000-0000-7000-8000-000000000001'
const HELD = '01930000-0000-7000-8000-000000000002'

beforeAll(async () => {
  kit = await openHttpHub()
  for (const role of ['viewer', 'operator', 'finance'] as const) {
    const made = await createApiKey(kit.hub.db, { name: role, role, created_by: 'user:anna', now: kit.hub.clock.now() })
    keys.set(role, made.secret)
  }
  await kit.hub.db.query(`
    insert into settlements (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor,
      difference_minor, created_at, recorded_at, changed_at, proof)
    values ('${ID}', 'corner-eu', 'po_1', 'paid', 'EUR', 9700, 10000, 300, 9700, 0, '2026-11-15T12:00:00Z', now(), now(), 'proven'),
           ('${HELD}', 'corner-eu', 'po_<2>', 'paid', 'EUR', 90, 100, 0, 100, -10, '2026-11-16T12:00:00Z', now(), now(), 'held');
    insert into settlement_lines (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, match_state)
    values ('${ID}', '1', 'sale', 'charge', now(), 'EUR', 10000, 300, 9700, 'unmatched'),
           ('${HELD}', '1', 'sale', 'charge', now(), 'EUR', 100, 0, 100, 'unmatched')`)
  await postJournals(kit.hub.db, coreContext(kit.hub), { timezone: 'UTC', by: 'hub' })
})
afterAll(() => kit.close())

async function call(method: 'GET' | 'POST', path: string, role: Role = 'viewer', body?: object) {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${keys.get(role) ?? ''}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  const isJson = String(answer.headers['content-type']).includes('json')
  return { status: answer.statusCode, headers: answer.headers, text: answer.body, body: isJson ? answer.json<Record<string, unknown>>() : {} } // prettier-ignore
}

describe('the books over the API', () => {
  it('list and show journals', async () => {
    const { body } = await call('GET', '/journals?period=2026-11')
    const [row] = body['rows'] as { id: string }[]
    expect(body).toMatchObject({ rows: [{ kind: 'settlement', settlement_external_id: 'po_1', period: '2026-11' }] })
    expect((await call('GET', `/journals/${row?.id}`)).body).toMatchObject({
      entries: [
        { account: 'clearing:corner-eu', debit_minor: 9_700, credit_minor: 0 },
        { account: 'fees:payment', debit_minor: 300 },
        { account: 'sales', credit_minor: 10_000 },
      ],
    })
    expect((await call('GET', `/journals/${HELD}`)).status).toBe(404)
  })

  it('leave as a file, for finance alone, with a trace', async () => {
    for (const role of ['viewer', 'operator'] as const)
      expect((await call('GET', '/journals/export?period=2026-11', role)).status).toBe(403)
    const csv = await call('GET', '/journals/export?period=2026-11', 'finance')
    expect(csv.headers).toMatchObject({ 'content-type': 'text/csv; charset=utf-8', 'content-disposition': 'attachment; filename="journals-2026-11.csv"' }) // prettier-ignore
    expect(parse(csv.text, { columns: true })).toHaveLength(4)
    const json = await call('GET', '/journals/export?period=2026-11&format=json', 'finance')
    expect(json.body).toMatchObject({ journals: [{ journal: { lines: [{ account: 'clearing:corner-eu' }, {}, {}] } }] })
    expect((await call('GET', '/journals/export?period=2026-13', 'finance')).status).toBe(400)
    const [row] = await kit.hub.db.query<{ times: number }>(`select count(*)::int as times from audit_log where action = 'journal.export'`) // prettier-ignore
    expect(row?.times).toBe(2)
  })

  it('are proven and locked', async () => {
    expect((await call('GET', '/close/2026-11')).body).toMatchObject({
      ok: true,
      locked: false,
      clearing: [{ connection_id: 'corner-eu', balance_minor: 9_700, difference_minor: 0, items: [{ external_id: 'po_1' }] }],
      unposted: [{ external_id: 'po_<2>', reason: 'held' }],
    }) // prettier-ignore
    expect((await call('POST', '/periods/2026-11/lock', 'operator')).status).toBe(403)
    expect((await call('POST', '/periods/2026-11/lock?company=acme', 'finance')).body).toEqual({ period: '2026-11', changed: true }) // prettier-ignore
    expect((await call('GET', '/periods')).body).toMatchObject({
      rows: [{ period: '2026-11', locked_by: 'key:finance' }],
    })
    expect((await call('POST', '/settlements/po_<2>/accept-proof', 'operator', { reason: 'x' })).status).toBe(403)
    const id = HELD
    expect((await call('POST', `/settlements/${id}/accept-proof`, 'finance', { reason: 'agreed by mail' })).body).toEqual({ id, accepted_now: true, difference_minor: -10 }) // prettier-ignore
    await postJournals(kit.hub.db, coreContext(kit.hub), { timezone: 'UTC', by: 'hub' })
    expect((await call('GET', '/journals?period=2026-12')).body).toMatchObject({ rows: [{ settlement_external_id: 'po_<2>', posted_on: '2026-12-01' }] }) // prettier-ignore
    expect((await call('POST', '/periods/2026-11/unlock?company=acme', 'finance')).body).toMatchObject({
      changed: true,
    })
  })

  it('show the way from gross to net, as data and as a picture that can do nothing', async () => {
    expect((await call('GET', '/settlements/po_1/bridge')).body).toMatchObject({
      steps: [{ id: 'sales', to_minor: 10_000 }, { id: 'payment_fees', from_minor: 10_000 }, { id: 'payout', amount_minor: 9_700 }],
    }) // prettier-ignore
    const picture = await call('GET', `/settlements/${HELD}/bridge.svg`)
    expect(picture.headers['content-type']).toBe('image/svg+xml; charset=utf-8')
    expect(picture.headers['content-security-policy']).toBe("default-src 'none'; style-src 'unsafe-inline'")
    expect(picture.text).toContain('po_&lt;2&gt;')
    expect(picture.text).toContain('Not explained by its lines')
    expect((await call('GET', '/settlements/nothing/bridge.svg')).status).toBe(404)
  })

  it('stand behind the payout itself', async () => {
    expect((await call('GET', '/settlements/po_1')).body).toMatchObject({ proof: 'proven', version: 1, breaks: [], proof_faults: [] }) // prettier-ignore
  })
})
