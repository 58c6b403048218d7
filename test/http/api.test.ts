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

interface Answer {
  status: number
  type: string
  body: Record<string, unknown> & { rows?: Record<string, unknown>[]; next_cursor?: string | null }
}

async function call(
  method: 'GET' | 'POST',
  path: string,
  options: { key?: string; body?: object } = {},
): Promise<Answer> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${options.key ?? kit.keys.operator}` },
    ...(options.body === undefined ? {} : { payload: options.body }),
  })
  return { status: answer.statusCode, type: String(answer.headers['content-type']), body: answer.json() }
}
const get = (path: string, key?: string): Promise<Answer> => call('GET', path, key === undefined ? {} : { key })

describe('lists', () => {
  it.each([
    '/orders',
    '/stock',
    '/listings',
    '/inbox',
    '/files',
    '/outbox',
    '/dead-letters',
    '/settlements',
    '/connections',
  ])('%s gives every row once, page by page and always in the same order', async (path) => {
    const whole = await get(`${path}?limit=200`)
    expect(whole.status).toBe(200)
    const all = whole.body.rows ?? []
    expect(all.length).toBeGreaterThan(1)
    expect(whole.body.next_cursor).toBeNull()
    const paged: unknown[] = []
    let cursor: string | null | undefined = ''
    while (typeof cursor === 'string') {
      const page: Answer = await get(`${path}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`)
      expect(page.body.rows).toHaveLength(1)
      paged.push(...(page.body.rows ?? []))
      cursor = page.body.next_cursor
    }
    expect(paged).toEqual(all)
  })

  it('filter, and refuse filters that do not exist', async () => {
    expect((await get('/orders?number=A-2')).body.rows?.map((row) => row['number'])).toEqual(['A-2'])
    expect((await get('/orders?lifecycle=cancelled')).body.rows).toEqual([])
    expect((await get('/orders?since=2026-01-03T00:00:00Z')).body.rows?.map((row) => row['number'])).toEqual(['A-3'])
    expect((await get('/listings?mapping=unmapped')).body.rows?.map((row) => row['channel_sku'])).toEqual(['UNKNOWN'])
    expect((await get('/inbox?state=parked')).body.rows?.map((row) => row['cause_code'])).toEqual(['unknown_sku'])
    expect((await get('/settlements?matching=broken')).body.rows?.map((row) => row['external_id'])).toEqual(['po_2'])
    const refused = await get('/orders?nubmer=A-2')
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ code: 'bad_request', path: 'querystring.nubmer' })
  })

  it.each([
    'limit=0',
    'limit=201',
    'limit=x',
    'cursor=nonsense',
    `cursor=${Buffer.from('[1]').toString('base64url')}`,
    'lifecycle=odd',
    'since=yesterday',
  ])('refuse %s as a problem', async (query) => {
    const answer = await get(`/orders?${query}`)
    expect(answer.status).toBe(400)
    expect(answer.type).toBe('application/problem+json; charset=utf-8')
    expect(answer.body).toMatchObject({
      type: 'urn:crossdock:problem:bad_request',
      title: 'bad request',
      status: 400,
      code: 'bad_request',
    })
    expect(answer.body['path']).toBeTruthy()
  })
})

describe('documents', () => {
  it('show an order with all that hangs on it, and nobody in it', async () => {
    const shown = await get('/orders/A-1', kit.keys.viewer)
    expect(shown.status).toBe(200)
    expect(shown.body).toMatchObject({
      id: seeded.order_id,
      number: 'A-1',
      has_person: true,
      lines: [{ channel_sku: 'BOOK-1', quantity: 2, total_minor: 2_000 }],
      reservations: [{ sku: 'BOOK-1', quantity: 2, state: 'committed', fulfillment_order: 'F-1' }],
      fulfillment_orders: [{ number: 'F-1', state: 'OPEN' }],
      shipments: [{ tracking_number: 'T1', lines: [{ sku: 'BOOK-1', quantity: 1 }] }],
      payments: [{ external_id: 'pay-1', amount_minor: 2_000 }],
      timeline: [{ kind: 'received' }],
    })
    expect(JSON.stringify(shown.body)).not.toMatch(/ada|person_id/i)
    expect((await get(`/orders/${seeded.order_id}`)).body['number']).toBe('A-1')
    expect((await get('/orders/ext-1')).body['number']).toBe('A-1')
    expect((await get('/orders/nothing')).status).toBe(404)
  })

  it('open a person for operators only, and write every look down', async () => {
    expect((await get('/orders/A-1/person', kit.keys.viewer)).status).toBe(403)
    expect((await get('/orders/A-1/person', kit.keys.finance)).status).toBe(403)
    const shown = await get('/orders/A-1/person')
    expect(shown.body).toMatchObject({ erased: false, buyer: { name: 'Ada Lovelace' }, ship_to: { city: 'London' } })
    expect(await kit.hub.db.query(`select actor, subject from audit_log where action = 'person.read'`)).toEqual([
      { actor: 'key:operator key', subject: `order:${seeded.order_id}` },
    ])
    expect((await get('/orders/A-2/person')).status).toBe(404)
  })

  it('explain a SKU', async () => {
    const { body } = await get('/stock/BOOK-1')
    expect(body).toMatchObject({
      stock: [{ location_id: 'berlin', on_hand: 10, available: 8, committed: 2 }],
      promises: [{ order_number: 'A-1', quantity: 2, state: 'committed' }],
      movements: [{ from_state: 'outside', to_state: 'available', quantity: 10 }],
    })
    const listings = body['listings'] as { channel_sku: string; due_quantity: number; terms: { name: string }[] }[]
    expect(listings).toMatchObject([{ channel_sku: 'BOOK-1', due_quantity: 8 }])
    expect(listings[0]?.terms.map((term) => term.name)).toContain('committed')
    expect((await get('/stock/NONE')).status).toBe(404)
  })

  it('show a payout with its bridge', async () => {
    const { body } = await get('/settlements/po_2', kit.keys.finance)
    expect(body).toMatchObject({
      unmatched_lines: 1,
      bridge: [{ kind: 'sale', lines: 2, net_minor: 180 }],
      lines: { rows: [{}, {}], next_cursor: null },
    })
    expect((await get('/settlements/po_2?match_state=unmatched')).body).toMatchObject({
      lines: { rows: [{ external_id: 'l-2' }] },
    })
  })

  it('show an effect with its calls, and a connection with its lag and last errors', async () => {
    const [row] = (await get('/outbox?kind=fulfillment.new')).body.rows ?? []
    expect((await get(`/outbox/${String(row?.['id'])}`)).body).toMatchObject({
      attempt_log: [{ operation: 'send', error_code: 'vendor_timeout' }],
    })
    const { body } = await get('/connections/corner-eu')
    expect(body).toMatchObject({
      state: 'active',
      lag: { inbox_pending: 1, inbox_parked: 1, dead_letters_open: 1, availability_due: 1 },
      cursors: [{ stream: 'orders', cursor: 'c-1' }],
      last_errors: [{ operation: 'send', error_code: 'vendor_timeout' }],
    })
  })

  it('show a message as it maps now, without whoever is in it', async () => {
    const [row] = (await get('/inbox?state=parked')).body.rows ?? []
    const { body } = await get(`/inbox/${String(row?.['id'])}`, kit.keys.viewer)
    expect(body['preview']).toMatchObject({
      state: 'mapped',
      facts: [{ kind: 'privacy', document: { action: 'data_request', buyer_email: '…' } }],
    })
    expect(JSON.stringify(body)).not.toContain('ada@example.com')
  })
})

describe('actions', () => {
  it('map a listing, and say what is wrong with a mapping', async () => {
    const mapping = { connection: 'corner-eu', channel_sku: 'UNKNOWN', items: [{ sku: 'BOOK-1', quantity: 2 }] }
    expect((await call('POST', '/listings/map', { body: mapping })).body).toEqual({ ok: true })
    const [listing] = (await get('/listings?channel_sku=UNKNOWN')).body.rows ?? []
    expect(listing?.['items']).toEqual([{ sku: 'BOOK-1', quantity: 2 }])
    expect(
      (await call('POST', '/listings/map', { body: { ...mapping, items: [{ sku: 'NONE', quantity: 1 }] } })).body,
    ).toMatchObject({ code: 'unknown_sku' })
    expect(
      (await call('POST', '/listings/map', { body: { ...mapping, items: [{ sku: 'BOOK-1', quantity: '2' }] } })).body,
    ).toMatchObject({
      code: 'bad_request',
      path: 'body.items.0.quantity',
    })
  })

  it('replay parked messages: counted first, then once', async () => {
    expect((await call('POST', '/inbox/replay', { body: {} })).status).toBe(400)
    expect((await call('POST', '/inbox/replay', { body: { cause_code: 'unknown_sku', dry_run: true } })).body).toEqual({
      matched: 1,
      replayed: 0,
    })
    const [row] = (await get('/inbox?state=parked')).body.rows ?? []
    const path = `/inbox/${String(row?.['id'])}/replay`
    expect((await call('POST', path)).body).toEqual({ matched: 1, replayed: 1 })
    expect((await call('POST', path)).status).toBe(409)
    expect(
      (await get('/dead-letters?state=open')).body.rows?.some((letter) => letter['source_id'] === row?.['id']),
    ).toBe(false)
  })

  it('decide dead letters', async () => {
    const [letter] = (await get('/dead-letters?state=open&source=outbox')).body.rows ?? []
    const path = `/dead-letters/${String(letter?.['id'])}`
    expect((await call('POST', '/dead-letters/replay', { body: { all: true, dry_run: true } })).body).toMatchObject({
      replayed: 0,
    })
    expect((await call('POST', `${path}/replay`)).body).toEqual({ matched: 1, replayed: 1 })
    expect((await call('POST', `${path}/drop`)).status).toBe(404)
  })

  it('test, pause and resume a connection', async () => {
    expect((await call('POST', '/connections/corner-eu/test')).body).toEqual({ shown: 'shop Corner, open since 1904' })
    expect((await call('POST', '/connections/mute-eu/test')).body).toMatchObject({ code: 'unsupported' })
    expect(
      (await call('POST', '/connections/corner-eu/pause', { body: { reason: 'stock-taking' } })).body,
    ).toMatchObject({ state: 'paused', state_reason: 'stock-taking' })
    expect((await call('POST', '/connections/corner-eu/resume')).body).toMatchObject({
      state: 'active',
      state_reason: null,
    })
    expect((await call('POST', '/connections/nobody/resume')).status).toBe(404)
    const actions = await kit.hub.db.query(
      `select action from audit_log where subject = 'connection:corner-eu' order by id`,
    )
    expect(actions).toEqual([{ action: 'connection.pause' }, { action: 'connection.resume' }])
  })

  it('refuse bodies that are no JSON, and methods that do not exist, as problems', async () => {
    const headers = { authorization: `Bearer ${kit.keys.operator}`, 'content-type': 'application/json' }
    const broken = await kit.app.inject({
      method: 'POST',
      url: '/api/v1/inbox/replay',
      headers,
      payload: '{"ada@example.com',
    })
    expect([broken.statusCode, broken.json<{ code: string }>().code]).toEqual([400, 'bad_request'])
    expect(broken.body).not.toContain('ada')
    const xml = await kit.app.inject({
      method: 'POST',
      url: '/api/v1/inbox/replay',
      headers: { ...headers, 'content-type': 'text/xml' },
      payload: '<a/>',
    })
    expect(xml.json()).toMatchObject({ code: 'unsupported_media_type', status: 415 })
    const none = await kit.app.inject({ method: 'PUT', url: '/api/v1/orders', payload: {} })
    expect(none.json()).toMatchObject({ code: 'not_found', status: 404 })
  })
})
