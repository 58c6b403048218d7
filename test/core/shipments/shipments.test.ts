import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  loadFulfillmentRequests,
  loadShipmentNotices,
  markFulfillmentSent,
} from '../../../src/core/fulfillment/requests.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, orderOf, shipmentFact, timelineOf, workOf, type World } from '../world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.apply(
    'wms',
    countFact(world, 'N1', -1, { TEA: 50, MUG: 50, SPOON: 10 }),
    countFact(world, 'S1', -1, { SPOON: 20 }),
  )
})
afterAll(() => world.drop())

const effects = async (kind: string) =>
  world.db.query<{
    id: number
    kind: string
    key: string
    connection_id: string
    state: string
    reference: Record<string, string>
  }>('select id, kind, key, connection_id, state, reference from outbox where kind = $1 order by id', [kind])
const lineOf = async (order: string, line: string) => {
  const [row] = await world.db.query<{ shipped_quantity: number }>(
    'select l.shipped_quantity from order_lines l join orders o on o.id = l.order_id where o.external_id = $1 and l.external_id = $2',
    [order, line],
  )
  return row?.shipped_quantity
}
const answer = (fulfillment_order: string, verdict: 'accepted' | 'rejected' | 'cancelled'): Fact => ({
  kind: 'acknowledgement',
  document: { fulfillment_order, verdict, reason: 'no stock', at: world.ctx.now.toISOString() },
})

