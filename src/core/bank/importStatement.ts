import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { BankStatement, type BankLine } from '../model/bankStatement.ts'
import { checker } from '../model/validate.ts'
import { putLines } from './putLines.ts'
import { proofOf, type StatementFault, type StatementProof } from './rulesStatement.ts'

export interface StatementImport {
  id: string
  external_id: string
  outcome: 'imported' | 'corrected' | 'same' | 'held'
  proof: 'proven' | 'unproven' | 'held' | 'accepted'
  lines: number
  /** New, changed and removed by this import; `known`: shown by another statement before. */
  added: number
  changed: number
  removed: number
  known: number
  begin_minor: number | null
  sum_minor: number
  end_minor: number | null
  difference_minor: number | null
  faults: StatementFault[]
}

const FAULTS_KEPT_MAX = 100
const checkStatement = checker(BankStatement, 'mapping_broken')

interface Kept {
  id: string
  proof: StatementImport['proof']
}

const heldAad = (connection_id: string, external_id: string): string => `bank_statement:${connection_id}:${external_id}`

/**
 * Keeps one statement. The same one again changes nothing, a corrected one what differs. One that does not prove itself is held: its lines
 * are sealed beside it, where no matching sees them, and a case is opened. Faults: `conflict` when a line that is matched would go away
 * or another statement has the line with another amount; `control_total_mismatch` when a proven statement would be replaced by a broken one.
 */
export async function importStatement(
  tx: Tx,
  ctx: CoreContext,
  input: { connection_id: string; company_id: string; statement: BankStatement; faults: readonly StatementFault[] },
  by: string,
): Promise<StatementImport> {
  const { connection_id } = input
  const statement = checkStatement(input.statement)
  const proof = proofOf(statement, input.faults)
  const found = await lockStatement(tx, connection_id, statement.external_id)
  if (proof.proof === 'held') return holdStatement(tx, ctx, { ...input, statement, proof, found }, by)
  const id = await putStatement(tx, ctx, { connection_id, statement, proof, proofWord: proof.proof, found, held: null })
  const moved = await putLines(tx, ctx, { id, connection_id, statement })
  await closeCases(tx, { kind: 'bank_statement_held', subjects: [subjectOf(id)] }, by, ctx.now)
  const touched = moved.added + moved.changed + moved.removed
  const outcome = found === undefined || found.proof === 'held' ? 'imported' : touched === 0 ? 'same' : 'corrected'
  if (outcome !== 'same')
    await writeAudit(tx, {
      at: ctx.now,
      actor: by,
      action: `bank.statement.${outcome}`,
      subject: subjectOf(id),
      data: { ...moved },
    })
  return { ...shown(id, statement, proof), outcome, proof: proof.proof, ...moved }
}

/** Takes a held statement as it is, difference and all, because somebody has looked. Faults: `not_found`, `conflict`. */
export async function acceptStatement(tx: Tx, ctx: CoreContext, id: string, by: string): Promise<StatementImport> {
  const [held] = await tx.query<{ connection_id: string; external_id: string; held_sealed: Buffer | null }>(
    'select connection_id, external_id, held_sealed from bank_statements where id = $1::uuid for no key update',
    [id],
  )
  if (held === undefined) throw new HubError('not_found', 'there is no such bank statement')
  if (held.held_sealed === null) throw new HubError('conflict', 'this bank statement is not held')
  const { connection_id, external_id } = held
  const bytes = ctx.vault.open(held.held_sealed, heldAad(connection_id, external_id))
  const statement = checkStatement(JSON.parse(bytes.toString('utf8')))
  const proof = proofOf({ ...statement, lines: distinct(statement.lines) }, [])
  const whole = { ...statement, lines: distinct(statement.lines) }
  await tx.query(`update bank_statements set proof = 'accepted', held_sealed = null where id = $1::uuid`, [id])
  const moved = await putLines(tx, ctx, { id, connection_id, statement: whole })
  await closeCases(tx, { kind: 'bank_statement_held', subjects: [subjectOf(id)] }, by, ctx.now)
  await writeAudit(tx, {
    at: ctx.now,
    actor: by,
    action: 'bank.statement.accept',
    subject: subjectOf(id),
    data: { difference_minor: proof.difference_minor },
  })
  return { ...shown(id, whole, proof), outcome: 'imported', proof: 'accepted', ...moved }
}

