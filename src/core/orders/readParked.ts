import { isUuid, plainRows } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { showOrder, spellings, type OrderShown } from './read.ts'

/** A message about an order that has not gone through. `pending`: it will be tried again by itself. */
export interface WaitingMessage {
  inbox_id: number
  source: string
  topic: string
  state: string
  attempts: number
  cause_code: string | null
  cause_path: string | null
  cause_detail: string | null
  /** What it waits for; null when it waits for a person. */
  wake_key: string | null
  received_at: string
}

/** An order that the hub was told of and could not take yet. Its cause is that of the newest message. */
export interface ParkedOrder extends Pick<WaitingMessage, 'cause_code' | 'cause_path' | 'cause_detail' | 'wake_key'> {
  state: 'parked'
  connection_id: string
  external_id: string
  number: string | null
  received_at: string
  messages: WaitingMessage[]
}

type Row = WaitingMessage & Pick<ParkedOrder, 'connection_id' | 'external_id' | 'number'>

const MESSAGES_MAX = 50

/**
 * `showOrder`, and where there is no such order yet, the messages about it that wait. Faults as there; `conflict` also when a parked
 * order bears the number of one that is known.
 */
export async function showOrderOrParked(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  idOrNumber: string,
): Promise<OrderShown | ParkedOrder> {
  const parked = isUuid(idOrNumber) ? [] : await findParked(q, idOrNumber)
  if (parked.length === 0) return showOrder(q, ctx, idOrNumber)
  const known = await findKnown(q, ctx, idOrNumber)
  const others = parked.filter(
    (order) => order.connection_id !== known?.connection_id || order.external_id !== known.external_id,
  )
  const [first, ...more] = others
  if (known !== undefined && first === undefined) return known
  if (known === undefined && first !== undefined && more.length === 0) return first
  const names = [...(known === undefined ? [] : [`${known.id} (${known.connection_id})`]), ...others.map(nameOf)]
  throw new HubError('conflict', 'several orders bear this number', { hint: `name one by its id: ${names.join(', ')}` })
}

export const isParked = (order: OrderShown | ParkedOrder): order is ParkedOrder => 'state' in order

const nameOf = (order: ParkedOrder): string => `${order.external_id} (${order.connection_id}, parked)`

async function findKnown(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  idOrNumber: string,
): Promise<OrderShown | undefined> {
  try {
    return await showOrder(q, ctx, idOrNumber)
  } catch (thrown) {
    if (thrown instanceof HubError && thrown.code === 'not_found') return undefined
    throw thrown
  }
}

/** Orders that waiting messages speak of by this number or id, each with its messages, the newest first. */
async function findParked(q: Queryable, idOrNumber: string): Promise<ParkedOrder[]> {
  const rows = await q.query(
    `select connection_id, order_external_id as external_id, order_number as number, id as inbox_id, source, topic, state, attempts,
            cause_code, cause_path, cause_detail, wake_key, received_at
     from inbox
     where (order_number = any($2) or order_external_id = $1) and state in ('parked', 'pending')
     order by observed_at desc, id desc limit ${MESSAGES_MAX}`,
    [idOrNumber, spellings(idOrNumber)],
  )
  const orders = Map.groupBy(plainRows<Row>(rows), (row) => `${row.connection_id} ${row.external_id}`)
  return [...orders.values()].flatMap((messages) => {
    const [newest] = messages
    return newest === undefined ? [] : [parkedOrder(newest, messages)]
  })
}

function parkedOrder(newest: Row, messages: readonly Row[]): ParkedOrder {
  const { connection_id, external_id, cause_code, cause_path, cause_detail, wake_key, received_at } = newest
  const number = messages.find((row) => row.number !== null)?.number ?? null
  return {
    state: 'parked', connection_id, external_id, number, cause_code, cause_path, cause_detail, wake_key, received_at,
    messages: messages.map(messageOf),
  } // prettier-ignore
}

function messageOf(row: Row): WaitingMessage {
  const { inbox_id, source, topic, state, attempts, cause_code, cause_path, cause_detail, wake_key, received_at } = row
  return { inbox_id, source, topic, state, attempts, cause_code, cause_path, cause_detail, wake_key, received_at }
}
