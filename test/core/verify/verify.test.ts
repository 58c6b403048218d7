import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHECKS } from '../../../src/core/checks.ts'
import { postJournals } from '../../../src/core/books/post.ts'
import { writeOffBreak } from '../../../src/core/breaks/actions.ts'
import { auditFees } from '../../../src/core/fees/audit.ts'
import { syncTariffs } from '../../../src/core/fees/tariffs.ts'
import { claimDue, recordResults } from '../../../src/core/availability/push.ts'
import { reserveHolds } from '../../../src/core/holds/reserve.ts'
import { requestMovement } from '../../../src/core/movements/movements.ts'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import { putSupply } from '../../../src/core/supply/put.ts'
import { createTransfer } from '../../../src/core/supply/transfers.ts'
import { verify } from '../../../src/core/verify.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { wish } from '../../kit/holds.ts'
import { CATALOG, countFact, createWorld, orderFact, shipmentFact, workOf, type World } from '../world.ts'

let world: World

/** A day in which something of everything has happened. */
beforeAll(async () => {
  world = await createWorld()
  await world.apply('wms', countFact(world, 'N1', -1, { TEA: 30, MUG: 5 }))
  await world.sync({
    items: [
      ...CATALOG.items,
      { company_id: 'acme', sku: 'MILK', name: null, barcode: null, lots: { days_left_min: 5 } },
    ],
  })
  const delivery = {
    key: 'D1',
    kind: 'receive',
    sku: 'MILK',
    location: 'north',
    quantity: 6,
    reason: 'delivery',
  } as const
  const named = { ...delivery, lot: 'L1', expires_on: '2026-12-24' }
  await inTransaction(world.db, (tx) => requestMovement(tx, world.ctx, named, 'user:anna', 100))
  await world.apply(
    'shop',
    orderFact(world, 'A', [{ sku: 'GIFT', quantity: 1 }], {
      buyer: { external_id: 'u1', name: 'Ada', email: null, phone: null },
    }),
  )
  await world.apply('shop', orderFact(world, 'B', [{ sku: 'TEA', quantity: 2 }]))
  const [work] = await workOf(world, 'A')
  await world.apply('wms', shipmentFact(world, 'S-A', work!.number, { TEA: 2, MUG: 1 }))
  await world.apply('bank', deliveredScan())
  await world.db.query(`
    insert into parcels (id, connection_id, fulfillment_order_id, order_id, reference, weight_g, state, external_id, rate_external_id,
      tracking_number, currency, amount_minor, created_at, bought_at)
    select gen_random_uuid(), 'wms', f.id, f.order_id, f.number || '-1', 500, 'bought', 's', 'r', 'T', 'EUR', 400, now(), now()
    from fulfillment_orders f join orders o on o.id = f.order_id where o.external_id = 'B'`)
  await supplies()
  const cart = wish({ TEA: 1 }, { api_key: { id: 'k1', units_max: null } })
  await inTransaction(world.db, (tx) => reserveHolds(tx, world.ctx, [cart]))
  await world.apply('bank', {
    kind: 'settlement',
    document: {
      external_id: 'po',
      status: 'paid',
      currency: 'EUR',
      payout_minor: 970,
      created_at: '2026-03-03T00:00:00Z',
      arrival_at: null,
      bank_reference: null,
      lines: [
        {
          external_id: '1',
          kind: 'sale',
          vendor_type: 'charge',
          at: '2026-03-03T00:00:00Z',
          currency: 'EUR',
          gross_minor: 1e3,
          fee_minor: 30,
          net_minor: 970,
          references: {
            order_external_id: 'A',
            order_number: null,
            payment_ids: [],
          },
        },
      ],
    },
  })
  const booked = () => postJournals(world.db, world.ctx, { timezone: 'UTC', by: 'test' })
  await booked()
  await world.db.query(`
    update settlements set version = version + 1;
    insert into bank_statements (id, connection_id, external_id, account, currency, recorded_at)
    values ('00000000-0000-7000-8000-000000000001', 'bank', 's', 'a', 'EUR', now());
    insert into bank_lines (statement_id, connection_id, external_id, booked_on, currency, amount_minor, settlement_id, match_state)
    select '00000000-0000-7000-8000-000000000001', 'bank', '1', '2026-03-05', 'EUR', 900, id, 'matched' from settlements`)
  await booked()
  await judged()
  const claimed = await claimDue(world.db, world.ctx, { connection_id: 'shop', limit: 10, lease_ms: 1_000 })
  const results = claimed.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const }))
  await inTransaction(world.db, (tx) => recordResults(tx, world.ctx, claimed, results))
  await world.db.query(`
    insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at, state, processed_at, cause_code)
    values ('shop', 'webhook', 'order', 'a', '\\x00', now(), now(), now(), 'done', now(), null),
           ('shop', 'webhook', 'order', 'b', '\\x00', now(), now(), now(), 'parked', null, 'unknown_sku'),
           ('shop', 'webhook', 'order', 'c', '\\x00', now(), now(), now(), 'pending', null, null);
    insert into dead_letters (connection_id, source, source_id, kind, code, detail, created_at)
    select 'shop', 'inbox', id, 'order', 'unknown_sku', 'x', now() from inbox where state = 'parked'`)
})
afterAll(() => world.drop())

