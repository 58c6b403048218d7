import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApiKey } from '../../src/http/auth.ts'
import { verify } from '../../src/core/verify.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
/** Keys of two operators: one that Anna made, one that Ben made. */
let anna: string
let ben: string

beforeAll(async () => {
  kit = await openHttpHub()
  const inventory = { approval_above_units: 50, velocity_minutes: 60 }
  Object.assign(kit.hub.config, { inventory })
  const key = async (name: string, created_by: string): Promise<string> =>
    (await createApiKey(kit.hub.db, { name, role: 'operator', created_by, now: kit.hub.clock.now() })).secret
  anna = await key('scanner', 'user:anna')
  ben = await key('desk', 'user:ben')
  await kit.hub.db.query(`
    insert into items (company_id, sku) values ('acme', 'PEN');
    insert into items (company_id, sku, tracks_lots) values ('acme', 'MILK', true)`)
})
afterAll(() => kit.close())

interface Answer {
  status: number
  body: Record<string, unknown> & { rows?: Record<string, unknown>[]; lines?: Record<string, unknown>[] }
}

async function call(method: 'GET' | 'POST', path: string, body?: object, key = anna): Promise<Answer> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: answer.statusCode, body: answer.json() }
}

const receive = (key: string, change: object = {}) =>
  call('POST', '/stock/movements', {
    key,
    kind: 'receive',
    sku: 'PEN',
    location: 'berlin',
    quantity: 10,
    reason: 'delivery',
    ...change,
  })

describe('movements over the API', () => {
  it('move stock, and answer the same again for the same key', async () => {
    const first = await receive('m-1')
    expect(first).toMatchObject({
      status: 200,
      body: { state: 'applied', kind: 'receive', to_state: 'available', quantity: 10, requested_by: 'key:scanner' },
    })
    expect((await receive('m-1')).body).toEqual(first.body)
    expect(await receive('m-1', { quantity: 11 })).toMatchObject({
      status: 409,
      body: { code: 'conflict', path: 'quantity' },
    })
    const stock = await call('GET', '/stock?sku=PEN')
    expect(stock.body.rows).toMatchObject([{ on_hand: 10, available: 10 }])
  })

  it('refuse what makes no sense, with the place of the fault', async () => {
    for (const [change, expected] of [
      [{ quantity: 0 }, { status: 400 }],
      [{ quantity: 1.5 }, { status: 400 }],
      [{ kind: 'steal' }, { status: 400 }],
      [{ reason: 'because' }, { status: 400 }],
      [{ reason: 'stolen' }, { status: 400, body: { path: 'reason' } }],
      [{ expires_on: '2026-02-30', lot: 'L' }, { status: 400 }],
      [{ sku: 'NONE' }, { status: 422, body: { code: 'unknown_sku', path: 'sku' } }],
      [{ location: 'moon' }, { status: 422, body: { code: 'unknown_location' } }],
      [{ colour: 'red' }, { status: 400 }],
      [
        { kind: 'lost', reason: 'stolen', quantity: 11 },
        { status: 409, body: { path: 'quantity' } },
      ],
    ] as const)
      expect(await receive('m-bad', change)).toMatchObject(expected)
    expect(await call('POST', '/stock/movements', {}, kit.keys.viewer)).toMatchObject({ status: 403 })
    expect(await call('GET', '/stock/movements?kind=lost')).toMatchObject({ status: 400 })
  })

  it('wait above the limit for a key of somebody else', async () => {
    const { body } = await receive('m-2', { quantity: 51 })
    expect(body['state']).toBe('waiting')
    const id = String(body['id'])
    expect((await call('GET', '/stock/movements?state=waiting')).body.rows).toMatchObject([{ id, quantity: 51 }])
    expect(await call('POST', `/stock/movements/${id}/approve`)).toMatchObject({
      status: 403,
      body: { code: 'forbidden' },
    })
    const approved = await call('POST', `/stock/movements/${id}/approve`, undefined, ben)
    expect(approved).toMatchObject({ status: 200, body: { state: 'applied', decided_by: 'key:desk' } })
    expect(await call('POST', `/stock/movements/${id}/reject`, undefined, ben)).toMatchObject({ status: 409 })
    expect((await call('GET', '/stock?sku=PEN')).body.rows).toMatchObject([{ on_hand: 61 }])
    const missing = '019c0000-0000-7000-8000-000000000000'
    expect(await call('POST', `/stock/movements/${missing}/approve`, undefined, ben)).toMatchObject({ status: 404 })
    const audit = await kit.hub.db.query(`select actor, action from audit_log where subject = $1 order by id`, [
      `movement:${id}`,
    ])
    expect(audit).toEqual([
      { actor: 'key:scanner', action: 'stock.move' },
      { actor: 'key:desk', action: 'stock.approve' },
    ])
  })

  it('name lots, which can be listed', async () => {
    await receive('m-3', { sku: 'MILK', quantity: 4, lot: 'L1', expires_on: '2099-01-31' })
    await receive('m-4', { sku: 'MILK', quantity: 2, lot: 'L2', expires_on: '2099-01-01' })
    await receive('m-5', { sku: 'MILK', kind: 'lost', reason: 'missing', quantity: 3 })
    const { body } = await call('GET', '/stock/lots?sku=MILK&location=berlin')
    expect(body.rows).toMatchObject([
      { lot: 'L1', quantity: 3, expires_on: '2099-01-31', too_old: false, quarantined: 0 },
    ])
    const page = await call('GET', '/stock/movements?sku=MILK&limit=2')
    expect(page.body.rows).toHaveLength(2)
    expect(page.body['next_cursor']).toEqual(expect.any(String))
  })
})

