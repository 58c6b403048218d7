import { describe, expect, it } from 'vitest'
import { odooItem } from '../../../src/mappings/odoo/item.ts'
import { scaled, wholeOf, wholeQuotient } from '../../../src/mappings/odoo/numbers.ts'
import { odooStock } from '../../../src/mappings/odoo/stock.ts'

const CONTEXT = { observed_at: '2026-11-22T00:00:00Z', settings: {} }
const PRODUCT = {
  id: 7, default_code: 'CUP', name: 'Cup', barcode: '4006381333931', weight: '0.35', weight_unit: 'kg', active: true, same_sku: [] as number[],
  kit: null as unknown,
} // prettier-ignore
const part = (change: object = {}) => ({
  sku: 'LID',
  quantity: '2',
  own_unit: true,
  is_kit: false,
  for_some: false,
  ...change,
})
const kit = (...lines: object[]) => ({ ...PRODUCT, kit: { quantity: '1', changed: '2026-11-20 00:00:00', lines } })
const map = (payload: unknown) => odooItem.map(payload, CONTEXT)
const documentOf = (payload: unknown) => map(payload).facts[0]?.document

describe('a product', () => {
  it('becomes an item', () => {
    expect(documentOf(PRODUCT)).toEqual({
      sku: 'CUP',
      name: 'Cup',
      barcode: '4006381333931',
      weight_g: 350,
      kit: null,
      active: true,
    })
  })

  it.each([
    ['0', 'kg', null],
    ['1.5', 'lb', 680],
    ['0.0004', 'kg', null],
    ['12', 'g', 12],
  ])('weighs %s %s: %s g', (weight, weight_unit, grams) => {
    expect(documentOf({ ...PRODUCT, weight, weight_unit })).toMatchObject({ weight_g: grams })
  })

  it('says that it does not know a unit', () => {
    const { facts, warnings } = map({ ...PRODUCT, weight_unit: 'stone' })
    expect(facts[0]?.document).toMatchObject({ weight_g: null })
    expect(warnings).toEqual(['unknown unit of weight of CUP, its weight is left out'])
  })

  it('is parked with the others of its SKU', () => {
    expect(() => map({ ...PRODUCT, same_sku: [9, 12] })).toThrow('Odoo has 3 active products with the SKU CUP')
  })
})

describe('a kit', () => {
  it('counts its parts a kit', () => {
    const payload = {
      ...PRODUCT,
      kit: {
        quantity: '2',
        changed: '',
        lines: [part({ quantity: '4' }), part({ sku: 'TRAY' }), part({ sku: 'TRAY', quantity: '4' })],
      },
    }
    expect(documentOf(payload)).toMatchObject({ kit: [{ sku: 'LID', quantity: 2 }, { sku: 'TRAY', quantity: 3 }] }) // prettier-ignore
  })

  it.each([
    [{ sku: null }, /a component has no SKU/],
    [{ is_kit: true }, /is a kit itself/],
    [{ for_some: true }, /certain variants only/],
    [{ own_unit: false }, /another unit than its own/],
    [{ quantity: '0.5' }, /whole units a kit/],
    [{ quantity: '0' }, /whole units a kit/],
  ])('is parked with its cause: %j', (change, cause) => expect(() => map(kit(part(change)))).toThrow(cause))

  it('needs a part', () => expect(() => map(kit())).toThrow('kit CUP has no components'))
})

describe('stock', () => {
  const payload = { warehouse: 'WH', as_of: '2026-11-22T00:00:00.000Z', lines: [{ product: 7, sku: 'CUP', quantity: '12.0' }, { product: 8, sku: 'LID', quantity: '-3' }] } // prettier-ignore

  it('becomes a count, and nothing where less than nothing is there', () => {
    const { facts, warnings } = odooStock.map(payload, CONTEXT)
    expect(facts[0]?.document).toMatchObject({
      external_id: 'WH:2026-11-22T00:00:00.000Z:7',
      location_code: 'WH',
      lines: [
        { sku: 'CUP', on_hand: 12, damaged: 0, quality_control: 0 },
        { sku: 'LID', on_hand: 0 },
      ],
    })
    expect(warnings).toEqual(['LID is -3 in WH, taken as 0'])
  })

  it('parks parts of units and says nothing of nothing', () => {
    expect(() => odooStock.map({ ...payload, lines: [{ product: 7, sku: 'CUP', quantity: '0.5' }] }, CONTEXT)).toThrow(
      /part of a unit/,
    )
    expect(odooStock.map({ ...payload, lines: [] }, CONTEXT).facts).toEqual([])
  })
})

describe('numbers', () => {
  it('are exact', () => {
    expect(scaled('0.1', 1_000n, 1n)).toBe(100)
    expect(scaled('-0.0005', 1_000n, 1n)).toBe(-1)
    expect([wholeOf('3'), wholeOf('3.00'), wholeOf('3.5'), wholeOf('-2')]).toEqual([3, 3, null, -2])
    expect([wholeQuotient('1.5', '0.5'), wholeQuotient('1', '3'), wholeQuotient('1', '0')]).toEqual([3, null, null])
  })
})
