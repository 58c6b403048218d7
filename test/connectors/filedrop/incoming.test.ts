import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import type { ParsedFile } from '../../../src/connectors/_kit/define.ts'
import { acknowledgementFile } from '../../../src/connectors/filedrop/outgoing.ts'
import { filedrop } from '../../../src/connectors/filedrop/index.ts'
import { parseIncoming, readName } from '../../../src/connectors/filedrop/incoming.ts'
import type { Settings } from '../../../src/connectors/filedrop/settings.ts'

const SETTINGS: Settings = { transport: { kind: 'folder', root: '/drop' }, partner: 'acme' }
const TIME = '20261121T093000'

function file(
  type: string,
  header: string,
  rows: string[],
  total: number,
  options: { trailer?: string; settings?: Partial<Settings> } = {},
): ParsedFile {
  const trailer = options.trailer ?? `TRAILER,${rows.length},${total}`
  const bytes = Buffer.from([header, ...rows, trailer].join('\r\n'))
  return parseIncoming({ name: `${type}_acme_${TIME}_000001.csv`, bytes }, { ...SETTINGS, ...options.settings })
}

const SHIPMENTS =
  'shipment_id,fulfillment_order,shipped_at,carrier,tracking_number,tracking_url,sku,quantity,line_reference,lot'
const STOCK = 'location_code,sku,on_hand,damaged,quality_control,as_of'
const shipmentRow = (id: string, sku: string, quantity: string): string =>
  `${id},FO-1,2026-11-21T09:00:00Z,DHL,T-${id},,${sku},${quantity},L1,`
const codeOf = (work: () => unknown): string => {
  try {
    work()
    return 'accepted'
  } catch (thrown) {
    return thrown instanceof HubError ? thrown.code : 'crashed'
  }
}

describe('names', () => {
  it.each([
    [
      'shipments_acme_20261121T093000_000017.csv',
      { type: 'shipments', sequence: '000017', at: '2026-11-21T09:30:00.000Z' },
    ],
    ['stock_full_acme_20261121T093000123_1.csv', { type: 'stock_full', sequence: '1', at: '2026-11-21T09:30:00.123Z' }],
    ['shipments_other_20261121T093000_000017.csv', undefined],
    ['invoices_acme_20261121T093000_1.csv', undefined],
    ['shipments_acme_20261399T093000_1.csv', undefined],
    ['shipments_acme_20261121T093000_1.csv.tmp', undefined],
    ['shipments_acme_1.csv', undefined],
    ['constructor_acme_20261121T093000_1.csv', undefined],
  ])('reads %s', (name, read) => {
    expect(readName(name, SETTINGS)).toEqual(read)
  })
})

