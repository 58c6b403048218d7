import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectors } from '../../src/connectors/index.ts'
import { bytesOfBuffer } from '../../src/connectors/_kit/settlementFile.ts'
import { closeCheck } from '../../src/core/books/close.ts'
import { resolveBreak } from '../../src/core/breaks/actions.ts'
import { verify } from '../../src/core/verify.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Connection, Hub } from '../../src/hub.ts'
import { importBankFile } from '../../src/queues/bankByHand.ts'
import { coreContext } from '../../src/queues/context.ts'
import { importSettlementBytes } from '../../src/queues/settlementFiles.ts'
import { runSettlement } from '../../src/queues/settlementRun.ts'
import { bankStatement } from '../../src/sandbox/bank.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { rememberingQueues, seedConnections, testHub } from '../kit/testHub.ts'
import { netOf, SOURCES, total, type Entry, type Source } from './payoutSources.ts'
import { payoutTruth, played, type PayoutTruth, type SoldOrder } from './payoutTruth.ts'

const IBAN = 'DE02120300000000202051'
const house = { id: 'house-bank', connector: connectors['bank']!, settings: { account: IBAN, currency: 'EUR' } }

let database: TestDatabase
let hub: Hub
let serial = 0

/** A database for each source, so that a fault of one is not a fault of all. */
async function open(): Promise<void> {
  database = await createTestDatabase()
  const { db } = database
  await seedConnections(db, [house])
  hub = testHub({ db, queues: rememberingQueues(), connections: [house] })
  // The fixtures' days are fixed; what is held for months is not the question here.
  Object.assign(hub.config.finance, { reserve_days: 3_650 })
}

/** A connection of its own for each play, so that payouts of the same name never meet. */
async function connect(name: string, { connector, settings = {} }: Source): Promise<Connection> {
  const id = `${name}-${(serial += 1)}`
  const parts = [{ id, connector, settings: { ...settings } }]
  await seedConnections(database.db, parts)
  const made = testHub({ db: database.db, queues: hub.queues, connections: parts }).connections.get(id)
  if (made === undefined) throw new Error('no connection')
  ;(hub.connections as Map<string, Connection>).set(id, made)
  return made
}

async function storeOrders(orders: readonly SoldOrder[], connection: string): Promise<void> {
  await database.db.query(
    `with o as (
       insert into orders (id, company_id, connection_id, external_id, number, version_updated_at, version_observed_at, placed_at, currency, lifecycle,
         payment_state, fulfillment_state, total_minor, received_at, changed_at)
       select gen_random_uuid(), 'acme', $2, o.external_id, '#' || o.external_id, now(), now(), '2026-03-01', 'EUR', 'closed', 'paid', 'fulfilled',
         o.total_minor, '2026-03-01', now() from jsonb_to_recordset($1::jsonb) as o(external_id text, total_minor bigint) returning id, external_id)
     insert into payments (connection_id, external_id, kind, status, at, currency, amount_minor, order_id, payment_ids, recorded_at)
     select $2, p.id, p.kind, 'succeeded', '2026-03-01', 'EUR', p.amount_minor, o.id, array[p.id], now()
     from jsonb_to_recordset($1::jsonb) as w(external_id text, payments jsonb) join o using (external_id)
     cross join lateral jsonb_to_recordset(w.payments) as p(id text, kind text, amount_minor bigint)`,
    [JSON.stringify(orders), connection],
  )
}

const put = (connection: Connection, text: string, known: 'skip' | 'again' = 'skip') =>
  importSettlementBytes(hub, connectors, { connection, name: 'payouts', bytes: bytesOfBuffer(Buffer.from(text)), known, by: 'test' }) // prettier-ignore
const run = () => runSettlement(hub, { by: 'test' })

/** The bank shows what was paid out, by the payout's name, on the day it should come. */
async function bankShows(connection: Connection, amount_minor: number): Promise<void> {
  const [payout] = await database.db.query<{ name: string; on: string }>(
    `select coalesce(bank_reference, external_id) as name, to_char(coalesce(arrival_at, created_at), 'YYYY-MM-DD') as on
     from settlements where connection_id = $1 order by payout_minor desc limit 1`,
    [connection.id],
  )
  const { name = '', on = '' } = payout ?? {}
  const options = { id: connection.id, iban: IBAN, currency: 'EUR', begin_minor: 0, from: '2026-01-01', to: '2026-10-31', booked_on: on } // prettier-ignore
  const text = bankStatement([{ reference: name, amount_minor }], options)
  await importBankFile(hub, { connection: house.id, bytes: Buffer.from(text) }, 'test')
}

