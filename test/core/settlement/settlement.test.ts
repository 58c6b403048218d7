import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fact, FactOf } from '../../../src/core/model/fact.ts'
import { matchOpenLines } from '../../../src/core/matching/matchLines.ts'
import { verify } from '../../../src/core/verify.ts'
import { countFact, createWorld, orderFact, type World } from '../world.ts'

type Line = FactOf<'settlement'>['document']['lines'][number]

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.apply('wms', countFact(world, 'N1', -1, { TEA: 50 }))
})
afterAll(() => world.drop())

const line = (
  external_id: string,
  kind: Line['kind'],
  gross_minor: number,
  references: Partial<Line['references']> = {},
  fee_minor = 0,
): Line => ({
  external_id,
  kind,
  vendor_type: kind,
  at: '2026-03-02T00:00:00Z',
  currency: 'EUR',
  gross_minor,
  fee_minor,
  net_minor: gross_minor - fee_minor,
  references: {
    order_external_id: null,
    order_number: null,
    payment_ids: [],
    ...references,
  },
})
const payout = (
  external_id: string,
  payout_minor: number,
  lines: Line[],
  status: 'paid' | 'failed' = 'paid',
): Fact => ({
  kind: 'settlement',
  document: {
    external_id,
    status,
    currency: 'EUR',
    payout_minor,
    created_at: '2026-03-03T00:00:00Z',
    arrival_at: null,
    bank_reference: null,
    lines,
  },
})
const payment = (
  external_id: string,
  kind: 'capture' | 'dispute',
  payment_ids: string[],
  order_external_id: string | null,
): Fact => ({
  kind: 'payment',
  document: {
    external_id,
    kind,
    status: 'succeeded',
    at: '2026-03-01T09:00:00Z',
    currency: 'EUR',
    amount_minor: 1e3,
    references: {
      order_external_id,
      order_number: null,
      payment_ids,
    },
  },
})
const refund = (external_id: string, payment_ids: string[], order_external_id: string): Fact => ({
  kind: 'refund',
  document: {
    external_id,
    status: 'succeeded',
    at: '2026-03-01T10:00:00Z',
    currency: 'EUR',
    amount_minor: 200,
    reason: null,
    lines: [],
    references: {
      order_external_id,
      order_number: null,
      payment_ids,
    },
  },
})
const totalsOf = (total_minor: number) => ({
  subtotal_minor: total_minor,
  discount_minor: 0,
  shipping_minor: 0,
  tax_minor: 0,
  total_minor,
  refunded_minor: 0,
})
const linesOf = async (settlement: string) =>
  world.db.query<{
    external_id: string
    match_state: string
    match_reason: string | null
    order: string | null
    payment: string | null
  }>(
    `select l.external_id, l.match_state, l.match_reason, o.external_id as order, p.kind as payment from settlement_lines l
     join settlements s on s.id = l.settlement_id
     left join orders o on o.id = l.order_id left join payments p on p.id = l.payment_id
     where s.external_id = $1 order by l.external_id`,
    [settlement],
  )
const settlementOf = async (external_id: string) =>
  (
    await world.db.query('select status, net_minor, difference_minor from settlements where external_id = $1', [
      external_id,
    ])
  )[0]

const heldCases = async (payout_id: string) =>
  world.db.query(
    `select state, data from cases where kind = 'settlement_held' and data ->> 'payout' = $1 order by id`,
    [payout_id],
  )