describe('shipments', () => {
  it('makes one document of the rows of one shipment', () => {
    const parsed = file(
      'shipments',
      SHIPMENTS,
      [shipmentRow('S1', 'A', '2'), shipmentRow('S2', 'A', '1'), shipmentRow('S1', 'B', '3')],
      6,
    )
    expect(parsed).toMatchObject({
      type: 'shipments',
      sequence: '000001',
      scope: 'partial',
      totals: { rows: 3, quantity: 6 },
      as_of: '2026-11-21T09:30:00.000Z',
    })
    expect(parsed.rows).toHaveLength(2)
    expect(parsed.rows[0]).toEqual({
      row: 2,
      topic: 'shipment',
      dedupe_key: 'shipment:S1',
      payload: {
        shipment_id: 'S1', fulfillment_order: 'FO-1', shipped_at: '2026-11-21T09:00:00.000Z', carrier: 'DHL', tracking_number: 'T-S1', tracking_url: null,
        lines: [{ sku: 'A', quantity: 2, line_reference: 'L1', lot: null }, { sku: 'B', quantity: 3, line_reference: 'L1', lot: null }],
      },
    }) // prettier-ignore
  })

  it.each([
    ['', 'sku', 'is empty'],
    ['1.23E+11', 'sku', 'rounded'],
    ['4,00711E+12', 'sku', 'rounded'],
    ['x'.repeat(201), 'sku', 'longer'],
  ])('keeps back a row with the SKU %j and goes on with the rest', (sku, column, wrong) => {
    const { rows } = file('shipments', SHIPMENTS, [shipmentRow('S1', `"${sku}"`, '2'), shipmentRow('S2', 'A', '1')], 3)
    expect(rows.map(({ fault }) => fault?.path)).toEqual([`row 2, column ${column}`, undefined])
    expect(rows[0]?.fault).toMatchObject({ code: 'payload_invalid', message: expect.stringContaining(wrong) as string })
  })

  it.each([
    ['two', 3],
    ['1.5', 3],
    ['-1', 0],
    ['0', 1],
    ['', 3],
    ['1e3', 3],
    ['1 000', 3],
    ['٣', 4],
  ] as const)('keeps back a row with the quantity %j', (quantity, total) => {
    const { rows } = file(
      'shipments',
      SHIPMENTS,
      [shipmentRow('S1', 'A', quantity), shipmentRow('S2', 'A', '1')],
      total,
    )
    expect(rows.map(({ fault }) => fault?.path)).toEqual(['row 2, column quantity', undefined])
  })

  it.each(['yesterday', '21.11.2026', '11/21/2026 09:00', '2026-13-01T00:00:00Z', ''])(
    'keeps back a row with the time %j',
    (time) => {
      const { rows } = file('shipments', SHIPMENTS, [`S1,FO-1,${time},,,,A,1,,`], 1)
      expect(rows[0]?.fault?.path).toBe('row 2, column shipped_at')
    },
  )

  it.each([
    ['2026-11-21 09:00', '2026-11-21T09:00:00.000Z'],
    ['2026-11-21T10:00:00+01:00', '2026-11-21T09:00:00.000Z'],
    ['2026-11-21T09:00:00.5Z', '2026-11-21T09:00:00.500Z'],
  ])('reads the time %s as %s', (time, at) => {
    expect(file('shipments', SHIPMENTS, [`S1,FO-1,${time},,,,A,1,,`], 1).rows[0]?.payload).toMatchObject({
      shipped_at: at,
    })
  })

  it('does not book half of a shipment, and lets it be corrected later', () => {
    const broken = file(
      'shipments',
      SHIPMENTS,
      [shipmentRow('S1', 'A', '2'), shipmentRow('S1', 'B', 'two'), shipmentRow('S1', 'C', '1')],
      3,
    )
    expect(broken.rows).toHaveLength(1)
    expect(broken.rows[0]).toMatchObject({ row: 3, fault: { path: 'row 3, column quantity' } })
    const whole = file(
      'shipments',
      SHIPMENTS,
      [shipmentRow('S1', 'A', '2'), shipmentRow('S1', 'B', '2'), shipmentRow('S1', 'C', '1')],
      5,
    )
    expect(whole.rows[0]?.dedupe_key).not.toBe(broken.rows[0]?.dedupe_key)
  })

  it('does not believe a shipment that contradicts itself', () => {
    const { rows } = file(
      'shipments',
      SHIPMENTS,
      [shipmentRow('S1', 'A', '2'), shipmentRow('S1', 'B', '1').replace('T-S1', 'T-9')],
      3,
    )
    expect(rows).toMatchObject([{ row: 3, fault: { code: 'payload_invalid' } }])
  })

  it('quotes no cell in a fault', () => {
    const { rows } = file(
      'shipments',
      SHIPMENTS,
      [shipmentRow('S1', 'A', 'Canary'), 'S2,FO,Canary,,,,A,1,,', 'S3,FO,2026-11-21,,,,A,1,,,Canary'],
      2,
    )
    expect(rows.every(({ fault }) => fault !== undefined && !JSON.stringify(fault).includes('Canary'))).toBe(true)
  })
})

