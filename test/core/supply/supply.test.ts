import { afterEach, beforeEach, expect, test } from 'vitest'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { cancelSupply, putSupply, type PurchaseWish } from '../../../src/core/supply/put.ts'
import { receiveSupply, type Receipt, type ReceivedLine } from '../../../src/core/supply/receive.ts'
import { showSupply } from '../../../src/core/supply/read.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  createWorld,
  instant,
  kinds,
  line,
  order,
  orderFact,
  policy,
  reservationsOf,
  type World,
} from '../../kit/orders.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  world.policies.set(internalConnectionId('acme'), internalPolicy('acme'))
})
afterEach(async () => {
  await expectSound()
  await world.database.drop()
})

async function expectSound(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
}

function wish(lines: Record<string, number>, change: Partial<PurchaseWish> = {}): PurchaseWish {
  return {
    company_id: 'acme',
    kind: 'purchase',
    reference: 'PO-1',
    location_id: 'north',
    expected_at: new Date(instant(86_400)),
    lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })),
    ...change,
  }
}

const put = (lines: Record<string, number>, change: Partial<PurchaseWish> = {}) =>
  inTransaction(world.db, (tx) => putSupply(tx, world.ctx, wish(lines, change), 'user:ada'))

const PO_1 = { company_id: 'acme', kind: 'purchase', reference: 'PO-1' } as const

let deliveries = 0
function receipt(
  lines: readonly (Partial<ReceivedLine> & { sku: string; quantity: number })[],
  change: Partial<Receipt> = {},
) {
  return {
    key: `delivery-${(deliveries += 1)}`,
    location_id: null,
    at: world.clock.now,
    rest: 'expected' as const,
    lines: lines.map((one) => ({ to: 'available' as const, ...one })),
    ...change,
  }
}
const receive = (what: Receipt, reference = 'PO-1') =>
  inTransaction(world.db, (tx) => receiveSupply(tx, world.ctx, { ...PO_1, reference }, what, 'user:ada'))
const cancel = (reference = 'PO-1') =>
  inTransaction(world.db, (tx) => cancelSupply(tx, world.ctx, { ...PO_1, reference }, 'user:ada'))

/** `available incoming quality_control damaged` by place, of those that have any. */
async function stock(sku: string): Promise<Record<string, string>> {
  const rows = await world.db.query<{ location_id: string; text: string }>(
    `select location_id, available || ' ' || incoming || ' ' || quality_control || ' ' || damaged as text from stock
     where item_id = $1 and on_hand + incoming > 0`,
    [world.items.get(sku)],
  )
  return Object.fromEntries(rows.map((row) => [row.location_id, row.text]))
}

test('a purchase is changed by its differences, and saying the same twice changes nothing', async () => {
  await world.addItem('A', {})
  await world.addItem('B', {})
  expect(await put({ A: 10, B: 5 })).toMatchObject({ outcome: 'created' })
  expect(await put({ A: 10, B: 5 })).toMatchObject({ outcome: 'same' })
  expect(await stock('A')).toEqual({ north: '0 10 0 0' })
  expect(await put({ A: 4, B: 7 })).toMatchObject({ outcome: 'changed' })
  expect([await stock('A'), await stock('B')]).toEqual([{ north: '0 4 0 0' }, { north: '0 7 0 0' }])
  expect(await put({ A: 4 }, { location_id: 'south' })).toMatchObject({ outcome: 'changed' })
  expect([await stock('A'), await stock('B')]).toEqual([{ south: '0 4 0 0' }, {}])
  const moves = await world.db.query(`select quantity from stock_ledger where reason = 'supply' order by id`)
  expect(moves.map((row) => row['quantity'])).toEqual([10, 5, 6, 2, 4, 4, 7])
  const audit = await world.db.query(`select action from audit_log order by id`)
  expect(audit.map((row) => row['action'])).toEqual(['supply.create', 'supply.change', 'supply.change'])
})

