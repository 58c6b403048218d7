import { EASYPOST, signScheme } from '../connectors/_kit/signatures.ts'
import { book, emptyBooks, soldLabels, type CarrierEvent, type QuotedRate, type SimScan, type SimShipment, type SimTracker, type SoldLabel } from './easypostLedger.ts' // prettier-ignore
import { eventBodies, labelFile, shipmentBody, trackerBody } from './easypostPayloads.ts'
import { createNewsDesk } from './easypostNews.ts'
import { openJournal, type Simulator, type SimulatorOptions } from './simulator.ts'
import { startVendorServer, type VendorAnswer, type VendorRequest } from './vendorServer.ts'

export interface EasyPostOptions extends SimulatorOptions {
  connection_id: string
  /** Of every rate. */
  currency: string
  /** From one scan of a parcel on its way to the next. */
  leg_ms: number
  /** Share of shipments for which one of the carriers says something in place of a rate. */
  rate_error_share?: number
}

export interface EasyPostSimulator extends Simulator {
  readonly connection_id: string
  /** Every label that was ever paid for. */
  ledger: () => SoldLabel[]
  /** Purchases of something that had been bought before: refused, and each of them a call too many. */
  bought_again: () => number
  /** Carriers offer nothing for parcels to these postcodes. */
  closeTo: (postcodes: readonly string[]) => void
  /** A parcel with this number has been given to its carrier: from now on it moves by itself. Saying so twice changes nothing. */
  handOver: (tracking_code: string) => void
}

const API_KEY = 'EZTKsandbox0123456789abcdef'
const WEBHOOK_SECRET = 'sandbox-easypost-webhook-secret'
const PAGE_MAX = 100
const TICK_MS = 50

/** Carriers with what a parcel costs: for itself, and for every ounce. Only the first never has a bad day. */
const SERVICES = [
  { carrier: 'GLS', service: 'BusinessParcel', base: 389, ounce: 2, days: 3, abroad: 500, guaranteed: false },
  { carrier: 'DPDDE', service: 'Classic', base: 419, ounce: 1, days: 2, abroad: 450, guaranteed: false },
  { carrier: 'DHLPaket', service: 'Paket', base: 449, ounce: 1, days: 2, abroad: 600, guaranteed: false },
  { carrier: 'DHLPaket', service: 'Express', base: 1_290, ounce: 4, days: 1, abroad: 1_500, guaranteed: true },
] as const

const json = (status: number, value: unknown): VendorAnswer => ({ status, body: JSON.stringify(value) })
const refused = (status: number, code: string, message: string, errors: unknown = []): VendorAnswer =>
  json(status, { error: { code, message, errors } })

const JOURNEY: readonly Omit<SimScan, 'at_ms' | 'city' | 'country'>[] = [
  { status: 'in_transit', status_detail: 'received_at_origin_facility', carrier_code: 'OR' },
  { status: 'in_transit', status_detail: 'arrived_at_facility', carrier_code: 'AR' },
  { status: 'out_for_delivery', status_detail: 'out_for_delivery', carrier_code: 'OD' },
  { status: 'delivered', status_detail: 'arrived_at_destination', carrier_code: 'DL' },
]

/**
 * An EasyPost account on 127.0.0.1. What it sold and refunded is in its journal before it answers, so that a killed account remembers what
 * was paid for. A shipment can be bought once.
 */
