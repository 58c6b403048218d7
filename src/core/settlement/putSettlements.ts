import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { SettlementHeader } from '../model/settlement.ts'
import { FAULTS_KEPT_MAX, type FileProof, type ProofFault, type SettlementProof } from './rulesProof.ts'

/** A payout as it is stored: what its source says, what its lines come to, and what is wrong with it. */
export interface SettlementToPut {
  header: SettlementHeader
  gross_minor: number
  fee_minor: number
  net_minor: number
  difference_minor: number
  faults: readonly ProofFault[]
}

/** `others`: faults of rows that may be of any payout of a file. A payout whose source never said what it paid out is stored as pending. */
export function toPut(proof: SettlementProof, others: readonly ProofFault[], now: Date): SettlementToPut {
  const { fee_minor, sum_minor, difference_minor } = proof
  return {
    header: proof.header ?? unstated(proof, now),
    // As its lines are stored: one whose net is not gross less fee counts with its net.
    gross_minor: sum_minor + fee_minor,
    fee_minor,
    net_minor: sum_minor,
    difference_minor,
    faults: [...proof.faults, ...others].slice(0, FAULTS_KEPT_MAX),
  }
}

/** What only an earlier, broken file has told under names that begin like these: a payout of nothing, from now on. */
export async function emptied(
  tx: Tx,
  connection_id: string,
  { all_of, settlements }: Pick<FileProof, 'all_of' | 'settlements'>,
): Promise<SettlementToPut[]> {
  if (all_of.length === 0) return []
  const rows = await tx.query<{ external_id: string; currency: string; created_at: string }>(
    `select external_id, currency, created_at from settlements
     where connection_id = $1 and source = 'file' and status <> 'cancelled' and external_id <> all($3::text[])
       and exists (select 1 from unnest($2::text[]) as p(prefix) where starts_with(external_id, p.prefix))`,
    [connection_id, all_of, settlements.map(({ external_id }) => external_id)],
  )
  const nothing = { gross_minor: 0, fee_minor: 0, net_minor: 0, difference_minor: 0, faults: [] }
  return rows.map((row) => ({ header: { ...BARE, ...row, status: 'cancelled' }, ...nothing }))
}

const BARE = {
  payout_minor: 0,
  arrival_at: null,
  bank_reference: null,
  control_minor: null,
  begin_minor: null,
  end_minor: null,
} as const

const unstated = ({ external_id, currency }: SettlementProof, now: Date): SettlementHeader => ({
  ...BARE,
  external_id,
  status: 'pending',
  currency,
  created_at: now.toISOString(),
})

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