test('a purchase never falls below what has come, and what is over is not changed', async () => {
  await world.addItem('A', {})
  await put({ A: 10 })
  await receive(receipt([{ sku: 'A', quantity: 6 }]))
  await expect(put({ A: 5 })).rejects.toMatchObject({ code: 'conflict', path: '$.lines[0].quantity' })
  await expect(put({})).rejects.toMatchObject({ code: 'conflict', path: '$.lines' })
  expect(await put({ A: 6 })).toMatchObject({ outcome: 'changed' })
  expect(await showSupply(world.db, 'PO-1')).toMatchObject({ state: 'received', lines: [{ to_come: 0 }] })
  await expect(put({ A: 9 })).rejects.toMatchObject({ code: 'conflict' })
  await expect(cancel()).rejects.toMatchObject({ code: 'conflict' })
})

test('a cancelled purchase leaves incoming, what has come stays', async () => {
  await world.addItem('A', {})
  await put({ A: 10 })
  await receive(receipt([{ sku: 'A', quantity: 4 }]))
  expect(await cancel()).toMatchObject({ outcome: 'changed' })
  expect(await cancel()).toMatchObject({ outcome: 'same' })
  expect(await stock('A')).toEqual({ north: '4 0 0 0' })
  await expect(receive(receipt([{ sku: 'A', quantity: 1 }]))).rejects.toMatchObject({
    code: 'conflict',
    message: 'PO-1 is cancelled: nothing is left to receive',
  })
})

test('parts of a delivery come one by one, each to where it was put; more than expected comes from outside', async () => {
  await world.addItem('A', {})
  await put({ A: 10 })
  const first = await receive(
    receipt([
      { sku: 'A', quantity: 3 },
      { sku: 'A', quantity: 2, to: 'quality_control' },
      { sku: 'A', quantity: 1, to: 'damaged' },
    ]),
  )
  expect(first).toMatchObject({ state: 'open', outcome: 'received' })
  expect(await stock('A')).toEqual({ north: '3 4 2 1' })
  await expectSound()
  const last = await receive(receipt([{ sku: 'A', quantity: 7 }]))
  expect(last).toMatchObject({ state: 'received', lines: [{ quantity: 7, expected: 4 }] })
  expect(await stock('A')).toEqual({ north: '10 0 2 1' })
  const moves = await world.db.query(
    `select from_state || ' ' || to_state || ' ' || quantity as text from stock_ledger order by id`,
  )
  expect(moves.map((row) => row['text'])).toEqual([
    'outside incoming 10',
    'incoming available 3',
    'incoming quality_control 2',
    'incoming damaged 1',
    'incoming available 4',
    'outside available 3',
  ])
})

test('a short delivery that is closed is not waited for', async () => {
  await world.addItem('A', {})
  await world.addItem('B', {})
  await put({ A: 10, B: 2 })
  expect(await receive(receipt([{ sku: 'A', quantity: 8 }], { rest: 'close' }))).toMatchObject({ state: 'received' })
  expect([await stock('A'), await stock('B')]).toEqual([{ north: '8 0 0 0' }, {}])
})

test('the same receipt twice is booked once; another one under its key is refused', async () => {
  await world.addItem('A', {})
  await put({ A: 10 })
  const one = receipt([{ sku: 'A', quantity: 4 }])
  const first = await receive(one)
  const again = await receive(one)
  expect(again).toMatchObject({ outcome: 'repeated', lines: first.lines })
  await expect(receive({ ...one, lines: [{ sku: 'A', quantity: 5, to: 'available' }] })).rejects.toMatchObject({
    code: 'conflict',
    path: '$.key',
  })
  expect(await stock('A')).toEqual({ north: '4 6 0 0' })
})

test('receipts at the same time add up, and the same one at the same time is one', async () => {
  await world.addItem('A', {})
  await put({ A: 10 })
  const same = receipt([{ sku: 'A', quantity: 2 }])
  const others = [1, 2, 3].map((quantity) => receipt([{ sku: 'A', quantity }]))
  const results = await Promise.all([same, same, ...others, same].map((one) => receive(one)))
  expect(results.filter((result) => result.outcome === 'repeated')).toHaveLength(2)
  expect(await stock('A')).toEqual({ north: '8 2 0 0' })
  expect(await showSupply(world.db, 'PO-1')).toMatchObject({
    lines: [{ received_quantity: 8 }],
    receipts: { length: 4 },
  })
})

