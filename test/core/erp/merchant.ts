import { loadErpRequests } from '../../../src/core/erp/requests.ts'
import { noteErpDone } from '../../../src/core/erp/done.ts'
import type { ErpPolicy } from '../../../src/core/erp/policy.ts'
import type { ErpRequest } from '../../../src/core/model/effects.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { CATALOG, createWorld, type World } from '../world.ts'

export const ERP: ErpPolicy = {
  connection_id: 'ledger',
  company_id: 'acme',
  orders: 'paid',
  since: null,
  deliveries: true,
  returns: true,
  invoices: 'per_delivery',
  credits: true,
  journals: true,
  bank_statements: false,
  products_in: true,
  stock_every_seconds: 60,
  places: new Map([
    ['north', { authority: 'hub', is_stated: false, code: 'WH-N' }],
    ['south', { authority: 'erp', is_stated: true, code: 'WH-S' }],
  ]),
}

/** A merchant whose company has an ERP, with stock in both places. */
export async function merchantWithErp(changes: Partial<ErpPolicy> = {}): Promise<World> {
  const world = await createWorld()
  world.ctx.erps = new Map([['acme', { ...ERP, ...changes }]])
  await world.sync({
    connections: [...CATALOG.connections, { id: 'ledger', connector: 'sample', company_id: 'acme', serves_from: [] }],
  })
  return world
}

interface Row {
  id: number
  connection_id: string
  kind: string
  reference: Record<string, string | number>
  order_id: string | null
}

/** Effects at the ERP that are due, oldest first. */
export const pending = (world: World): Promise<Row[]> =>
  world.db.query<Row>(
    `select id, connection_id, kind, reference, order_id from outbox where kind like 'erp.%' and state = 'pending' order by id`,
  )

export const kindsDue = async (world: World): Promise<string[]> => (await pending(world)).map(({ kind }) => kind)

/** Tells the ERP what is due now (not what becomes due by it), as the queue does: read, note as done, with the orders locked. */
export async function tellNow(world: World): Promise<ErpRequest[]> {
  const rows = await pending(world)
  const told: ErpRequest[] = []
  for (const row of rows) {
    const [request] = await loadErpRequests(world.db, world.ctx, 'ledger', [row])
    await inTransaction(world.db, async (tx) => {
      if (row.order_id !== null) await tx.query('select 1 from orders where id = $1 for no key update', [row.order_id])
      await tx.query(`update outbox set state = $2 where id = $1`, [
        row.id,
        request === undefined ? 'cancelled' : 'done',
      ])
      if (request !== undefined) await noteErpDone(tx, world.ctx, [{ effect: row, external_id: `E${row.id}` }])
    })
    if (request !== undefined) told.push(request)
  }
  return told
}

/** Until nothing is due any more. */
export async function tellAll(world: World): Promise<ErpRequest[]> {
  const told: ErpRequest[] = []
  for (let some = await tellNow(world); some.length > 0; some = await tellNow(world)) told.push(...some)
  return told
}
