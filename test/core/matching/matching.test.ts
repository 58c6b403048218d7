import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { acceptMatch, rejectMatch } from '../../../src/core/matching/decide.ts'
import { explainMatch, listSuggestions } from '../../../src/core/matching/explain.ts'
import { importStatement } from '../../../src/core/bank/importStatement.ts'
import { matchBank } from '../../../src/core/matching/matchBank.ts'
import { matchOpenLines } from '../../../src/core/matching/matchLines.ts'
import { loadOpenItems } from '../../../src/core/matching/openItems.ts'
import { causeOf } from '../../../src/core/matching/rulesMatch.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, type World } from '../world.ts'
import { payoutOf, render, storeOrders, storePayments, type Line, type OrderTruth, type Rendered } from './truth.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  const { checks } = await verify(world.db)
  const broken = checks.filter(({ name, violations }) => name.startsWith('match') && violations > 0)
  await world.drop()
  if (broken.length > 0) throw new Error(JSON.stringify(broken))
})

const truth = (changes: Partial<OrderTruth> = {}): OrderTruth => ({
  form: 'single',
  captures: [[1000]],
  promotion: 10,
  refund: null,
  commission: 5,
  ...changes,
})
const run = () => matchOpenLines(world.db, world.ctx.now)
const pay = (external_id: string, lines: readonly Line[]) => world.apply('shop', payoutOf(external_id, lines))
const states = () =>
  world.db.query<{
    external_id: string
    match_state: string
    match_rule: string | null
    match_group_id: number | null
  }>('select external_id, match_state, match_rule, match_group_id from settlement_lines order by external_id')
const rules = async () => (await states()).map(({ match_state, match_rule }) => match_rule ?? match_state)
const causes = async () =>
  (await loadOpenItems(world.db, 'acme')).map((item) => ({ key: item.key, ...causeOf(item, '2026-06-01') }))
const sole = (order: Rendered): Line => {
  const [line] = order.lines
  if (line === undefined) throw new Error('no line')
  return line
}