test('what comes is given to those who wait: by priority, then ship date, then age', async () => {
  world.policies.set('b2b', policy('b2b', { priority: 10 }))
  await world.db.query(`insert into connections (id, connector, company_id) values ('b2b', 'shop', 'acme')`)
  await world.addItem('A', {})
  const late = { ship_by: instant(900_000) }
  await world.apply([orderFact(order('old', [line('1', 'A', 2)], 1))])
  await world.apply([orderFact(order('dated', [line('1', 'A', 2)], 2, late))])
  await world.apply([orderFact(order('sooner', [line('1', 'A', 2)], 3, { ship_by: instant(500_000) }))])
  await world.apply([orderFact(order('urgent', [line('1', 'A', 2)], 4))], 'b2b')
  await world.apply([orderFact(order('young', [line('1', 'A', 2)], 5))])
  await put({ A: 10 })
  const served = async (): Promise<string[]> => {
    const rows = await world.db.query<{ external_id: string }>(
      `select distinct o.external_id, min(r.id) over (partition by o.id) as turn from reservations r join orders o on o.id = r.order_id
       where r.state = 'committed' order by o.external_id`,
    )
    return rows.map((row) => row.external_id)
  }
  for (const expected of [
    ['urgent'],
    ['sooner', 'urgent'],
    ['dated', 'sooner', 'urgent'],
    ['dated', 'old', 'sooner', 'urgent'],
    ['dated', 'old', 'sooner', 'urgent', 'young'],
  ]) {
    await receive(receipt([{ sku: 'A', quantity: 2 }]))
    expect(await served()).toEqual(expected)
    await expectSound()
  }
  expect(await stock('A')).toMatchObject({ north: '0 0 0 0' })
})

test('only what may be sold is given out', async () => {
  await world.addItem('A', {})
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 1))])
  await put({ A: 4 })
  await receive(receipt([{ sku: 'A', quantity: 2, to: 'quality_control' }]))
  expect(await reservationsOf(world.db, '1')).toEqual(['shortfall - A 2'])
  await receive(receipt([{ sku: 'A', quantity: 2 }]))
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2'])
})

const received = (delta: number, at: number, reference: string | null): Fact => ({
  kind: 'stock_change',
  document: {
    external_id: `in-${at}`,
    location_code: 'S1',
    sku: 'A',
    delta,
    reason: 'received',
    at: instant(at),
    reference,
  },
})
const counted = (on_hand: number, at: number): Fact => ({
  kind: 'stock_count',
  document: {
    external_id: `count-${at}`,
    location_code: 'S1',
    as_of: instant(at),
    lines: [{ sku: 'A', on_hand, damaged: 0, quality_control: 0 }],
  },
})

test('goods that a 3PL reports under the number of a purchase are those that were on their way', async () => {
  await world.addItem('A', {})
  await put({ A: 10 }, { location_id: 'south' })
  expect(kinds(await world.apply([received(4, 10, 'PO-1')], 'depot'))).toEqual(['received 4 of PO-1'])
  expect(await stock('A')).toEqual({ south: '4 6 0 0' })
  await world.apply([received(3, 20, 'PO-9'), received(1, 21, null)], 'depot')
  expect(await stock('A')).toEqual({ south: '8 6 0 0' })
  await world.apply([received(8, 30, 'PO-1')], 'depot')
  expect(await stock('A')).toEqual({ south: '16 0 0 0' })
  expect(await showSupply(world.db, 'PO-1')).toMatchObject({ state: 'received', lines: [{ received_quantity: 12 }] })
  await world.apply([received(2, 40, 'PO-1')], 'depot')
  expect(await stock('A')).toEqual({ south: '18 0 0 0' })
})