describe('stock', () => {
  const AT = '2026-11-21T09:00:00Z'
  it('is absolute, at the time of its cut, in parts of some hundred rows', () => {
    const rows = Array.from({ length: 1_201 }, (_, i) => `B1,SKU-${i},3,1,0,${AT}`)
    const parsed = file('stock_full', STOCK, rows, 3_603)
    expect(parsed).toMatchObject({
      scope: 'full',
      as_of: '2026-11-21T09:00:00.000Z',
      totals: { rows: 1_201, quantity: 3_603 },
    })
    expect(parsed.rows.map(({ payload }) => (payload as { lines: unknown[] }).lines.length)).toEqual([500, 500, 201])
    expect(new Set(parsed.rows.map(({ dedupe_key }) => dedupe_key)).size).toBe(3)
    expect(parsed).not.toHaveProperty('absent')
    expect(file('stock_full', STOCK, rows, 3_603, { settings: { full_replaces: true } }).absent).toBe('zero')
    expect(file('stock_part', STOCK, rows, 3_603, { settings: { full_replaces: true } })).not.toHaveProperty('absent')
  })

  it('keeps places and times apart and is as old as its oldest count', () => {
    const parsed = file('stock_part', STOCK, [`B1,A,1,,,${AT}`, `B2,A,2,,,2026-11-21T08:00:00Z`], 3)
    expect(parsed.as_of).toBe('2026-11-21T08:00:00.000Z')
    expect(parsed.rows.map(({ payload }) => (payload as { location_code: string }).location_code)).toEqual(['B1', 'B2'])
  })

  it('keeps a bad row back without its neighbours, and a SKU counted twice altogether', () => {
    const rows = [
      `B1,A,1,,,${AT}`,
      `B1,B,x,,,${AT}`,
      `B1,C,1,,,${AT}`,
      `B1,C,2,,,${AT}`,
      `B1,D,1,1,1,${AT}`,
      `B1,E,5,,,`,
    ]
    const parsed = file('stock_full', STOCK, rows, 10)
    expect(parsed.rows.flatMap(({ fault }) => (fault === undefined ? [] : [fault.path]))).toEqual([
      'row 3, column on_hand', 'row 4, column sku', 'row 5, column sku', 'row 6, column on_hand', 'row 7, column as_of',
    ]) // prettier-ignore
    expect(parsed.rows.find(({ fault }) => fault === undefined)?.payload).toMatchObject({
      lines: [{ sku: 'A', on_hand: 1 }],
    })
  })

  it('fills in the one location of the connection', () => {
    const parsed = file('stock_part', 'sku,on_hand,as_of', [`A,1,${AT}`], 1, { settings: { location_code: 'B7' } })
    expect(parsed.rows[0]?.payload).toMatchObject({ location_code: 'B7' })
    expect(codeOf(() => file('stock_part', 'sku,on_hand,as_of', [`A,1,${AT}`], 1))).toBe('file_invalid')
  })
})

describe('the other files', () => {
  it('reads receipts, acknowledgements and returns', () => {
    const receipt = file(
      'receipts',
      'receipt_id,location_code,sku,quantity,received_at,reference',
      ['R1,B1,A,5,2026-11-21T09:00:00Z,PO-9'],
      5,
    )
    const ack = file(
      'acks',
      'fulfillment_order,verdict,reason,at',
      ['FO-1,Accepted,,2026-11-21T09:00:00Z', 'FO-2,REJECTED,none left,2026-11-21T09:00:00Z'],
      0,
    )
    const back = file(
      'returns',
      'return_id,fulfillment_order,location_code,received_at,sku,quantity,disposition',
      ['X1,FO-1,B1,2026-11-21T09:00:00Z,A,1,Damaged'],
      1,
    )
    expect([receipt, ack, back].map(({ rows }) => rows.map((row) => row.dedupe_key))).toEqual([
      ['receipt:R1'], ['ack:FO-1:accepted:2026-11-21T09:00:00.000Z', 'ack:FO-2:rejected:2026-11-21T09:00:00.000Z'], ['return:X1'],
    ]) // prettier-ignore
    expect(back.rows[0]?.payload).toMatchObject({
      order_external_id: null,
      lines: [{ disposition: 'damaged', line_reference: null }],
    })
  })

  it('keeps each bad acknowledgement apart', () => {
    const { rows } = file(
      'acks',
      'fulfillment_order,verdict,reason,at',
      ['FO-1,,,2026-11-21T09:00:00Z', 'FO-1,,,2026-11-21T09:00:00Z'],
      0,
    )
    expect(rows.map(({ fault }) => fault?.path)).toEqual(['row 2, column verdict', 'row 3, column verdict'])
  })
})

