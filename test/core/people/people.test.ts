import { afterEach, beforeEach, expect, test } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import type { PrivacyRequest } from '../../../src/core/model/fact.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { readPerson } from '../../../src/core/people/people.ts'
import { createWorld, inbound, kinds, line, order, orderFact, type World } from '../../kit/orders.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { applyFacts } from '../../../src/core/apply.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.addItem('A', { north: 100 })
})
afterEach(() => world.database.drop())

const buyer = (external_id: string | null, email: string | null): Order['buyer'] => ({
  external_id,
  email,
  name: 'Ada',
  phone: null,
})
const place = (id: string, change: Partial<Order> = {}, at = 0) =>
  world.apply([orderFact(order(id, [line('1', 'A', 1)], at, change))])
const personOf = async (id: string): Promise<string> =>
  (await world.db.query<{ person_id: string }>('select person_id from orders where external_id = $1', [id]))[0]!
    .person_id
const read = async (id: string) => readPerson(world.db, world.ctx.vault, await personOf(id))
const privacy = (change: Partial<PrivacyRequest>) =>
  world.apply([
    {
      kind: 'privacy',
      document: {
        external_id: 'p1',
        action: 'redact_person',
        buyer_external_id: null,
        buyer_email: null,
        order_external_ids: [],
        ...change,
      },
    },
  ])
const subjects = async (): Promise<number> => (await world.db.query('select 1 from people_keys')).length

test('an order gives its people back, and nothing outside the vault names them', async () => {
  await place('1')
  expect(await read('1')).toMatchObject({
    buyer: { name: 'Buyer 1' },
    ship_to: { city: 'Bonn', country: 'DE' },
    bill_to: null,
  })
  for (const table of [
    'orders',
    'order_lines',
    'order_facts',
    'reservations',
    'stock_ledger',
    'outbox',
    'people_keys',
    'people',
  ]) {
    const rows = await world.db.query<{ text: string }>(`select t::text as text from ${table} t`)
    expect(rows.filter((row) => /Buyer|Hauptstr|53111|example\.test/.test(row.text))).toEqual([])
  }
})

test('a customer is one subject by id or e-mail, and a stranger is one per order', async () => {
  await place('1', { buyer: buyer('c1', 'Ada@Example.test') })
  await place('2', { buyer: buyer('c1', 'other@example.test') })
  expect(await subjects()).toBe(1)
  await place('3', { buyer: buyer(null, 'eve@example.test') })
  await place('4', { buyer: buyer(null, 'EVE@example.test ') })
  expect(await subjects()).toBe(2)
  await place('5', { buyer: null })
  await place('6', { buyer: null })
  expect(await subjects()).toBe(4)
  await place('7', { buyer: null, ship_to: null })
  expect(await personOf('7')).toBeNull()
})

test('the same people are not sealed again; others replace them', async () => {
  const sealed = async (): Promise<string> =>
    String((await world.db.query<{ sealed: Buffer }>('select sealed from people'))[0]!.sealed.toString('hex'))
  await place('1')
  const before = await sealed()
  await place('1', { shipping_method: 'express' }, 1)
  expect(await sealed()).toBe(before)
  await place('1', { buyer: buyer(null, '1@example.test') }, 2)
  expect(await sealed()).not.toBe(before)
  expect(await read('1')).toMatchObject({ buyer: { name: 'Ada' } })
})

test('ciphertexts swapped between two orders do not open', async () => {
  await place('1')
  await place('2')
  await world.db.query(`update people p set sealed = q.sealed from people q where p.id <> q.id`)
  const thrown = await read('1').catch((fault: unknown) => fault)
  expect(thrown).toBeInstanceOf(HubError)
  expect(thrown).toMatchObject({ code: 'vault_sealed' })
})

