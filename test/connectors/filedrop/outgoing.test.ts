import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readCsv } from '../../../src/connectors/_kit/csv.ts'
import type { FulfillmentRequest, Port } from '../../../src/connectors/_kit/define.ts'
import { openFileStore } from '../../../src/connectors/_kit/files.ts'
import { fulfillment, orderFile, orderFileName } from '../../../src/connectors/filedrop/outgoing.ts'
import type { Settings } from '../../../src/connectors/filedrop/settings.ts'
import { portOf } from '../../kit/vendorPort.ts'

const KEY = '019aa5f0-7b00-7abc-8def-001122334455'
const NAME = `orders_acme_20251121T102312128_${KEY}.csv`
const NOW = new Date('2026-11-21T10:00:00Z')

const REQUEST: FulfillmentRequest = {
  outbox_id: 7,
  action: 'new',
  fulfillment_order: 'FO-1',
  order_number: '#1001',
  location_code: 'B1',
  placed_at: '2026-11-21T09:00:00.000Z',
  shipping_method: 'standard',
  ship_to: { name: '=HYPERLINK("x")', company: null, line1: 'Main; Street, 1', line2: null, city: 'Köln', region: null, postcode: '01067', country: 'DE', phone: '+49151000' },
  lines: [{ sku: 'A', quantity: 2, line_reference: 'L1', title: 'Tee' }, { sku: '-B', quantity: 1, line_reference: 'L2', title: null }],
} // prettier-ignore

let root: string
let port: Port<Settings>
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'crossdock-drop-'))
  const settings: Settings = { transport: { kind: 'folder', root }, partner: 'acme' }
  port = portOf({ files: openFileStore({ kind: 'folder', root }), settings })
})
afterEach(() => rmSync(root, { recursive: true }))

describe('order files', () => {
  it('have one record a line and a trailer that adds up', () => {
    const cancel: FulfillmentRequest = {
      ...REQUEST,
      outbox_id: 8,
      action: 'cancel',
      fulfillment_order: 'FO-2',
      ship_to: null,
      lines: [],
    }
    const bytes = orderFile([REQUEST, cancel], { ...port.settings, delimiter: ';' })
    const records = readCsv(bytes.toString()).map(({ cells }) => cells)
    const [header, ...rows] = records
    expect(header?.slice(0, 4)).toEqual(['action', 'fulfillment_order', 'order_number', 'placed_at'])
    expect(rows.map((row) => [row[0], row[1], ...row.slice(15)])).toEqual([
      ['NEW', 'FO-1', 'A', '2', 'L1'],
      ['NEW', 'FO-1', '-B', '1', 'L2'],
      ['CANCEL', 'FO-2', '', '0', ''],
      ['TRAILER', '3'],
    ])
    expect(rows.at(-1)).toEqual(['TRAILER', '3', '3'])
    expect(rows[0]?.[6]).toBe('=HYPERLINK("x")')
    expect(bytes.toString()).toContain(`"'=HYPERLINK(""x"")"`)
    expect(bytes.toString()).toContain(';+49151000;')
  })

  it.each([
    [KEY, NAME],
    ['batch-17', 'orders_acme_batch-17.csv'],
    ['fo:../../x', expect.stringMatching(/^orders_acme_[0-9a-f]{32}\.csv$/) as string],
  ])('for the batch %s are called %s', (key, name) => {
    expect(orderFileName(key, 'acme')).toEqual(name)
  })

  it('are written once for each batch, however often it is sent', async () => {
    expect(await fulfillment.confirm?.(port, [REQUEST], KEY)).toBe('not_done')
    expect(await fulfillment.send(port, [REQUEST], KEY, NOW)).toEqual([
      { outbox_id: 7, outcome: 'done', external_id: NAME },
    ])
    const written = statSync(join(root, 'outgoing', NAME)).mtimeMs
    await fulfillment.send(port, [REQUEST], KEY, new Date('2026-11-22T10:00:00Z'))
    expect([readdirSync(join(root, 'outgoing')), statSync(join(root, 'outgoing', NAME)).mtimeMs]).toEqual([
      [NAME],
      written,
    ])
    expect(await fulfillment.confirm?.(port, [REQUEST], KEY)).toBe('done')
  })

  it('are not written again once the partner has taken them', async () => {
    await fulfillment.send(port, [REQUEST], KEY, NOW)
    await port.files.rename(`outgoing/${NAME}`, `archive/${NAME}`)
    expect(await fulfillment.confirm?.(port, [REQUEST], KEY)).toBe('done')
    await fulfillment.send(port, [REQUEST], KEY, NOW)
    expect(readdirSync(join(root, 'outgoing'))).toEqual([])
  })

  it('bring the labels along, which lie there before the orders that name them', async () => {
    const label = {
      carrier: 'GLS',
      service: 'Parcel',
      tracking_number: 'GLS1',
      tracking_url: null,
      files: () =>
        Promise.resolve([{ name: 'FO-1-1.pdf', content_type: 'application/pdf', bytes: Buffer.from('%PDF-x') }]),
    }
    const erased = { ...label, tracking_number: 'GLS2', files: () => Promise.resolve([]) }
    const requests = [
      { ...REQUEST, label },
      { ...REQUEST, outbox_id: 8, fulfillment_order: 'FO-2', label: erased },
      { ...REQUEST, outbox_id: 9, fulfillment_order: 'FO-3' },
    ]
    await fulfillment.send(port, requests, KEY, NOW)
    expect(readdirSync(join(root, 'outgoing')).toSorted()).toEqual(['label_FO-1-1.pdf', NAME])
    const [header, ...rows] = readCsv((await port.files.read(`outgoing/${NAME}`, 100_000)).toString()).map(
      ({ cells }) => cells,
    )
    expect(header?.slice(-4)).toEqual(['carrier', 'carrier_service', 'tracking_number', 'label_file'])
    expect(rows.map((row) => [row[1], ...row.slice(18)])).toEqual([
      ['FO-1', 'GLS', 'Parcel', 'GLS1', 'label_FO-1-1.pdf'],
      ['FO-1', 'GLS', 'Parcel', 'GLS1', 'label_FO-1-1.pdf'],
      ['FO-2', 'GLS', 'Parcel', 'GLS2', ''],
      ['FO-2', 'GLS', 'Parcel', 'GLS2', ''],
      ['FO-3', '', '', '', ''],
      ['FO-3', '', '', '', ''],
      ['6'],
    ])
  })

  it('are written again when the partner put them aside as broken', async () => {
    await fulfillment.send(port, [REQUEST], KEY, NOW)
    renameSync(join(root, 'outgoing', NAME), join(root, 'refused'))
    expect(await fulfillment.confirm?.(port, [REQUEST], KEY)).toBe('not_done')
    await fulfillment.send(port, [REQUEST], KEY, NOW)
    expect(existsSync(join(root, 'outgoing', NAME))).toBe(true)
  })
})