const deliveredScan = (): Fact => {
  const scan = { carrier: 'post', tracking_number: 'T-S-A', code: 'OK', status: 'delivered', place: null } as const
  return { kind: 'tracking_event', document: { ...scan, at: world.ctx.now.toISOString() } }
}

/** A purchase that is on its way, and a transfer of which a part is in transit. */
async function supplies(): Promise<void> {
  const ctx = {
    ...world.ctx,
    policies: new Map([...world.ctx.policies, [internalConnectionId('acme'), internalPolicy('acme')]]),
  }
  const bought = {
    company_id: 'acme',
    kind: 'purchase',
    reference: 'PO-1',
    location_id: 'north',
    expected_at: null,
  } as const
  const moved = { reference: 'TR-1', from_location_id: 'north', to_location_id: 'south', expected_at: null }
  await inTransaction(world.db, (tx) => putSupply(tx, ctx, { ...bought, lines: [{ sku: 'MUG', quantity: 4 }] }, 'test'))
  await inTransaction(world.db, (tx) =>
    createTransfer(tx, ctx, { ...moved, lines: [{ sku: 'TEA', quantity: 3 }] }, 'test'),
  )
  const [work] = await workOf(world, 'TR-1')
  await world.apply('wms', shipmentFact(world, 'S-TR', work!.number, { TEA: 2 }))
}

/** A fee that is judged, and two differences: one that waits for somebody, one that is written off. */
async function judged(): Promise<void> {
  const document = { currency: 'EUR', clauses: [{ id: 'card', when: { kinds: ['sale' as const] }, percent_bp: 250 }] }
  const tariff = { connection_id: 'bank', name: 'cards', valid_from: '2026-01-01', valid_to: null, document }
  await inTransaction(world.db, (tx) => syncTariffs(tx, [tariff], world.ctx.now))
  await auditFees(world.db, world.ctx, null)
  const [, lost] = await world.db.query<{ id: number }>(`
    insert into breaks (company_id, connection_id, type, fingerprint, state, currency, amount_minor, aged_from, opened_at, seen_at, changed_at)
    select 'acme', 'bank', 'bank_amount_diff', f, 'open', 'EUR', -70, '2026-03-05', now(), now(), now() from unnest('{a,b}'::text[]) f
    returning id`)
  const wish = { id: lost!.id, by: 'user:ann', reason: 'our_error', text: 'lost', limit_minor: 100 } as const
  await inTransaction(world.db, (tx) => writeOffBreak(tx, world.ctx, wish))
}

