import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { putDue } from '../../src/core/erp/tell.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createApiKey } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/policies.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
let id = 0
const keys = new Map<Role, string>()

beforeAll(async () => {
  kit = await openHttpHub()
  const { db, clock } = kit.hub
  for (const role of ['viewer', 'operator'] as const) {
    const made = await createApiKey(db, { name: role, role, created_by: 'user:anna', now: clock.now() })
    keys.set(role, made.secret)
  }
  const due = {
    kind: 'journal' as const,
    subject: 'J1:EUR',
    version: 1,
    key: 'journal:J1:EUR',
    digest: null,
    order_id: null,
  }
  await inTransaction(db, (tx) => putDue(tx, clock.now(), 'corner-eu', [due]))
  await db.query(
    `update outbox set state = 'dead', attempts = 3, error_code = 'vendor_rejected', error_detail = 'no such account'`,
  )
  const [row] = await db.query<{ id: number }>('select id from erp_links')
  id = row?.id ?? 0
})
afterAll(() => kit.close())

async function call(method: 'GET' | 'POST', path: string, role: Role = 'viewer') {
  const headers = { authorization: `Bearer ${keys.get(role) ?? ''}` }
  const answer = await kit.app.inject({ method, url: `/api/v1${path}`, headers })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

describe('what an ERP was told, over the API', () => {
  it('is listed by state and shown with every attempt', async () => {
    const refused = {
      id,
      kind: 'journal',
      key: 'journal:J1:EUR',
      state: 'refused',
      error_code: 'vendor_rejected',
      order_id: null,
    }
    expect((await call('GET', '/erp/documents?state=refused&kind=journal')).body).toMatchObject({
      rows: [refused],
      next_cursor: null,
    })
    expect((await call('GET', '/erp/documents?state=told')).body).toMatchObject({ rows: [] })
    expect((await call('GET', `/erp/documents/${id}`)).body).toMatchObject({
      ...refused,
      effects: [{ state: 'dead', attempts: 3, error_detail: 'no such account' }],
    })
    expect((await call('GET', '/erp/documents/4711')).status).toBe(404)
    expect((await call('GET', '/erp/documents?state=lost')).status).toBe(400)
  })

  it('is told again by an operator, once, with a trace', async () => {
    expect((await call('POST', `/erp/documents/${id}/resend`)).status).toBe(403)
    expect((await call('POST', `/erp/documents/${id}/resend`, 'operator')).body).toEqual({
      id,
      version: 2,
      resent: true,
    })
    expect((await call('POST', `/erp/documents/${id}/resend`, 'operator')).body).toEqual({
      id,
      version: 2,
      resent: false,
    })
    expect((await call('POST', '/erp/documents/4711/resend', 'operator')).status).toBe(404)
    const audited = await kit.hub.db.query(`select actor, subject from audit_log where action = 'erp.resend'`)
    expect(audited).toEqual([{ actor: 'key:operator', subject: `erp_document:${id}` }])
  })

  it('cannot be proven where there is no ERP', async () => {
    expect((await call('GET', '/erp/check?company=acme')).body).toMatchObject({ code: 'not_found', path: 'company' })
  })
})