describe('settlements', () => {
  it('joins lines to what they pay, by payment, by the ids of the order, by reference', async () => {
    await world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 1 }], { payment_ids: ['pi_A'] }))
    await world.apply('shop', orderFact(world, 'B', [{ sku: 'TEA', quantity: 1 }], { payment_ids: ['pi_B'] }))
    await world.apply('shop', orderFact(world, 'C', [{ sku: 'TEA', quantity: 1 }]))
    await world.apply('bank', payment('ch_A', 'capture', ['pi_A'], null), refund('re_A', ['pi_A'], 'A'))
    const lines = [
      line('1', 'sale', 1000, { payment_ids: ['ch_A'] }, 30),
      line('2', 'refund', -200, { payment_ids: ['pi_A'] }),
      line('3', 'sale', 1000, { payment_ids: ['pi_B'] }, 30),
      line('4', 'sale', 1000, { order_number: '#C' }, 30),
      line('5', 'sale', 500, { payment_ids: ['pi_LATE'] }),
      line('6', 'fee', -50, { payment_ids: ['pi_A'] }),
    ]
    const [outcome] = await world.apply('bank', payout('po_1', 3160, lines))
    expect(outcome).toEqual({ kind: 'applied', summary: 'payout with 6 lines, 4 matched now' })
    expect(await linesOf('po_1')).toEqual([
      { external_id: '1', match_state: 'matched', match_reason: 'payment', order: 'A', payment: 'capture' },
      { external_id: '2', match_state: 'matched', match_reason: 'payment', order: 'A', payment: 'refund' },
      { external_id: '3', match_state: 'matched', match_reason: 'order_payment_ids', order: 'B', payment: null },
      { external_id: '4', match_state: 'matched', match_reason: 'order_reference', order: 'C', payment: null },
      { external_id: '5', match_state: 'unmatched', match_reason: null, order: null, payment: null },
      { external_id: '6', match_state: 'not_needed', match_reason: 'payment', order: 'A', payment: null },
    ])
    expect(await settlementOf('po_1')).toEqual({ status: 'paid', net_minor: 3160, difference_minor: 0 })
    expect(await world.apply('bank', payout('po_1', 3160, lines))).toEqual([{ kind: 'ignored', reason: 'same' }])
    expect(await world.apply('bank', payout('po_1', 3160, lines.toReversed()))).toEqual([
      { kind: 'ignored', reason: 'same' },
    ])
  })

  it('matches late when the order comes after the payout', async () => {
    expect(await matchOpenLines(world.db, world.ctx.now)).toEqual({ looked: 1, matched: 0, left: 1 })
    const totals = totalsOf(500)
    await world.apply(
      'shop',
      orderFact(world, 'LATE', [{ sku: 'TEA', quantity: 1 }], { payment_ids: ['pi_LATE'], totals }),
    )
    expect(await matchOpenLines(world.db, world.ctx.now)).toEqual({ looked: 1, matched: 1, left: 0 })
    expect((await linesOf('po_1'))[4]).toMatchObject({ order: 'LATE', match_state: 'matched' })
  })

  it('stores what does not add up, with the difference, and corrects it by a later word', async () => {
    const totals = totalsOf(1020)
    await world.apply('shop', orderFact(world, 'D', [{ sku: 'TEA', quantity: 1 }], { totals }))
    const [outcome] = await world.apply(
      'bank',
      payout('po_2', 990, [line('1', 'sale', 1000, { order_number: '#D' }, 30), line('2', 'tax', 1)]),
    )
    expect(outcome).toMatchObject({ summary: 'payout with 2 lines, 0 matched now, differs by 19, held' })
    expect(await heldCases('po_2')).toMatchObject([
      { state: 'open', data: { difference_minor: 19, currency: 'EUR', faults: 1 } },
    ])
    expect(await settlementOf('po_2')).toEqual({ status: 'paid', net_minor: 971, difference_minor: 19 })
    await world.apply('bank', payout('po_2', 990, [line('1', 'sale', 1020, { order_number: '#D' }, 30)]))
    expect(await settlementOf('po_2')).toEqual({ status: 'paid', net_minor: 990, difference_minor: 0 })
    expect(await linesOf('po_2')).toMatchObject([{ external_id: '1', match_state: 'matched', order: 'D' }])
    expect(await heldCases('po_2')).toMatchObject([{ state: 'resolved' }])
  })

  it('notes that a paid payout has failed, and keeps its matches', async () => {
    const outcome = await world.apply(
      'bank',
      payout('po_2', 990, [line('1', 'sale', 1020, { order_number: '#D' }, 30)], 'failed'),
    )
    expect(outcome).toMatchObject([{ kind: 'applied' }])
    expect(await settlementOf('po_2')).toMatchObject({ status: 'failed' })
    expect(await linesOf('po_2')).toMatchObject([{ match_state: 'matched', order: 'D' }])
  })

  it('does not choose between two orders, and holds a payout with a line that contradicts itself', async () => {
    await world.apply('mall', orderFact(world, 'C2', [{ sku: 'TEA', quantity: 1 }], { number: '#C' }))
    await world.apply('bank', payout('po_3', 100, [line('1', 'sale', 100, { order_number: '#C' })]))
    expect(await linesOf('po_3')).toMatchObject([{ match_state: 'unmatched', order: null }])
    const twice = [line('1', 'sale', 40), { ...line('1', 'sale', 70), net_minor: 60 }]
    expect(await world.apply('bank', payout('po_4', 100, twice))).toMatchObject([{ kind: 'applied' }])
    expect(await settlementOf('po_4')).toEqual({ status: 'paid', net_minor: 100, difference_minor: 0 })
    expect((await linesOf('po_4')).map(({ external_id }) => external_id)).toEqual(['1', '1#2'])
    const [stored] = await world.db.query(`select proof, proof_faults from settlements where external_id = 'po_4'`)
    expect(stored).toMatchObject({ proof: 'held', proof_faults: [{ kind: 'line_identity', difference_minor: -10 }, { kind: 'duplicate_line' }] }) // prettier-ignore
    expect(await heldCases('po_4')).toMatchObject([{ state: 'open', data: { difference_minor: 0, faults: 2 } }])
    expect(await world.apply('bank', payout('po_4', 100, twice))).toEqual([{ kind: 'ignored', reason: 'same' }])
  })

  it('never matches across companies', async () => {
    await world.sync({
      companies: [{ id: 'acme', name: 'Acme' }, { id: 'other', name: 'Other' }], // prettier-ignore
      connections: [{ id: 'otherbank', connector: 'sample', company_id: 'other', serves_from: [] }],
    })
    await world.apply(
      'otherbank',
      payout('po_5', 100, [line('1', 'sale', 100, { payment_ids: ['pi_B'], order_external_id: 'B' })]),
    )
    expect(await linesOf('po_5')).toMatchObject([{ match_state: 'unmatched' }])
  })

  it('leaves every invariant whole', async () => {
    const { checks } = await verify(world.db)
    expect(checks.filter((check) => check.violations > 0)).toEqual([])
  })
})
