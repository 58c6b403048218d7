import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditFees } from '../../../src/core/fees/audit.ts'
import { syncTariffs } from '../../../src/core/fees/tariffs.ts'
import { matchOpenLines } from '../../../src/core/matching/matchLines.ts'
import { BREAK_TYPES } from '../../../src/core/breaks/rulesState.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, orderFact, type World } from '../world.ts'
import { bankAgrees, breaksOf, line, payment, payout, readBank, refresh } from './planted.ts'

const DAY = 24 * 60
const pi = (id: string) => ({ payment_ids: [id] })

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())

const one = (sku: string) => [{ sku, quantity: 1 }]

describe('each kind of break, planted on purpose', () => {
  it('is found, and nothing else is', { timeout: 120_000 }, async () => {
    const totals = (total_minor: number) => ({
      subtotal_minor: total_minor, discount_minor: 0, shipping_minor: 0, tax_minor: 0, total_minor, refunded_minor: 0 }) // prettier-ignore
    // Everything that will be sent has been sent: what is short is short.
    const sold = (id: string, total: number, currency = 'EUR') =>
      orderFact(world, id, one('TEA'), { totals: totals(total), lifecycle: 'closed', currency })
    await world.apply('shop', sold('T', 108), sold('R', 0))
    await world.apply(
      'shop',
      sold('ok', 2_500),
      sold('missing', 500),
      sold('short', 1_000),
      sold('twice', 400),
      sold('fx', 801),
    )
    await world.apply('shop', sold('dollar', 700, 'USD'))
    const paid = (id: string, amount: number, currency = 'EUR') =>
      payment(`ch_${id}`, amount, {
        currency,
        references: { order_external_id: id, order_number: null, payment_ids: [`ch_${id}`] },
      })
    await world.apply(
      'bank',
      paid('ok', 2_500),
      paid('missing', 500),
      paid('short', 1_000),
      paid('dollar', 700, 'USD'),
      paid('twice', 400),
      paid('fx', 801),
      payment('dp_1', 70, { kind: 'dispute', status: 'pending' }),
    )
    await world.db.query(
      `insert into payments (connection_id, external_id, kind, status, at, currency, amount_minor, order_id, recorded_at)
       select 'bank', 're_failed', 'refund', 'failed', '2026-03-01', 'EUR', 200, id, $1 from orders where external_id = 'R'`,
      [world.ctx.now],
    )
    const fx = { currency: 'USD', original_minor: 801, rate: '1' }
    await world.apply(
      'bank',
      payout('po_lines', [
        line('ok', 'sale', 2_500, pi('ch_ok'), { fee_minor: 110 }),
        line('short', 'sale', 990, pi('ch_short')),
        line('dollar', 'sale', 700, pi('ch_dollar')),
        line('twice-1', 'sale', 400, pi('ch_twice')),
        line('twice-2', 'sale', 400, pi('ch_twice')),
        line('stranger', 'sale', 300, pi('ch_stranger')),
        line('refund', 'refund', -150, pi('re_stranger')),
        line('ghost', 'refund', -200, { order_external_id: 'R' }),
        line('word', 'other', -12),
        line('hold', 'reserve_hold', -600),
        line('t-1', 'sale', 100, { order_external_id: 'T' }),
        line('t-2', 'tax', 8, { order_external_id: 'T' }),
        line('t-3', 'facilitator_tax', -7, { order_external_id: 'T' }),
        line('fx', 'sale', 800, pi('ch_fx'), { fx }),
      ]),
      payout('po_sum', [line('1', 'transfer', 100)], { payout_minor: 95 }),
      payout('po_nowhere', [line('1', 'adjustment', 1_100)]),
      payout('po_less', [line('1', 'adjustment', 1_200)]),
      payout('po_back', [line('1', 'adjustment', 1_300)]),
      payout('po_late', [line('1', 'adjustment', 1_400)], { status: 'in_transit' }),
      payout('po_kept', [line('1', 'adjustment', 1_500)], { status: 'pending', arrival_at: null }),
    )
    await world.apply('bank', payout('po_back', [line('1', 'adjustment', 1_300)], { status: 'failed' }))
    await bankAgrees(world, 'po_lines', 'po_sum')
    await readBank(world, [
      { id: 'b1', on: '2026-03-04', minor: 1_150, references: ['po_less'] },
      { id: 'b2', on: '2026-03-05', minor: 77 },
      { id: 'b3', on: '2026-03-05', minor: -5_000 },
    ])
    // The bank's 2.9 % + 0.30 of 25.00 is 1.03: 0.07 too much.
    const document = {
      currency: 'EUR',
      clauses: [{ id: 'cards', when: { kinds: ['sale' as const] }, percent_bp: 290, fixed_minor: 30 }],
    }
    const tariff = { connection_id: 'bank', name: 'cards', valid_from: '2026-01-01', valid_to: null, document }
    await inTransaction(world.db, (tx) => syncTariffs(tx, [tariff], world.ctx.now))
    world.moveTo(30 * DAY)
    expect(await auditFees(world.db, world.ctx, null)).toBe(7)
    await world.db.query(
      `insert into match_groups (company_id, leg, rule, state, currency, difference_minor, reason, made_at, line_ids)
       select 'acme', 'orders_to_lines', 'payment_tolerance', 'matched', 'EUR', -1, '{}', $1, array[l.id]
       from settlement_lines l where l.external_id = 'fx'`,
      [world.ctx.now],
    )
    await world.db.query(
      `update settlement_lines set match_state = 'matched', match_group_id = (select max(id) from match_groups) where external_id = 'fx'`,
    )
    const journal = world.ctx.newId()
    await world.db.query(
      `insert into journals (id, company_id, key, kind, connection_id, currency, clearing_minor, due_on, posted_on, period, created_at, created_by)
       values ($1, 'acme', 'stray', 'bank', 'bank', 'EUR', 0, '2026-03-05', '2026-03-05', '2026-03', $2, 'test')`,
      [journal, world.ctx.now],
    )
    await world.db.query(
      `insert into journal_entries (journal_id, account, currency, amount_minor) values ($1, 'clearing:bank', 'EUR', 33), ($1, 'fx', 'EUR', -33)`,
      [journal],
    )
    world.moveTo(120 * DAY)
    await matchOpenLines(world.db, world.ctx.now)
    await world.db.query(
      `insert into match_expected (payment_id, group_id) select id, (select max(id) from match_groups) from payments where external_id = 'ch_fx' on conflict do nothing`,
    )
    await refresh(world)
    const found = (await breaksOf(world)).map(({ type, amount_minor, state }) => [type, amount_minor, state])
    expect(found).toEqual(
      (
        [
          ['amount_mismatch', -10],
          ['bank_amount_diff', -50],
          ['bank_without_payout', 77],
          ['currency_mismatch', 700],
          ['deferred', -1_500],
          ['dispute_unanswered', -70],
          ['duplicate', 400],
          ['fee_variance', -7],
          ['fx_rounding', -1],
          ['late_settlement', -1_400],
          ['missing_in_ledger', -500],
          ['missing_in_orders', 300],
          ['orphan_clearing_balance', -33],
          ['payout_failed_after_paid', -1_300],
          ['payout_identity_failed', -5],
          ['payout_not_in_bank', -1_100],
          ['refund_failed_after_success', -200],
          ['refund_without_order', -150],
          ['reserve_unreleased', -600],
          ['tax_variance', 1],
          ['unknown_type', -12],
        ] as const
      ).map(([type, minor]) => [type, minor, 'open']),
    )
    expect(new Set(found.map(([type]) => type))).toEqual(new Set(BREAK_TYPES))
  })

  it('changes nothing when it runs again, and forgets nothing when it runs twice at once', async () => {
    const before = await world.db.query('select * from breaks order by id')
    expect(await refresh(world)).toEqual({ found: 21, opened: 0, reopened: 0, resolved: 0 })
    await Promise.all([refresh(world), refresh(world), refresh(world)])
    expect(await world.db.query('select * from breaks order by id')).toEqual(before)
    expect(await world.db.query('select 1 from break_comments')).toEqual([])
  })
})