describe('orders to lines', () => {
  it('links again without an import when the payment, and the order, come late', async () => {
    const order = render(truth(), 'A')
    await pay('po', order.lines)
    expect(await rules()).toEqual(['unmatched', 'unmatched', 'unmatched'])
    expect((await causes()).map(({ key, cause }) => ({ key, cause }))).toEqual([
      { key: 'line:shop:po:A-L0', cause: 'missing_in_orders' },
      { key: 'line:shop:po:A-L1', cause: 'missing_in_orders' },
      { key: 'line:shop:po:A-L2', cause: 'missing_in_orders' },
    ])
    await storeOrders(world.db, [{ ...order, payments: [] }], 'shop')
    expect(await run()).toEqual({ looked: 3, matched: 2, left: 1 })
    await storePayments(world.db, [order], 'shop')
    expect(await run()).toEqual({ looked: 1, matched: 1, left: 0 })
    expect(await rules()).toEqual(['payment_exact', 'order_link', 'order_link'])
    expect(await causes()).toEqual([])
  })

  it('gives a total its payments when they are told later', async () => {
    const order = render(truth({ form: 'merged', captures: [[700], [300]] }), 'A')
    await storeOrders(world.db, [{ ...order, payments: [] }], 'shop')
    await pay('po', order.lines)
    expect(await rules()).toEqual(['order_total', 'order_link', 'order_link'])
    await storePayments(world.db, [order], 'shop')
    await run()
    const [group] = await states()
    expect(await explainMatch(world.db, group?.match_group_id ?? 0)).toMatchObject({
      rule: 'order_total',
      difference_minor: 0,
      reason: { lines_minor: 1000, expected_minor: 1000, payments: 'came later' },
      payments: [{ external_id: 'A-C0', amount_minor: 700 }, { external_id: 'A-C1', amount_minor: 300 }], // prettier-ignore
      lines: [{ external_id: 'A-L0', gross_minor: 1000 }],
    })
    expect(await causes()).toEqual([])
  })

  it('opens a match again when one of its members changes or goes', async () => {
    const order = render(truth({ form: 'split', captures: [[600, 250]] }), 'A')
    await storeOrders(world.db, [order], 'shop')
    await pay('po', order.lines)
    expect(await rules()).toEqual(['payment_group', 'payment_group', 'payment_group', 'order_link', 'order_link'])
    const [first, ...others] = order.lines
    await pay('po', others)
    expect(await rules()).toEqual(['unmatched', 'unmatched', 'order_link', 'order_link'])
    expect(await causes()).toMatchObject([
      { key: 'payment:shop:capture:A-C0', cause: 'amount_mismatch', amount_minor: -600 },
    ])
    await pay('po', first === undefined ? [] : [first, ...others])
    expect(await rules()).toEqual(['payment_group', 'payment_group', 'payment_group', 'order_link', 'order_link'])
    await world.db.query(`update payments set amount_minor = 841 where external_id = 'A-C0'`)
    expect(await rules()).toEqual(['unmatched', 'unmatched', 'unmatched', 'order_link', 'order_link'])
  })

  it('forgives an exchange one unit, and the same currency nothing unless it is told to', async () => {
    const bought = render(truth({ form: 'fx' }), 'F')
    const line = sole(bought)
    const fx = { currency: 'GBP', original_minor: 1001, rate: '2' }
    const off = render(truth(), 'S')
    await storeOrders(world.db, [bought, off], 'shop')
    const cent = { ...sole(off), gross_minor: 1001, net_minor: 971 }
    await pay('po', [{ ...line, fx }, cent])
    expect(await rules()).toEqual(['payment_tolerance', 'unmatched'])
    const [group] = await states()
    expect(await explainMatch(world.db, group?.match_group_id ?? 0)).toMatchObject({
      currency: 'GBP',
      difference_minor: 1,
    })
    const tolerances = { same_currency_minor: 0, fx_minor: 1, by_currency: { EUR: 1 } }
    expect(await matchOpenLines(world.db, world.ctx.now, { tolerances })).toMatchObject({ matched: 1, left: 0 })
  })

  it('never makes again what a person has rejected', async () => {
    const order = render(truth(), 'A')
    await storeOrders(world.db, [order], 'shop')
    await pay('po', order.lines)
    const [group] = await states()
    const decision = { group_id: group?.match_group_id ?? 0, by: 'eve', now: world.ctx.now }
    await rejectMatch(world.db, decision)
    await rejectMatch(world.db, decision)
    expect(await run()).toEqual({ looked: 1, matched: 0, left: 1 })
    expect(await world.db.query('select rejected_by from match_rejections')).toEqual([{ rejected_by: 'eve' }])
    await expect(acceptMatch(world.db, decision)).rejects.toMatchObject({ code: 'conflict' })
    await expect(acceptMatch(world.db, { ...decision, group_id: 999 })).rejects.toMatchObject({ code: 'not_found' })
  })

  it('expects nothing of a marketplace before the goods have left, where it tells of no payments', async () => {
    await storeOrders(world.db, [render(truth({ form: 'total' }), 'T')], 'shop')
    await world.apply('shop', payoutOf('other', []))
    const sent = (lifecycle: string, state: string) =>
      world.db.query('update orders set lifecycle = $1, fulfillment_state = $2', [lifecycle, state])
    await sent('open', 'unfulfilled')
    expect(await causes()).toEqual([])
    for (const [lifecycle, state] of [
      ['open', 'partial'],
      ['closed', 'unfulfilled'],
      ['open', 'not_needed'],
    ] as const) {
      await sent(lifecycle, state)
      expect(await causes(), state).toMatchObject([
        { cause: 'missing_in_ledger', amount_minor: -1000, expected_on: '2026-03-15' },
      ])
    }
  })

  it('does not miss at the channel what the gateway has settled', async () => {
    const order = render(truth({ refund: 150 }), 'A')
    await storeOrders(world.db, [order], 'shop')
    await world.apply('shop', payoutOf('other', []))
    await world.db.query(
      `insert into payments (connection_id, external_id, kind, status, at, currency, amount_minor, order_id, payment_ids, recorded_at)
       select 'bank', 'g-' || external_id, kind, status, at, currency, amount_minor, order_id, array['g-' || external_id], recorded_at from payments`,
    )
    const lines = order.lines.map((line) => ({
      ...line,
      references: { ...line.references, payment_ids: line.references.payment_ids.map((id) => `g-${id}`) },
    }))
    await world.apply('bank', payoutOf('po', lines))
    expect(await rules()).toEqual(['payment_exact', 'payment_exact', 'order_link', 'order_link'])
    expect(await causes()).toEqual([])
  })

  it('tells a refund without an order, and one that was said to have failed', async () => {
    const order = render(truth({ refund: 150 }), 'A')
    await storeOrders(world.db, [order], 'shop')
    await world.db.query(`update payments set status = 'failed' where kind = 'refund'`)
    const stray = {
      ...sole(order),
      external_id: 'stray',
      kind: 'refund' as const,
      gross_minor: -70,
      fee_minor: 0,
      net_minor: -70,
    }
    await pay('po', [...order.lines, { ...stray, references: { ...stray.references, payment_ids: ['nobody'] } }])
    expect(await causes()).toMatchObject([
      { cause: 'refund_failed_after_success', amount_minor: -150 },
      { cause: 'refund_without_order', amount_minor: -70 },
    ])
  })
})