describe('shipments', () => {
  it('takes a part, keeps the rest, and closes the work with the last unit', async () => {
    await world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 5 }, { sku: 'MUG', quantity: 1 }])) // prettier-ignore
    const [work] = await workOf(world, 'A')
    const [outcome] = await world.apply('wms', shipmentFact(world, 'A-1', work!.number, { TEA: 3 }))
    expect(outcome).toEqual({ kind: 'applied', summary: `shipped 3 units of ${work!.number}` })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 47, available: 45, committed: 2 })
    expect(await orderOf(world, 'A')).toMatchObject({ fulfillment_state: 'partial', reservation_state: 'committed' })
    expect(await workOf(world, 'A')).toMatchObject([{ state: 'IN_PROGRESS' }])
    await world.apply('wms', shipmentFact(world, 'A-2', work!.number, { TEA: 2, MUG: 1 }))
    expect(await orderOf(world, 'A')).toMatchObject({ fulfillment_state: 'fulfilled', reservation_state: 'consumed' })
    expect(await workOf(world, 'A')).toMatchObject([{ state: 'CLOSED' }])
    expect(await timelineOf(world, 'A')).toEqual(
      expect.arrayContaining(['shipment.recorded', 'fulfillment_order.created']),
    )
  })

  it('tells the channel of each shipment once, in its own lines', async () => {
    const rows = await effects('shipment.send')
    expect(rows.map((row) => [row.connection_id, row.key])).toEqual(
      rows.map((row) => ['shop', `shipment.send:${row.reference['shipment_id']}`]),
    )
    expect(rows).toHaveLength(2)
    const { notices } = await loadShipmentNotices(world.db, world.ctx, rows)
    expect(notices).toMatchObject([
      {
        order_external_id: 'A',
        order_number: '#A',
        tracking_number: 'T-A-1',
        units_remaining: 3,
        lines: [{ line_external_id: 'L1', quantity: 3 }],
      },
      { tracking_number: 'T-A-2', units_remaining: 0, lines: [{ line_external_id: 'L1', quantity: 2 }, { line_external_id: 'L2', quantity: 1 }] }, // prettier-ignore
    ])
    const [work] = await workOf(world, 'A')
    const [again] = await world.apply('wms', shipmentFact(world, 'A-2', work!.number, { TEA: 2, MUG: 1 }))
    expect(again).toEqual({ kind: 'ignored', reason: 'duplicate' })
    expect(await effects('shipment.send')).toHaveLength(2)
  })

  it('parks what nobody ordered and work that nobody knows, without a trace', async () => {
    await world.apply('shop', orderFact(world, 'B', [{ sku: 'TEA', quantity: 2 }]))
    const [work] = await workOf(world, 'B')
    const before = await world.stock('TEA', 'north')
    const outcomes = await world.apply(
      'wms',
      shipmentFact(world, 'B-1', work!.number, { TEA: 3 }),
      shipmentFact(world, 'B-2', work!.number, { SPOON: 1 }),
      shipmentFact(world, 'B-3', 'FO-NONE', { TEA: 1 }),
    )
    expect(outcomes).toMatchObject([
      { kind: 'parked', error: { code: 'over_shipped', path: '$.lines[0].quantity' } },
      { kind: 'parked', error: { code: 'unknown_order_line' } },
      { kind: 'parked', error: { code: 'unknown_fulfillment_order', wake_key: 'fulfillment_order:FO-NONE' } },
    ])
    expect(await world.stock('TEA', 'north')).toEqual(before)
  })

  it('counts a kit as shipped when all its parts have left, and tells it with the parcel that completes it', async () => {
    await world.apply('shop', orderFact(world, 'K', [{ sku: 'GIFT', quantity: 2 }]))
    const [work] = await workOf(world, 'K')
    await world.apply('wms', shipmentFact(world, 'K-1', work!.number, { TEA: 4, MUG: 1 }))
    expect(await lineOf('K', 'L1')).toBe(1)
    await world.apply('wms', shipmentFact(world, 'K-2', work!.number, { MUG: 1 }))
    expect(await lineOf('K', 'L1')).toBe(2)
    expect(await orderOf(world, 'K')).toMatchObject({ fulfillment_state: 'fulfilled' })
    const { notices } = await loadShipmentNotices(world.db, world.ctx, await effects('shipment.send'))
    expect(notices.filter((notice) => notice.order_external_id === 'K')).toMatchObject([
      { lines: [{ channel_sku: 'GIFT', quantity: 1 }], units_remaining: 1 },
      { lines: [{ channel_sku: 'GIFT', quantity: 1 }], units_remaining: 0 },
    ])
  })

  it('ships a line by its reference, and a multipack by whole packs', async () => {
    await world.apply(
      'shop',
      orderFact(world, 'M', [
        { sku: 'TEA', quantity: 2, id: 'single' },
        { sku: 'TEA-4PACK', quantity: 2, id: 'packs' },
      ]),
    )
    const [work] = await workOf(world, 'M')
    const lines = [{ sku: 'TEA', quantity: 7, line_reference: 'packs', lot: 'LOT-7' }]
    await world.apply('wms', shipmentFact(world, 'M-1', work!.number, {}, { lines }))
    expect(await lineOf('M', 'packs')).toBe(1)
    expect(await lineOf('M', 'single')).toBe(0)
    const [tooMany] = await world.apply(
      'wms',
      shipmentFact(world, 'M-2', work!.number, {}, { lines: [{ ...lines[0]!, quantity: 2 }] }),
    )
    expect(tooMany).toMatchObject({ kind: 'parked', error: { code: 'over_shipped' } })
    await world.apply('wms', shipmentFact(world, 'M-3', work!.number, { TEA: 3 }))
    expect(await orderOf(world, 'M')).toMatchObject({ fulfillment_state: 'fulfilled' })
  })

  it('applies a shipment of work that was called back: the goods are gone', async () => {
    await world.apply('shop', orderFact(world, 'X', [{ sku: 'TEA', quantity: 1 }]))
    const [work] = await workOf(world, 'X')
    await world.db.query(`update fulfillment_orders set state = 'IN_PROGRESS' where id = $1`, [work!.id])
    await world.apply(
      'shop',
      orderFact(world, 'X', [{ sku: 'TEA', quantity: 1 }], {
        lifecycle: 'cancelled',
        cancelled_at: world.ctx.now.toISOString(),
      }),
    )
    const before = await world.stock('TEA', 'north')
    const told = (await effects('shipment.send')).length
    expect((await world.apply('wms', shipmentFact(world, 'X-1', work!.number, { TEA: 1 })))[0]).toMatchObject({
      kind: 'applied',
    })
    expect(await world.stock('TEA', 'north')).toMatchObject({
      on_hand: before.on_hand - 1,
      committed: before.committed - 1,
    })
    expect(await timelineOf(world, 'X')).toContain('shipment.after_cancel')
    expect(await effects('shipment.send')).toHaveLength(told)
    expect((await effects('fulfillment.cancel')).map((row) => row.state)).toEqual(['cancelled'])
    expect(await world.apply('wms', answer(work!.number, 'cancelled'))).toEqual([
      { kind: 'ignored', reason: 'superseded' },
    ])
  })

  it('keeps scans as a set ordered by their own time', async () => {
    const scan = (code: string, minutes: number): Fact => ({
      kind: 'tracking_event',
      document: {
        carrier: 'post',
        tracking_number: 'T-A-1',
        code,
        status: 'in_transit',
        at: world.at(minutes).toISOString(),
        place: 'Bonn',
      },
    })
    const outcomes = await world.apply('wms', scan('X3', 90), scan('X1', 70), scan('X3', 90))
    expect(outcomes.map((outcome) => outcome.kind)).toEqual(['applied', 'applied', 'ignored'])
    expect((await timelineOf(world, 'A')).filter((kind) => kind === 'shipment.tracked')).toHaveLength(2)
  })
})

