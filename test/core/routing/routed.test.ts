import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { LocationServices } from '../../../src/core/model/location.ts'
import { explainRouting } from '../../../src/core/routing/explain.ts'
import { loadPlans } from '../../../src/core/routing/load.ts'
import { syncRouting } from '../../../src/core/routing/syncRouting.ts'
import { activateRules, listRules, proposeRules, showRules } from '../../../src/core/routing/versions.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import type { Queryable } from '../../../src/db/pool.ts'
import { createWorld, line, order, orderFact, reservationsOf, stockOf, workOf, type World } from '../../kit/orders.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(async () => world.database.drop())

let count = 0
const newSku = (): string => `R-${(count += 1)}`

async function hold(rules: unknown): Promise<number> {
  return inTransaction(world.db, async (tx) => {
    const { version } = await proposeRules(tx, world.ctx, { company_id: 'acme', document: rules, by: 'user:anna' })
    await activateRules(tx, world.ctx, { company_id: 'acme', version, by: 'user:anna' })
    return version
  })
}

async function equip(
  location_id: string,
  services: LocationServices,
  change: Record<string, unknown> = {},
): Promise<void> {
  const { latitude = null, longitude = null, timezone = null } = change
  await world.db.query(
    'update locations set services = $2::jsonb, latitude = $3, longitude = $4, timezone = $5 where id = $1',
    [location_id, JSON.stringify(services), latitude, longitude, timezone],
  )
}

async function reasonsOf(external_id: string): Promise<Record<string, unknown>[]> {
  const rows = await world.db.query<{ data: Record<string, unknown> }>(
    `select f.data from order_facts f join orders o on o.id = f.order_id
     where o.external_id = $1 and f.kind = 'routing.decided' order by f.id`,
    [external_id],
  )
  return rows.map((row) => row.data)
}

const idOf = async (external_id: string): Promise<string> =>
  (await world.db.query<{ id: string }>('select id from orders where external_id = $1', [external_id]))[0]!.id

beforeEach(async () => {
  await equip('north', {})
  await equip('south', {})
})

