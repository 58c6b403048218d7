import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decimalOf, minorOf, nearestMinorOf } from '../../../src/connectors/odoo/amounts.ts'
import { accountCode } from '../../../src/connectors/odoo/books.ts'
import { modelName, resolveFields, rightsCall } from '../../../src/connectors/odoo/dialect.ts'
import { externalName } from '../../../src/connectors/odoo/records.ts'
import { creditLines } from '../../../src/connectors/odoo/rulesCredit.ts'
import { shareOut, type Move, type Want } from '../../../src/connectors/odoo/rulesGoods.ts'
import { planLines } from '../../../src/connectors/odoo/rulesLines.ts'
import { netOf, pickTax, rateOf, shownRate, taxOf, type SaleTax } from '../../../src/connectors/odoo/rulesTax.ts'
import { converge } from '../../../src/connectors/odoo/steps.ts'
import { HubError } from '../../../src/core/errors.ts'
import type { ErpOrder, ErpOrderLine } from '../../../src/core/model/effects.ts'

const ON_TOP: SaleTax = { id: 1, name: '19 %', rate_e4: 190_000, included: false }
const INSIDE: SaleTax = { id: 2, name: '19 % incl.', rate_e4: 190_000, included: true }
const REDUCED: SaleTax = { id: 3, name: '7 %', rate_e4: 70_000, included: false }
const FREE: SaleTax = { id: 4, name: '0 %', rate_e4: 0, included: false }

describe('amounts at the border', () => {
  it.each([
    [36.11, '36.11'],
    [0.1 + 0.2, '0.3'],
    [1.005 * 100, '100.5'],
    [-1234.5, '-1234.5'],
    [0, '0'],
    [-0, '0'],
    [1e-7, '0.0000001'],
    [1.5e15, '1500000000000000'],
    [123456789.12, '123456789.12'],
  ])('reads %d as %s', (float, text) => expect(decimalOf(float)).toBe(text))

  it('brings every amount back that a float can carry', () => {
    fc.assert(
      fc.property(fc.integer({ min: -99_999_999_999_999, max: 99_999_999_999_999 }), (minor) => {
        expect(minorOf(minor / 100, 'EUR', 'amount')).toBe(minor)
        expect(nearestMinorOf(minor / 100, 'EUR', 'amount')).toBe(minor)
      }),
    )
  })

  it('takes a fraction of a cent for a fault in a total and rounds it in a price', () => {
    expect(() => minorOf(10.005, 'EUR', 'total')).toThrow(/more decimals/)
    expect(nearestMinorOf(10.005, 'EUR', 'price')).toBe(1_001)
    expect(nearestMinorOf(-10.005, 'EUR', 'price')).toBe(-1_001)
    expect(minorOf(1500, 'JPY', 'total')).toBe(1_500)
    expect(minorOf(1.234, 'KWD', 'total')).toBe(1_234)
    expect(() => minorOf('10', 'EUR', 'total')).toThrow(HubError)
  })
})

describe('taxes', () => {
  it('finds the tax by what it comes to, in the way of the prices', () => {
    const taxes = [REDUCED, ON_TOP, INSIDE]
    expect(pickTax(taxes, { net_minor: 1_000, tax_minor: 190, quantity: 1 }, false)).toBe(ON_TOP)
    expect(pickTax(taxes, { net_minor: 1_000, tax_minor: 190, quantity: 1 }, true)).toBe(INSIDE)
    expect(pickTax(taxes, { net_minor: 1_000, tax_minor: 70, quantity: 1 }, true)).toBe(REDUCED)
    expect(pickTax(taxes, { net_minor: 1_000, tax_minor: 120, quantity: 1 }, false)).toBeUndefined()
    expect(pickTax(taxes, { net_minor: 1_000, tax_minor: 0, quantity: 1 }, false)).toBeNull()
    expect(pickTax([...taxes, FREE], { net_minor: 1_000, tax_minor: 0, quantity: 1 }, false)).toBe(FREE)
  })

  it('bears the rounding of a channel that rounds by unit', () => {
    const tax_minor = 10 * Math.round(0.19 * 33)
    expect(pickTax([REDUCED, ON_TOP], { net_minor: 330, tax_minor, quantity: 10 }, false)).toBe(ON_TOP)
  })

  it('bears the rounding of units that left although they were taken off', () => {
    const VAT: SaleTax = { id: 5, name: '20 %', rate_e4: 200_000, included: true }
    // Two of 11.90 left; the order had been brought to one, with 1.99 of tax.
    expect(pickTax([REDUCED, VAT], { net_minor: 2_380 - 398, tax_minor: 2 * 199, quantity: 2 }, true)).toBe(VAT)
    expect(pickTax([REDUCED, VAT], { net_minor: 2_380 - 420, tax_minor: 420, quantity: 2 }, true)).toBeUndefined()
  })

  it('computes in integers', () => {
    expect(rateOf('7.7')).toBe(77_000)
    expect(taxOf(-1_050, 190_000)).toBe(-200)
    expect(netOf(1_190, 190_000)).toBe(1_000)
    expect(shownRate({ net_minor: 1_000, tax_minor: 125, quantity: 1 })).toBe('12.50 %')
  })
})

