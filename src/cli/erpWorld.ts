import { erpPolicies } from '../core/erp/policy.ts'
import { tellStock } from '../core/erp/tellStock.ts'
import { inTransaction } from '../db/transaction.ts'
import type { RunningHub } from '../main.ts'
import { coreContext } from '../queues/context.ts'
import { forceAll, type Wake } from '../queues/wake.ts'
import { judgeErp, type ErpJudged } from '../sandbox/judgeErp.ts'
import type { World } from '../sandbox/world.ts'

const WAKE_POST: Wake = { queue: 'settlement', name: 'post', data: {}, key: 'settlement-post' }

/** What is told at its time, now: the books, and the stock of every place after its last parcel. */
export async function tellErpNow(world: World, { hub }: RunningHub, quiet: () => Promise<boolean>): Promise<void> {
  if (world.erp === null) return
  await forceAll(hub, [WAKE_POST])
  await quiet()
  for (const erp of erpPolicies(hub.config).values())
    await inTransaction(hub.db, (tx) => tellStock(tx, coreContext(hub), { ...erp, stock_every_seconds: 0 }))
  await quiet()
}

/** Holds the ERP's own books against those of storefronts and warehouses; null where the world has none. */
export async function erpOfWorld(world: World, { hub }: RunningHub): Promise<ErpJudged | null> {
  const { erp } = world
  if (erp === null) return null
  const policy = [...erpPolicies(hub.config).values()].find(({ connection_id }) => connection_id === erp.connection_id)
  const orders = await hub.db.query<{ name: string }>(
    `select connection_id || ' ' || external_id as name from orders where kind = 'order'`,
  )
  const journals = await hub.db.query<{ key: string; arrival: string | null }>(
    `select j.key, case when j.bank_line_id is not null then concat_ws(' ', s.external_id, case when j.reverses is not null then 'taken back' end) end as arrival
     from journals j join journal_entries e on e.journal_id = j.id left join settlements s on s.id = j.settlement_id
     where j.bank_line_id is null or e.account = 'bank' group by j.id, e.currency, s.external_id`,
  )
  const stock = await hub.db.query<{ location_id: string; sku: string; on_hand: number }>(
    'select s.location_id, i.sku, s.on_hand from stock s join items i on i.id = s.item_id',
  )
  return judgeErp({
    erp: erp.ledger(),
    shops: world.shops,
    places: world.houses.flatMap(({ location_id, simulator }) => {
      const code = policy?.places.get(location_id)?.code ?? null
      return code === null ? [] : [{ erp_code: code, ledger: simulator.ledger() }]
    }),
    hub: {
      orders: orders.map(({ name }) => name),
      journals: policy?.journals === true ? journals.flatMap(({ key, arrival }) => (arrival === null ? key : [])) : [],
      on_hand: new Map(
        stock.map((row) => [`${policy?.places.get(row.location_id)?.code ?? ''} ${row.sku}`, row.on_hand]),
      ),
      arrivals: policy?.bank_statements === true ? journals.flatMap(({ arrival }) => arrival ?? []) : [],
    },
  })
}
