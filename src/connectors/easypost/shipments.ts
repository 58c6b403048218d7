import { HubError } from '../../core/errors.ts'
import type { BoughtLabel, EffectResult, LabelRequest, RateRequest } from '../../core/model/effects.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import type { Shipment } from '../../mappings/easypost/payloads.ts'
import { parcelOf, ratesOf, readShipment } from '../../mappings/easypost/shipment.ts'
import type { Confirmation, Effect, Port } from '../_kit/define.ts'
import { addressOf, declarationOf } from './declaration.ts'
import type { Settings } from './settings.ts'

const PAGE_SIZE = 100
/** How many of the newest shipments are looked through for one that may have been made. */
const LOOK_BACK_PAGES_MAX = 10
const LABEL_BYTES_MAX = 10 * 1024 * 1024
const BUY_TIMEOUT_MS = 45_000
const MESSAGES_MAX = 3

type EasyPort = Port<Settings>

// ── rates ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * A shipment is made at EasyPost, with our reference; its answer holds what every carrier would take. It buys nothing, so that making it
 * twice would cost nothing; it is looked for all the same before it is made again, by its reference among the newest.
 */
export const rates: Effect<Settings, RateRequest> = {
  batch_max: 1,
  send: async (port, requests) => {
    const results: EffectResult[] = []
    for (const request of requests) results.push(offersOf(request, await createShipment(port, request)))
    return results
  },
  confirm: async (port, requests) => {
    const results: EffectResult[] = []
    for (const request of requests) {
      const shipment = await findShipment(port, request.reference)
      if (shipment === undefined) return 'not_done'
      results.push(offersOf(request, shipment))
    }
    return results
  },
}

async function createShipment(port: EasyPort, request: RateRequest): Promise<Shipment> {
  const { settings } = port
  const { reference, ship_from, ship_to, parcel } = request
  const customs_info = declarationOf(request, settings)
  const { body } = await port.http.request({
    operation: 'createShipment',
    method: 'POST',
    path: '/shipments',
    json: {
      shipment: {
        reference,
        from_address: addressOf(ship_from),
        to_address: addressOf(ship_to),
        parcel: parcelOf(parcel),
        options: { label_format: settings.label_format ?? 'PDF' },
        ...(settings.carrier_accounts === undefined ? {} : { carrier_accounts: settings.carrier_accounts }),
        ...(customs_info === null ? {} : { customs_info }),
      },
    },
    repeat: 'once',
  })
  return readShipment(body)
}

/** Lists have no filter for a reference, so the newest are looked through, page by page. */
async function findShipment(port: EasyPort, reference: string): Promise<Shipment | undefined> {
  let before: string | undefined
  for (let page = 0; page < LOOK_BACK_PAGES_MAX; page += 1) {
    const { body } = await port.http.request({
      operation: 'listShipments',
      method: 'GET',
      path: '/shipments',
      query: { page_size: PAGE_SIZE, purchased: false, before_id: before },
      repeat: 'safe',
    })
    const { shipments, has_more } = body as { shipments?: unknown[]; has_more?: unknown }
    const seen = (shipments ?? []).map(readShipment)
    const found = seen.find((shipment) => shipment.reference === reference)
    if (found !== undefined) return found
    before = seen.at(-1)?.id
    if (has_more !== true || before === undefined) return undefined
  }
  return undefined
}

function offersOf(request: RateRequest, shipment: Shipment): EffectResult {
  const { outbox_id } = request
  const offered = ratesOf(shipment)
  if (offered.length === 0)
    return { outbox_id, outcome: 'refused', code: 'vendor_rejected', detail: whyNone(request, shipment) }
  const answer = { kind: 'rates' as const, parcel_external_id: shipment.id, rates: offered }
  return { outbox_id, outcome: 'done', external_id: shipment.id, answer }
}