test('erasure by e-mail, by customer id, or by order makes all of a subject unreadable, and only that', async () => {
  await place('1', { buyer: buyer('c1', 'ada@example.test') })
  await place('2', { buyer: buyer('c1', 'ada@example.test') })
  await place('3', { buyer: buyer('c2', 'eve@example.test') })
  await place('4', { buyer: buyer('c3', null) })
  expect(kinds(await privacy({ buyer_email: 'Ada@example.test' }))).toEqual(['redact_person: 1 subjects, 0 messages'])
  expect([await read('1'), await read('2')]).toEqual(['erased', 'erased'])
  expect(await read('3')).toMatchObject({ buyer: { external_id: 'c2' } })
  await privacy({ order_external_ids: ['3'] })
  await privacy({ buyer_external_id: 'c3' })
  expect([await read('3'), await read('4')]).toEqual(['erased', 'erased'])
  expect(
    await world.db.query('select 1 from people_keys where wrapped_key is not null or email_lookup is not null'),
  ).toEqual([])
  expect(await world.db.query('select 1 from people where sealed is not null or digest is not null')).toEqual([])
  await place('1', { buyer: buyer('c1', 'ada@example.test'), shipping_method: 'late' }, 9)
  expect(await read('1')).toBe('erased')
  await place('8', { buyer: buyer('c1', 'ada@example.test') })
  expect(await read('8')).toMatchObject({ buyer: { external_id: 'c1' } })
})

test('erasure takes the raw messages of the orders along, even those that changed nothing', async () => {
  const fact = orderFact(order('1', [line('1', 'A', 1)], 5))
  const arrive = async (key: string, document: typeof fact): Promise<void> => {
    const [row] = await world.db.query<{ id: number }>(
      `insert into inbox (connection_id, source, topic, dedupe_key, body, body_sha256, observed_at, received_at, next_attempt_at)
       values ('shop', 'webhook', 'orders', $1, 'x', 'y', now(), now(), now()) returning id`,
      [key],
    )
    await inTransaction(world.db, (tx) =>
      applyFacts(tx, world.ctx, [{ ...inbound([document])[0]!, source: `inbox:${row!.id}` }]),
    )
  }
  await arrive('a', fact)
  await arrive('b', fact)
  await arrive('c', orderFact(order('1', [line('1', 'A', 9)], 2)))
  await arrive('other', orderFact(order('2', [line('1', 'A', 1)], 2)))
  await privacy({ order_external_ids: ['1'] })
  const kept = await world.db.query<{ dedupe_key: string }>('select dedupe_key from inbox where body is not null')
  expect(kept.map((row) => row.dedupe_key)).toEqual(['other'])
  await privacy({ action: 'redact_connection' })
  expect(await world.db.query('select 1 from inbox where body is not null')).toEqual([])
  expect(await read('2')).toBe('erased')
})

test('erasure takes a parked message of the order along, and the request that named the person', async () => {
  const store = async (key: string, state: string, order_external_id: string | null): Promise<number> => {
    const [row] = await world.db.query<{ id: number }>(
      `insert into inbox (connection_id, source, topic, dedupe_key, body, body_sha256, observed_at, received_at, next_attempt_at, state,
         order_external_id)
       values ('shop', 'webhook', 'orders', $1, 'x', 'y', now(), now(), now(), $2, $3) returning id`,
      [key, state, order_external_id],
    )
    return row!.id
  }
  await store('waits', 'parked', '77')
  await store('another', 'parked', '78')
  const asked = await store('request', 'pending', null)
  const document: PrivacyRequest = {
    external_id: 'p1',
    action: 'redact_person',
    buyer_external_id: null,
    buyer_email: 'ada@example.test',
    order_external_ids: ['77'],
  }
  const [own] = inbound([{ kind: 'privacy', document }])
  await inTransaction(world.db, (tx) => applyFacts(tx, world.ctx, [{ ...own!, source: `inbox:${asked}` }]))
  const rows = await world.db.query('select dedupe_key, state, body is null as gone from inbox order by id')
  expect(rows).toEqual([
    { dedupe_key: 'waits', state: 'dropped', gone: true },
    { dedupe_key: 'another', state: 'parked', gone: false },
    { dedupe_key: 'request', state: 'pending', gone: true },
  ])
})

test('a request for data is written down, and the audit names nobody', async () => {
  await place('1', { buyer: buyer('c1', 'ada@example.test') })
  expect(kinds(await privacy({ action: 'data_request', buyer_email: 'ada@example.test' }))).toEqual([
    'data request recorded',
  ])
  const rows = await world.db.query<{ action: string; text: string }>('select action, a::text as text from audit_log a')
  expect(rows.map((row) => row.action)).toEqual(['privacy.data_request'])
  expect(rows[0]!.text).not.toContain('ada@')
  expect(await read('1')).toMatchObject({ buyer: { external_id: 'c1' } })
})
