import type { Queryable } from './pool.ts'

/** The few numbers that say whether a person is needed. */
export interface Overview {
  orders_last_day: number
  orders_short: number
  inbox_pending: number
  inbox_parked: number
  outbox_waiting: number
  availability_due: number
  dead_letters_open: number
}

const DAY_MS = 24 * 60 * 60 * 1_000

/** Each number is one look into an index that holds only what is counted. */
export async function readOverview(q: Queryable, now: Date): Promise<Overview> {
  const [row] = await q.query<Overview>(
    `select (select count(*) from orders where received_at > $1) as orders_last_day,
            (select count(distinct order_id) from reservations where state = 'shortfall') as orders_short,
            (select count(*) from inbox where state = 'pending') as inbox_pending,
            (select count(*) from inbox where state = 'parked') as inbox_parked,
            (select count(*) from outbox where state in ('pending', 'queued', 'sending')) as outbox_waiting,
            (select count(*) from availability where due) as availability_due,
            (select count(*) from dead_letters where state = 'open') as dead_letters_open`,
    [new Date(now.getTime() - DAY_MS)],
  )
  return row ?? NOTHING
}

const NOTHING: Overview = {
  orders_last_day: 0,
  orders_short: 0,
  inbox_pending: 0,
  inbox_parked: 0,
  outbox_waiting: 0,
  availability_due: 0,
  dead_letters_open: 0,
}