/** One way (or more) to break each invariant, in a transaction that is undone. Constraints and triggers are switched off for it. */
const SABOTAGE: Readonly<Record<string, readonly string[]>> = {
  work_leaves_with_its_label: [`update parcels set state = 'rated'; update outbox set attempts = 1`],
  labels_of_no_use_are_given_back: [
    `update fulfillment_orders set state = 'CANCELLED' where id in (select fulfillment_order_id from parcels)`,
  ],
  parcels_progress_is_their_newest_scan: [
    `update shipments set delivered_at = null where delivered_at is not null`,
    `delete from tracking_events`,
  ],
  ledger_equals_counters: [
    `update stock set available = available + 1 where ctid = (select min(ctid) from stock)`,
    `delete from stock_ledger where id = (select max(id) from stock_ledger)`,
    `delete from stock where on_hand > 0`,
  ],
  counters_not_negative: [
    `alter table stock drop constraint stock_damaged_check; update stock set damaged = -1 where ctid = (select min(ctid) from stock)`,
  ],
  reservations_equal_counters: [
    `update reservations set quantity = quantity + 1 where state = 'committed'`,
    `update stock set reserved = reserved + 1 where ctid = (select min(ctid) from stock)`,
    `update holds set taken_units = '{2}'`,
  ],
  hold_counts_equal_holds: [
    `update hold_counts set units = units + 1 where scope like 'channel:%'`,
    `delete from hold_counts where scope like 'key:%'`,
  ],
  lots_equal_on_hand: [
    `update stock_lots set quantity = quantity + 1`,
    `delete from stock_lots`,
    `alter table stock_lots drop constraint stock_lots_check; update stock_lots set quarantined = quantity + 1`,
  ],
  movements_are_in_the_ledger: [
    `update stock_movements set quantity = quantity + 1`,
    `update stock_movements set state = 'rejected'`,
    `delete from stock_ledger where source like 'movement:%'`,
  ],
  incoming_equals_supplies: [
    `update supply_lines set received_quantity = received_quantity + 1`,
    `update supplies set state = 'cancelled' where kind = 'purchase'`,
    `update stock set incoming = incoming + 1 where ctid = (select min(ctid) from stock)`,
  ],
  transfers_count_what_was_shipped: [
    `update supply_lines set shipped_quantity = 3 where shipped_quantity = 2`,
    `delete from shipment_lines where shipment_id in (select id from shipments where external_id = 'S-TR')`,
  ],
  transfers_are_orders_of_their_own: [
    `update supply_lines set quantity = quantity + 1`,
    `update orders set kind = 'order'`,
    `update supplies set from_location_id = 'south', location_id = 'north' where kind = 'transfer'`,
    `update orders set kind = 'transfer'`,
  ],
  reservations_have_an_order_line: [
    `delete from order_lines where id = (select min(id) from order_lines)`,
    `update reservations set order_id = (select max(id::text)::uuid from orders) where order_id <> (select max(id::text)::uuid from orders)`,
  ],
  live_reservations_have_an_open_order: [`update orders set lifecycle = 'cancelled' where external_id = 'B'`],
  lines_hold_what_they_want: [`update order_lines set cancelled_quantity = 1 where channel_sku = 'TEA'`],
  consumed_equals_shipped: [
    `update shipment_lines set quantity = quantity + 1`,
    `delete from shipment_lines`,
    `update reservations set consumed_quantity = 0`,
  ],
  lines_count_whole_shipped_units: [`update order_lines set shipped_quantity = shipped_quantity + 1`],
  inbox_is_final_due_or_parked: [
    `update inbox set processed_at = null where state = 'done'`,
    `update inbox set cause_code = null where state = 'parked'`,
    `update inbox set next_attempt_at = next_attempt_at - interval '2 hours' where state = 'pending'`,
  ],
  outbox_is_final_due_or_leased: [
    `update outbox set state = 'sending', lease_until = null`,
    `update outbox set state = 'queued', lease_until = null`,
    `update outbox set state = 'done', done_at = null`,
    `update outbox set state = 'dead', error_code = 'vendor_rejected'`,
    `insert into outbox (connection_id, kind, key, reference, state, next_attempt_at, created_at, done_at)
     select connection_id, kind, key || ':later', reference, 'done', next_attempt_at, created_at, next_attempt_at + interval '2 hours' from outbox`,
  ],
  dead_letters_have_a_source: [
    `update dead_letters set source_id = source_id + 1000`,
    `update dead_letters set source = 'outbox', source_id = -1`,
  ],
  availability_is_proven_where_it_says_ok: [
    `update availability set proven_quantity = null where state = 'ok'`,
    `update availability set state = 'error', error_code = null`,
    `update availability set sent_seq = dirty_seq + 1`,
  ],
  mapped_listings_are_pushed: [`delete from availability`],
  settlement_lines_add_up: [
    `alter table settlement_lines drop constraint settlement_lines_check; update settlement_lines set fee_minor = 31`,
    `update settlement_lines set currency = 'USD'`,
  ],
  settlements_equal_their_lines: [
    `update settlements set difference_minor = 1`,
    `update settlements set payout_minor = payout_minor + 1`,
    `update settlements set gross_minor = gross_minor + 1`,
    `delete from settlement_lines`,
  ],
  settlement_matches_name_an_order: [
    `update settlement_lines set order_id = null`,
    `update settlement_lines set payment_id = 77`,
  ],
  matches_have_their_members: [
    `delete from match_groups`,
    `delete from match_expected; delete from match_order_totals`,
    `update match_groups set line_ids = '{}'`,
    `update match_groups set state = 'suggested'`,
  ],
  matches_add_up: [`update match_groups set difference_minor = 1`],
  journals_balance: [
    `update journal_entries set amount_minor = amount_minor + 1 where id = (select min(id) from journal_entries)`,
    `update journal_entries set currency = 'USD' where account = 'sales'`,
    `delete from journal_entries e using journals j where j.id = e.journal_id and j.kind = 'reversal'`,
  ],
  journals_equal_settlements: [
    `update journal_entries set account = 'refunds' where account = 'sales'`,
    `update settlement_lines set gross_minor = gross_minor + 1, fee_minor = fee_minor + 1`,
    `update settlement_lines set kind = 'fee', fee_type = 'storage'`,
    `delete from journals where kind = 'reversal'`,
    `update settlements set payout_minor = payout_minor + 1`,
  ],
  clearing_equals_unsettled: [
    `update journal_entries set amount_minor = amount_minor + 1 where account like 'clearing:%'`,
    `update bank_lines set amount_minor = amount_minor + 1`,
    `delete from journal_entries where journal_id in (select id from journals where kind = 'bank')`,
  ],
  write_offs_are_booked_once: [
    `delete from journals where kind = 'write_off'`,
    `update breaks set state = 'written_off'`,
    `update breaks set state = 'resolved'`,
  ],
  breaks_are_in_a_state_that_fits: [
    `update breaks set write_off_requested_by = 'user:ann'`,
    `update breaks set gone_at = now()`,
    `update breaks set state = 'assigned' where state = 'open'`,
    `update breaks set owner = 'ben'`,
  ],
  fee_audits_name_a_tariff_of_their_connection: [`update tariffs set connection_id = 'shop'`],
  people_have_a_key_or_are_erased: [
    `update people_keys set wrapped_key = null`,
    `update people_keys set erased_at = now()`,
    `delete from people_keys`,
  ],
}