describe('the whole file', () => {
  const rows = [shipmentRow('S1', 'A', '2'), shipmentRow('S2', 'A', '1')]
  it.each([
    ['TRAILER,2,3', 'accepted'], ['TRAILER,2,4', 'control_total_mismatch'], ['TRAILER,2,2', 'control_total_mismatch'], ['TRAILER,1,3', 'control_total_mismatch'],
    ['TRAILER,3,3', 'control_total_mismatch'], ['TRAILER,,', 'control_total_mismatch'], ['TRAILER', 'control_total_mismatch'], ['TRAILER,2,x', 'control_total_mismatch'],
    ['', 'file_invalid'], ['TRAIL', 'file_invalid'], [`TRAILER,2,3\r\n${rows[0]}`, 'file_invalid'], ['TRAILER,2,3\r\nTRAILER,3,3', 'file_invalid'],
  ])('with the end %j is %s', (trailer, code) => {
    expect(codeOf(() => file('shipments', SHIPMENTS, rows, 3, { trailer }))).toBe(code)
  }) // prettier-ignore

  it('is refused when it was cut off, wherever that was', () => {
    const whole = [SHIPMENTS, ...rows, 'TRAILER,2,3'].join('\r\n')
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        const bytes = Buffer.from(whole.slice(0, length))
        const code = codeOf(() => parseIncoming({ name: `shipments_acme_${TIME}_1.csv`, bytes }, SETTINGS))
        return code === 'file_invalid' || code === 'control_total_mismatch'
      }),
      { numRuns: 500 },
    )
  })

  it('does not crash on any bytes', () => {
    const noise = fc.oneof(
      fc.uint8Array(),
      fc.string().map((text) => Buffer.from(`${STOCK}\n${text}\nTRAILER,1,0`)),
    )
    fc.assert(
      fc.property(noise, fc.constantFrom('shipments', 'stock_full', 'acks', 'returns'), (bytes, type) => {
        return (
          codeOf(() => parseIncoming({ name: `${type}_acme_${TIME}_1.csv`, bytes: Buffer.from(bytes) }, SETTINGS)) !==
          'crashed'
        )
      }),
      { numRuns: 2_000 },
    )
  })

  it('needs its columns, in any order, with or without others', () => {
    expect(codeOf(() => file('shipments', 'shipment_id,sku', ['S1,A'], 0))).toBe('file_invalid')
    const parsed = file(
      'acks',
      'AT; Verdict ;comment;Fulfillment Order',
      ['2026-11-21T09:00:00Z;accepted;"hi\r\nthere";FO-1'],
      0,
      { trailer: 'TRAILER;1;0' },
    )
    expect(parsed.rows[0]?.payload).toEqual({
      fulfillment_order: 'FO-1',
      verdict: 'accepted',
      reason: null,
      at: '2026-11-21T09:00:00.000Z',
    })
  })

  it('is answered with counts and reasons', () => {
    const parsed = file('shipments', SHIPMENTS, [shipmentRow('S1', 'A', 'x'), shipmentRow('S2', 'A', '1')], 1)
    const result = {
      name: 'shipments_acme_1.csv',
      accepted: 1,
      rejected: [{ row: 2, code: 'payload_invalid', message: '=bad' }],
    }
    const { name, bytes } = acknowledgementFile(parsed, result)
    expect(name).toBe('shipments_acme_1.csv.ack')
    expect(bytes.toString().split('\r\n')).toEqual([
      'record,accepted_or_row,rejected_or_code,message', 'FILE,1,1,shipments_acme_1.csv', "REJECTED,2,payload_invalid,'=bad", 'TRAILER,1,1', '',
    ]) // prettier-ignore
  })

  it('is offered to the hub by the connector', () => {
    const files = filedrop.files
    expect(files?.accepts(`stock_full_acme_${TIME}_7.csv`, SETTINGS)).toEqual({ type: 'stock_full', sequence: '7' })
    expect(files?.accepts('readme.txt', SETTINGS)).toBeUndefined()
    expect(files?.folders(SETTINGS)).toEqual({
      incoming: 'incoming',
      outgoing: 'outgoing',
      processed: 'processed',
      error: 'error',
      acknowledgements: 'acks',
    })
    expect([files?.shrink_max(SETTINGS), files?.shrink_max({ ...SETTINGS, shrink_max_percent: 5 })]).toEqual([
      0.3, 0.05,
    ])
    const sftp = { kind: 'sftp', host: 'h', username: 'u', host_key_sha256: 'k', root: '/' }
    expect(files?.store({ ...SETTINGS, transport: sftp })).toEqual({ ...sftp, port: 22 })
    expect(files?.store(SETTINGS)).toEqual({ kind: 'folder', root: '/drop' })
  })
})