const line = (change: Partial<ErpOrderLine> = {}): ErpOrderLine => ({
  line_external_id: 'a', sku: 'CUP', title: 'Cup', quantity: 3, unit_price_minor: 1_190, discount_minor: 0, tax_minor: 570, ...change,
}) // prettier-ignore
const order = (change: Partial<ErpOrder> = {}): ErpOrder => ({
  order_id: 'o', channel: 'shop', order_external_id: '1', order_number: '1', placed_at: '2026-11-20T10:00:00Z', currency: 'EUR', lines: [line()],
  shipping_minor: 0, shipping_tax_minor: 0, total_minor: 3_570, prices_include_tax: true,
  customer: { external_id: 'c', name: null, email: null, ship_to: null, bill_to: null }, warehouse_code: null, ...change,
}) // prettier-ignore

describe('lines of an order', () => {
  it('keeps prices as they are where the tax has their way', () => {
    expect(planLines('o', order(), [INSIDE])).toEqual([
      { key: 'o:line:a', product: { sku: 'CUP' }, name: 'Cup', quantity: 3, price_minor: 1_190, tax: INSIDE },
    ])
  })

  it('takes the tax out where it comes on top, and puts what rounding loses beside', () => {
    expect(planLines('o', order(), [ON_TOP]).map(({ price_minor }) => price_minor)).toEqual([1_000])
    const odd = order({ lines: [line({ unit_price_minor: 999, tax_minor: 479 })] })
    const plans = planLines('o', odd, [ON_TOP])
    expect(plans.map(({ key, price_minor, quantity }) => [key, price_minor, quantity])).toEqual([
      ['o:line:a', 839, 3],
      ['o:discount:a', 1, 1],
    ])
  })

  it('says discounts and shipping as lines of their own', () => {
    const plans = planLines(
      'o',
      order({ lines: [line({ discount_minor: 119, tax_minor: 551 })], shipping_minor: 500, shipping_tax_minor: 80 }),
      [INSIDE],
    )
    expect(plans.map(({ key, price_minor }) => [key, price_minor])).toEqual([
      ['o:line:a', 1_190],
      ['o:discount:a', -119],
      ['o:shipping', 500],
    ])
  })

  it('names the rate that is missing', () => {
    expect(() => planLines('o', order(), [REDUCED])).toThrow('CUP: Odoo has no sale tax of about 19.00 % (EUR)')
  })

  it('comes to the net amount of every order, whatever the prices are', () => {
    const amounts = fc.record({
      quantity: fc.integer({ min: 1, max: 50 }),
      unit_price_minor: fc.integer({ min: 100, max: 1_000_000 }),
      discount_minor: fc.integer({ min: 0, max: 100 }),
      includes: fc.boolean(),
      tax: fc.constantFrom(ON_TOP, INSIDE),
    })
    fc.assert(
      fc.property(amounts, ({ quantity, unit_price_minor, discount_minor, includes, tax }) => {
        const amount = unit_price_minor * quantity - discount_minor
        const net = includes ? netOf(amount, tax.rate_e4) : amount
        const tax_minor = includes ? amount - net : taxOf(net, tax.rate_e4)
        const sold = order({
          lines: [line({ quantity, unit_price_minor, discount_minor, tax_minor })],
          prices_include_tax: includes,
        })
        const sum = planLines('o', sold, [tax]).reduce((total, plan) => total + plan.price_minor * plan.quantity, 0)
        expect(sum).toBe(tax.included ? net + tax_minor : net)
      }),
    )
  })
})

const move = (change: Partial<Move>): Move => ({
  id: 1, picking: 1, product: 10, unit: 1, sale_line: 100, per_kit: null, from: 5, to: 9, open: 3, ...change,
}) // prettier-ignore
const want = (change: Partial<Want> = {}): Want => ({
  key: 'w',
  sku: 'CUP',
  product: 10,
  sale_line: 100,
  quantity: 2,
  lot: null,
  ...change,
})

describe('goods and moves', () => {
  it('prefers the moves of the same line and goes on with others', () => {
    const moves = [move({ id: 1, sale_line: 200 }), move({ id: 2 })]
    expect(shareOut([want({ quantity: 4 })], moves, 'refused').map((share) => [share.move.id, share.quantity])).toEqual(
      [
        [2, 3],
        [1, 1],
      ],
    )
  })

  it('gives two wants of one move what is left of it', () => {
    const shares = shareOut([want({ key: 'a' }), want({ key: 'b', quantity: 1 })], [move({})], 'refused')
    expect(shares.map(({ key, quantity }) => [key, quantity])).toEqual([
      ['a', 2],
      ['b', 1],
    ])
  })

  it('lets more leave than was planned, and takes no more back than has left', () => {
    expect(shareOut([want({ quantity: 5 })], [move({})], 'allowed')[0]?.quantity).toBe(5)
    expect(() => shareOut([want({ quantity: 5 })], [move({})], 'refused')).toThrow(/2 more than Odoo has moved/)
    expect(() => shareOut([want({ product: 11 })], [move({})], 'allowed')).toThrow(/none of it/)
  })

  it('takes a kit apart and keeps the key of the want on one of its parts', () => {
    const moves = [
      move({ id: 1, product: 20, per_kit: { units: 2, of: 1 }, open: 4 }),
      move({ id: 2, product: 21, per_kit: { units: 1, of: 1 }, open: 2 }),
    ]
    expect(shareOut([want({ product: 99 })], moves, 'allowed').map(({ key, quantity }) => [key, quantity])).toEqual([
      ['w', 4],
      ['w:1:0', 2],
    ])
    expect(() =>
      shareOut([want({ product: 99, quantity: 1 })], [move({ product: 20, per_kit: { units: 1, of: 2 } })], 'allowed'),
    ).toThrow(/whole units/)
  })
})