describe('what the 3PL is told and answers', () => {
  it('reads the work with its address when it is sent, and names shipped units too', async () => {
    await world.apply('shop', orderFact(world, 'R', [{ sku: 'GIFT', quantity: 1 }, { sku: 'SPOON', quantity: 2 }])) // prettier-ignore
    const [work] = await workOf(world, 'R')
    const rows = (await effects('fulfillment.new')).filter((row) => row.reference['fulfillment_order_id'] === work!.id)
    const [request] = await loadFulfillmentRequests(world.db, world.ctx, rows)
    expect(request).toMatchObject({
      action: 'new',
      fulfillment_order: work!.number,
      order_number: '#R',
      location_code: 'N1',
      shipping_method: 'standard',
      ship_to: {
        name: 'Ada',
        postcode: '53111',
      },
      lines: [
        {
          sku: 'MUG',
          quantity: 1,
          line_reference: 'L1',
          title: 'GIFT',
        },
        {
          sku: 'TEA',
          quantity: 2,
          line_reference: 'L1',
        },
        {
          sku: 'SPOON',
          quantity: 2,
          line_reference: 'L2',
        },
      ],
    })
    await inTransaction(world.db, (tx) => markFulfillmentSent(tx, world.ctx, rows))
    expect(await workOf(world, 'R')).toMatchObject([{ state: 'SCHEDULED' }])
    await world.apply('wms', shipmentFact(world, 'R-1', work!.number, { SPOON: 1 }))
    const [repeated] = await loadFulfillmentRequests(world.db, world.ctx, rows)
    expect(repeated?.lines).toEqual(request?.lines)
    const [cancel] = await loadFulfillmentRequests(world.db, world.ctx, [{ ...rows[0]!, kind: 'fulfillment.cancel' }])
    expect(cancel).toMatchObject({ action: 'cancel', ship_to: null })
  })

  it('leaves out work that is not there', async () => {
    const missing = { id: 1, kind: 'fulfillment.new', reference: { fulfillment_order_id: world.ctx.newId() } }
    expect(await loadFulfillmentRequests(world.db, world.ctx, [missing])).toEqual([])
    expect(
      await loadShipmentNotices(world.db, world.ctx, [{ ...missing, reference: { shipment_id: world.ctx.newId() } }]),
    ).toEqual({ notices: [], silent: [] })
  })

  it('takes an acceptance once', async () => {
    const [work] = await workOf(world, 'R')
    expect((await world.apply('wms', answer(work!.number, 'accepted')))[0]).toMatchObject({ kind: 'applied' })
    expect((await world.apply('wms', answer(work!.number, 'accepted')))[0]).toEqual({ kind: 'ignored', reason: 'same' })
    expect((await world.apply('wms', answer('FO-NONE', 'accepted')))[0]).toMatchObject({ kind: 'parked' })
  })

  it('plans refused work at another place, and never at the same one again at once', async () => {
    await world.apply('shop', orderFact(world, 'P', [{ sku: 'SPOON', quantity: 3 }]))
    const [first] = await workOf(world, 'P')
    expect(first?.location_id).toBe('north')
    await world.apply('wms', answer(first!.number, 'rejected'))
    const works = await workOf(world, 'P')
    expect(works.find((work) => work.id === first!.id)?.state).toBe('CANCELLED')
    const second = works.find((work) => work.id !== first!.id)
    expect(second).toMatchObject({ location_id: 'south', state: 'OPEN' })
    expect(await timelineOf(world, 'P')).toContain('fulfillment_order.rejected')
    // A cancellation that nobody asked for is a refusal, and then nobody is left.
    await world.apply('wms', answer(second!.number, 'cancelled'))
    expect(await orderOf(world, 'P')).toMatchObject({ reservation_state: 'shortfall' })
    expect(await world.stock('SPOON', 'north')).toMatchObject({ committed: 1 })
    expect(await world.stock('SPOON', 'south')).toMatchObject({ available: 20, committed: 0 })
  })

  it('gives units back when called-back work is cancelled', async () => {
    await world.apply('mall', orderFact(world, 'Q', [{ sku: 'MUG', quantity: 2 }]))
    const [work] = await workOf(world, 'Q')
    await world.db.query(`update fulfillment_orders set state = 'SCHEDULED' where id = $1`, [work!.id])
    await world.apply(
      'mall',
      orderFact(world, 'Q', [{ sku: 'MUG', quantity: 2 }], {
        lifecycle: 'cancelled',
        cancelled_at: world.ctx.now.toISOString(),
      }),
    )
    const before = await world.stock('MUG', 'north')
    await world.apply('wms', answer(work!.number, 'cancelled'))
    const after = await world.stock('MUG', 'north')
    expect(after.committed).toBe(before.committed - 2)
    expect(await orderOf(world, 'Q')).toMatchObject({ reservation_state: 'released' })
    expect(await workOf(world, 'Q')).toMatchObject([{ state: 'CANCELLED' }])
  })
})

