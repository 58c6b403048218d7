import { describe, expect, it } from 'vitest'
import { preview, withPath, type Preview } from '../../src/cli/preview.ts'
import { HubError } from '../../src/core/errors.ts'
import {
  SHIPMENT_CSV,
  shopifyFulfillment,
  shopifyOrder,
  STOCK_CSV,
  stripeCharge,
  stripeRefund,
  stripeSettlement,
  wooOrder,
  wooRefund,
} from './samples.ts'

const NOW = new Date('2026-03-03T00:00:00Z')

function run(connector: string, kind: string, payload: unknown, settings: Record<string, unknown> = {}): Preview {
  const text = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : JSON.stringify(payload)
  return preview({ connector, kind, input: { name: 'anything.bin', bytes: Buffer.from(text) }, now: NOW, settings })
}

function refusal(connector: string, kind: string, payload: unknown): { code: string; path: string; message: string } {
  try {
    run(connector, kind, payload)
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HubError)
    const { code, path = '', message } = withPath(thrown)
    return { code, path, message }
  }
  throw new Error('it maps')
}

const kinds = ({ facts }: Preview): string[] => facts.map((fact) => fact.kind)

describe('preview of documents', () => {
  it.each([
    ['shopify', 'order', shopifyOrder, ['order']],
    ['shopify', 'order', { order: shopifyOrder }, ['order']],
    ['shopify', 'order', { orders: [shopifyOrder, shopifyOrder] }, ['order', 'order']],
    ['shopify', 'shipment', shopifyFulfillment, ['shipment']],
    ['shopify', 'shipment', { fulfillment: shopifyFulfillment }, ['shipment']],
    ['shopify', 'stock', { inventory_level: { inventory_item_id: 8, location_id: 9, available: 6, updated_at: '2026-03-01T00:00:00Z' } }, ['stock_count']],
    ['shopify', 'refund', { refund: { id: 3, order_id: 5001, refund_line_items: [], transactions: [{ id: 4, kind: 'refund', status: 'success', amount: '5.00', currency: 'EUR' }] } }, ['refund']],
    ['woocommerce', 'order', wooOrder(12), ['order']],
    ['woocommerce', 'order', [wooOrder(12), wooOrder(13)], ['order', 'order']],
    ['woocommerce', 'order', { create: [wooOrder(12)], update: [wooOrder(13)], delete: [wooOrder(14)] }, ['order', 'order', 'order']],
    ['woocommerce', 'stock', [{ id: 5, sku: 'TEA', manage_stock: true, stock_quantity: 7 }], ['listing']],
    ['stripe', 'payment', stripeCharge('ch_1'), ['payment']],
    ['stripe', 'payment', { object: 'list', has_more: false, data: [stripeCharge('ch_1'), stripeCharge('ch_2')] }, ['payment', 'payment']],
    ['stripe', 'refund', { id: 'evt_1', object: 'event', type: 'refund.created', data: { object: stripeRefund } }, ['refund']],
    ['stripe', 'settlement', stripeSettlement, ['settlement']],
  ] as const)('%s %s %#', (connector, kind, payload, expected) => {
    expect(kinds(run(connector, kind, payload))).toEqual(expected)
  }) // prettier-ignore

  it('moves the path of a fault to where the document stands in the whole', () => {
    const broken = { ...wooOrder(13), total: '1.234' }
    expect(refusal('woocommerce', 'order', [wooOrder(12), broken])).toMatchObject({
      code: 'payload_invalid',
      path: '$[1].total',
    })
    expect(refusal('woocommerce', 'order', { update: [broken] }).path).toBe('$.update[0].total')
    expect(refusal('shopify', 'order', { order: { ...shopifyOrder, line_items: 'none' } })).toEqual({
      code: 'payload_invalid',
      path: '$.order.line_items',
      message: '$.order.line_items must be array',
    })
    const settlement = {
      ...stripeSettlement,
      balance_transactions: [{ ...stripeSettlement.balance_transactions[0], net: 1 }],
    }
    expect(refusal('stripe', 'settlement', settlement).path).toBe('$.balance_transactions[0].net')
  })

  it('says where a warning belongs, and that an empty list is empty', () => {
    const odd = { ...wooOrder(13), status: 'on-the-moon' }
    expect(run('woocommerce', 'order', [wooOrder(12), odd]).warnings).toEqual([
      expect.stringMatching(/^\$\[1\]: unknown order status "on-the-moon"/),
    ])
    expect(run('woocommerce', 'order', [])).toMatchObject({ facts: [], warnings: ['the list is empty'] })
  })

  it('shows a refund without a currency as having none, and takes the one of the connection', () => {
    const without = run('woocommerce', 'refund', [wooRefund(1), wooRefund(2)])
    expect(without.facts).toMatchObject([
      { document: { currency: 'XXX', amount_minor: 1000 } },
      { document: { currency: 'XXX' } },
    ])
    expect(without.warnings).toHaveLength(2)
    const yen = run('woocommerce', 'refund', { ...wooRefund(1), amount: '10' }, { currency: 'JPY' })
    expect(yen).toMatchObject({ facts: [{ document: { currency: 'JPY', amount_minor: 10 } }], warnings: [] })
    expect(refusal('woocommerce', 'refund', { ...wooRefund(1), amount: 'ten' })).toMatchObject({
      code: 'payload_invalid',
      path: '$.currency',
    })
  })

  it.each([
    ['nothing', '', 'payload_invalid'],
    ['white space', ' \n', 'payload_invalid'],
    ['no JSON', '{"id": 1', 'payload_invalid'],
    ['a NUL byte', '\u0000', 'payload_invalid'],
    ['bytes', Buffer.from([0x89, 0x50, 0x4e, 0x47, 0xff, 0xfe]), 'payload_invalid'],
    ['a number', '7', 'payload_invalid'],
    ['null', 'null', 'payload_invalid'],
    ['a list of null', '[null]', 'payload_invalid'],
    ['an empty envelope', '{"order":null}', 'payload_invalid'],
    ['lists in lists', '['.repeat(50_000) + ']'.repeat(50_000), 'payload_invalid'],
    ['objects in objects', '{"order":'.repeat(50_000) + '1' + '}'.repeat(50_000), 'payload_invalid'],
    ['a prototype', '{"__proto__":{"id":1},"constructor":2}', 'payload_invalid'],
  ])('refuses %s with a place', (_, text, code) => {
    const refused = refusal('shopify', 'order', text)
    expect(refused.code).toBe(code)
    expect(refused.path).toMatch(/^\$/)
    expect(refused.message.length).toBeLessThan(200)
  })

  it('does not quote what may be personal', () => {
    expect(JSON.stringify(refusal('shopify', 'order', 'Ada Lovelace, ada@example.test'))).not.toMatch(/ada/i)
  })

  it('takes a byte order mark, and words of the prototype are no kinds', () => {
    expect(kinds(run('shopify', 'order', `\uFEFF${JSON.stringify(shopifyOrder)}`))).toEqual(['order'])
    expect(refusal('constructor', 'order', '{}')).toMatchObject({ code: 'not_found', path: '$' })
    expect(refusal('shopify', 'toString', '{}')).toMatchObject({ code: 'unsupported', path: '$' })
    expect(refusal('stripe', 'order', '{}').code).toBe('unsupported')
  })
})