interface OpenBreak {
  id: number
  type: string
  amount_minor: number
  order: string | null
  state: string
}
const breaks = (connection: Connection): Promise<OpenBreak[]> =>
  database.db.query<OpenBreak>(
    `select k.id, k.type, k.amount_minor, o.external_id as order, k.state from breaks k left join orders o on o.id = k.order_id
     left join bank_lines b on b.id = k.bank_line_id left join bank_statements s on s.id = b.statement_id
     where k.state <> 'resolved' and $1 in (k.connection_id, s.external_id) order by k.id`,
    [connection.id],
  )
const heldCases = (connection: Connection) =>
  database.db.query<{ difference_minor: number }>(
    `select (data ->> 'difference_minor')::int as difference_minor from cases where kind = 'settlement_held' and state = 'open' and connection_id = $1`,
    [connection.id],
  )

/** Everything that a second look must leave alone. */
async function snapshot(connection: Connection): Promise<unknown> {
  const { db } = database
  return {
    settlements: await db.query('select external_id, version, proof, payout_minor, bank_group_id from settlements where connection_id = $1 order by id', [connection.id]),
    lines: await db.query('select l.id, l.external_id, l.net_minor, l.match_state, l.match_group_id from settlement_lines l join settlements s on s.id = l.settlement_id where s.connection_id = $1 order by l.id', [connection.id]),
    journals: await db.query('select id, key from journals where connection_id = $1 order by id', [connection.id]),
    breaks: await db.query('select id, state, amount_minor from breaks order by id'),
    cases: await db.query('select id, state, times from cases order by id'),
  } // prettier-ignore
}

async function expectWhole(connection: Connection): Promise<void> {
  const open = await database.db.query(
    `select s.external_id, s.proof, s.difference_minor, s.bank_group_id, l.kind, l.match_state, g.difference_minor as off from settlements s
     left join settlement_lines l on l.settlement_id = s.id left join match_groups g on g.id = l.match_group_id
     where s.connection_id = $1
       and (s.proof <> 'proven' or s.difference_minor <> 0 or (s.bank_group_id is null and s.payout_minor <> 0) or l.match_state = 'unmatched' or g.difference_minor <> 0)`,
    [connection.id],
  )
  expect(open).toEqual([])
  expect(await breaks(connection)).toEqual([])
  expect(await heldCases(connection)).toEqual([])
}

const isOfOrder = ({ what, order }: Entry): boolean => order !== '' && what !== 'commission' && what !== 'fee'

/** How one row can be wrong; the payout is stated as it was. */
const DAMAGES: Readonly<Record<string, (truth: readonly Entry[], victim: Entry) => Entry[]>> = {
  cent: (truth, victim) => truth.map((one) => (one === victim ? { ...one, gross_minor: one.gross_minor + 1 } : one)),
  drop: (truth, victim) => truth.filter((one) => one !== victim),
  double: (truth, victim) => truth.flatMap((one) => (one === victim ? [one, one] : [one])),
  sign: (truth, victim) => truth.map((one) => (one === victim ? { ...one, gross_minor: -one.gross_minor } : one)),
}
/** What it may be called on the order's side. A sale with the wrong sign is, to some vendors, no sale at all. */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  cent: ['amount_mismatch'],
  drop: ['missing_in_ledger', 'amount_mismatch'],
  double: ['duplicate'],
  sign: ['amount_mismatch', 'missing_in_ledger', 'missing_in_orders'],
  currency: ['currency_mismatch', 'amount_mismatch', 'missing_in_ledger'],
}

async function begin(name: string, source: Source, truth: PayoutTruth) {
  const connection = await connect(name, source)
  const { orders, entries } = played(truth, source, connection.id.toUpperCase().replace(/[^A-Z0-9]/g, ''))
  await storeOrders(orders, connection.id)
  return { connection, entries, file: source.file(entries, entries) }
}