const distinct = (lines: readonly BankLine[]): BankLine[] => [
  ...new Map(lines.toReversed().map((line) => [line.external_id, line])).values(),
].toReversed() // prettier-ignore

const subjectOf = (id: string): string => `bank_statement:${id}`

const shown = (id: string, statement: BankStatement, proof: StatementProof) => ({
  id,
  external_id: statement.external_id,
  lines: statement.lines.length,
  begin_minor: statement.begin_minor,
  sum_minor: proof.sum_minor,
  end_minor: statement.end_minor,
  difference_minor: proof.difference_minor,
  faults: proof.faults.slice(0, FAULTS_KEPT_MAX),
})

async function lockStatement(tx: Tx, connection_id: string, external_id: string): Promise<Kept | undefined> {
  // Two imports of one account wait for each other here, also where the statement is not known yet.
  await tx.query('select 1 from connections where id = $1 for no key update', [connection_id])
  const [found] = await tx.query<Kept>(
    'select id, proof from bank_statements where connection_id = $1 and external_id = $2 for no key update',
    [connection_id, external_id],
  )
  return found
}

interface Put {
  connection_id: string
  statement: BankStatement
  proof: StatementProof
  proofWord: 'proven' | 'unproven' | 'held'
  found: Kept | undefined
  held: Buffer | null
}

async function holdStatement(
  tx: Tx,
  ctx: CoreContext,
  input: Omit<Put, 'proofWord' | 'held'> & { company_id: string },
  by: string,
): Promise<StatementImport> {
  const { connection_id, company_id, statement, proof, found } = input
  if (found !== undefined && found.proof !== 'held') {
    throw new HubError('control_total_mismatch', proof.faults[0]?.message ?? 'the statement does not prove itself', {
      hint: 'the statement that was imported before stays as it is',
    })
  }
  const bytes = Buffer.from(JSON.stringify(statement), 'utf8')
  const held = ctx.vault.seal(bytes, heldAad(connection_id, statement.external_id))
  const id = await putStatement(tx, ctx, { connection_id, statement, proof, proofWord: 'held', found, held })
  const { difference_minor } = proof
  const data = {
    statement: statement.external_id,
    currency: statement.currency,
    difference_minor,
    faults: proof.faults.length,
  }
  const opened = { company_id, kind: 'bank_statement_held' as const, subject: subjectOf(id), connection_id, data }
  await openCases(tx, [opened], ctx.now)
  await writeAudit(tx, {
    at: ctx.now,
    actor: by,
    action: 'bank.statement.hold',
    subject: subjectOf(id),
    data: { difference_minor },
  })
  const none = { added: 0, changed: 0, removed: 0, known: 0 }
  return { ...shown(id, statement, proof), outcome: 'held', proof: 'held', ...none }
}

async function putStatement(tx: Tx, ctx: CoreContext, put: Put): Promise<string> {
  const { connection_id, statement, proof, proofWord, found, held } = put
  const { external_id, account, currency, begin_minor, end_minor, from_at, to_at } = statement
  const id = found?.id ?? ctx.newId()
  await tx.query(
    `insert into bank_statements (id, connection_id, external_id, account, currency, begin_minor, end_minor, from_at, to_at, proof,
       difference_minor, proof_faults, held_sealed, recorded_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13, $14)
     on conflict (connection_id, external_id) do update set
       account = excluded.account, currency = excluded.currency, begin_minor = excluded.begin_minor, end_minor = excluded.end_minor,
       from_at = excluded.from_at, to_at = excluded.to_at, proof = excluded.proof, difference_minor = excluded.difference_minor,
       proof_faults = excluded.proof_faults, held_sealed = excluded.held_sealed`,
    [
      id,
      connection_id,
      external_id,
      account,
      currency,
      begin_minor,
      end_minor,
      from_at,
      to_at,
      proofWord,
      proof.difference_minor,
      JSON.stringify(proof.faults.slice(0, FAULTS_KEPT_MAX)),
      held,
      ctx.now,
    ],
  )
  return id
}