/** Carriers say inside a success why they offer nothing. Their words may quote the address, so whatever stands in it is blotted out. */
function whyNone({ ship_to, ship_from }: RateRequest, { messages }: Shipment): string {
  const personal = [...Object.values(ship_to), ...Object.values(ship_from)].filter(
    (value): value is string => typeof value === 'string' && value.length > 2,
  )
  const said = (messages ?? []).slice(0, MESSAGES_MAX).map(({ carrier, type, message }) => {
    const words = typeof message === 'string' ? message : JSON.stringify(message)
    const blotted = personal.reduce((text, value) => text.replaceAll(value, '…'), words ?? '')
    return `${carrier ?? 'a carrier'}: ${blotted.replaceAll(/[\w.+-]+@[\w.-]+|\+?\d[\d ()/-]{5,}/g, '…').slice(0, 120) || (type ?? '')}`
  })
  return said.length === 0 ? 'no carrier offers a rate for this parcel' : `no carrier offers a rate: ${said.join('; ')}`
}

// ── labels ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Buying and giving back. EasyPost takes no key, but a shipment can be bought once only and its id was stored before, so that whatever
 * became of a call is read off the shipment itself. Once it is bought nothing but `outcome_unknown` may be thrown: any other fault would
 * say that it was not.
 */
export const labels: Effect<Settings, LabelRequest> = {
  batch_max: 1,
  send: async (port, requests) => {
    const results: EffectResult[] = []
    for (const request of requests)
      results.push(await (request.action === 'buy' ? buy(port, request) : giveBack(port, request)))
    return results
  },
  confirm: async (port, requests): Promise<Confirmation> => {
    const results: EffectResult[] = []
    for (const request of requests) {
      const shipment = await getShipment(port, request.parcel_external_id)
      const known =
        request.action === 'buy' ? await boughtResult(port, request, shipment) : refundResult(request, shipment)
      if (known === undefined) return 'not_done'
      results.push(known)
    }
    return results
  },
}

const REFUSALS = new Set(['vendor_rejected', 'vendor_conflict'])

async function buy(port: EasyPort, request: LabelRequest): Promise<EffectResult> {
  let shipment: Shipment
  try {
    const { body } = await port.http.request({
      operation: 'buyShipment',
      method: 'POST',
      path: `/shipments/${encodeURIComponent(request.parcel_external_id)}/buy`,
      json: { rate: { id: request.rate_external_id } },
      repeat: 'once',
      timeout_ms: BUY_TIMEOUT_MS,
    })
    shipment = read(body)
  } catch (thrown) {
    if (!(thrown instanceof HubError) || !REFUSALS.has(thrown.code)) throw thrown
    // One that has been bought is refused, too: by a worker that lost its lease, say.
    const known = await boughtResult(port, request, await lookAgain(port, request))
    if (known === undefined) throw thrown
    return known
  }
  const bought = await boughtResult(port, request, shipment)
  if (bought === undefined) throw new HubError('outcome_unknown', 'the purchase was answered without a label')
  return bought
}

/** The answer to a purchase that cannot be read proves nothing. */
function read(body: unknown): Shipment {
  try {
    return readShipment(body)
  } catch (thrown) {
    throw new HubError('outcome_unknown', 'the purchase was answered with something that cannot be read', {
      cause: thrown,
    })
  }
}

async function lookAgain(port: EasyPort, request: LabelRequest): Promise<Shipment> {
  try {
    return await getShipment(port, request.parcel_external_id)
  } catch (thrown) {
    throw new HubError('outcome_unknown', 'the purchase was refused, and whether it was made before cannot be read', {
      cause: thrown,
    })
  }
}

async function getShipment(port: EasyPort, id: string): Promise<Shipment> {
  const { body } = await port.http.request({
    operation: 'getShipment',
    method: 'GET',
    path: `/shipments/${encodeURIComponent(id)}`,
    repeat: 'safe',
    lane: 'realtime',
  })
  return readShipment(body)
}