describe('orders under rules', () => {
  test('are served from the nearest place, and the reasons are in the timeline', async () => {
    const sku = newSku()
    const item = await world.addItem(sku, { north: 5, south: 5 })
    await equip('north', {}, { latitude: 54.3, longitude: 10.1 })
    await equip('south', {}, { latitude: 48.1, longitude: 11.6 })
    const version = await hold([{ name: 'nearest', sort: ['distance'] }])
    await world.db.query(
      `insert into postcode_areas values ('DE', '53', 50.7, 7.1), ('DE', '8', 48.2, 11.5) on conflict do nothing`,
    )
    const bavaria = { ...order('near-1', [line('1', sku, 2)]).ship_to!, postcode: '80331' }
    await world.apply([orderFact(order('near-1', [line('1', sku, 2)], 0, { ship_to: bavaria }))])
    expect(await reservationsOf(world.db, 'near-1')).toEqual([`committed south ${sku} 2`])
    expect(await reasonsOf('near-1')).toEqual([
      {
        version,
        rule: 'nearest',
        outcome: 'whole from one place',
        chosen: ['south'],
        considered: [
          { location_id: 'south', verdict: 'gives all of it; first by distance (13 km)' },
          { location_id: 'north', verdict: 'has all of it; second by distance (685 km)' },
        ],
        passed_over: [],
      },
    ])
    expect((await stockOf(world.db, item))['south']).toMatchObject({ available: 3, committed: 2 })
  })

  test('share what a place can do in a day, within a batch and between batches; cancelled work gives its turn back', async () => {
    const sku = newSku()
    await world.addItem(sku, { north: 9, south: 9 })
    await equip('north', { orders_per_day: 2 }, { timezone: 'Europe/Berlin' })
    await hold([{ name: 'by rank' }])
    const place = (id: string) => orderFact(order(id, [line('1', sku, 1)]))
    await world.apply([place('cap-1'), place('cap-2'), place('cap-3')])
    await world.apply([place('cap-4')])
    const served = async (id: string): Promise<string> => (await workOf(world.db, id))[0]?.split(' ')[0] ?? ''
    expect([await served('cap-1'), await served('cap-2'), await served('cap-3'), await served('cap-4')].sort()).toEqual(
      ['north', 'north', 'south', 'south'],
    )
    expect((await reasonsOf('cap-4'))[0]?.['considered']).toContainEqual({
      location_id: 'north',
      verdict: 'no capacity left on 2026-03-01',
    })
    const cancelled = (await served('cap-1')) === 'north' ? 'cap-1' : 'cap-2'
    await world.apply([
      orderFact(
        order(cancelled, [line('1', sku, 1)], 10, { lifecycle: 'cancelled', cancelled_at: '2026-03-01T09:00:10Z' }),
      ),
    ])
    await world.apply([place('cap-5')])
    expect(await served('cap-5')).toBe('north')
  })

  test('a tagged item does not leave from a place that refuses it, the others of the order do', async () => {
    const [plain, tagged] = [newSku(), newSku()]
    await world.addItem(plain, { north: 5, south: 0 })
    await world.addItem(tagged, { north: 5, south: 5 })
    await inTransaction(world.db, (tx) =>
      syncRouting(tx, world.ctx, {
        routing: [],
        locations: [],
        items: [{ company: 'acme', sku: tagged, routing_tags: ['hazmat'] }],
        postcode_areas: [],
      }),
    )
    await equip('north', { refuses_tags: ['hazmat'] })
    await hold([{ name: 'all' }])
    await world.apply([orderFact(order('tag-1', [line('1', plain, 1), line('2', tagged, 1)]))])
    expect(await reservationsOf(world.db, 'tag-1')).toEqual([
      `committed north ${plain} 1`,
      `committed south ${tagged} 1`,
    ])
  })

  test('an order that no rule fits is served by the own ranking, without reasons', async () => {
    const sku = newSku()
    await world.addItem(sku, { north: 5, south: 5 })
    await hold([{ name: 'austria', when: { countries: ['AT'] }, filters: { locations: ['south'] } }])
    await world.apply([orderFact(order('none-1', [line('1', sku, 1)]))])
    expect(await reservationsOf(world.db, 'none-1')).toEqual([`committed north ${sku} 1`])
    expect(await reasonsOf('none-1')).toEqual([])
  })

  test('an order that a rule lets wait is served when units come, by the same rules', async () => {
    const sku = newSku()
    const item = await world.addItem(sku, { north: 5, south: 0 })
    await hold([{ name: 'south only', filters: { locations: ['south'] } }])
    await world.apply([orderFact(order('wait-1', [line('1', sku, 1)]))])
    expect(await reservationsOf(world.db, 'wait-1')).toEqual([`shortfall - ${sku} 1`])
    expect((await reasonsOf('wait-1'))[0]).toMatchObject({ outcome: 'waits: no place has any of it', chosen: [] })
    await hold([{ name: 'all' }])
    const explained = await inTransaction(world.db, async (tx) =>
      explainRouting(tx, world.ctx, { order_id: await idOf('wait-1') }),
    )
    expect(explained).toMatchObject({ rule: 'all', outcome: 'whole from one place', chosen: ['north'] })
    expect(explained.lines).toMatchObject([{ channel_sku: sku, location_id: 'north', units: 1 }])
    expect(await reservationsOf(world.db, 'wait-1')).toEqual([`shortfall - ${sku} 1`])
    expect((await stockOf(world.db, item))['north']).toMatchObject({ available: 5 })
  })

  test('explain counts the own promises as free, and can ask another version', async () => {
    const sku = newSku()
    await world.addItem(sku, { north: 1, south: 0 })
    const version = await hold([{ name: 'all' }])
    await world.apply([orderFact(order('own-1', [line('1', sku, 1)]))])
    const order_id = await idOf('own-1')
    const explained = await inTransaction(world.db, (tx) => explainRouting(tx, world.ctx, { order_id }))
    expect(explained).toMatchObject({ version, outcome: 'whole from one place', chosen: ['north'] })
    const draft = await inTransaction(world.db, (tx) =>
      proposeRules(tx, world.ctx, {
        company_id: 'acme',
        document: [{ name: 'south', filters: { locations: ['south'] } }],
        by: 'user:anna',
      }),
    )
    const other = await inTransaction(world.db, (tx) =>
      explainRouting(tx, world.ctx, { order_id, version: draft.version }),
    )
    expect(other).toMatchObject({ rule: 'south', outcome: 'waits: no place has any of it', chosen: [] })
  })
})