describe('returns', () => {
  const back = (external_id: string, changes: object = {}): Fact => ({
    kind: 'return',
    document: {
      external_id,
      order_external_id: 'A',
      fulfillment_order: null,
      location_code: 'N1',
      received_at: world.at(200).toISOString(),
      lines: [
        {
          sku: 'TEA',
          line_reference: null,
          quantity: 2,
          disposition: 'restock',
        },
        {
          sku: 'TEA',
          line_reference: null,
          quantity: 1,
          disposition: 'damaged',
        },
        {
          sku: 'MUG',
          line_reference: null,
          quantity: 1,
          disposition: 'quality_control',
        },
        {
          sku: 'MUG',
          line_reference: null,
          quantity: 1,
          disposition: 'discard',
        },
      ],
      ...changes,
    },
  })

  it('brings goods to where their condition says, once, and notes it on the order', async () => {
    const [tea, mug] = [await world.stock('TEA', 'north'), await world.stock('MUG', 'north')]
    expect((await world.apply('wms', back('RMA-1')))[0]).toEqual({ kind: 'applied', summary: '5 units came back' })
    expect((await world.apply('wms', back('RMA-1')))[0]).toEqual({ kind: 'ignored', reason: 'duplicate' })
    expect(await world.stock('TEA', 'north')).toMatchObject({
      available: tea.available + 2,
      damaged: 1,
      on_hand: tea.on_hand + 3,
    })
    expect(await world.stock('MUG', 'north')).toMatchObject({ available: mug.available, quality_control: 1 })
    expect(await timelineOf(world, 'A')).toContain('return.received')
  })

  it('keeps goods of an unknown order, does not add what a count has, and parks unknown names', async () => {
    const before = await world.stock('TEA', 'north')
    const outcomes = await world.apply(
      'wms',
      back('RMA-2', { order_external_id: 'nobody', received_at: world.at(-5).toISOString() }),
      back('RMA-3', { location_code: 'W9' }),
      back('RMA-4', { lines: [{ sku: 'LAMP', line_reference: null, quantity: 1, disposition: 'restock' }] }),
    )
    expect(outcomes).toMatchObject([
      { kind: 'applied', summary: '5 units came back for no order we know' },
      { kind: 'parked', error: { code: 'unknown_location' } },
      { kind: 'parked', error: { code: 'unknown_sku' } },
    ])
    expect(await world.stock('TEA', 'north')).toEqual(before)
  })

  it('leaves every invariant whole', async () => {
    const { checks } = await verify(world.db)
    expect(checks.filter((check) => check.violations > 0)).toEqual([])
    expect(checks.find((check) => check.name === 'consumed_equals_shipped')?.checked).toBeGreaterThan(5)
  })
})
