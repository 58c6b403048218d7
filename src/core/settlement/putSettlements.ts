import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { SettlementHeader } from '../model/settlement.ts'
import type { ProofFault } from './rulesProof.ts'

/** A payout as it is stored: what its source says, what its lines come to, and what is wrong with it. */
export interface SettlementToPut {
  header: SettlementHeader
  gross_minor: number
  fee_minor: number
  net_minor: number
  difference_minor: number
  faults: readonly ProofFault[]
}

export interface PutSettlement {
  id: string
  external_id: string
  change: 'new' | 'changed' | 'same'
}

const WORDS = ['status', 'currency', 'bank_reference'].map((name) => `${name} text`)
const AMOUNTS = [
  'payout_minor',
  'gross_minor',
  'fee_minor',
  'net_minor',
  'difference_minor',
  'begin_minor',
  'end_minor',
]
const TYPED = [
  ...WORDS,
  ...AMOUNTS.map((name) => `${name} bigint`),
  'created_at timestamptz',
  'arrival_at timestamptz',
  'proof_faults jsonb',
]
const COLUMNS = TYPED.map((column) => column.split(' ')[0])
const tuple = (table: string): string => `(${COLUMNS.map((column) => `${table}.${column}`).join(', ')})`

const PUT = `
  insert into settlements as s (id, connection_id, external_id, ${COLUMNS.join(', ')}, proof, source, file_id, recorded_at, changed_at)
  select w.id, $1, w.external_id, ${COLUMNS.map((column) => `w.${column}`).join(', ')},
         case when w.proof_faults = '[]' then 'proven' else 'held' end, $3, $4, $5, $5
  from jsonb_to_recordset($2::jsonb) as w(id uuid, external_id text, ${TYPED.join(', ')})
  order by w.external_id
  on conflict (connection_id, external_id) do update set
    ${COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')},
    proof = excluded.proof, source = excluded.source, file_id = coalesce(excluded.file_id, s.file_id), changed_at = excluded.changed_at
  where ${tuple('s')} is distinct from ${tuple('excluded')}
  returning id, external_id, xmax = 0 as is_new`

/**
 * Inserts or updates payouts by what they are called at their source. One that is the same stays untouched, whoever accepted it in spite
 * of its faults. The rows are locked until the transaction ends.
 */
export async function putSettlements(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId'>,
  source: { connection_id: string; file_id: number | null },
  settlements: readonly SettlementToPut[],
): Promise<PutSettlement[]> {
  const rows = settlements.map(({ header, faults, ...sums }) => {
    const { control_minor: _, ...stated } = header
    return { id: ctx.newId(), ...stated, ...sums, proof_faults: faults }
  })
  const put = await tx.query<{ id: string; external_id: string; is_new: boolean }>(PUT, [
    source.connection_id,
    JSON.stringify(rows),
    source.file_id === null ? 'api' : 'file',
    source.file_id,
    ctx.now,
  ])
  const moved = new Map(put.map((row) => [row.external_id, row]))
  const known = await tx.query<{ id: string; external_id: string }>(
    `select id, external_id from settlements where connection_id = $1 and external_id = any($2::text[])
     order by external_id for no key update`,
    [source.connection_id, settlements.map(({ header }) => header.external_id)],
  )
  if (known.length !== settlements.length)
    throw new HubError('internal', 'a settlement went away while it was imported')
  return known.map(({ id, external_id }) => {
    const row = moved.get(external_id)
    return { id, external_id, change: row === undefined ? 'same' : row.is_new ? 'new' : 'changed' }
  })
}

/** A payout whose amounts or lines are others than before is another version; its books are posted anew. */
export async function raiseVersions(tx: Tx, now: Date, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return
  await tx.query('update settlements set version = version + 1, changed_at = $2 where id = any($1::uuid[])', [ids, now])
}
