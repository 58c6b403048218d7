import { describe, expect, it } from 'vitest'
import { offersOf, physicalStock, sellable, SOMETIMES_NOT_PICKED } from '../../src/sandbox/assortment.ts'

const PLACES = ['hamburg', 'berlin', 'leipzig']
const GIFT_BOX = offersOf('shopify-eu').find(({ sku }) => sku === 'GIFT-BOX')
const totalOf = (stock: Record<string, Record<string, number>>): Record<string, number> => {
  const total: Record<string, number> = {}
  for (const units of Object.values(stock))
    for (const [item, count] of Object.entries(units)) total[item] = (total[item] ?? 0) + count
  return total
}

describe('the physical stock', () => {
  it('is the same in all, however many places it lies in', () => {
    expect(totalOf(physicalStock(1, PLACES))).toEqual(totalOf(physicalStock(1, ['hamburg'])))
    expect(totalOf(physicalStock(0.1, PLACES))).toEqual(totalOf(physicalStock(0.1, ['a', 'b'])))
  })

  it('has the halves of a gift box together in one place alone', () => {
    const stock = physicalStock(1, PLACES)
    const makes = PLACES.map((place) =>
      GIFT_BOX === undefined ? -1 : sellable(GIFT_BOX, new Map(Object.entries(stock[place] ?? {}))),
    )
    expect(makes).toEqual([0, 1_000, 0])
  })

  it('has each item that a place may fail to pick in every other place, too', () => {
    const stock = physicalStock(1, PLACES)
    expect(SOMETIMES_NOT_PICKED.length).toBeGreaterThan(0)
    for (const item of SOMETIMES_NOT_PICKED)
      for (const place of PLACES) expect(stock[place]?.[item], `${item} in ${place}`).toBeGreaterThan(100)
  })
})
