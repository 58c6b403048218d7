import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'
import { seedDocuments, type Seeded } from '../kit/httpDocuments.ts'

let kit: HttpHub
let seeded: Seeded

beforeAll(async () => {
  kit = await openHttpHub()
  seeded = await seedDocuments(kit.hub)
})
afterAll(() => kit.close())

type Answer = { status: number; body: Record<string, unknown> & { rows?: Record<string, unknown>[] } }

async function call(method: 'GET' | 'POST', path: string, body?: object, key = kit.keys.operator): Promise<Answer> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1/routing${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: answer.statusCode, body: answer.json() }
}

const places = async (): Promise<string[]> =>
  (await kit.hub.db.query<{ id: string }>('select id from locations where company_id = $1', ['acme'])).map(
    ({ id }) => id,
  )

describe('routing over the API', () => {
  it('proposes, activates, lists and shows rules', async () => {
    expect(await places()).not.toEqual([])
    const rules = [{ name: 'all', filters: { has_capacity: false }, otherwise: 'next_rule' }]
    const proposal = { company: 'acme', key: 'one', rules }
    const made = await call('POST', '/rules', proposal)
    expect(made).toMatchObject({
      status: 200,
      body: { version: 1, state: 'draft', created_by: 'key:operator key', rules: [{ name: 'all', sort: ['rank'] }] },
    })
    expect((await call('POST', '/rules', proposal)).body).toEqual(made.body)
    expect(await call('POST', '/rules', { ...proposal, rules: [{ name: 'else' }] })).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    })
    expect(await call('POST', '/rules/1/activate', { company: 'acme' })).toMatchObject({
      status: 200,
      body: { state: 'active', activated_by: 'key:operator key' },
    })
    expect((await call('GET', '/rules?company=acme', undefined, kit.keys.viewer)).body.rows).toMatchObject([
      { version: 1, state: 'active', rules_count: 1 },
    ])
    expect((await call('GET', '/rules/1?company=acme')).body).toMatchObject({ rules: [{ name: 'all' }] })
    const audit = await kit.hub.db.query(
      `select actor, action from audit_log where subject = 'routing:acme' order by id`,
    )
    expect(audit).toEqual([
      { actor: 'key:operator key', action: 'routing.propose' },
      { actor: 'key:operator key', action: 'routing.activate' },
    ])
  })

  it('names the place of a fault, and keeps nothing of it', async () => {
    const refused = await call('POST', '/rules', {
      company: 'acme',
      rules: [{ name: 'x', filters: { locations: ['moon'] } }],
    })
    expect(refused).toMatchObject({ status: 400, body: { code: 'bad_request', path: '$[0].filters.locations[0]' } })
    expect(
      (await call('POST', '/rules', { company: 'acme', rules: [{ name: 'x', sort: ['luck'] }] })).body,
    ).toMatchObject({
      code: 'bad_request',
      path: '$[0].sort[0]',
    })
    expect((await call('GET', '/rules/2?company=acme')).status).toBe(404)
    expect((await call('POST', '/rules', { company: 'nobody', rules: [{ name: 'x' }] })).status).toBe(404)
  })

  it('explains an order without changing it', async () => {
    const answer = await call('POST', '/explain', { order_id: seeded.order_id }, kit.keys.viewer)
    expect(answer).toMatchObject({
      status: 200,
      body: { order_id: seeded.order_id, version: 1, lines: [{ units: 2 }] },
    })
    const unknown = await call('POST', '/explain', { order_id: '019c0000-0000-7000-8000-000000000000' })
    expect(unknown).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  it('lets viewers read only', async () => {
    const proposal = { company: 'acme', rules: [{ name: 'all' }] }
    expect((await call('POST', '/rules', proposal, kit.keys.viewer)).status).toBe(403)
    expect((await call('POST', '/rules/1/activate', { company: 'acme' }, kit.keys.viewer)).status).toBe(403)
  })
})
