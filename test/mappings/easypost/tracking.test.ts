import { expect, test } from 'vitest'
import { easypostShipment, easypostTracker } from '../../../src/mappings/easypost/tracking.ts'
import { parcelOf, ratesOf, readShipment } from '../../../src/mappings/easypost/shipment.ts'
import { detailSample, eventSample, rateSample, shipmentSample, trackerSample } from './samples.ts'

const context = { observed_at: '2026-11-20T12:00:00.000Z', settings: {} }
const scansOf = (payload: unknown) =>
  easypostTracker.map(payload, context).facts.map((fact) => (fact.kind === 'tracking_event' ? fact.document : null))

test('a tracker is a scan for each of its entries, bare or in its event', () => {
  const scans = scansOf(trackerSample())
  expect(scans).toEqual([
    {
      carrier: 'DHLPaket',
      tracking_number: 'DHL000000000001',
      code: 'pre_transit/status_update',
      status: 'label_created',
      at: '2026-11-19T16:00:00.000Z',
      place: null,
    },
    {
      carrier: 'DHLPaket',
      tracking_number: 'DHL000000000001',
      code: 'AR',
      status: 'in_transit',
      at: '2026-11-20T08:15:00.000Z',
      place: 'Leipzig, DE',
    },
  ])
  expect(scansOf(eventSample())).toEqual(scans)
  expect(JSON.stringify(scans)).not.toContain('Ada')
})

test('a tracker without entries says where the parcel is', () => {
  expect(scansOf(trackerSample({ tracking_details: [], status: 'delivered', status_detail: null }))).toMatchObject([
    { status: 'delivered', code: 'delivered', at: '2026-11-20T08:20:00.000Z' },
  ])
})

test.each([
  ['pre_transit', '', 'label_created'],
  ['in_transit', 'received_at_origin_facility', 'picked_up'],
  ['in_transit', 'departed_facility', 'in_transit'],
  ['out_for_delivery', '', 'out_for_delivery'],
  ['delivered', 'arrived_at_destination', 'delivered'],
  ['available_for_pickup', '', 'available_for_pickup'],
  ['return_to_sender', 'return', 'returning'],
  ['failure', 'lost', 'lost_or_damaged'],
  ['failure', 'address_correction', 'delayed'],
  ['error', '', 'delayed'],
  ['cancelled', '', 'cancelled'],
  ['unknown', '', 'unknown'],
])('the status %s with the detail "%s" is %s', (status, status_detail, expected) => {
  const payload = trackerSample({ tracking_details: [detailSample({ status, status_detail })] })
  const { facts, warnings } = easypostTracker.map(payload, context)
  expect(facts).toMatchObject([{ document: { status: expected } }])
  expect(warnings).toEqual([])
})

test('a status that nobody knows is unknown, and said so', () => {
  const payload = trackerSample({ tracking_details: [detailSample({ status: 'beamed_up' })] })
  const { facts, warnings } = easypostTracker.map(payload, context)
  expect(facts).toMatchObject([{ document: { status: 'unknown' } }])
  expect(warnings).toHaveLength(1)
})

test('a time that is none parks the message with its path', () => {
  const payload = trackerSample({ tracking_details: [detailSample({ datetime: 'yesterday' })] })
  expect(() => easypostTracker.map(payload, context)).toThrowError(
    expect.objectContaining({ code: 'payload_invalid', path: '$.tracking_details[0].datetime' }),
  )
  expect(() => easypostTracker.map({ object: 'Tracker' }, context)).toThrowError(
    expect.objectContaining({ code: 'payload_invalid' }),
  )
})

test('a shipment says what its tracker says, and nothing before it has one', () => {
  expect(easypostShipment.map(shipmentSample(), context).facts).toEqual([])
  expect(easypostShipment.map(shipmentSample({ tracker: trackerSample() }), context).facts).toHaveLength(2)
})

test('offers are read to the cent; what cannot be read is left out', () => {
  const rates = [
    rateSample(),
    rateSample({ id: 'rate_2', rate: 33.1, delivery_days: null, est_delivery_days: null }),
    rateSample({ id: 'rate_3', rate: '7.585' }),
    rateSample({ id: 'rate_4', currency: 'JPY', rate: '900' }),
    { id: 'rate_5' },
  ]
  expect(ratesOf(readShipment(shipmentSample({ rates })))).toEqual([
    {
      external_id: 'rate_1',
      carrier: 'DHLPaket',
      service: 'Paket',
      currency: 'EUR',
      amount_minor: 758,
      days: 2,
      guaranteed: false,
    },
    {
      external_id: 'rate_2',
      carrier: 'DHLPaket',
      service: 'Paket',
      currency: 'EUR',
      amount_minor: 3310,
      days: null,
      guaranteed: false,
    },
    {
      external_id: 'rate_4',
      carrier: 'DHLPaket',
      service: 'Paket',
      currency: 'JPY',
      amount_minor: 900,
      days: 2,
      guaranteed: false,
    },
  ])
})

test('grams become ounces and millimetres inches, never less than they are', () => {
  expect(parcelOf({ weight_g: 436, size_mm: null })).toEqual({ weight: 15.4 })
  expect(parcelOf({ weight_g: 1, size_mm: [254, 255, 1] })).toEqual({
    weight: 0.1,
    length: 10,
    width: 10.1,
    height: 0.1,
  })
  for (let weight_g = 1; weight_g < 5_000; weight_g += 7) {
    const { weight = 0 } = parcelOf({ weight_g, size_mm: null })
    const grams = weight * 28.349523125
    expect(grams).toBeGreaterThanOrEqual(weight_g - 1e-6)
    expect(grams - weight_g).toBeLessThan(2.8349523125 + 1e-6)
  }
})