class Undo extends Error {}

async function verifyAfter(sabotage: string) {
  let seen: Awaited<ReturnType<typeof verify>> | undefined
  await inTransaction(world.db, async (tx) => {
    await tx.query(`set local session_replication_role = replica; ${sabotage}`)
    seen = await verify(tx)
    throw new Undo()
  }).catch((thrown: unknown) => {
    if (!(thrown instanceof Undo)) throw thrown
  })
  if (seen === undefined) throw new Error('verify did not run')
  return seen
}

describe('verify', () => {
  it('finds nothing wrong, and has looked at something in every check', async () => {
    const { ok, checks } = await verify(world.db)
    expect(checks.filter((check) => check.violations > 0 || check.checked === 0)).toEqual([])
    expect(ok).toBe(true)
  })

  it('has a sabotage for every check', () => {
    expect(Object.keys(SABOTAGE).sort()).toEqual(CHECKS.map((check) => check.name).sort())
  })

  it.each(Object.entries(SABOTAGE).flatMap(([name, ways]) => ways.map((sql) => [name, sql] as const)))(
    '%s sees: %s',
    async (name, sql) => {
      const { ok, checks } = await verifyAfter(sql)
      const check = checks.find((row) => row.name === name)
      expect(ok).toBe(false)
      expect(check?.violations).toBeGreaterThan(0)
      expect(check?.examples?.[0]).toMatch(/\d/)
    },
  )
})