describe('payouts to the bank', () => {
  const bankLine = async (
    external_id: string,
    amount_minor: number,
    references: string[] = [],
    booked_on = '2026-03-06',
  ) => {
    const statement = '00000000-0000-0000-0000-000000000001'
    await world.db.query(
      `insert into bank_statements (id, connection_id, external_id, account, currency, recorded_at) values ($1, 'bank', 's1', 'x', 'EUR', now())
       on conflict do nothing`,
      [statement],
    )
    await world.db.query(
      `insert into bank_lines (statement_id, connection_id, external_id, booked_on, currency, amount_minor, references_found)
       values ($1, 'bank', $2, $3, 'EUR', $4, $5)`,
      [statement, external_id, booked_on, amount_minor, references],
    )
  }
  const bank = () => matchBank(world.db, world.ctx.now)
  const bankStates = () =>
    world.db.query(
      'select external_id, match_state, match_rule, settlement_id is not null as one from bank_lines order by 1',
    )
  const lineOf = (external_id: string, net_minor: number): Line => ({
    ...sole(render(truth({ captures: [[net_minor + 30]] }), external_id)),
    kind: 'adjustment',
  })

  it('joins by reference and by amount, once', async () => {
    await pay('po-1', [lineOf('A', 500)])
    await pay('po-2', [lineOf('B', 900)])
    await bankLine('b1', 500, ['PO1'])
    await bankLine('b2', 900)
    expect(await bank()).toEqual({ matched: 2, suggested: 0, left_payouts: 0, left_bank_lines: 0 })
    expect(await bankStates()).toEqual([
      { external_id: 'b1', match_state: 'matched', match_rule: 'reference', one: true },
      { external_id: 'b2', match_state: 'matched', match_rule: 'amount_and_date', one: true },
    ])
    expect(await bank()).toEqual({ matched: 0, suggested: 0, left_payouts: 0, left_bank_lines: 0 })
  })

  it('opens the bank line again when the payout turns out to be another amount', async () => {
    await pay('po-1', [lineOf('A', 500)])
    await bankLine('b1', 500, ['PO1'])
    await bank()
    await pay('po-1', [lineOf('A', 501)])
    expect(await bankStates()).toEqual([{ external_id: 'b1', match_state: 'unmatched', match_rule: null, one: false }])
    expect(await bank()).toMatchObject({ matched: 0, left_payouts: 1, left_bank_lines: 1 })
  })

  it('keeps a suggestion a suggestion until somebody accepts it, and a rejection for good', async () => {
    await pay('po-1', [lineOf('A', 500)])
    await pay('po-2', [lineOf('B', 300)])
    await pay('po-3', [lineOf('C', 111)])
    await bankLine('b1', 800)
    expect(await bank()).toEqual({ matched: 0, suggested: 1, left_payouts: 3, left_bank_lines: 1 })
    expect(await bank()).toMatchObject({ suggested: 0, left_payouts: 3 })
    const [suggestion] = await listSuggestions(world.db, 10)
    await rejectMatch(world.db, { group_id: suggestion?.id ?? 0, by: 'eve', now: world.ctx.now })
    expect(await bank()).toEqual({ matched: 0, suggested: 0, left_payouts: 3, left_bank_lines: 1 })
    await bankLine('b2', 411)
    // The next one: b2 is what the second and third come to.
    expect(await bank()).toMatchObject({ suggested: 1 })
    const [next] = await listSuggestions(world.db, 10)
    await acceptMatch(world.db, { group_id: next?.id ?? 0, by: 'eve', now: world.ctx.now })
    expect(await bank()).toEqual({ matched: 0, suggested: 0, left_payouts: 1, left_bank_lines: 1 })
    expect(await explainMatch(world.db, next?.id ?? 0)).toMatchObject({
      state: 'matched',
      decided_by: 'eve',
      payouts: [{ external_id: 'po-2' }, { external_id: 'po-3' }],
      bank_lines: [{ external_id: 'b2', amount_minor: 411 }],
    })
  })

  it('reads the sealed text of a line only for the rules about it, and suggests', async () => {
    await pay('po-1', [lineOf('A', 500)])
    const line = { external_id: 'b1', booked_on: '2026-03-06', value_on: null, amount_minor: 488, reference: null, text: 'Payments N.V. Amsterdam' } // prettier-ignore
    const statement = { external_id: 's2', account: 'x', currency: 'EUR', begin_minor: null, end_minor: null, from_at: null, to_at: null, lines: [line] } // prettier-ignore
    await inTransaction(world.db, (tx) =>
      importStatement(tx, world.ctx, { connection_id: 'mall', company_id: 'acme', statement, faults: [] }, 'test'),
    )
    expect(await bank()).toMatchObject({ suggested: 0 })
    const texts = { rules: [{ connection_id: 'shop', contains: 'payments nv' }], vault: world.ctx.vault }
    expect(await matchBank(world.db, world.ctx.now, { texts })).toMatchObject({ matched: 0, suggested: 1 })
    expect(await listSuggestions(world.db, 10)).toMatchObject([
      { rule: 'text_rule', difference_minor: -12, reason: { contains: 'payments nv' } },
    ])
  })
})
