import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'

/** Why lines and expected amounts were joined: the rule, both sides with their amounts, and what they differ by. */
export interface MatchExplained {
  id: number
  leg: 'orders_to_lines' | 'payouts_to_bank'
  rule: string
  state: string
  currency: string
  difference_minor: number
  reason: Record<string, unknown>
  made_at: string
  decided_by: string | null
  order_id: string | null
  lines: {
    id: number
    settlement_id: string
    external_id: string
    kind: string
    currency: string
    gross_minor: number
  }[]
  payments: {
    id: number
    connection_id: string
    external_id: string
    kind: string
    currency: string
    amount_minor: number
  }[]
  payouts: { id: string; connection_id: string; external_id: string; currency: string; payout_minor: number }[]
  bank_lines: { id: number; external_id: string; booked_on: string; currency: string; amount_minor: number }[]
}

type GroupRow = Omit<MatchExplained, 'lines' | 'payments' | 'payouts' | 'bank_lines'> & {
  line_ids: number[]
  payment_ids: number[]
  settlement_ids: string[]
  bank_line_ids: number[]
}

/** One match with its members. Faults: `not_found`. */
export async function explainMatch(q: Queryable, group_id: number): Promise<MatchExplained> {
  const [row] = await q.query<GroupRow>(
    `select id, leg, rule, state, currency, difference_minor, reason, made_at, decided_by, order_id, line_ids, payment_ids, settlement_ids,
       bank_line_ids from match_groups where id = $1`,
    [group_id],
  )
  if (row === undefined) throw new HubError('not_found', 'there is no such match')
  const { line_ids, payment_ids, settlement_ids, bank_line_ids, ...group } = row
  return {
    ...group,
    lines: await q.query<MatchExplained['lines'][number]>(
      `select id, settlement_id, external_id, kind, currency, gross_minor from settlement_lines where id = any($1::bigint[]) order by id`,
      [line_ids],
    ),
    payments: await q.query<MatchExplained['payments'][number]>(
      `select id, connection_id, external_id, kind, currency, amount_minor from payments where id = any($1::bigint[]) order by id`,
      [payment_ids],
    ),
    payouts: await q.query<MatchExplained['payouts'][number]>(
      `select id, connection_id, external_id, currency, payout_minor from settlements where id = any($1::uuid[]) order by id`,
      [settlement_ids],
    ),
    bank_lines: await q.query<MatchExplained['bank_lines'][number]>(
      `select id, external_id, to_char(booked_on, 'YYYY-MM-DD') as booked_on, currency, amount_minor from bank_lines
       where id = any($1::bigint[]) order by id`,
      [bank_line_ids],
    ),
  }
}

export type Suggestion = Omit<GroupRow, 'made_at'>

/** Suggestions that wait for a person, the oldest first. */
export function listSuggestions(q: Queryable, limit: number): Promise<Suggestion[]> {
  return q.query(
    `select id, leg, rule, state, currency, difference_minor, reason, decided_by, order_id, line_ids, payment_ids, settlement_ids, bank_line_ids
     from match_groups where state = 'suggested' order by id limit $1`,
    [limit],
  )
}
