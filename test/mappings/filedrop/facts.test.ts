import { describe, expect, it } from 'vitest'
import { ack, receipt, returned, shipment, stock } from '../../../src/mappings/filedrop/facts.ts'

const CONTEXT = { observed_at: '2026-11-21T10:00:00Z', settings: {} }
const AT = '2026-11-21T09:00:00.000Z'

describe('file drop mappings', () => {
  it('maps a shipment', () => {
    const head = {
      fulfillment_order: 'FO-1',
      shipped_at: AT,
      carrier: 'DHL',
      tracking_number: 'T1',
      tracking_url: null,
    }
    const lines = [{ sku: 'A', quantity: 2, line_reference: 'L1', lot: null }]
    expect(shipment.map({ shipment_id: 'S1', ...head, lines }, CONTEXT)).toEqual({
      facts: [{ kind: 'shipment', document: { external_id: 'S1', ...head, lines } }],
      warnings: [],
    })
  })

  it('maps a count, where an empty cell is none', () => {
    const payload = {
      location_code: 'B1',
      as_of: AT,
      part: 'stock_full:1:B1:1',
      lines: [{ sku: 'A', on_hand: 5, damaged: 1, quality_control: null }],
    }
    expect(stock.map(payload, CONTEXT).facts).toEqual([
      {
        kind: 'stock_count',
        document: {
          external_id: 'stock_full:1:B1:1',
          location_code: 'B1',
          as_of: AT,
          lines: [{ sku: 'A', on_hand: 5, damaged: 1, quality_control: 0 }],
        },
      },
    ])
  })

  it('maps a receipt to one movement a SKU', () => {
    const payload = { receipt_id: 'R1', location_code: 'B1', received_at: AT, reference: 'PO', lines: [{ sku: 'A', quantity: 2 }, { sku: 'B', quantity: 1 }, { sku: 'A', quantity: 3 }] } // prettier-ignore
    const { facts } = receipt.map(payload, CONTEXT)
    expect(facts.map(({ document }) => document)).toMatchObject([{ external_id: 'R1/A', delta: 5, reason: 'received' }, { external_id: 'R1/B', delta: 1 }]) // prettier-ignore
  })

  it.each(['accepted', 'rejected', 'cancelled'])('maps the verdict %s', (verdict) => {
    const document = { fulfillment_order: 'FO-1', verdict, reason: null, at: AT }
    expect(ack.map(document, CONTEXT).facts).toEqual([{ kind: 'acknowledgement', document }])
  })

  it.each([
    ['restock', 'restock', 0],
    ['inspect', 'quality_control', 0],
    ['defective', 'damaged', 0],
    ['scrapped', 'discard', 0],
    [null, 'quality_control', 0],
    ['smells odd', 'quality_control', 1],
    ['constructor', 'quality_control', 1],
  ])('maps the disposition %j to %s', (disposition, known, warnings) => {
    const line = { sku: 'A', quantity: 1, line_reference: null }
    const head = { fulfillment_order: null, order_external_id: 'O1', location_code: 'B1', received_at: AT }
    const mapped = returned.map({ return_id: 'X1', ...head, lines: [{ ...line, disposition }] }, CONTEXT)
    expect(mapped.facts).toEqual([
      { kind: 'return', document: { external_id: 'X1', ...head, lines: [{ ...line, disposition: known }] } },
    ])
    expect(mapped.warnings).toHaveLength(warnings)
  })

  it.each([
    [shipment, { shipment_id: 'S1' }],
    [shipment, null],
    [stock, { location_code: 'B1', as_of: 'noon', part: 'x', lines: [] }],
    [ack, { fulfillment_order: 'FO', verdict: 'maybe', reason: null, at: AT }],
    [
      receipt,
      { receipt_id: 'R1', location_code: 'B1', received_at: AT, reference: null, lines: [{ sku: 'A', quantity: 1.5 }] },
    ],
  ])('parks what it cannot read', (mapping, payload) => {
    expect(() => mapping.map(payload, CONTEXT)).toThrow(expect.objectContaining({ code: 'payload_invalid' }))
  })
})