describe('credit notes', () => {
  const sold = { product: 10, tax: ON_TOP, net_minor: 3_000, gross_minor: 3_570 }
  const own = { shipping: null, adjustment: 77 }
  const refunded = (change: object) => ({ sku: 'CUP', quantity: 1, amount_minor: 1_190, product: 10, sold, ...change })

  it('reads amounts with tax, and without it where that explains the sum', () => {
    expect(creditLines(1_190, [refunded({})], own)).toEqual([
      { product: 10, name: 'CUP', quantity: 1, price_minor: 1_000, tax: 1 },
    ])
    expect(creditLines(1_190, [refunded({ amount_minor: 1_000 })], own)[0]?.price_minor).toBe(1_000)
  })

  it('puts what no line explains on shipping, or on an adjustment with the tax of the goods', () => {
    const shipping = { product: 55, tax: REDUCED, net_minor: 500, gross_minor: 535 }
    expect(creditLines(1_725, [refunded({})], { ...own, shipping })[1]).toMatchObject({
      product: 55,
      price_minor: 500,
      tax: 3,
    })
    expect(creditLines(1_309, [refunded({})], own)[1]).toMatchObject({
      product: 77,
      name: 'Refund',
      price_minor: 100,
      tax: 1,
    })
    expect(creditLines(500, [], own)).toEqual([
      { product: 77, name: 'Refund', quantity: 1, price_minor: 500, tax: null },
    ])
  })

  it('keeps units where the price divides by them', () => {
    expect(creditLines(2_380, [refunded({ quantity: 2, amount_minor: 2_380 })], own)[0]).toMatchObject({
      quantity: 2,
      price_minor: 1_000,
    })
    expect(creditLines(1_191, [refunded({ quantity: 2, amount_minor: 1_191 })], own)[0]).toMatchObject({
      quantity: 1,
      name: '2 × CUP',
    })
  })
})

describe('names', () => {
  it('makes external ids that Odoo takes and that stay apart', () => {
    expect(externalName('plain_name-1')).toBe('plain_name-1')
    expect(externalName('order:shop.eu:1 2')).toMatch(/^order_shop_eu_1_2_[0-9a-f]{12}$/)
    expect(externalName('order:shop:eu:1 2')).not.toBe(externalName('order:shop.eu:1 2'))
    expect(externalName('x'.repeat(300))).toHaveLength(113)
  })

  it('knows accounts by the longest beginning', () => {
    const table = { 'fees:*': '1', 'fees:payment*': '2', sales: '3' }
    expect(['fees:ads', 'fees:payment', 'sales', 'tax'].map((name) => accountCode(table, name))).toEqual([
      '1',
      '2',
      '3',
      undefined,
    ])
  })

  it('speaks to older servers in their own words', () => {
    expect(resolveFields('sale.order.line', ['tax_ids', 'name'], new Set(['tax_id', 'name']))).toEqual({
      tax_ids: 'tax_id',
      name: 'name',
    })
    expect(resolveFields('stock.move.line', ['quantity', 'picked'], new Set(['qty_done']))).toEqual({
      quantity: 'qty_done',
      picked: null,
    })
    expect(resolveFields('stock.picking', ['move_ids'], new Set(['move_lines', 'move_ids_without_package']))).toEqual({
      move_ids: 'move_ids_without_package',
    })
    expect([modelName('stock.lot', 15), modelName('stock.lot', 16)]).toEqual(['stock.production.lot', 'stock.lot'])
    expect(rightsCall(17, 'read').method).toBe('check_access_rights')
  })
})

describe('steps', () => {
  const step = (done: boolean[], act: () => Promise<unknown>) => ({
    name: 'it',
    done: () => Promise.resolve(done.shift() ?? true),
    act,
  })
  const refusal = () => Promise.reject(new HubError('vendor_rejected', 'no'))

  it('does nothing that is done, and believes what it reads more than what it was answered', async () => {
    await converge([step([true], refusal)])
    await converge([step([false, true], refusal)])
    await expect(converge([step([false, false], refusal)])).rejects.toThrow('no')
    await expect(
      converge([step([false, false], () => Promise.resolve({ type: 'ir.actions.act_window' }))]),
    ).rejects.toThrow(/nothing came of it/)
  })
})