export async function startEasyPostSimulator(options: EasyPostOptions): Promise<EasyPostSimulator> {
  const journal = openJournal<CarrierEvent>(options.journal_path)
  const books = emptyBooks()
  for (const event of journal.events()) book(books, event)
  let faults = options.faults
  const account: Account = {
    options,
    books,
    closed: new Set(),
    bought_again: 0,
    file_url: '',
    note: (event) => {
      journal.append(event)
      book(books, event)
      if ('news' in event) desk.send(event.news)
    },
  }
  const desk = createNewsDesk({
    ...options,
    faults: () => faults,
    bodies: (news) => eventBodies(books, news),
    sign: (body) => signScheme(EASYPOST, { body, at_ms: options.now().getTime() }, WEBHOOK_SECRET),
    told: (news_id) => account.note({ kind: 'told', news_id }),
  })
  const server = await startVendorServer({
    port: options.port,
    random: options.random,
    faults: () => faults,
    throttled: refused(429, 'RATE_LIMITED', 'Too many requests.'),
    failed: refused(500, 'INTERNAL_SERVER_ERROR', 'We are sorry.'),
    answer: (request) => answerTo(request, account),
  })
  account.file_url = `${server.url}/files`
  for (const news of books.untold.values()) desk.send(news)
  const timer = setInterval(() => moveParcels(account), TICK_MS)
  let stopping: Promise<void> | undefined
  const close = async (): Promise<void> => {
    clearInterval(timer)
    await desk.stop()
    await server.stop()
    journal.close()
  }
  return {
    url: server.url,
    connection_id: options.connection_id,
    settings: {
      api_key: API_KEY,
      webhook_secrets: [WEBHOOK_SECRET],
      api_url: `${server.url}/v2`,
      file_hosts: ['127.0.0.1'],
      calls_per_second: 200,
    },
    ledger: () => soldLabels(books),
    bought_again: () => account.bought_again,
    closeTo: (postcodes) => void (account.closed = new Set(postcodes)),
    handOver: (tracking_code) => handOver(account, tracking_code),
    setWebhookUrl: desk.setUrl,
    setFaults: (next) => void (faults = next),
    busy: () => desk.busy() || [...books.trackers.values()].some(isMoving),
    stop: () => (stopping ??= close()),
  }
}

interface Account {
  readonly options: EasyPostOptions
  readonly books: ReturnType<typeof emptyBooks>
  closed: ReadonlySet<string>
  bought_again: number
  file_url: string
  note: (event: CarrierEvent) => void
}

// ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Answer = (request: VendorRequest, account: Account, id: string) => VendorAnswer

const ROUTES: readonly (readonly [method: string, path: RegExp, answer: Answer])[] = [
  ['POST', /^\/v2\/shipments$/, createShipment],
  ['GET', /^\/v2\/shipments$/, listShipments],
  [
    'GET',
    /^\/v2\/shipments\/([\w-]+)$/,
    (_request, account, id) => withShipment(account, id, (shipment) => shown(account, shipment)),
  ],
  ['POST', /^\/v2\/shipments\/([\w-]+)\/buy$/, (request, account, id) => withShipment(account, id, (shipment) => buy(account, shipment, request))], // prettier-ignore
  ['POST', /^\/v2\/shipments\/([\w-]+)\/refund$/, (_request, account, id) => withShipment(account, id, (shipment) => refund(account, shipment))], // prettier-ignore
  ['GET', /^\/v2\/trackers$/, listTrackers],
  ['GET', /^\/v2\/webhooks$/, () => json(200, { webhooks: [{ id: 'hook_1', object: 'Webhook', mode: 'test', url: 'https://hub.example', disabled_at: null }] })], // prettier-ignore
]

function answerTo(request: VendorRequest, account: Account): VendorAnswer {
  const file = /^\/files\/(shp_\w+)\.(\w+)$/.exec(request.path)
  if (request.method === 'GET' && file !== null) return answerFile(account, file[1] ?? '', file[2] ?? '')
  if (request.headers['authorization'] !== `Basic ${Buffer.from(`${API_KEY}:`).toString('base64')}`)
    return refused(401, 'APIKEY.INACTIVE', 'This api key is no longer active.')
  for (const [method, path, answer] of ROUTES) {
    const match = method === request.method ? path.exec(request.path) : null
    if (match !== null) return answer(request, account, match[1] ?? '')
  }
  return refused(404, 'NOT_FOUND', 'The requested resource could not be found.')
}

function answerFile({ books }: Account, id: string, extension: string): VendorAnswer {
  const shipment = books.shipments.get(id)
  const file = shipment === undefined ? undefined : labelFile(books, shipment, extension)
  if (file === undefined) return { status: 404, headers: { 'content-type': 'application/xml' }, body: '<Error/>' }
  return { status: 200, headers: { 'content-type': file.content_type }, body: file.body }
}

const shown = ({ books, file_url }: Account, shipment: SimShipment, status = 200): VendorAnswer =>
  json(status, shipmentBody(books, shipment, file_url))

function withShipment(account: Account, id: string, answer: (shipment: SimShipment) => VendorAnswer): VendorAnswer {
  const shipment = account.books.shipments.get(id)
  return shipment === undefined
    ? refused(404, 'NOT_FOUND', 'The requested resource could not be found.')
    : answer(shipment)
}