describe('preview of files', () => {
  it('reads a file of any name by its kind', () => {
    expect(run('filedrop', 'stock', STOCK_CSV)).toMatchObject({
      facts: [
        {
          kind: 'stock_count',
          document: { location_code: 'N1', lines: [{ sku: 'TEA', on_hand: 30, damaged: 1 }, { sku: 'MUG' }] },
        },
      ],
      warnings: [],
    })
    expect(run('filedrop', 'shipment', SHIPMENT_CSV).facts).toMatchObject([
      {
        kind: 'shipment',
        document: {
          external_id: 'S1',
          lines: [
            { sku: 'TEA', quantity: 2 },
            { sku: 'MUG', quantity: 1 },
          ],
        },
      },
    ])
  })

  it('uses the settings of a connection', () => {
    const csv = STOCK_CSV.replaceAll('N1', '').replaceAll(',', ';')
    expect(run('filedrop', 'stock', csv, { delimiter: ';', location_code: 'W' }).facts).toMatchObject([
      { document: { location_code: 'W' } },
    ])
  })

  it('keeps the good rows and tells of the bad ones; a file without a good row is refused with its place', () => {
    const one = run('filedrop', 'stock', STOCK_CSV.replace('MUG,12', 'MUG,a dozen'))
    expect(kinds(one)).toEqual(['stock_count'])
    expect(one.warnings).toEqual(['row 3, column on_hand is not a whole number'])
    const none = SHIPMENT_CSV.replaceAll('FO-1', '')
    expect(refusal('filedrop', 'shipment', none)).toMatchObject({
      code: 'payload_invalid',
      path: 'row 2, column fulfillment_order',
    })
  })

  it.each([
    ['stock', '', 'file_invalid'],
    ['stock', STOCK_CSV.replace(/TRAILER.*/, ''), 'file_invalid'],
    ['stock', STOCK_CSV.replace('2,42', '2,43'), 'control_total_mismatch'],
    ['stock', SHIPMENT_CSV, 'file_invalid'],
    ['shipment', Buffer.from([0, 1, 2, 255]), 'file_invalid'],
    ['order', STOCK_CSV, 'unsupported'],
  ])('refuses %s %#', (kind, text, code) => {
    const refused = refusal('filedrop', kind, text)
    expect(refused.code).toBe(code)
    expect(refused.path).not.toBe('')
  })
})
