import type { CoreContext } from '../core/context.ts'
import type { PurchaseDocument, ReceiptDocument, TransferDocument } from '../core/model/supply.ts'
import { cancelSupply, putSupply, type PutResult } from '../core/supply/put.ts'
import { showSupply, type SupplyShown } from '../core/supply/read.ts'
import { receiveSupply, type BookedLine, type Receipt, type ReceiveResult } from '../core/supply/receive.ts'
import { placeOf } from '../core/supply/sql.ts'
import { cancelTransfer, createTransfer } from '../core/supply/transfers.ts'
import type { Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import { wakePushes } from './wake.ts'

export interface SupplyAnswer {
  outcome: PutResult['outcome']
  supply: SupplyShown
}

export interface ReceiptAnswer {
  outcome: ReceiveResult['outcome']
  booked: BookedLine[]
  supply: SupplyShown
}

const dateOf = (text: string | null | undefined): Date | null =>
  text === null || text === undefined ? null : new Date(text)

/** Makes or changes a purchase at the wish of `by`; the place says whose it is. Faults as `putSupply`. */
export async function putPurchase(hub: Hub, document: PurchaseDocument, by: string): Promise<SupplyAnswer> {
  const { reference, location: location_id, lines } = document
  return run(hub, async (tx, ctx) => {
    const { company_id } = await placeOf(tx, location_id, '$.location')
    const expected_at = dateOf(document.expected_at)
    return putSupply(tx, ctx, { company_id, kind: 'purchase', reference, location_id, expected_at, lines }, by)
  })
}

/** Makes a transfer at the wish of `by`. Faults as `createTransfer`. */
export async function putTransfer(hub: Hub, document: TransferDocument, by: string): Promise<SupplyAnswer> {
  const { reference, from: from_location_id, to: to_location_id, lines } = document
  const expected_at = dateOf(document.expected_at)
  return run(hub, (tx, ctx) =>
    createTransfer(tx, ctx, { reference, from_location_id, to_location_id, expected_at, lines }, by),
  )
}

/** Ends a purchase or a transfer as far as it can be ended. `id`: the hub's own. */
export async function endSupply(
  hub: Hub,
  { id, kind }: { id: string; kind: 'purchase' | 'transfer' },
  by: string,
): Promise<SupplyAnswer> {
  const cancel = { purchase: cancelSupply, transfer: cancelTransfer }[kind]
  return run(hub, (tx, ctx) => cancel(tx, ctx, { id }, by))
}

/** Books goods that came in, now where the document names no time. Faults as `receiveSupply`. */
export async function receiveGoods(
  hub: Hub,
  id: string,
  document: ReceiptDocument,
  by: string,
): Promise<ReceiptAnswer> {
  const { key, location, at, close, lines } = document
  const { outcome, lines: booked } = await inTransaction(hub.db, (tx) => {
    const ctx = coreContext(hub)
    const receipt: Receipt = {
      key,
      location_id: location ?? null,
      at: at === undefined ? null : new Date(at),
      rest: close === true ? 'close' : 'expected',
      lines: lines.map((line) => ({ to: 'available', ...line })),
    }
    return receiveSupply(tx, ctx, { id }, receipt, by)
  })
  await wakePushes(hub)
  return { outcome, booked, supply: await showSupply(hub.db, id) }
}

async function run(hub: Hub, work: (tx: Tx, ctx: CoreContext) => Promise<PutResult>): Promise<SupplyAnswer> {
  const { id, outcome } = await inTransaction(hub.db, (tx) => work(tx, coreContext(hub)))
  if (outcome !== 'same') await wakePushes(hub)
  return { outcome, supply: await showSupply(hub.db, id) }
}
