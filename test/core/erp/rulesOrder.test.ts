import { expect, it } from 'vitest'
import { erpAmounts, type SoldLine } from '../../../src/core/erp/rulesOrder.ts'

const line = (changes: Partial<SoldLine> = {}): SoldLine => ({
  external_id: 'L1',
  channel_sku: 'TEA',
  title: 'Tea',
  quantity: 3,
  units: 3,
  unit_price_minor: 1_000,
  discount_minor: 100,
  tax_minor: 464,
  items: [{ sku: 'TEA', quantity: 1 }],
  ...changes,
})

it('tells whether tax is inside by what the total comes to', () => {
  const inside = erpAmounts([line()], { shipping_minor: 0, tax_minor: 464, total_minor: 2_900 })
  const onTop = erpAmounts([line()], { shipping_minor: 0, tax_minor: 464, total_minor: 3_364 })
  expect([inside.prices_include_tax, onTop.prices_include_tax]).toEqual([true, false])
  expect(
    erpAmounts([line({ tax_minor: 0 })], { shipping_minor: 0, tax_minor: 0, total_minor: 2_900 }).prices_include_tax,
  ).toBe(false)
  expect(erpAmounts([line()], { shipping_minor: 500, tax_minor: 544, total_minor: 3_400 })).toMatchObject({ prices_include_tax: true, shipping_tax_minor: 80 }) // prettier-ignore
})

it('takes off what units that are not wanted any more were worth, and keeps what no line explains', () => {
  const totals = { shipping_minor: 500, tax_minor: 464, total_minor: 3_397 }
  const less = erpAmounts([line({ units: 2 })], totals)
  expect(less.lines).toMatchObject([{ quantity: 2, unit_price_minor: 1_000, discount_minor: 66, tax_minor: 309 }])
  expect(less.total_minor).toBe(3_397 - 2_900 + (2_000 - 66))
  expect(erpAmounts([line({ units: 0 })], totals)).toMatchObject({ lines: [], total_minor: 3_397 - 2_900 })
})

it('keeps what left of a line that was taken off the order', () => {
  const removed = line({ quantity: 0, units: 1, discount_minor: 0, tax_minor: 0 })
  const totals = { shipping_minor: 0, tax_minor: 0, total_minor: 300 }
  expect(erpAmounts([removed], totals)).toMatchObject({
    lines: [{ quantity: 1, unit_price_minor: 1_000 }],
    total_minor: 1_300,
  })
})

it('counts goods that left too late to be cancelled once, whether or not the channel still has them in its total', () => {
  const late = [
    line({ quantity: 0, units: 1, unit_price_minor: 450, discount_minor: 0, tax_minor: 0 }),
    line({ external_id: 'L2', quantity: 0, units: 2, unit_price_minor: 820, discount_minor: 0, tax_minor: 0 }),
  ]
  for (const total_minor of [2_090, 0])
    expect(erpAmounts(late, { shipping_minor: 0, tax_minor: 0, total_minor })).toMatchObject({ total_minor: 2_090 })
  for (const total_minor of [2_590, 500])
    expect(erpAmounts(late, { shipping_minor: 500, tax_minor: 0, total_minor })).toMatchObject({ total_minor: 2_590 })
})

it('says a multipack in units, to the cent, and puts the money of a set on its first item', () => {
  const pack = line({
    units: 2,
    quantity: 2,
    unit_price_minor: 1_000,
    discount_minor: 0,
    tax_minor: 0,
    items: [{ sku: 'TEA', quantity: 3 }],
  })
  const { lines, total_minor } = erpAmounts([pack], { shipping_minor: 0, tax_minor: 0, total_minor: 2_000 })
  expect(lines).toEqual([{ line_external_id: 'L1', sku: 'TEA', title: 'Tea', quantity: 6, unit_price_minor: 334, discount_minor: 4, tax_minor: 0 }]) // prettier-ignore
  expect(total_minor).toBe(2_000)
  const set = line({ items: [{ sku: 'CUP', quantity: 1 }, { sku: 'LID', quantity: 2 }] }) // prettier-ignore
  const parts = erpAmounts([set], { shipping_minor: 0, tax_minor: 464, total_minor: 2_900 }).lines
  expect(parts).toMatchObject([
    { line_external_id: 'L1', sku: 'CUP', quantity: 3, unit_price_minor: 1_000, discount_minor: 100, tax_minor: 464 },
    { line_external_id: 'L1/LID', sku: 'LID', quantity: 6, unit_price_minor: 0, discount_minor: 0, tax_minor: 0 },
  ])
  expect(
    erpAmounts([line({ items: [] })], { shipping_minor: 0, tax_minor: 464, total_minor: 2_900 }).lines,
  ).toMatchObject([{ sku: 'TEA' }])
})

it('is exact where a product of amounts is beyond what a number holds', () => {
  const huge = line({
    quantity: 1_000_000,
    units: 999_999,
    unit_price_minor: 9_000,
    discount_minor: 9_000_000_000,
    tax_minor: 0,
  })
  const { lines } = erpAmounts([huge], { shipping_minor: 0, tax_minor: 0, total_minor: 0 })
  expect(lines[0]?.discount_minor).toBe(8_999_991_000)
})
