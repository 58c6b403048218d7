import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { EffectRef } from '../fulfillment/requests.ts'
import type { ErpRequest } from '../model/effects.ts'
import type { ErpPolicy } from './policy.ts'

/** What a loader is handed: where to read, whom it is for, and which documents. */
export interface LoadContext {
  q: Queryable
  ctx: Pick<CoreContext, 'vault' | 'now'>
  erp: ErpPolicy
  /** By document id, the key under which the ERP knows it and the effects that ask for it. */
  wanted: readonly Wanted[]
}

export interface Wanted {
  outbox_id: number
  key: string
  subject: string
  reference: EffectRef['reference']
}

/** The requests in the order in which they were asked for; a document that was not found is not among them. */
export function inOrder<Row extends { id: string }>(
  wanted: readonly Wanted[],
  rows: readonly Row[],
  make: (row: Row, wanted: Wanted) => ErpRequest,
): ErpRequest[] {
  const found = new Map(rows.map((row) => [row.id, row]))
  return wanted.flatMap((one) => {
    const row = found.get(one.subject)
    return row === undefined ? [] : [make(row, one)]
  })
}
