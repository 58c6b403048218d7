import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { SettlementLine } from '../model/settlement.ts'
import { tellHeld } from './heldCases.ts'
import { LINE_COLUMNS, LINE_RECORD, lineStorer, mergeLines } from './putLines.ts'
import { emptied, putSettlements, raiseVersions, toPut, type PutSettlement } from './putSettlements.ts'
import type { FileProof } from './rulesProof.ts'

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
  /** `accepted`: held once, and a person has let it in as it is. */
  proof: 'proven' | 'held' | 'accepted'
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
  if (!isNew && file.known === 'skip')
    return { file_id, outcome: 'same', settlements: await importedBefore(tx, file_id) }
  const { connection_id, proof } = file
  const wanted = [
    ...proof.settlements.map((one) => toPut(one, proof.faults, ctx.now)),
    ...(await emptied(tx, connection_id, proof)),
  ]
  const put = await putSettlements(tx, ctx, { connection_id, file_id }, wanted)
  const moved = await stageLines(tx, put, file)
  const changed = put.filter(({ id, change }) => change === 'changed' || (change === 'same' && moved.has(id)))
  await raiseVersions(
    tx,
    ctx.now,
    changed.map(({ id }) => id),
  )
  const anew = put.filter(({ change }) => change !== 'same').map(({ id }) => id)
  await tellHeld(tx, ctx.now, anew)
  const settlements = await importedOf(tx, put, moved, proof)
  return { file_id, outcome: settlements.every(({ change }) => change === 'same') ? 'same' : 'imported', settlements }
}

async function importedOf(
  tx: Tx,
  put: readonly PutSettlement[],
  moved: ReadonlyMap<string, number>,
  { settlements }: FileProof,
): Promise<ImportedSettlement[]> {
  const proofs = new Map(settlements.map((proof) => [proof.external_id, proof]))
  const stored = await tx.query<{ id: string; proof: ImportedSettlement['proof'] }>(
    'select id, proof from settlements where id = any($1::uuid[])',
    [put.map(({ id }) => id)],
  )
  const words = new Map(stored.map(({ id, proof }) => [id, proof]))
  return put.map((one) => {
    const proof = proofs.get(one.external_id)
    const lines_moved = moved.get(one.id) ?? 0
    return {
      ...one,
      change: one.change === 'same' && lines_moved > 0 ? 'changed' : one.change,
      lines: proof?.lines ?? 0,
      lines_moved,
      difference_minor: proof?.difference_minor ?? 0,
      proof: words.get(one.id) ?? 'held',
    }
  })
}

/** What a known file has made, so that one that is held says so each time. What a later file has replaced is that file's. */
const importedBefore = (tx: Tx, file_id: number): Promise<ImportedSettlement[]> =>
  tx.query<ImportedSettlement>(
    `select s.id, s.external_id, 'same' as change, (select count(*)::int from settlement_lines l where l.settlement_id = s.id) as lines,
       0 as lines_moved, s.difference_minor, s.proof
     from settlements s where s.file_id = $1 order by s.external_id`,
    [file_id],
  )

/** Bytes that nobody could read before are read like new ones; those that a person refused only when a person asks. */
async function putFile(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  file: SettlementFileToImport,
): Promise<{ id: number; isNew: boolean }> {
  const totals = Object.fromEntries(
    file.proof.settlements.slice(0, 100).map((proof) => [proof.external_id, proof.payout_minor]),
  )
  const [put] = await tx.query<{ id: number }>(
    `insert into inbound_files as f (connection_id, name, type, sha256, body, rows, state, totals, received_at)
     values ($1, $2, $3, $4, $5, $6, 'applied', $7, $8)
     on conflict (connection_id, sha256) do update
       set name = excluded.name, type = excluded.type, body = excluded.body, rows = excluded.rows, state = 'applied',
           totals = excluded.totals, error_code = null, error_detail = null
       where f.state <> 'applied' and (f.decided_at is null or $9)
     returning id`,
    [
      file.connection_id,
      file.name.slice(0, 200),
      `settlement:${file.format}`,
      file.sha256,
      file.body,
      file.rows,
      totals,
      ctx.now,
      file.known === 'again',
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

/** Returns how many lines moved, by settlement. */
async function stageLines(
  tx: Tx,
  put: readonly PutSettlement[],
  file: SettlementFileToImport,
): Promise<ReadonlyMap<string, number>> {
  await tx.query(`create temporary table staged_lines (settlement_id uuid not null, ${LINE_RECORD}) on commit drop`)
  const ids = new Map(put.map(({ id, external_id }) => [external_id, id]))
  const rowOf = lineStorer()
  await file.lines(async (batch) => {
    const rows = batch.map(({ settlement_external_id, line }) => ({
      settlement_id: ids.get(settlement_external_id),
      ...rowOf(settlement_external_id, line),
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