test('goods that a count has counted already leave incoming and are not counted twice', async () => {
  await world.addItem('A', {})
  await put({ A: 10 }, { location_id: 'south' })
  await world.apply([counted(4, 50)], 'depot')
  world.clock.now = new Date(instant(100))
  await world.apply([received(3, 40, 'PO-1')], 'depot')
  expect(await stock('A')).toEqual({ south: '4 7 0 0' })
  const booked = await receive(receipt([{ sku: 'A', quantity: 1 }], { at: new Date(instant(45)) }))
  expect(booked.lines).toMatchObject([{ counted_already: true }])
  expect(await stock('A')).toEqual({ south: '4 6 0 0' })
  await receive(receipt([{ sku: 'A', quantity: 2 }], { at: new Date(instant(60)) }))
  expect(await stock('A')).toEqual({ south: '6 4 0 0' })
  // A count as of a time before the last delivery is brought forward by it.
  await world.apply([counted(4, 55)], 'depot')
  expect(await stock('A')).toEqual({ south: '6 4 0 0' })
})

test('items that are kept by lot name it', async () => {
  const item = await world.addItem('MILK', {})
  await world.db.query('update items set tracks_lots = true where id = $1', [item])
  await put({ MILK: 5 })
  await expect(receive(receipt([{ sku: 'MILK', quantity: 5 }]))).rejects.toMatchObject({ path: '$.lines[0].lot' })
  await receive(receipt([{ sku: 'MILK', quantity: 5, lot: 'L7', expires_on: '2027-05-31' }]))
  expect(await world.db.query('select lot, expires_on::text as until, quantity from stock_lots')).toEqual([
    { lot: 'L7', until: '2027-05-31', quantity: 5 },
  ])
})

test.each([
  ['an unknown place', { location_id: 'west' }, { A: 1 }, 'unknown_location', '$.location'],
  ['an unknown SKU', {}, { A: 1, NONE: 1 }, 'unknown_sku', '$.lines[1].sku'],
  ['a kit', {}, { KIT: 1 }, 'bad_request', '$.lines[0].sku'],
  ['less than nothing', {}, { A: -1 }, 'bad_request', '$.lines[0].quantity'],
  ['a part of a unit', {}, { A: 1.5 }, 'bad_request', '$.lines[0].quantity'],
  ['too many', {}, { A: 1_000_000_001 }, 'bad_request', '$.lines[0].quantity'],
])('a purchase of %s is refused and leaves nothing', async (_name, change, lines, code, path) => {
  await world.addItem('A', {})
  await world.addKit('KIT', { A: 2 })
  await expect(put(lines, change)).rejects.toMatchObject({ code, path })
  expect(await world.db.query('select 1 from supplies')).toEqual([])
  expect(await world.db.query('select 1 from stock_ledger')).toEqual([])
})

test('receipts that cannot be are refused and leave nothing', async () => {
  await world.addItem('A', {})
  await world.addItem('B', {})
  await put({ A: 10 })
  const cases: [Receipt, string, string][] = [
    [receipt([{ sku: 'A', quantity: 0 }]), 'bad_request', '$.lines[0].quantity'],
    [receipt([{ sku: 'A', quantity: 1.5 }]), 'bad_request', '$.lines[0].quantity'],
    [receipt([{ sku: 'B', quantity: 1 }]), 'bad_request', '$.lines[0].sku'],
    [receipt([{ sku: 'NONE', quantity: 1 }]), 'unknown_sku', '$.lines[0].sku'],
    [receipt([]), 'bad_request', '$.lines'],
    [receipt([{ sku: 'A', quantity: 1 }], { location_id: 'south' }), 'conflict', '$.location'],
    [receipt([{ sku: 'A', quantity: 1 }], { at: new Date(instant(9_999)) }), 'bad_request', '$.at'],
  ]
  for (const [what, code, path] of cases) await expect(receive(what)).rejects.toMatchObject({ code, path })
  await expect(receive(receipt([{ sku: 'A', quantity: 1 }]), 'PO-2')).rejects.toMatchObject({ code: 'not_found' })
  expect(await stock('A')).toEqual({ north: '0 10 0 0' })
})

test('more units than a counter can hold are refused, not half booked', async () => {
  await world.addItem('A', {})
  for (const reference of ['PO-1', 'PO-2']) await put({ A: 1_000_000_000 }, { reference })
  await expect(put({ A: 1_000_000_000 }, { reference: 'PO-3' })).rejects.toMatchObject({
    code: 'bad_request',
    path: '$.lines',
  })
  expect(await stock('A')).toEqual({ north: '0 2000000000 0 0' })
})