describe.each(Object.entries(SOURCES))('a payout of %s', (name, source) => {
  beforeAll(open)
  afterAll(() => database.drop())

  it('comes back whole, whatever was sold, and the same file again changes nothing', async () => {
    await fc.assert(
      fc.asyncProperty(payoutTruth, async (truth) => {
        const { connection, entries, file } = await begin(name, source, truth)
        const imported = await put(connection, file)
        expect(imported).toMatchObject({ outcome: 'imported', settlements: [{ proof: 'proven', difference_minor: 0, lines: entries.length }] }) // prettier-ignore
        await bankShows(connection, total(entries))
        await run()
        await expectWhole(connection)
        const before = await snapshot(connection)
        expect(await put(connection, file)).toMatchObject({ outcome: 'same' })
        expect(await put(connection, file, 'again')).toMatchObject({ outcome: 'same', matched: 0 })
        expect(await run()).toMatchObject({ lines: { matched: 0, left: 0 }, bank: { matched: 0 }, journals: { settlements: 0, bank_lines: 0, reversed: 0 }, breaks: { opened: 0, reopened: 0, resolved: 0 } }) // prettier-ignore
        expect(await snapshot(connection)).toEqual(before)
      }),
      { numRuns: 3 },
    )
  })

  it.each(Object.keys(NAMED))('with a wrong %s is held, named, reopened and mended', async (damage) => {
    await fc.assert(
      fc.asyncProperty(payoutTruth, fc.nat(), fc.boolean(), async (truth, pick, wasGood) => {
        const { connection, entries, file } = await begin(name, source, truth)
        const victims = entries.filter(isOfOrder)
        const victim = victims[pick % victims.length]!
        const told = DAMAGES[damage]?.(entries, victim) ?? entries
        const bad = damage === 'currency' ? source.swapped(entries, victim.at) : source.file(told, entries)
        if (wasGood) {
          await put(connection, file)
          await bankShows(connection, total(entries))
          await run()
          await expectWhole(connection)
        }
        const { settlements } = await put(connection, bad)
        if (!wasGood) await bankShows(connection, total(entries))
        await run()

        const off_minor = total(entries) - total(told)
        const open = await breaks(connection)
        const identity = open.filter(({ type }) => type === 'payout_identity_failed')
        // A payout that is in another currency as a whole, or by its first row, is not what the bank has shown, either.
        const isWhole = damage === 'currency' && (name === 'amazon' || (name === 'csv' && victim.at === 0))
        const besides = isWhole ? ['bank_without_payout', 'payout_not_in_bank'] : []
        const onOrders = open.filter(({ type }) => type !== 'payout_identity_failed' && !besides.includes(type))
        expect(onOrders.map(({ type }) => type).filter((type) => !NAMED[damage]?.includes(type))).toEqual([])
        expect(onOrders.length).toBeGreaterThan(0)
        if (damage !== 'currency') {
          expect(new Set(onOrders.map(({ order }) => order))).toEqual(new Set([victim.order]))
          expect(identity.reduce((sum, { amount_minor }) => sum + amount_minor, 0)).toBe(off_minor)
          expect((await heldCases(connection)).reduce((sum, one) => sum + one.difference_minor, 0)).toBe(off_minor)
          expect(settlements.some(({ proof }) => proof === 'held')).toBe(true)
        } else if (name === 'amazon') expect(onOrders.map(({ type }) => type)).toContain('currency_mismatch')
        else expect((await heldCases(connection)).length).toBeGreaterThan(0)

        const before = await snapshot(connection)
        await put(connection, bad)
        await put(connection, bad, 'again')
        await run()
        expect(await snapshot(connection)).toEqual(before)

        const [closed] = onOrders
        if (damage === 'cent' && closed !== undefined) {
          await inTransaction(hub.db, (tx) =>
            resolveBreak(tx, coreContext(hub), { id: closed.id, by: 'ann', text: 'a cent' }),
          )
          const worse = entries.map((one) => (one === victim ? { ...one, gross_minor: one.gross_minor + 3 } : one))
          await put(connection, source.file(worse, entries))
          await run()
          expect((await breaks(connection)).filter(({ id }) => id === closed.id)).toMatchObject([
            { state: 'open', amount_minor: 3 },
          ])
        }
        expect((await put(connection, file, 'again')).settlements.every(({ proof }) => proof === 'proven')).toBe(true)
        await run()
        await expectWhole(connection)
      }),
      { numRuns: 2 },
    )
  })

  it('leaves the books whole', async () => {
    expect((await verify(database.db)).checks.filter(({ violations }) => violations > 0)).toEqual([])
    const close = await closeCheck(database.db, { period: '2026-12', company_id: null, timezone: 'UTC' })
    expect(close.clearing.filter(({ difference_minor }) => difference_minor !== 0)).toEqual([])
    expect(close).toMatchObject({ ok: true, unposted: [] })
  })
})

it('has an entry for every row', () => {
  const truth: PayoutTruth = { orders: [{ captures: [[1_000, 2_000, 3_000], [4_000]], refund_minor: 100, dispute_minor: 200, fee_minor: 5, merged: false }], fee_minor: 7, reserve_minor: 9 } // prettier-ignore
  const nets = Object.fromEntries(Object.entries(SOURCES).map(([name, source]) => [name, played(truth, source, 'X').entries.map(netOf)])) // prettier-ignore
  expect(nets['amazon']).toEqual([1_000, 2_000, 3_000, 4_000, -5, -100, -200, -7, -9, 9])
  expect(nets['stripe']).toEqual([5_995, 3_995, -100, -200, -7, -9, 9])
})
