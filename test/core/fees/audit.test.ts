import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditFees, claims, listAudits, totalAudits, type AuditShown } from '../../../src/core/fees/audit.ts'
import { contribution } from '../../../src/core/fees/contribution.ts'
import { importCosts, readReceipts } from '../../../src/core/fees/costs.ts'
import { listTariffs, putTariff, syncTariffs, type Tariff } from '../../../src/core/fees/tariffs.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { line, payout } from '../breaks/planted.ts'
import { countFact, createWorld, orderFact, shipmentFact, workOf, type World } from '../world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())

const REFERRAL: Tariff = {
  connection_id: 'mall',
  name: 'referral',
  valid_from: '2026-01-01',
  valid_to: null,
  document: {
    currency: 'EUR',
    clauses: [
      {
        id: 'referral-15',
        when: { kinds: ['commission'] },
        percent_bp: 1_500,
        min_minor: 30,
        basis: ['sale', 'shipping'],
        refund: { percent: 'returned', fixed: 'kept', administration: { percent_bp: 2_000, max_minor: 500 } },
      },
      { id: 'pick', when: { kinds: ['fee'], fee_types: ['fulfilment'] }, fixed_minor: 250, fixed_per: 'unit' },
    ],
  },
}
const put = (tariffs: Tariff[]) => inTransaction(world.db, (tx) => syncTariffs(tx, tariffs, world.ctx.now))

