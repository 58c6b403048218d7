import { expect, test } from 'vitest'
import { choosePromisesToBreak, type PromisedRow } from '../../../src/core/inventory/rulesShorten.ts'

const row = (id: number, change: Partial<PromisedRow> = {}): PromisedRow => ({
  id,
  order_id: `o${id}`,
  order_line_id: id,
  item_id: 1,
  location_id: 'north',
  per_unit: 1,
  quantity: 1,
  consumed_quantity: 0,
  state: 'committed',
  fulfillment_order_id: null,
  priority: 100,
  sent: false,
  ...change,
})

test('promises are broken where it harms least: unsent, less urgent, without a date, of the later date, the youngest', () => {
  const rows = [
    row(1, { sent: true, priority: 900 }),
    row(2, { priority: 10 }),
    row(3, { ship_by: new Date(1_000) }),
    row(4, { ship_by: new Date(2_000) }),
    row(5),
    row(6),
    row(7, { priority: 200, ship_by: new Date(1) }),
  ]
  const broken = (units: number): number[] =>
    choosePromisesToBreak(rows, [{ item_id: 1, location_id: 'north', units }]).map(({ row: { id } }) => id)
  expect(broken(7)).toEqual([7, 6, 5, 4, 3, 2, 1])
  expect(broken(2)).toEqual([7, 6])
})