/** Undefined while nothing has been bought. */
async function boughtResult(
  port: EasyPort,
  request: LabelRequest,
  shipment: Shipment,
): Promise<EffectResult | undefined> {
  const { tracking_code, selected_rate, postage_label } = shipment
  if (!isText(tracking_code) || selected_rate === null || selected_rate === undefined) return undefined
  if (postage_label === null || postage_label === undefined) return undefined
  const { carrier, service, currency, rate } = selected_rate
  const label: BoughtLabel = {
    carrier,
    service,
    tracking_number: tracking_code,
    tracking_url: shipment.tracker?.public_url ?? null,
    currency,
    amount_minor: minorFromDecimal(String(rate), currency),
    files: await filesOf(port, request, postage_label),
  }
  const { outbox_id } = request
  return { outbox_id, outcome: 'done', external_id: shipment.id, answer: { kind: 'label', label } }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

type PostageLabel = NonNullable<Shipment['postage_label']>
const ADDRESSES: Readonly<Record<NonNullable<Settings['label_format']>, (label: PostageLabel) => unknown>> = {
  PDF: ({ label_pdf_url, label_url }) => (isText(label_pdf_url) ? label_pdf_url : label_url),
  ZPL: ({ label_zpl_url, label_url }) => (isText(label_zpl_url) ? label_zpl_url : label_url),
  PNG: ({ label_url }) => label_url,
}

async function filesOf(
  port: EasyPort,
  { reference }: LabelRequest,
  label: PostageLabel,
): Promise<BoughtLabel['files']> {
  const url = ADDRESSES[port.settings.label_format ?? 'PDF'](label)
  if (!isText(url)) throw new HubError('outcome_unknown', 'the label is bought, but its file is not there yet')
  try {
    const bytes = await port.http.transfer({
      operation: 'downloadLabel',
      method: 'GET',
      url,
      bytes_max: LABEL_BYTES_MAX,
    })
    const { extension, content_type } = kindOf(bytes)
    return [{ name: `${reference}.${extension}`, content_type, bytes }]
  } catch (thrown) {
    const why = thrown instanceof HubError ? thrown.message : 'unexpected'
    throw new HubError('outcome_unknown', `the label is bought, but its file could not be fetched: ${why}`, {
      cause: thrown,
    })
  }
}

const KINDS: readonly { begins: Buffer; extension: string; content_type: string }[] = [
  { begins: Buffer.from('%PDF'), extension: 'pdf', content_type: 'application/pdf' },
  { begins: Buffer.from('^XA'), extension: 'zpl', content_type: 'application/zpl' },
  { begins: Buffer.from([0x89, 0x50, 0x4e, 0x47]), extension: 'png', content_type: 'image/png' },
]

/** What a file is, by its first bytes: carriers do not always make what was asked for. */
function kindOf(bytes: Buffer): { extension: string; content_type: string } {
  const known = KINDS.find(({ begins }) => bytes.subarray(0, begins.length).equals(begins))
  return known ?? { extension: 'bin', content_type: 'application/octet-stream' }
}

// ── refunds ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function giveBack(port: EasyPort, request: LabelRequest): Promise<EffectResult> {
  try {
    const { body } = await port.http.request({
      operation: 'refundShipment',
      method: 'POST',
      path: `/shipments/${encodeURIComponent(request.parcel_external_id)}/refund`,
      repeat: 'once',
    })
    const known = refundResult(request, read(body))
    if (known === undefined) throw new HubError('outcome_unknown', 'the refund was answered without a word about it')
    return known
  } catch (thrown) {
    if (!(thrown instanceof HubError) || !REFUSALS.has(thrown.code)) throw thrown
    const known = refundResult(request, await lookAgain(port, request))
    if (known?.outcome !== 'done') throw thrown
    return known
  }
}

/** `submitted` is as far as the vendor itself can tell at once; the carrier decides within weeks. Undefined: nobody has asked for it. */
function refundResult({ outbox_id }: LabelRequest, { id, refund_status }: Shipment): EffectResult | undefined {
  if (!isText(refund_status)) return undefined
  if (refund_status === 'submitted' || refund_status === 'refunded')
    return { outbox_id, outcome: 'done', external_id: id }
  return {
    outbox_id,
    outcome: 'refused',
    code: 'vendor_rejected',
    detail: `the refund is ${refund_status.slice(0, 60)}`,
  }
}
