import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { amazon } from '../../../src/connectors/amazon/index.ts'
import { carrierOf } from '../../../src/connectors/amazon/carriers.ts'
import type { ShipmentNotice } from '../../../src/core/model/effects.ts'
import type { SoldOrder } from '../../../src/sandbox/simulator.ts'
import { openStage, portTo, sell, type Stage } from './simulator.ts'

let stage: Stage
beforeEach(async () => void (stage = await openStage()))
afterEach(async () => await stage.market.stop())

const notice = (order: SoldOrder, quantity: number, more: Partial<ShipmentNotice> = {}): ShipmentNotice => ({
  outbox_id: 1,
  shipment_id: 'shipment-1',
  order_external_id: order.external_id,
  order_number: order.number,
  carrier: 'DHL Paket',
  tracking_number: 'T1',
  more_tracking_numbers: [],
  tracking_url: null,
  shipped_at: '2026-11-20T10:00:00.000Z',
  lines: [{ line_external_id: order.lines[0]!.line_id, channel_sku: 'TEA', quantity }],
  units_remaining: 0,
  ...more,
})
const send = (one: ShipmentNotice) => amazon.shipments!.send(portTo(stage).port, [one], 'key', stage.now())
const confirm = (one: ShipmentNotice) => amazon.shipments!.confirm!(portTo(stage).port, [one], 'key')
const booked = (order: SoldOrder) =>
  stage.market.ledger().orders.find(({ external_id }) => external_id === order.external_id)!

describe('a parcel', () => {
  it('is told once, however often it is told, and seen when read back', async () => {
    const order = sell(stage, [{ sku: 'TEA', quantity: 3 }])
    const one = notice(order, 2)
    expect(await confirm(one)).toBe('not_done')
    const [first] = await send(one)
    expect(first).toEqual({ outbox_id: 1, outcome: 'done', external_id: expect.stringMatching(/^\d{9}$/) })
    expect(await send(one)).toEqual([first])
    expect(await confirm(one)).toBe('done')
    expect(booked(order)).toMatchObject({ lines: [{ shipped: 2 }], notices: [{ tracking_number: 'T1' }] })
    await send(notice(order, 1, { shipment_id: 'shipment-2', tracking_number: 'T2' }))
    expect(booked(order).notices.map(({ tracking_number }) => tracking_number)).toEqual(['T1', 'T2'])
  })

  it('of which the order wants less is told as far as it is wanted', async () => {
    const order = sell(stage, [{ sku: 'TEA', quantity: 3 }])
    await send(notice(order, 2))
    const [late] = await send(notice(order, 2, { shipment_id: 'shipment-2', tracking_number: 'T2' }))
    const line_external_id = order.lines[0]!.line_id
    expect(late).toMatchObject({
      outcome: 'done',
      note: { kind: 'over_shipped', lines: [{ line_external_id, quantity: 1 }] },
    })
    expect(booked(order)).toMatchObject({ lines: [{ shipped: 3 }] })
  })

  it('for an order that was cancelled meanwhile is news and no fault', async () => {
    const order = sell(stage)
    stage.market.cancel(order.external_id)
    const [result] = await send(notice(order, 1))
    expect(result).toMatchObject({ outcome: 'done', note: { kind: 'over_shipped', lines: [{ quantity: 1 }] } })
    expect(booked(order).notices).toEqual([])
  })

  it('without a number, or for an order that is still pending, is refused', async () => {
    const order = sell(stage, [{ sku: 'TEA', quantity: 1 }], false)
    expect(await send(notice(order, 1))).toMatchObject([{ outcome: 'refused', code: 'vendor_rejected' }])
    expect(await send(notice(order, 1, { tracking_number: null }))).toMatchObject([{ outcome: 'refused' }])
  })

  it('of an account with several stores is told to the store that sold it', async () => {
    const order = sell(stage)
    const { api } = stage.market.settings as { api: { marketplace_ids: string[] } }
    const { port } = portTo(stage, { api: { ...api, marketplace_ids: ['A13V1IB3VIYZZH', 'A1PA6795UKMFR9'] } })
    expect(await amazon.shipments!.send(port, [notice(order, 1)], 'key', stage.now())).toMatchObject([
      { outcome: 'done' },
    ])
  })
})

it.each([
  ['DHL', { carrierCode: 'DHL' }],
  ['dhl paket', { carrierCode: 'DHL' }],
  ['Royal Mail', { carrierCode: 'Royal Mail' }],
  ['Uncle Bob', { carrierCode: 'Other', carrierName: 'Uncle Bob' }],
  ['mine', { carrierCode: 'Own Code' }],
  ['constructor', { carrierCode: 'Other', carrierName: 'constructor' }],
  [null, { carrierCode: 'Other', carrierName: 'Other' }],
])('a carrier called %s goes as %o', (name, code) => {
  expect(carrierOf(name, { mine: 'Own Code' })).toEqual(code)
})
