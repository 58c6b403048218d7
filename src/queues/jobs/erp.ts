import { tellOverlooked } from '../../core/erp/overlooked.ts'
import { tellStock } from '../../core/erp/tellStock.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../context.ts'
import { upkeep } from './upkeep.ts'

const OVERLOOKED_MAX = 1_000
const OVERLOOKED_SINCE_MS = 60 * 60_000

/** Tells ERPs what the places of the hub hold, each company at its own pace. */
export const erpStock = upkeep({
  name: 'erp_stock',
  run: async (hub) => {
    let items = 0
    for (const erp of coreContext(hub).erps?.values() ?? [])
      items += await inTransaction(hub.db, (tx) => tellStock(tx, coreContext(hub), erp))
    return `${items} item(s) of places moved`
  },
})

/** Finds what was left untold by chance: written by a command without the configuration, or before the company had an ERP. */
export const erpCatchUp = upkeep({
  name: 'erp_catch_up',
  run: async (hub) => `${await catchUp(hub)} document(s) had been overlooked`,
})

async function catchUp(hub: Hub): Promise<number> {
  const since = new Date(hub.clock.now().getTime() - OVERLOOKED_SINCE_MS)
  let found = 0
  for (const erp of coreContext(hub).erps?.values() ?? [])
    found += await inTransaction(hub.db, (tx) =>
      tellOverlooked(tx, coreContext(hub), erp, { since, documents_max: OVERLOOKED_MAX }),
    )
  return found
}
