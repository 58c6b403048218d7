import type { Fact, FactOf } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { refreshBreaks, type Refreshed } from '../../../src/core/breaks/refresh.ts'
import type { BreakPolicy } from '../../../src/core/breaks/rulesBreaks.ts'
import type { World } from '../world.ts'

const POLICY: BreakPolicy = {
  settlement_days: 14,
  settlement_days_of: {},
  bank_days: 3,
  dispute_days: 7,
  reserve_days: 100,
  deferred_days: 30,
}

type Document = FactOf<'settlement'>['document']
export type Line = Document['lines'][number]

export const line = (
  external_id: string,
  kind: Line['kind'],
  gross_minor: number,
  references: Partial<Line['references']> = {},
  changes: Partial<Line> = {},
): Line => {
  const fee_minor = changes.fee_minor ?? 0
  return {
    external_id,
    kind,
    vendor_type: kind,
    at: '2026-03-02T00:00:00Z',
    currency: 'EUR',
    gross_minor,
    references: { order_external_id: null, order_number: null, payment_ids: [], ...references },
    ...changes,
    fee_minor,
    net_minor: gross_minor - fee_minor,
  }
}

export const payout = (external_id: string, lines: Line[], changes: Partial<Document> = {}): Fact => ({
  kind: 'settlement',
  document: {
    external_id,
    status: 'paid',
    currency: 'EUR',
    payout_minor: lines.reduce((sum, one) => sum + one.net_minor, 0),
    created_at: '2026-03-03T00:00:00Z',
    arrival_at: '2026-03-04T00:00:00Z',
    bank_reference: null,
    lines,
    ...changes,
  },
})

export const payment = (
  external_id: string,
  amount_minor: number,
  changes: Partial<FactOf<'payment'>['document']> = {},
): Fact => ({
  kind: 'payment',
  document: {
    external_id,
    kind: 'capture',
    status: 'succeeded',
    at: '2026-03-01T09:00:00Z',
    currency: 'EUR',
    amount_minor,
    references: { order_external_id: null, order_number: null, payment_ids: [external_id] },
    ...changes,
  },
})

/** As if the bank had confirmed these payouts. */
export async function bankAgrees(world: World, ...external_ids: string[]): Promise<void> {
  await world.db.query('update settlements set bank_group_id = 0 where external_id = any($1)', [external_ids])
}

/** A bank that has been read for the whole year, with these lines. */
export async function readBank(
  world: World,
  lines: { id: string; on: string; minor: number; references?: string[] }[],
): Promise<void> {
  const id = world.ctx.newId()
  await world.db.query(
    `insert into bank_statements (id, connection_id, external_id, account, currency, from_at, to_at, recorded_at)
     values ($1, 'wms', 's1', 'DE1', 'EUR', '2026-01-01', '2026-12-31', $2)`,
    [id, world.ctx.now],
  )
  for (const one of lines) {
    await world.db.query(
      `insert into bank_lines (statement_id, connection_id, external_id, booked_on, currency, amount_minor, references_found)
       values ($1, 'wms', $2, $3, 'EUR', $4, $5)`,
      [id, one.id, one.on, one.minor, one.references ?? []],
    )
  }
}

export async function refresh(world: World): Promise<Refreshed> {
  return inTransaction(world.db, (tx) => refreshBreaks(tx, world.ctx, 'acme', POLICY))
}

export interface BreakRow {
  id: number
  type: string
  state: string
  amount_minor: number
  owner: string | null
  gone: boolean
}

export async function breaksOf(world: World, where = 'true'): Promise<BreakRow[]> {
  return world.db.query<BreakRow>(
    `select id, type, state, amount_minor, owner, gone_at is not null as gone from breaks where ${where} order by type, amount_minor, id`,
  )
}
