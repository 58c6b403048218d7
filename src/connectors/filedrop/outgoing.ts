import { createHash } from 'node:crypto'
import { writeCsv } from '../_kit/csv.ts'
import type { Effect, FileResult, FulfillmentRequest, ParsedFile, Port } from '../_kit/define.ts'
import { foldersOf, type Settings } from './settings.ts'

const ORDER_COLUMNS = [
  'action', 'fulfillment_order', 'order_number', 'placed_at', 'location_code', 'shipping_method', 'name', 'company', 'address_line1',
  'address_line2', 'city', 'region', 'postcode', 'country', 'phone', 'sku', 'quantity', 'line_reference',
] as const // prettier-ignore
/** Only in files with a parcel whose label the hub has bought: partners without such see the columns they know. */
const LABEL_COLUMNS = ['carrier', 'carrier_service', 'tracking_number', 'label_file'] as const
const BATCH_MAX = 500

/**
 * The name of a batch's file is made from the batch key alone, so that every attempt at the batch writes the same name. A key that is a
 * UUID version 7 carries its time (RFC 9562 section 5.7), which goes before it for people and for partners that read in name order.
 */
export function orderFileName(key: string, partner: string): string {
  const plain = /^[A-Za-z0-9-]{1,64}$/.test(key) ? key : createHash('sha256').update(key).digest('hex').slice(0, 32)
  const time = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/i.test(plain)
    ? `${compactTime(Number.parseInt(plain.replace('-', '').slice(0, 12), 16))}_`
    : ''
  return `orders_${partner}_${time}${plain}.csv`
}

/** `20261121T093000123` for a Unix time in milliseconds. */
function compactTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:.Z]/g, '')
}

/** One record per line of each fulfillment order, then the trailer. `labelFiles`: names by outbox id. */
export function orderFile(
  requests: readonly FulfillmentRequest[],
  settings: Settings,
  labelFiles: ReadonlyMap<number, string> = new Map(),
): Buffer {
  const labelled = requests.some(({ label }) => label !== undefined)
  const records = requests.flatMap((request) => {
    const lines = request.lines.length === 0 ? [{ sku: '', quantity: 0, line_reference: '' }] : request.lines
    const { label, outbox_id } = request
    const labelCells = [label?.carrier, label?.service, label?.tracking_number, labelFiles.get(outbox_id)]
    return lines.map(({ sku, quantity, line_reference }) => [
      ...orderCells(request),
      sku,
      quantity,
      line_reference,
      ...(labelled ? labelCells.map((cell) => cell ?? '') : []),
    ])
  })
  const units = requests.reduce((total, { lines }) => total + lines.reduce((sum, { quantity }) => sum + quantity, 0), 0)
  const columns = [...ORDER_COLUMNS, ...(labelled ? LABEL_COLUMNS : [])]
  return writeCsv([columns, ...records, ['TRAILER', records.length, units]], {
    delimiter: settings.delimiter ?? ',',
  })
}

function orderCells(request: FulfillmentRequest): string[] {
  const to = request.ship_to
  const place = [
    to?.name,
    to?.company,
    to?.line1,
    to?.line2,
    to?.city,
    to?.region,
    to?.postcode,
    to?.country,
    to?.phone,
  ]
  const { fulfillment_order, order_number, placed_at, location_code, shipping_method } = request
  const action = request.action === 'cancel' ? 'CANCEL' : 'NEW'
  return [
    action,
    fulfillment_order,
    order_number,
    placed_at,
    location_code,
    shipping_method ?? '',
    ...place.map((cell) => cell ?? ''),
  ]
}

/**
 * Work for the 3PL, one file a batch. Whether a file has arrived is seen from its name: it waits in `outgoing`, or the partner has
 * moved it to `archive`. Both are looked at before writing too, so that a batch whose end was not noted down is not sent twice.
 */
export const fulfillment: Effect<Settings, FulfillmentRequest> = {
  batch_max: BATCH_MAX,
  send: async (port, requests, key) => {
    const name = orderFileName(key, port.settings.partner)
    if (!(await hasArrived(port, name))) {
      const labelFiles = await writeLabels(port, requests)
      await port.files.write(
        `${foldersOf(port.settings).outgoing}/${name}`,
        orderFile(requests, port.settings, labelFiles),
      )
    }
    return requests.map(({ outbox_id }) => ({ outbox_id, outcome: 'done', external_id: name }))
  },
  confirm: async (port, _requests, key) =>
    (await hasArrived(port, orderFileName(key, port.settings.partner))) ? 'done' : 'not_done',
}

/**
 * Labels lie in the folder before the orders that name them. They are read and written one at a time, because a batch of them is large.
 * Each has a name of its own, so that writing it again changes nothing.
 */
async function writeLabels(
  { files, settings }: Port<Settings>,
  requests: readonly FulfillmentRequest[],
): Promise<ReadonlyMap<number, string>> {
  const names = new Map<number, string>()
  for (const { outbox_id, label } of requests) {
    const [file] = (await label?.files()) ?? []
    if (file === undefined) continue
    const name = `label_${file.name}`
    await files.write(`${foldersOf(settings).outgoing}/${name}`, file.bytes)
    names.set(outbox_id, name)
  }
  return names
}

/** In this order: the partner moves files from `outgoing` to `archive`, so one that moves meanwhile is still seen. */
async function hasArrived({ files, settings }: Port<Settings>, name: string): Promise<boolean> {
  const { outgoing, archive } = foldersOf(settings)
  return (await files.exists(`${outgoing}/${name}`)) || (await files.exists(`${archive}/${name}`))
}

/** What became of one incoming file, for the partner: counts first, then every row that was kept back and why. Commas. */
export function acknowledgementFile(
  file: ParsedFile,
  result: Pick<FileResult, 'name' | 'accepted' | 'rejected'>,
): { name: string; bytes: Buffer } {
  const rejected = result.rejected.map(({ row, code, message }) => ['REJECTED', row, code, message])
  const summary = ['FILE', result.accepted, result.rejected.length, result.name]
  const records = [
    ['record', 'accepted_or_row', 'rejected_or_code', 'message'],
    summary,
    ...rejected,
    ['TRAILER', rejected.length, file.totals['quantity'] ?? 0],
  ]
  return { name: `${result.name}.ack`, bytes: writeCsv(records) }
}
