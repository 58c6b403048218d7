/** Documents as EasyPost's API writes them, with made-up people. */

export const detailSample = (changes: Record<string, unknown> = {}) => ({
  object: 'TrackingDetail',
  message: 'Arrived at facility',
  description: '',
  status: 'in_transit',
  status_detail: 'arrived_at_facility',
  datetime: '2026-11-20T08:15:00Z',
  source: 'DHL',
  carrier_code: 'AR',
  tracking_location: { object: 'TrackingLocation', city: 'Leipzig', state: null, country: 'DE', zip: '04109' },
  ...changes,
})

export const trackerSample = (changes: Record<string, unknown> = {}) => ({
  id: 'trk_0123456789abcdef',
  object: 'Tracker',
  mode: 'test',
  tracking_code: 'DHL000000000001',
  status: 'in_transit',
  status_detail: 'arrived_at_facility',
  created_at: '2026-11-19T16:00:00Z',
  updated_at: '2026-11-20T08:20:00Z',
  signed_by: 'Ada Example',
  weight: 16,
  est_delivery_date: null,
  shipment_id: 'shp_0123456789abcdef',
  carrier: 'DHLPaket',
  tracking_details: [
    detailSample({
      status: 'pre_transit',
      status_detail: 'status_update',
      datetime: '2026-11-19T16:00:00Z',
      carrier_code: '',
      tracking_location: { object: 'TrackingLocation', city: null, state: null, country: null, zip: null },
    }),
    detailSample(),
  ],
  carrier_detail: null,
  public_url: 'https://track.easypost.example/trk_0123456789abcdef',
  ...changes,
})

export const eventSample = (changes: Record<string, unknown> = {}, result: unknown = trackerSample()) => ({
  id: 'evt_0123456789abcdef',
  object: 'Event',
  mode: 'test',
  description: 'tracker.updated',
  created_at: '2026-11-20T08:20:01Z',
  previous_attributes: { status: 'pre_transit' },
  pending_urls: [],
  completed_urls: [],
  result,
  ...changes,
})

export const rateSample = (changes: Record<string, unknown> = {}) => ({
  id: 'rate_1',
  object: 'Rate',
  mode: 'test',
  service: 'Paket',
  carrier: 'DHLPaket',
  rate: '7.58',
  currency: 'EUR',
  retail_rate: null,
  list_rate: '7.58',
  delivery_days: 2,
  delivery_date: null,
  delivery_date_guaranteed: false,
  est_delivery_days: 2,
  shipment_id: 'shp_0123456789abcdef',
  ...changes,
})

export const shipmentSample = (changes: Record<string, unknown> = {}) => ({
  id: 'shp_0123456789abcdef',
  object: 'Shipment',
  mode: 'test',
  reference: 'FO-0123456789AB-1',
  tracking_code: null,
  messages: [],
  rates: [rateSample()],
  selected_rate: null,
  postage_label: null,
  tracker: null,
  refund_status: null,
  ...changes,
})
