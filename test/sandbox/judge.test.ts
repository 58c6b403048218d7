import { describe, expect, it } from 'vitest'
import type { Offer } from '../../src/sandbox/assortment.ts'
import type { Evidence, HubStatement, WarehouseLedger } from '../../src/sandbox/evidence.ts'
import { judge } from '../../src/sandbox/judge.ts'
import { shelfNumber, type ShelfRules, type StockRule } from '../../src/sandbox/shelf.ts'
import type { SoldLine, SoldOrder, StorefrontLedger } from '../../src/sandbox/simulator.ts'
import type { Shop } from '../../src/sandbox/trade.ts'

const TEA: Offer = { sku: 'TEA', title: 'Tea', price_minor: 100, takes: { TEA: 1 } }
const BOX: Offer = { sku: 'BOX', title: 'Box', price_minor: 300, takes: { TEA: 1, MUG: 1 } }

const places = (units: Record<string, Record<string, number>>): Map<string, Map<string, number>> =>
  new Map(Object.entries(units).map(([place, items]) => [place, new Map(Object.entries(items))]))

function shelf(rules: StockRule[] = [], availability: Partial<ShelfRules['availability']> = {}): ShelfRules {
  const given = { buffer: 0, share_percent: 100, ...availability }
  return { connection_id: 'web', serves_from: ['north', 'south'], availability: given, rules }
}

describe('the number a shelf should show', () => {
  const lying = places({ north: { TEA: 7 }, south: { TEA: 3, MUG: 5 }, elsewhere: { TEA: 50, MUG: 50 } })
  it.each<[string, Offer, ShelfRules, number]>([
    ['is the sum over the places that serve it', TEA, shelf(), 10],
    ['is the minimum of a kit at each place, not over all', BOX, shelf(), 3],
    ['loses the safety stock of a place', TEA, shelf([{ location: 'north', safety_units: 5 }]), 5],
    ['rounds a share down', TEA, shelf([], { share_percent: 75 }), 7],
    ['is capped before the buffer comes off', TEA, shelf([], { cap: 6, buffer: 2 }), 4],
    ['rounds a buffer in percent up', TEA, shelf([], { buffer_percent: 25 }), 7],
    ['is nothing below the threshold', TEA, shelf([], { zero_below: 11 }), 0],
    ['obeys the rule that names more', TEA, shelf([{ sku: 'TEA', connection: 'web', buffer_units: 4 }, { sku: 'TEA', buffer_units: 1 }]), 6],
    ['does not hear the rule of another channel', TEA, shelf([{ connection: 'other', cap: 1 }]), 10],
    ['adds what may still be waited for', TEA, shelf([{ sku: 'TEA', backorder: 'backorder', backorder_units_max: 20 }]), 26],
  ])('%s', (_what, offer, rules, expected) => {
    expect(shelfNumber(offer, rules, lying, new Map([['TEA', 4]]))).toBe(expected)
  }) // prettier-ignore
})

const line = (quantity: number, shipped: number): SoldLine => ({
  line_id: 'L1', sku: 'TEA', quantity, most_quantity: quantity, cancelled: 0, shipped,
}) // prettier-ignore

const sold = (number: string, placed_ms: number, quantity: number, shipped: number): SoldOrder => ({
  external_id: number,
  number,
  placed_ms,
  cancelled: false,
  paid: true,
  lines: [line(quantity, shipped)],
  notices: shipped > 0 ? [{ tracking_number: `T${number}`, lines: [{ sku: 'TEA', quantity: shipped }] }] : [],
  total_minor: 100 * quantity,
  currency: 'EUR',
  payment_id: null,
})

function shopOf(id: string, orders: SoldOrder[], shown: number, buyers: Shop['buyers'] = 'people'): Shop {
  const rules: StockRule[] = buyers === 'people' ? [] : [{ backorder: 'backorder', backorder_units_max: 10 }]
  const ledger = (): StorefrontLedger => ({ orders, shown: { TEA: shown }, stock_writes: [] })
  return {
    storefront: { connection_id: id, ledger } as Shop['storefront'],
    offers: [TEA],
    currency: 'EUR',
    paid_to: 'gateway',
    buyers,
    priority: buyers === 'people' ? 100 : 10,
    shelf: { connection_id: id, serves_from: ['north'], availability: { buffer: 0, share_percent: 100 }, rules },
  }
}

type Left = { number: string; units: number; at_ms: number }

function house(on_hand: number, left: Left[], changes: Partial<WarehouseLedger> = {}): WarehouseLedger {
  const lines = (units: number) => [{ sku: 'TEA', quantity: units }]
  return {
    received: left.map(({ number, units, at_ms }) => ({ fulfillment_order: `F${number}`, order_number: number, times: 1, lines: lines(units), received_ms: at_ms })), // prettier-ignore
    shipped: left.map(({ number, units }) => ({ shipment_id: `S${number}`, fulfillment_order: `F${number}`, tracking_number: `T${number}`, lines: lines(units) })), // prettier-ignore
    arrived: [],
    rejected: [],
    on_hand: { TEA: on_hand },
    refused_units: 0,
    ...changes,
  }
}

function evidence(
  shops: Shop[],
  stock: number,
  ledger: WarehouseLedger,
  orders: HubStatement['orders'],
  open: HubStatement['open'] = [],
): Evidence {
  return {
    shops,
    places: [{ location_id: 'north', stock: { TEA: stock }, ledger }],
    gateway: { payouts: [] },
    misstated: [],
    hub: { orders, open, settlements: [] },
    moves: [],
    trade_seconds: 1,
  }
}