function createShipment(request: VendorRequest, account: Account): VendorAnswer {
  const { options, books, closed } = account
  const wish = recordOf(recordOf(parsed(request.body))['shipment'])
  const [to, from, parcel] = [wish['to_address'], wish['from_address'], wish['parcel']].map(recordOf)
  if (to === undefined || from === undefined || parcel === undefined) throw new Error('three were asked for')
  const missing = ['street1', 'city', 'zip', 'country'].filter((field) => to[field] === undefined)
  // The other form of faults: sentences.
  if (missing.length > 0)
    return refused(422, 'PARAMETER.REQUIRED', 'Missing required parameter.', missing.map((field) => `to_address.${field} is missing`)) // prettier-ignore
  const id = `shp_${nameOf(books.shipments.size + 1)}`
  const offered = isServed(to, closed)
    ? quote(account, id, { to, from, parcel })
    : { rates: [], messages: unservedBy() }
  const shipment: SimShipment = {
    id,
    reference: typeof wish['reference'] === 'string' ? wish['reference'] : null,
    created_ms: options.now().getTime(),
    to,
    from,
    parcel,
    label_format: formatOf(recordOf(wish['options'])['label_format']),
    ...offered,
  }
  account.note({ kind: 'shipment', shipment })
  return shown(account, shipment, 201)
}

const formatOf = (wanted: unknown): string => (typeof wanted === 'string' ? wanted : 'PNG')

const isServed = (to: Readonly<Record<string, unknown>>, closed: ReadonlySet<string>): boolean =>
  typeof to['zip'] === 'string' && to['zip'].length >= 4 && !closed.has(to['zip'])

const unservedBy = (): SimShipment['messages'] =>
  [...new Set(SERVICES.map(({ carrier }) => carrier))].map((carrier) => ({ carrier, type: 'rate_error', message: 'shipment.to_address.zip: not served' })) // prettier-ignore

function quote(
  { options }: Account,
  id: string,
  { to, from, parcel }: Pick<SimShipment, 'to' | 'from' | 'parcel'>,
): Pick<SimShipment, 'rates' | 'messages'> {
  const ounces = typeof parcel['weight'] === 'number' ? Math.ceil(parcel['weight']) : 1
  const abroad = to['country'] !== from['country']
  const [, ...moody] = new Set<string>(SERVICES.map(({ carrier }) => carrier))
  const ill = options.random() < (options.rate_error_share ?? 0) ? moody[Math.floor(options.random() * moody.length)] : undefined // prettier-ignore
  const rates = SERVICES.filter(({ carrier }) => carrier !== ill).map((service, index): QuotedRate => {
    const minor = service.base + service.ounce * ounces + (abroad ? service.abroad : 0)
    return {
      id: `rate_${id.slice(4)}${index}`,
      carrier: service.carrier,
      service: service.service,
      rate: `${Math.floor(minor / 100)}.${String(minor % 100).padStart(2, '0')}`,
      currency: options.currency,
      delivery_days: service.days + (abroad ? 2 : 0),
      guaranteed: service.guaranteed,
    }
  })
  const messages = ill === undefined ? [] : [{ carrier: ill, type: 'rate_error', message: 'The service is not available right now.' }] // prettier-ignore
  return { rates, messages }
}

function buy(account: Account, shipment: SimShipment, request: VendorRequest): VendorAnswer {
  const { books, options } = account
  if (books.bought.has(shipment.id)) {
    account.bought_again += 1
    return refused(422, 'SHIPMENT.POSTAGE.EXISTS', 'Postage already exists for this shipment.')
  }
  const wanted = recordOf(recordOf(parsed(request.body))['rate'])['id']
  const rate = shipment.rates.find(({ id }) => id === wanted)
  if (rate === undefined) return refused(422, 'SHIPMENT.INVALID_PARAMS', 'Unable to buy.', [{ field: 'rate', message: 'is not one of this shipment' }]) // prettier-ignore
  const at_ms = options.now().getTime()
  const number = books.bought.size + 1
  const tracker_id = `trk_${nameOf(number)}`
  const tracking_code = `${rate.carrier.slice(0, 3).toUpperCase()}${String(at_ms % 100_000).padStart(5, '0')}${String(number).padStart(8, '0')}`
  account.note({
    kind: 'bought',
    purchase: { shipment_id: shipment.id, rate_id: rate.id, tracking_code, tracker_id, at_ms },
    scan: { status: 'pre_transit', status_detail: 'label_created', carrier_code: '', at_ms, city: null, country: null },
    news: { id: `evt_${nameOf(books.count + 1)}`, tracker_id, description: 'tracker.created', at_ms, scans: 1 },
  })
  return shown(account, shipment)
}