describe('an audit', () => {
  it('judges each fee by the rows around it, with figures worked out by hand', async () => {
    await put([REFERRAL])
    const of = (order_external_id: string, sku: string) => [{ order_external_id }, { sku }] as const
    const row = (
      id: string,
      kind: 'sale' | 'shipping' | 'refund',
      gross: number,
      [ref, rest]: ReturnType<typeof of>,
      quantity = 1,
    ) => line(id, kind, gross, ref, { ...rest, quantity })
    const fee = (
      id: string,
      kind: 'commission' | 'fee' | 'fee_returned',
      minor: number,
      [ref, rest]: ReturnType<typeof of>,
      fee_type: 'fulfilment' | 'refund_administration' | null = null,
    ) => line(id, kind, 0, ref, { ...rest, fee_minor: minor, fee_type })
    await world.apply(
      'mall',
      payout('M1', [
        // 15 % of 100.00 + 5.00 is 15.75, as charged.
        row('a1', 'sale', 10_000, of('A', 'TEA')),
        row('a2', 'shipping', 500, of('A', 'TEA')),
        fee('a3', 'commission', 1_575, of('A', 'TEA')),
        // The other item of the same order: 3.00 agreed, 3.40 charged; two units at 2.50.
        row('a4', 'sale', 2_000, of('A', 'MUG'), 2),
        fee('a5', 'commission', 340, of('A', 'MUG')),
        fee('a6', 'fee', 500, of('A', 'MUG'), 'fulfilment'),
        // 15 % of 1.00 is below the minimum of 0.30.
        row('b1', 'sale', 100, of('B', 'TEA')),
        fee('b2', 'commission', 30, of('B', 'TEA')),
        // Refunded whole: 15.00 less 3.00 should have come back, and nothing did.
        row('c1', 'sale', 10_000, of('C', 'TEA')),
        fee('c2', 'commission', 1_500, of('C', 'TEA')),
        row('c3', 'refund', -10_000, of('C', 'TEA')),
        // Refunded whole: 15.00 back, 3.00 kept, as agreed.
        row('d1', 'sale', 10_000, of('D', 'TEA')),
        fee('d2', 'commission', 1_500, of('D', 'TEA')),
        row('d3', 'refund', -10_000, of('D', 'TEA')),
        fee('d4', 'fee_returned', -1_500, of('D', 'TEA')),
        fee('d5', 'fee', 300, of('D', 'TEA'), 'refund_administration'),
      ]),
    )
    expect(await auditFees(world.db, world.ctx, 'mall')).toBe(1)
    const { rows } = await listAudits(world.db, { connection: 'mall' })
    expect(
      rows.map((one) => [one.line, one.clause, one.basis_minor, one.expected_minor, one.charged_minor, one.reason]),
    ).toEqual([
      ['a3', 'referral-15', 10_500, 1_575, 1_575, 'as_agreed'],
      ['a5', 'referral-15', 2_000, 300, 340, 'overcharged'],
      ['a6', 'pick', 2_000, 500, 500, 'as_agreed'],
      ['b2', 'referral-15', 100, 30, 30, 'as_agreed'],
      ['c2', 'referral-15', 10_000, 1_500, 1_500, 'as_agreed'],
      ['c3', 'referral-15', -10_000, -1_200, 0, 'not_returned'],
      ['d2', 'referral-15', 10_000, 1_500, 1_500, 'as_agreed'],
      ['d3', 'referral-15', -10_000, -1_200, -1_200, 'as_agreed'],
    ])
    const found: AuditShown[] = []
    for await (const claim of claims(world.db, {})) found.push(claim)
    expect(found.map(({ line: of_line, variance_minor }) => [of_line, variance_minor])).toEqual([
      ['a5', 40],
      ['c3', 1_200],
    ])
    expect(await totalAudits(world.db, { from: '2026-03-02', to: '2026-03-02' })).toContainEqual({
      connection_id: 'mall', currency: 'EUR', clause: 'referral-15', reason: 'not_returned', charges: 1, expected_minor: -1_200, charged_minor: 0, variance_minor: 1_200,
    }) // prettier-ignore
    expect(await totalAudits(world.db, { from: '2026-03-03' })).toEqual([])
  })

  it('is made again only for what has changed: the payout, or the tariff', async () => {
    world.moveTo(1)
    expect(await auditFees(world.db, world.ctx, null)).toBe(0)
    await put([REFERRAL])
    expect(await auditFees(world.db, world.ctx, null)).toBe(0)
    await put([{ ...REFERRAL, valid_to: '2026-02-28' }, { ...REFERRAL, valid_from: '2026-03-01', document: { currency: 'EUR', clauses: [{ id: 'x', percent_bp: 1_700 }] } }]) // prettier-ignore
    world.moveTo(2)
    expect(await auditFees(world.db, world.ctx, null)).toBe(1)
    expect((await listAudits(world.db, { reason: 'as_agreed' })).rows).toMatchObject([
      { line: 'a5', clause: 'x', expected_minor: 340 },
    ])
    await put([])
    world.moveTo(3)
    expect(await auditFees(world.db, world.ctx, null)).toBe(1)
    expect((await listAudits(world.db, {})).rows).toEqual([])
  })

  it('may go by tariffs of the API, which the configuration does not touch', async () => {
    const by = 'user:ann'
    const set = (tariff: Tariff) => inTransaction(world.db, (tx) => putTariff(tx, tariff, by, world.ctx.now))
    expect(await set(REFERRAL)).toMatchObject({ source: 'api', changed_by: by })
    await put([])
    expect(await listTariffs(world.db, 'mall')).toMatchObject([{ name: 'referral', valid_from: '2026-01-01' }])
    await expect(set({ ...REFERRAL, connection_id: 'none' })).rejects.toMatchObject({ code: 'not_found' })
    await expect(set({ ...REFERRAL, valid_to: '2025-01-01' })).rejects.toMatchObject({
      code: 'bad_request',
      path: 'valid_to',
    })
    await put([{ ...REFERRAL, name: 'ours' }])
    await expect(set({ ...REFERRAL, name: 'ours' })).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('contribution', () => {
  it('is what is left of a sale, the same by order, SKU and channel', async () => {
    await world.apply('wms', countFact(world, 'N1', 3, { TEA: 10, MUG: 10 }))
    const receipts = readReceipts([
      { reference: 'PO1', received_at: '2026-02-01T00:00:00Z', currency: 'EUR', freight_minor: 30, lines: [{ sku: 'TEA', quantity: 3, unit_minor: 100 }] },
      { reference: 'PO2', received_at: '2026-02-02T00:00:00Z', currency: 'EUR', duty_minor: 50, lines: [{ sku: 'TEA', quantity: 1, unit_minor: 150 }] },
    ]) // prettier-ignore
    const bring = () =>
      inTransaction(world.db, (tx) =>
        importCosts(tx, { company_id: 'acme', receipts, by: 'user:ann', now: world.ctx.now }),
      )
    expect(await bring()).toEqual({ added: 2, known: 0 })
    expect(await bring()).toEqual({ added: 0, known: 2 })
    world.moveTo(200)
    const totals = {
      subtotal_minor: 5_000,
      discount_minor: 500,
      shipping_minor: 490,
      tax_minor: 797,
      total_minor: 4_990,
      refunded_minor: 0,
    }
    await world.apply(
      'shop',
      orderFact(
        world,
        'X',
        [
          { sku: 'TEA', quantity: 4 },
          { sku: 'MUG', quantity: 1 },
        ],
        { totals },
      ),
    )
    world.moveTo(210)
    const [work] = await workOf(world, 'X')
    await world.apply('wms', shipmentFact(world, 'S1', work?.number ?? '', { TEA: 4, MUG: 1 }))
    await world.apply(
      'bank',
      payout('P1', [
        line('s', 'sale', 4_990, { order_external_id: 'X' }, { fee_minor: 175 }),
        line('r', 'refund', -999, { order_external_id: 'X' }, { sku: 'MUG' }),
        line('l', 'fee', 0, { order_external_id: 'X' }, { fee_minor: 420, fee_type: 'shipping_label' }),
        line('m', 'fee', 0, {}, { fee_minor: 3_900, fee_type: 'subscription' }),
        line('h', 'reserve_hold', -500),
      ]),
    )
    const by = (view: 'order' | 'sku' | 'channel') =>
      contribution(world.db, {
        company_id: 'acme',
        by: view,
        from: '2026-03-01',
        to: '2026-03-31',
        cost_method: 'fifo',
      })
    const wide = { company_id: 'acme', by: 'order', from: '2026-03-01', to: '2026-03-31', cost_method: 'fifo' } as const
    await expect(contribution(world.db, wide, 0)).rejects.toMatchObject({ code: 'limit_exceeded' })
    expect(await contribution(world.db, wide, 1)).toMatchObject({ orders: 1 })
    const order = await by('order')
    // 54.90 − 7.97 − 5.00 − 1.75 − 4.20 − 9.99 − (3.30 + 2.00): TEA at its two receipts, MUG at no known cost.
    expect(order).toMatchObject({ orders: 1, units_without_cost: 1 })
    expect(order.rows.find((row) => row.key !== null)).toMatchObject({
      sales_minor: 5_490, tax_minor: 797, promotions_minor: 500, commission_minor: 175, fees_minor: 0, shipping_minor: 420, refunds_minor: 999,
      landed_minor: 530, contribution_minor: 2_069,
    }) // prettier-ignore
    const total = async (view: 'order' | 'sku' | 'channel') =>
      (await by(view)).rows.reduce((sum, row) => sum + row.contribution_minor, 0)
    expect(await total('sku')).toBe(await total('order'))
    expect(await total('channel')).toBe(await total('order'))
    const skus = (await by('sku')).rows
    expect(skus.find(({ key }) => key === 'TEA')).toMatchObject({
      landed_minor: 530,
      refunds_minor: 0,
      sales_minor: 4_392,
    })
    expect(skus.find(({ key }) => key === 'MUG')).toMatchObject({
      landed_minor: 0,
      refunds_minor: 999,
      sales_minor: 1_098,
    })
    expect(skus.at(-1)).toMatchObject({ key: null })
    expect((await by('channel')).rows.map(({ key }) => key)).toEqual(['shop', null])
    const averaged = await contribution(world.db, {
      company_id: 'acme',
      by: 'sku',
      from: '2026-03-01',
      to: '2026-03-31',
      cost_method: 'average',
    })
    expect(averaged.rows.find(({ key }) => key === 'TEA')).toMatchObject({ landed_minor: 530 })
  })

  it('refuses costs of unknown items and of a second currency', async () => {
    const of = (sku: string, currency: string) =>
      inTransaction(world.db, (tx) =>
        importCosts(tx, {
          company_id: 'acme',
          receipts: [
            {
              reference: 'Z',
              received_at: '2026-02-01T00:00:00Z',
              currency,
              lines: [{ sku, quantity: 1, unit_minor: 1 }],
            },
          ],
          by: 'x',
          now: world.ctx.now,
        }),
      )
    await expect(of('NONE', 'EUR')).rejects.toMatchObject({ code: 'unknown_sku', path: '$[0].lines[0].sku' })
    await expect(of('TEA', 'USD')).rejects.toMatchObject({ code: 'conflict' })
    expect(() => readReceipts([{ reference: 'Q' }])).toThrow(/is missing/)
  })
})
