import type {
  CarrierBooks,
  Purchase,
  QuotedRate,
  SimScan,
  SimShipment,
  SimTracker,
  TrackerNews,
} from './easypostLedger.ts'

/** The vendor's documents, as its API writes them. */

const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')

const rateBody = (shipment_id: string, rate: QuotedRate) => ({
  id: rate.id,
  object: 'Rate',
  mode: 'test',
  service: rate.service,
  carrier: rate.carrier,
  rate: rate.rate,
  currency: rate.currency,
  retail_rate: null,
  list_rate: rate.rate,
  billing_type: 'easypost',
  delivery_days: rate.delivery_days,
  delivery_date: null,
  delivery_date_guaranteed: rate.guaranteed,
  est_delivery_days: rate.delivery_days,
  shipment_id,
})

const detailBody = ({ status, status_detail, carrier_code, at_ms, city, country }: SimScan) => ({
  object: 'TrackingDetail',
  message: status_detail.replaceAll('_', ' '),
  description: '',
  status,
  status_detail,
  datetime: iso(at_ms),
  source: 'carrier',
  carrier_code,
  tracking_location: { object: 'TrackingLocation', city, state: null, country, zip: null },
})

/** `weight` is an integer here and was a float when the event was signed: the vendor's own trap. */
export function trackerBody(books: CarrierBooks, tracker: SimTracker, scans = tracker.scans.length) {
  const shown = tracker.scans.slice(0, scans)
  const last = shown.at(-1)
  const weight = books.shipments.get(tracker.shipment_id)?.parcel['weight']
  return {
    id: tracker.id,
    object: 'Tracker',
    mode: 'test',
    tracking_code: tracker.tracking_code,
    status: last?.status ?? 'unknown',
    status_detail: last?.status_detail ?? 'unknown',
    created_at: iso(tracker.created_ms),
    updated_at: iso(scans === tracker.scans.length ? tracker.updated_ms : (last?.at_ms ?? tracker.created_ms)),
    signed_by: null,
    weight: typeof weight === 'number' ? Math.ceil(weight) : null,
    est_delivery_date: null,
    shipment_id: tracker.shipment_id,
    carrier: tracker.carrier,
    tracking_details: shown.map(detailBody),
    carrier_detail: null,
    public_url: `https://track.easypost.example/${tracker.id}`,
  }
}

export function shipmentBody(books: CarrierBooks, shipment: SimShipment, file_url: string) {
  const bought: Purchase | undefined = books.bought.get(shipment.id)
  const rate = shipment.rates.find(({ id }) => id === bought?.rate_id)
  const tracker = bought === undefined ? undefined : books.trackers.get(bought.tracker_id)
  const url = (extension: string): string => `${file_url}/${shipment.id}.${extension}`
  const is = (format: string): boolean => shipment.label_format === format
  return {
    id: shipment.id,
    object: 'Shipment',
    mode: 'test',
    created_at: iso(shipment.created_ms),
    updated_at: iso(bought?.at_ms ?? shipment.created_ms),
    reference: shipment.reference,
    status: tracker?.scans.at(-1)?.status ?? 'unknown',
    tracking_code: bought?.tracking_code ?? null,
    is_return: false,
    from_address: { object: 'Address', ...shipment.from },
    to_address: { object: 'Address', ...shipment.to },
    parcel: { object: 'Parcel', ...shipment.parcel },
    messages: shipment.messages,
    rates: shipment.rates.map((one) => rateBody(shipment.id, one)),
    selected_rate: rate === undefined ? null : rateBody(shipment.id, rate),
    postage_label:
      bought === undefined
        ? null
        : {
            object: 'PostageLabel',
            label_size: '4x6',
            label_url: url(shipment.label_format.toLowerCase()),
            label_pdf_url: is('PDF') ? url('pdf') : null,
            label_zpl_url: is('ZPL') ? url('zpl') : null,
          },
    tracker: tracker === undefined ? null : trackerBody(books, tracker),
    fees:
      rate === undefined
        ? []
        : [{ object: 'Fee', type: 'PostageFee', amount: rate.rate, charged: true, refunded: false }],
    refund_status: books.refunded.has(shipment.id) ? 'submitted' : null,
  }
}

/** The event as it is signed and as it is sent: whoever passes it on has read and written its numbers. */
export function eventBodies(books: CarrierBooks, news: TrackerNews): { signed: string; sent: string } | undefined {
  const tracker = books.trackers.get(news.tracker_id)
  if (tracker === undefined) return undefined
  const sent = JSON.stringify({
    id: news.id,
    object: 'Event',
    mode: 'test',
    description: news.description,
    created_at: iso(news.at_ms),
    updated_at: iso(news.at_ms),
    previous_attributes: {},
    pending_urls: [],
    completed_urls: [],
    status: 'pending',
    result: trackerBody(books, tracker, news.scans),
  })
  return { sent, signed: sent.replace(/("weight":\d+)(?=[,}])/g, '$1.0') }
}

const escaped = (text: string): string => text.replaceAll(/[\\()]/g, '\\$&')

/** A page of 4 by 6 inches with some lines of text: PDF 1.4, made by hand, with a table of where its objects begin. */
function pdf(lines: readonly string[]): string {
  const text = lines.map((line, index) => `BT /F1 12 Tf 20 ${400 - 18 * index} Td (${escaped(line)}) Tj ET`).join('\n')
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 288 432] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${Buffer.byteLength(text)} >>\nstream\n${text}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ]
  let body = '%PDF-1.4\n'
  const starts = objects.map((object, index) => {
    const start = Buffer.byteLength(body)
    body += `${index + 1} 0 obj\n${object}\nendobj\n`
    return start
  })
  const entries = starts.map((start) => `${String(start).padStart(10, '0')} 00000 n \n`).join('')
  const xref = Buffer.byteLength(body)
  return `${body}xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${xref}\n%%EOF\n`
}

const zpl = (lines: readonly string[]): string =>
  `^XA\n${lines.map((line, index) => `^FO40,${40 + 40 * index}^A0N,30^FD${line.replaceAll(/[\^~]/g, ' ')}^FS`).join('\n')}\n^XZ\n`

const FILES: Readonly<Record<string, { content_type: string; write: (lines: readonly string[]) => string }>> = {
  pdf: { content_type: 'application/pdf', write: pdf },
  zpl: { content_type: 'application/octet-stream', write: zpl },
}

/** A label as its file; undefined for a format that this account does not print. */
export function labelFile(
  books: CarrierBooks,
  shipment: SimShipment,
  extension: string,
): { content_type: string; body: string } | undefined {
  const bought = books.bought.get(shipment.id)
  const file = FILES[extension]
  if (bought === undefined || file === undefined) return undefined
  const rate = shipment.rates.find(({ id }) => id === bought.rate_id)
  const plain = (value: unknown): string => (typeof value === 'string' ? value.replaceAll(/[^\x20-\x7e]/g, '?') : '')
  const { name, street1, zip, city, country } = shipment.to
  const place = [zip, city, country].map(plain).join(' ')
  const lines = [
    `${rate?.carrier ?? ''} ${rate?.service ?? ''}`,
    bought.tracking_code,
    plain(name),
    plain(street1),
    place,
  ]
  return { content_type: file.content_type, body: file.write([...lines, plain(shipment.reference)]) }
}