describe('cycle counts over the API', () => {
  it('are blind until counted, and wait for somebody else when they are far off', async () => {
    const opened = await call('POST', '/cycle-counts', { key: 'c-1', location: 'berlin', skus: ['PEN', 'MILK'] })
    expect(opened).toMatchObject({ status: 200, body: { state: 'open', items: 2 } })
    const id = String(opened.body['id'])
    expect((await call('GET', `/cycle-counts/${id}`)).body.lines).toEqual(
      ['MILK', 'PEN'].map((sku) => ({ sku, counted: null, damaged: null, expected: null, variance: null })),
    )
    const lines = [
      { sku: 'PEN', on_hand: 5, damaged: 1 },
      { sku: 'MILK', on_hand: 3 },
    ]
    const counted_at = kit.hub.clock.now().toISOString()
    const submitted = await call('POST', `/cycle-counts/${id}/lines`, { counted_at, lines })
    expect(submitted).toMatchObject({ status: 200, body: { state: 'waiting' } })
    expect(submitted.body.lines?.[1]).toEqual({ sku: 'PEN', counted: 5, damaged: 1, expected: 61, variance: -56 })
    expect((await call('POST', `/cycle-counts/${id}/lines`, { counted_at, lines })).body).toEqual(submitted.body)
    expect(await call('POST', `/cycle-counts/${id}/approve`)).toMatchObject({ status: 403 })
    expect(await call('POST', `/cycle-counts/${id}/approve`, undefined, ben)).toMatchObject({
      status: 200,
      body: { state: 'posted' },
    })
    expect((await call('GET', '/stock?sku=PEN')).body.rows).toMatchObject([{ on_hand: 5, available: 4, damaged: 1 }])
    expect((await call('GET', '/cycle-counts?state=posted')).body.rows).toMatchObject([{ id, items: 2 }])
  })

  it('refuse what makes no sense', async () => {
    const bad = { key: 'c-2', location: 'berlin' }
    expect(await call('POST', '/cycle-counts', { ...bad, skus: [] })).toMatchObject({ status: 400 })
    expect(await call('POST', '/cycle-counts', { ...bad, skus: ['PEN', 'PEN'] })).toMatchObject({ status: 400 })
    expect(await call('POST', '/cycle-counts', { ...bad, skus: ['NONE'] })).toMatchObject({ status: 422 })
    expect(await call('GET', '/cycle-counts/nonsense')).toMatchObject({ status: 400 })
    expect(await call('POST', '/cycle-counts', bad, kit.keys.viewer)).toMatchObject({ status: 403 })
  })

  it('leave every invariant of the stock whole', async () => {
    const { checks } = await verify(kit.hub.db)
    expect(checks.filter((check) => check.violations > 0)).toEqual([])
  })
})
