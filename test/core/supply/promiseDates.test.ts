import { afterEach, beforeEach, expect, test } from 'vitest'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import { readPromiseDates } from '../../../src/core/supply/promiseDates.ts'
import { putSupply } from '../../../src/core/supply/put.ts'
import { receiveSupply } from '../../../src/core/supply/receive.ts'
import { createTransfer } from '../../../src/core/supply/transfers.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, instant, line, order, orderFact, policy, type World } from '../../kit/orders.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  world.policies.set(internalConnectionId('acme'), internalPolicy('acme'))
  world.policies.set('shop', policy('shop', { serves_from: ['north'] }))
})
afterEach(() => world.database.drop())

const DAY_S = 86_400

const put = (reference: string, sku: string, quantity: number, day: number | null, location_id = 'north') =>
  inTransaction(world.db, (tx) =>
    putSupply(
      tx,
      world.ctx,
      {
        company_id: 'acme',
        kind: 'purchase',
        reference,
        location_id,
        expected_at: day === null ? null : new Date(instant(day * DAY_S)),
        lines: [{ sku, quantity }],
      },
      'test',
    ),
  )

async function idOf(external_id: string): Promise<string> {
  const [row] = await world.db.query<{ id: string }>('select id from orders where external_id = $1', [external_id])
  return row?.id ?? ''
}

/** `units day supply` of an order's missing units. */
async function datesOf(external_id: string): Promise<string[]> {
  const dates = await readPromiseDates(world.db, world.ctx, { order_ids: [await idOf(external_id)] })
  return dates.map(({ units, expected_at, supply }) => {
    const day = expected_at === null ? '-' : (Date.parse(expected_at) - Date.parse(instant(0))) / (DAY_S * 1000)
    return `${units} ${day} ${supply?.reference ?? '-'}`
  })
}

test('whoever waits longer gets what comes sooner; what nothing covers has no date', async () => {
  await world.addItem('A', {})
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1))])
  await world.apply([orderFact(order('2', [line('1', 'A', 5)], 2))])
  await put('LATE', 'A', 2, 9)
  await put('SOON', 'A', 4, 3)
  await put('SOME-DAY', 'A', 1, null)
  await put('ELSEWHERE', 'A', 50, 1, 'south')
  expect(await datesOf('1')).toEqual(['3 3 SOON'])
  expect(await datesOf('2')).toEqual(['1 3 SOON', '2 9 LATE', '1 - SOME-DAY', '1 - -'])
  const all = await readPromiseDates(world.db, world.ctx, { item_ids: [world.items.get('A') ?? 0] })
  expect(all).toHaveLength(5)
})

test('dates are kept: each delivery goes to whom it was foreseen for', async () => {
  await world.addItem('A', {})
  for (const [index, units] of [2, 3, 1].entries())
    await world.apply([orderFact(order(String(index), [line('1', 'A', units)], index))])
  await put('SOON', 'A', 2, 3)
  await put('LATE', 'A', 9, 5)
  const foreseen = await Promise.all(['0', '1', '2'].map(datesOf))
  expect(foreseen).toEqual([['2 3 SOON'], ['3 5 LATE'], ['1 5 LATE']])
  const lines = [{ sku: 'A', quantity: 2, to: 'available' as const }]
  await inTransaction(world.db, (tx) =>
    receiveSupply(
      tx,
      world.ctx,
      { company_id: 'acme', kind: 'purchase', reference: 'SOON' },
      { key: 'k', location_id: null, lines, at: world.clock.now, rest: 'expected' },
      'test',
    ),
  )
  expect(await datesOf('0')).toEqual([])
  expect(await datesOf('1')).toEqual(['3 5 LATE'])
})

test('a transfer promises what is set aside for it and what is in transit, not what it waits for itself', async () => {
  await world.addItem('A', { south: 2 })
  await world.apply([orderFact(order('1', [line('1', 'A', 5)], 1))])
  await inTransaction(world.db, (tx) =>
    createTransfer(
      tx,
      world.ctx,
      {
        reference: 'TR-1',
        from_location_id: 'south',
        to_location_id: 'north',
        expected_at: new Date(instant(2 * DAY_S)),
        lines: [{ sku: 'A', quantity: 4 }],
      },
      'test',
    ),
  )
  expect(await datesOf('1')).toEqual(['2 2 TR-1', '3 - -'])
  expect(await datesOf('TR-1')).toEqual(['2 - -'])
  await put('PO-1', 'A', 2, 1, 'south')
  expect(await datesOf('TR-1')).toEqual(['2 1 PO-1'])
})
