import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { occurrenceCounter } from '../model/occurrences.ts'
import type { SettlementHeader, SettlementLine } from '../model/settlement.ts'
import { LINE_COLUMNS, LINE_RECORD, lineRow, mergeLines } from './putLines.ts'
import { putSettlements, raiseVersions, type PutSettlement, type SettlementToPut } from './putSettlements.ts'
import { FAULTS_KEPT_MAX, type FileProof, type SettlementProof } from './rulesProof.ts'

/** How long the one statement that merges millions of lines may take. */
const MERGE_TIMEOUT_MS = 30 * 60_000

export interface SettlementFileToImport {
  connection_id: string
  name: string
  format: string
  sha256: Buffer
  /** Sealed; null: too large to be kept. */
  body: Buffer | null
  rows: number
  proof: FileProof
  /** Reads the file again and hands on its lines; every batch is waited for. */
  lines: (
    put: (batch: readonly { settlement_external_id: string; line: SettlementLine }[]) => Promise<void>,
  ) => Promise<void>
  /** `skip`: a file with these bytes was imported before and nothing is done. `again`: read it once more, by other settings perhaps. */
  known: 'skip' | 'again'
}

export interface ImportedSettlement extends PutSettlement {
  lines: number
  /** Added, changed or removed. */
  lines_moved: number
  difference_minor: number
  proof: 'proven' | 'held'
}

export interface ImportedFile {
  file_id: number
  /** `same`: nothing has changed, either because the file is known or because it says what was known. */
  outcome: 'imported' | 'same'
  settlements: ImportedSettlement[]
}

/**
 * Keeps a file of payouts and everything in it, in one transaction and without ever holding its lines. Payouts whose identities fail
 * are kept and held with their faults. A corrected file of a known payout replaces its lines, raises its version, and lets the lines
 * that changed look for their orders again; the others keep what they are matched to.
 */
export async function importSettlementFile(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId'>,
  file: SettlementFileToImport,
): Promise<ImportedFile> {
  await tx.query(`select set_config('statement_timeout', $1, true)`, [String(MERGE_TIMEOUT_MS)])
  const { id: file_id, isNew } = await putFile(tx, ctx, file)
  if (!isNew && file.known === 'skip') return { file_id, outcome: 'same', settlements: [] }
  const proofs = file.proof.settlements
  const put = await putSettlements(
    tx,
    ctx,
    { connection_id: file.connection_id, file_id },
    proofs.map((proof) => toPut(proof, file.proof, ctx.now)),
  )
  const moved = await stageLines(tx, put, file)
  const changed = put.filter(({ id, change }) => change === 'changed' || (change === 'same' && moved.has(id)))
  await raiseVersions(
    tx,
    ctx.now,
    changed.map(({ id }) => id),
  )
  const byId = new Map(proofs.map((proof) => [proof.external_id, proof]))
  const settlements = put.map((one) => importedOf(one, moved.get(one.id) ?? 0, byId.get(one.external_id), file.proof))
  return { file_id, outcome: settlements.every(({ change }) => change === 'same') ? 'same' : 'imported', settlements }
}

function importedOf(
  put: PutSettlement,
  lines_moved: number,
  proof: SettlementProof | undefined,
  { faults_count }: FileProof,
): ImportedSettlement {
  const isHeld = proof === undefined || proof.faults_count > 0 || faults_count > 0
  return {
    ...put,
    change: put.change === 'same' && lines_moved > 0 ? 'changed' : put.change,
    lines: proof?.lines ?? 0,
    lines_moved,
    difference_minor: proof?.difference_minor ?? 0,
    proof: isHeld ? 'held' : 'proven',
  }
}

async function putFile(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  file: SettlementFileToImport,
): Promise<{ id: number; isNew: boolean }> {
  const totals = Object.fromEntries(
    file.proof.settlements.slice(0, 100).map((proof) => [proof.external_id, proof.payout_minor]),
  )
  const [put] = await tx.query<{ id: number }>(
    `insert into inbound_files (connection_id, name, type, sha256, body, rows, state, totals, received_at)
     values ($1, $2, $3, $4, $5, $6, 'applied', $7, $8) on conflict (connection_id, sha256) do nothing returning id`,
    [
      file.connection_id,
      file.name.slice(0, 200),
      `settlement:${file.format}`,
      file.sha256,
      file.body,
      file.rows,
      totals,
      ctx.now,
    ],
  )
  if (put !== undefined) return { id: put.id, isNew: true }
  const [known] = await tx.query<{ id: number }>(
    'select id from inbound_files where connection_id = $1 and sha256 = $2 for no key update',
    [file.connection_id, file.sha256],
  )
  if (known === undefined) throw new HubError('internal', 'a file went away while it was imported')
  return { id: known.id, isNew: false }
}

/** Rows that nobody could read may be of any payout of the file, so all of them are held. */
function toPut(proof: SettlementProof, { faults }: FileProof, now: Date): SettlementToPut {
  const { gross_minor, fee_minor, sum_minor, difference_minor } = proof
  return {
    header: proof.header ?? unstated(proof, now),
    gross_minor,
    fee_minor,
    net_minor: sum_minor,
    difference_minor,
    faults: [...proof.faults, ...faults].slice(0, FAULTS_KEPT_MAX),
  }
}

const unstated = ({ external_id, currency }: SettlementProof, now: Date): SettlementHeader => ({
  external_id,
  status: 'pending',
  currency,
  payout_minor: 0,
  created_at: now.toISOString(),
  arrival_at: null,
  bank_reference: null,
  control_minor: null,
  begin_minor: null,
  end_minor: null,
})

/** Returns how many lines moved, by settlement. */
async function stageLines(
  tx: Tx,
  put: readonly PutSettlement[],
  file: SettlementFileToImport,
): Promise<ReadonlyMap<string, number>> {
  await tx.query(`create temporary table staged_lines (settlement_id uuid not null, ${LINE_RECORD}) on commit drop`)
  const ids = new Map(put.map(({ id, external_id }) => [external_id, id]))
  const seen = occurrenceCounter()
  await file.lines(async (batch) => {
    const rows = batch.map(({ settlement_external_id, line }) => ({
      settlement_id: ids.get(settlement_external_id),
      ...lineRow(storable(settlement_external_id, line, seen)),
    }))
    await tx.query(
      `insert into staged_lines (settlement_id, ${LINE_COLUMNS.join(', ')})
       select settlement_id, ${LINE_COLUMNS.join(', ')} from jsonb_to_recordset($1::jsonb) as w(settlement_id uuid, ${LINE_RECORD})`,
      [JSON.stringify(rows)],
    )
  })
  await tx.query('create unique index on staged_lines (settlement_id, external_id)')
  await tx.query('analyze staged_lines')
  const moved = await tx.query<{ settlement_id: string; touched: number }>(mergeLines('select * from staged_lines'), [
    [...ids.values()],
  ])
  await tx.query('drop table staged_lines')
  return new Map(moved.map(({ settlement_id, touched }) => [settlement_id, touched]))
}

/** What is wrong with a line stands in the faults of its payout; stored it has to be in any case, with the net that the source states. */
function storable(settlement: string, line: SettlementLine, seen: (text: string) => number): SettlementLine {
  const nth = seen(`${settlement}\u0000${line.external_id}`)
  return {
    ...line,
    gross_minor: line.net_minor + line.fee_minor,
    ...(nth === 1 ? {} : { external_id: `${line.external_id.slice(0, 180)}#${nth}` }),
  }
}
