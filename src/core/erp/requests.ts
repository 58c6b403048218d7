import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { EffectRef } from '../fulfillment/requests.ts'
import type { ErpRequest } from '../model/effects.ts'
import type { LoadContext, Wanted } from './load.ts'
import { erpThatIs, type ErpPolicy } from './policy.ts'
import { loadBankStatements, loadJournals } from './requestsBooks.ts'
import { loadCredits, loadDeliveries, loadInvoices, loadReturns } from './requestsGoods.ts'
import { loadCancellations, loadOrders } from './requestsOrder.ts'
import { loadStock } from './requestsStock.ts'

type Loader = (load: LoadContext) => Promise<ErpRequest[]>

const LOADERS: Readonly<Record<ErpRequest['kind'], Loader>> = {
  order: loadOrders,
  cancellation: loadCancellations,
  delivery: loadDeliveries,
  return: loadReturns,
  invoice: loadInvoices,
  credit: loadCredits,
  journal: loadJournals,
  bank_statement: loadBankStatements,
  stock: loadStock,
}

/**
 * Reads the documents that these effects are about, as they are now: all of one kind. What is gone or was called off meanwhile is left
 * out, and so is an older version of what has to be told anew. Names and addresses leave the vault only here. Faults: `vault_sealed`,
 * `config_invalid` for a connection that is no company's ERP any more.
 */
export async function loadErpRequests(
  q: Queryable,
  ctx: Pick<CoreContext, 'vault' | 'now' | 'erps'>,
  connection_id: string,
  effects: readonly EffectRef[],
): Promise<ErpRequest[]> {
  const [first] = effects
  const erp = erpThatIs(ctx, connection_id)
  if (erp === undefined) throw new HubError('config_invalid', `${connection_id} is the ERP of no company`)
  const kind = first?.kind.replace(/^erp\./, '') as ErpRequest['kind']
  return LOADERS[kind]({
    q,
    ctx,
    erp,
    wanted: kind === 'stock' ? stockWanted(effects) : await current(q, erp, kind, effects),
  })
}

const stockWanted = (effects: readonly EffectRef[]): Wanted[] =>
  effects.map(({ id, reference }) => ({ outbox_id: id, key: String(reference['key']), subject: String(reference['location_id']), reference })) // prettier-ignore

async function current(q: Queryable, erp: ErpPolicy, kind: string, effects: readonly EffectRef[]): Promise<Wanted[]> {
  const rows = await q.query<{ subject: string; key: string; version: number }>(
    `select subject, key, version from erp_links where connection_id = $1 and kind = $2 and subject = any($3::text[])`,
    [erp.connection_id, kind, effects.map(({ reference }) => String(reference['subject']))],
  )
  const links = new Map(rows.map((row) => [row.subject, row]))
  return effects.flatMap(({ id, reference }) => {
    const link = links.get(String(reference['subject']))
    if (link === undefined || link.version !== reference['version']) return []
    return [{ outbox_id: id, key: link.key, subject: link.subject, reference }]
  })
}