const states = (connection_id: string, external_id: string, promised: number, shortfall = 0): HubStatement['orders'][number] => ({
  connection_id,
  external_id,
  promised: { TEA: promised },
  shortfall: { TEA: shortfall },
}) // prettier-ignore

describe('the judge', () => {
  it('finds nothing wrong where everything left and the shelf shows the rest', () => {
    const web = shopOf('web', [sold('1', 1_000, 2, 2)], 3)
    const verdict = judge(
      evidence([web], 5, house(3, [{ number: '1', units: 2, at_ms: 1_500 }]), [states('web', '1', 2)]),
    )
    expect(verdict).toMatchObject({ ok: true, orders_sent: 1, locations: { north: 2 }, backorders: { units: 0 } })
  })

  it('holds payouts to the cent, but for those that were told wrongly on purpose', () => {
    const web = shopOf('web', [sold('1', 1_000, 2, 2)], 3)
    const given = evidence([web], 5, house(3, [{ number: '1', units: 2, at_ms: 1_500 }]), [states('web', '1', 2)])
    const payout = (id: string) => ({ id, amount_minor: 900, rows: [{ id: `${id}-r`, net_minor: 900 }] })
    const settlement = (external_id: string, payout_minor: number, difference_minor: number) => ({ external_id, payout_minor, lines: 1, unmatched: 0, difference_minor }) // prettier-ignore
    const judged = (misstated: string[]) =>
      judge({ ...given, misstated, gateway: { payouts: [payout('a'), payout('b')] }, hub: { ...given.hub, settlements: [settlement('a', 900, 0), settlement('b', 930, 30)] } }) // prettier-ignore
    expect(judged([])).toMatchObject({ ok: false, payouts: { count: 2, difference_minor: 60, misstated: 0 } })
    expect(judged(['b'])).toMatchObject({ ok: true, payouts: { count: 1, difference_minor: 0, misstated: 1 } })
  })

  it('calls a paid unit lost that is promised but never left', () => {
    const web = shopOf('web', [sold('1', 1_000, 2, 0)], 3)
    const open = [{ location_id: 'north', sku: 'TEA', units: 2 }]
    const verdict = judge(evidence([web], 5, house(5, []), [states('web', '1', 2)], open))
    expect(verdict).toMatchObject({ ok: false, orders_lost: 1, availability_wrong: 0 })
  })

  it('counts units as oversold that are promised from a place where they do not lie', () => {
    const web = shopOf('web', [sold('1', 1_000, 4, 0)], 0)
    const open = [{ location_id: 'north', sku: 'TEA', units: 4 }]
    const verdict = judge(evidence([web], 3, house(3, []), [states('web', '1', 4)], open))
    // One unit beyond all there is, and the same one beyond what lies in the place.
    expect(verdict.units_oversold).toBe(2)
  })

  it('counts units as undersold that lie where somebody who waits may be served from', () => {
    const waiting = sold('1', 1_000, 4, 0)
    const orders = [states('web', '1', 0, 4)]
    expect(judge(evidence([shopOf('web', [waiting], 3)], 3, house(3, []), orders))).toMatchObject({
      units_undersold: 3,
    })
    const refused = house(3, [], {
      received: [{ fulfillment_order: 'F1', order_number: '1', times: 1, lines: [], received_ms: 1 }],
      rejected: ['F1'],
    })
    expect(judge(evidence([shopOf('web', [waiting], 3)], 3, refused, orders))).toMatchObject({ units_undersold: 0 })
  })

  it('calls a shelf wrong that shows another number than the places and the waiting units make', () => {
    const business = shopOf('b2b', [sold('1', 1_000, 6, 2)], 6, 'businesses')
    const ledger = house(0, [{ number: '1', units: 2, at_ms: 1_500 }])
    const orders = [states('b2b', '1', 2, 4)]
    expect(judge(evidence([business], 2, ledger, orders))).toMatchObject({ ok: true, availability_wrong: 0 })
    const another = shopOf('b2b', [sold('1', 1_000, 6, 2)], 7, 'businesses')
    expect(judge(evidence([another], 2, ledger, orders))).toMatchObject({ ok: false, availability_wrong: 1 })
  })

  describe('after a restock of three units', () => {
    const arrived = [{ at_ms: 5_000, lines: [{ sku: 'TEA', quantity: 3 }], before: { TEA: 0 } }]

    it('counts what went to businesses that waited as filled', () => {
      const business = shopOf('b2b', [sold('1', 1_000, 5, 3)], 8, 'businesses')
      const ledger = house(0, [{ number: '1', units: 3, at_ms: 6_000 }], { arrived })
      const verdict = judge(evidence([business], 0, ledger, [states('b2b', '1', 3, 2)]))
      expect(verdict).toMatchObject({ ok: true, backorders: { units: 5, filled: 3 }, restocked_units: 3 })
    })

    it.each<[string, number, number, number]>([
      ['came later and got a unit of it', 4_000, 6_000, 2],
      ['came earlier', 500, 6_000, 0],
      ['had its unit before', 4_000, 4_500, 0],
    ])('finds the inversion when a web order %s', (_what, placed_ms, received_ms, inversions) => {
      const business = shopOf('b2b', [sold('1', 1_000, 5, 1)], 6, 'businesses')
      const web = shopOf('web', [sold('2', placed_ms, 2, 2)], 0)
      const left = [
        { number: '1', units: 1, at_ms: 6_000 },
        { number: '2', units: 2, at_ms: received_ms },
      ]
      const orders = [states('b2b', '1', 1, 4), states('web', '2', 2)]
      const verdict = judge(evidence([business, web], 0, house(0, left, { arrived }), orders))
      expect(verdict.priority_inversions).toBe(inversions)
    })
  })
})