/** Unused labels only: what a carrier has seen is not paid back. */
function refund(account: Account, shipment: SimShipment): VendorAnswer {
  const { books, options } = account
  const bought = books.bought.get(shipment.id)
  if (bought === undefined) return refused(422, 'SHIPMENT.REFUND.UNAVAILABLE', 'Refund is not available.')
  const used = books.trackers.get(bought.tracker_id)?.handed_over_ms !== null
  if (used) return refused(422, 'SHIPMENT.REFUND.UNAVAILABLE', 'The label has been used.')
  if (!books.refunded.has(shipment.id))
    account.note({ kind: 'refunded', shipment_id: shipment.id, at_ms: options.now().getTime() })
  return shown(account, shipment)
}

function listShipments({ query }: VendorRequest, account: Account): VendorAnswer {
  const { books, file_url } = account
  const purchasedOnly = query.get('purchased') !== 'false'
  const all = [...books.shipments.values()].filter(({ id }) => !purchasedOnly || books.bought.has(id)).toReversed()
  const { rows, has_more } = pageOf(all, query)
  return json(200, { shipments: rows.map((shipment) => shipmentBody(books, shipment, file_url)), has_more })
}

function listTrackers({ query }: VendorRequest, { books }: Account): VendorAnswer {
  const start = Date.parse(query.get('start_datetime') ?? '') || 0
  const all = [...books.trackers.values()].filter(({ created_ms }) => created_ms >= start).toReversed()
  const { rows, has_more } = pageOf(all, query)
  return json(200, { trackers: rows.map((tracker) => trackerBody(books, tracker)), has_more })
}

/** Newest first; `before_id` is the last one that was seen. */
function pageOf<T extends { id: string }>(all: readonly T[], query: URLSearchParams): { rows: T[]; has_more: boolean } {
  const size = Math.min(PAGE_MAX, Number(query.get('page_size') ?? 20))
  const before = query.get('before_id')
  const start = before === null ? 0 : all.findIndex(({ id }) => id === before) + 1
  return { rows: all.slice(start, start + size), has_more: start + size < all.length }
}

const nameOf = (number: number): string => number.toString(16).padStart(12, '0')

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return {}
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

// ── parcels ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

function handOver({ books, options, note }: Account, tracking_code: string): void {
  const tracker = [...books.trackers.values()].find((one) => one.tracking_code === tracking_code)
  if (tracker?.handed_over_ms === null) note({ kind: 'handed_over', tracking_code, at_ms: options.now().getTime() })
}

const isMoving = ({ handed_over_ms, scans }: SimTracker): boolean =>
  handed_over_ms !== null && scans.length - 1 < JOURNEY.length

/** One leg after the other, for as long as there are any. */
function moveParcels({ books, options, note }: Account): void {
  const now_ms = options.now().getTime()
  for (const tracker of books.trackers.values()) {
    const leg = JOURNEY[tracker.scans.length - 1]
    const since = tracker.scans.length === 1 ? tracker.handed_over_ms : tracker.scans.at(-1)?.at_ms
    if (leg === undefined || !isMoving(tracker) || since === undefined || since === null || now_ms < since + options.leg_ms) continue // prettier-ignore
    const to = books.shipments.get(tracker.shipment_id)?.to ?? {}
    const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
    const place = { city: text(to['city']), country: text(to['country']) }
    note({
      kind: 'scanned',
      tracker_id: tracker.id,
      scan: { ...leg, at_ms: now_ms, ...place },
      news: {
        id: `evt_${nameOf(books.count + 1)}`,
        tracker_id: tracker.id,
        description: 'tracker.updated',
        at_ms: now_ms,
        scans: tracker.scans.length + 1,
      },
    })
  }
}
