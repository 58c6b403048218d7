import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { promiseArrivals, type Arrival, type Waiting } from '../../../src/core/supply/rulesPromiseDates.ts'

const PLACES = ['north', 'south', 'east']

const arrivals = fc
  .array(
    fc.record({
      item_id: fc.integer({ min: 1, max: 3 }),
      location_id: fc.constantFrom(...PLACES),
      units: fc.integer({ min: 1, max: 9 }),
      expected_at_ms: fc.option(fc.integer({ min: 0, max: 5 }), { nil: null }),
    }),
    { maxLength: 8 },
  )
  .map((rows) => rows.map((row, index): Arrival => ({ ...row, supply_id: `s${index}` })))

const waiting = fc
  .array(
    fc.record({
      item_id: fc.integer({ min: 1, max: 3 }),
      units: fc.integer({ min: 1, max: 9 }),
      priority: fc.integer({ min: 0, max: 2 }),
      ship_by_ms: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
      places: fc.subarray(PLACES),
    }),
    { maxLength: 10 },
  )
  .map((rows) => rows.map((row, index): Waiting => ({ ...row, id: index + 1 })))

/** Unit by unit: the next unit that comes goes to whoever is first in the queue at that moment. */
function naive(coming: readonly Arrival[], queue: readonly Waiting[]): Map<string, number> {
  const given = new Map<string, number>()
  const give = (id: number, supply: string): void => {
    given.set(`${id} ${supply}`, (given.get(`${id} ${supply}`) ?? 0) + 1)
  }
  const missing = new Map(queue.map((one) => [one.id, one.units]))
  const days = [0, 1, 2, 3, 4, 5, null]
  for (const day of days) {
    for (const arrival of coming.filter((one) => one.expected_at_ms === day)) {
      for (let unit = 0; unit < arrival.units; unit += 1) {
        let first: Waiting | undefined
        for (const one of queue) {
          if (one.item_id !== arrival.item_id || !one.places.includes(arrival.location_id)) continue
          if ((missing.get(one.id) ?? 0) === 0) continue
          if (first === undefined || goesBefore(one, first)) first = one
        }
        if (first === undefined) break
        missing.set(first.id, (missing.get(first.id) ?? 0) - 1)
        give(first.id, arrival.supply_id)
      }
    }
  }
  for (const [id, units] of missing) for (let unit = 0; unit < units; unit += 1) give(id, '-')
  return given
}

function goesBefore(a: Waiting, b: Waiting): boolean {
  if (a.priority !== b.priority) return a.priority < b.priority
  if (a.ship_by_ms !== b.ship_by_ms) {
    if (a.ship_by_ms === null) return false
    return b.ship_by_ms === null || a.ship_by_ms < b.ship_by_ms
  }
  return a.id < b.id
}

describe('dates of waiting units', () => {
  it('are those of giving out every unit as it comes', () => {
    fc.assert(
      fc.property(arrivals, waiting, (coming, queue) => {
        const given = new Map<string, number>()
        for (const { id, units, arrival } of promiseArrivals(coming, queue)) {
          const key = `${id} ${arrival?.supply_id ?? '-'}`
          given.set(key, (given.get(key) ?? 0) + units)
        }
        expect(Object.fromEntries(given)).toEqual(Object.fromEntries(naive(coming, queue)))
      }),
      { numRuns: 2_000 },
    )
  })

  it('do not hang on the order in which anybody is named', () => {
    fc.assert(
      fc.property(arrivals, waiting, (coming, queue) => {
        const sorted = (rows: ReturnType<typeof promiseArrivals>) =>
          rows.map(({ id, units, arrival }) => `${id} ${units} ${arrival?.supply_id ?? '-'}`).toSorted()
        expect(sorted(promiseArrivals(coming.toReversed(), queue.toReversed()))).toEqual(
          sorted(promiseArrivals(coming, queue)),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('leave units undated that nobody has dated, and uncovered what does not come', () => {
    const arrival: Arrival = { supply_id: 's', item_id: 1, location_id: 'north', units: 3, expected_at_ms: null }
    const queue: Waiting[] = [{ id: 1, item_id: 1, units: 5, priority: 1, ship_by_ms: null, places: ['north'] }]
    expect(promiseArrivals([arrival], queue)).toEqual([
      { id: 1, units: 3, arrival },
      { id: 1, units: 2, arrival: null },
    ])
  })
})
