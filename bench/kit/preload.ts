import { insertInbox, sealRow } from '../../src/db/inbox.ts'
import type { Hub } from '../../src/hub.ts'
import { receivedRow, type BenchOrder } from './orders.ts'

const PRELOAD_ROWS = 500

/** Fills the inbox as the webhook route would have: sealed raw bytes with their keys. */
export async function preload(hub: Hub, orders: readonly BenchOrder[]): Promise<void> {
  const now = new Date()
  for (let from = 0; from < orders.length; from += PRELOAD_ROWS) {
    await insertInbox(
      hub.db,
      orders.slice(from, from + PRELOAD_ROWS).map((order) => sealRow(hub.vault, receivedRow(order, now))),
    )
  }
}