describe('what routing costs', () => {
  /** Counts the statements that go through it. */
  const counting = (q: Queryable): { q: Queryable; seen: () => number } => {
    let statements = 0
    return {
      q: {
        query: (sql, params) => {
          statements += 1
          return q.query(sql, params)
        },
      },
      seen: () => statements,
    }
  }

  test('the same number of statements for one order and for many', async () => {
    const sku = newSku()
    await world.addItem(sku, { north: 100 })
    await equip('north', { orders_per_day: 1_000 })
    await hold([{ name: 'nearest', sort: ['distance'] }])
    const ids = Array.from({ length: 20 }, (_, index) => `many-${index}`)
    await world.apply(ids.map((id) => orderFact(order(id, [line('1', sku, 1)]))))
    const rows = await world.db.query<{ id: string; line_id: number }>(
      `select o.id, l.id as line_id from orders o join order_lines l on l.order_id = o.id where o.external_id like 'many-%'`,
    )
    const asked = rows.map(({ id, line_id }) => ({
      id,
      connection_id: 'shop',
      serves_from: ['north', 'south'],
      line_ids: [line_id],
    }))
    const statements = async (orders: typeof asked): Promise<number> => {
      const { q, seen } = counting(world.db)
      expect((await loadPlans(q, world.ctx, orders)).size).toBe(orders.length)
      return seen()
    }
    const one = await statements(asked.slice(0, 1))
    expect(await statements(asked)).toBe(one)
    expect(one).toBeLessThanOrEqual(5)
  })

  test('one tiny statement a second for companies without rules', async () => {
    const ctx = { ...world.ctx, now: world.ctx.now, policies: new Map(world.policies) }
    await world.db.query(`update routing_rules set state = 'retired' where state = 'active'`)
    const { q, seen } = counting(world.db)
    const asked = [{ id: '019c0000-0000-7000-8000-000000000000', connection_id: 'shop', serves_from: [], line_ids: [] }]
    for (let batch = 0; batch < 10; batch += 1) await loadPlans(q, ctx, asked)
    const first = seen()
    await loadPlans(q, { ...ctx, now: new Date(ctx.now.getTime() + 1_000) }, asked)
    expect([first, seen() - first]).toEqual([2, 1])
  })
})

describe('versions', () => {
  const RULES = [{ name: 'all' }]

  test('a draft becomes active as a whole; the one before is retired and may come back', async () => {
    const first = await hold(RULES)
    const second = await hold([{ name: 'other' }])
    const states = async () =>
      (await listRules(world.db, { company: 'acme' })).rows.flatMap((row) =>
        [first, second].includes(row.version) ? [`${row.version - first} ${row.state}`] : [],
      )
    expect(await states()).toEqual(['1 active', '0 retired'])
    await inTransaction(world.db, (tx) =>
      activateRules(tx, world.ctx, { company_id: 'acme', version: first, by: 'user:bert' }),
    )
    expect(await states()).toEqual(['1 retired', '0 active'])
    expect(await showRules(world.db, 'acme', 'active')).toMatchObject({ version: first, activated_by: 'user:bert' })
    const audit = await world.db.query(
      `select actor, action, data from audit_log where subject = 'routing:acme' order by id desc limit 1`,
    )
    expect(audit).toEqual([{ actor: 'user:bert', action: 'routing.activate', data: { version: first } }])
  })

  test('the same key answers with the same version, and refuses other rules', async () => {
    const propose = (document: unknown) =>
      inTransaction(world.db, (tx) =>
        proposeRules(tx, world.ctx, { company_id: 'acme', document, by: 'key:erp', key: 'spring' }),
      )
    const made = await propose(RULES)
    expect(made).toMatchObject({ state: 'draft', source: 'user', rules_count: 1 })
    expect((await propose([{ otherwise: 'wait', name: 'all' }])).version).toBe(made.version)
    await expect(propose([{ name: 'else' }])).rejects.toMatchObject({ code: 'conflict' })
  })

  test('faults name their place, and nothing is kept', async () => {
    const before = (await listRules(world.db, { company: 'acme', limit: 1 })).rows[0]?.version
    await expect(hold([{ name: 'x', filters: { locations: ['moon'] } }])).rejects.toMatchObject({
      code: 'bad_request',
      path: '$[0].filters.locations[0]',
    })
    await expect(hold([{ name: 'x', colour: 'red' }])).rejects.toMatchObject({ code: 'bad_request', path: '$[0]' })
    await expect(
      inTransaction(world.db, (tx) =>
        proposeRules(tx, world.ctx, { company_id: 'nobody', document: RULES, by: 'user:anna' }),
      ),
    ).rejects.toMatchObject({ code: 'not_found' })
    expect((await listRules(world.db, { company: 'acme', limit: 1 })).rows[0]?.version).toBe(before)
  })

  test('the configuration makes a version when it changes, and leaves alone what a person activated since', async () => {
    const sync = (routing: { company: string; rules: never[] }[]) =>
      inTransaction(world.db, (tx) =>
        syncRouting(tx, world.ctx, { routing, locations: [], items: [], postcode_areas: [] }),
      )
    const entry = (name: string) => [{ company: 'acme', rules: [{ name }] as never[] }]
    const active = async () => (await showRules(world.db, 'acme', 'active')).version
    await sync(entry('configured'))
    const configured = await active()
    await sync(entry('configured'))
    expect(await active()).toBe(configured)
    const own = await hold(RULES)
    await sync(entry('configured'))
    expect(await active()).toBe(own)
    await sync(entry('changed'))
    expect(await showRules(world.db, 'acme', 'active')).toMatchObject({ source: 'config', version: own + 1 })
    await sync([])
    await expect(showRules(world.db, 'acme', 'active')).rejects.toMatchObject({ code: 'not_found' })
    await sync(entry('changed'))
    expect(await active()).toBe(own + 1)
  })
})
