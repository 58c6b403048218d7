import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { BankLine, BankStatement } from '../model/bankStatement.ts'
import { isPlainReference, referencesIn } from './rulesReferences.ts'

const LINES_PER_INSERT = 5_000

export const lineAad = (connection_id: string, external_id: string): string =>
  `bank_line:${connection_id}:${external_id}`

/** Lines that are new, changed and removed; `known`: another statement has shown them before. */
export interface Moved {
  added: number
  changed: number
  removed: number
  known: number
}

/** Brings the lines of a statement to what it says now. Faults: `conflict`. */
export async function putLines(
  tx: Tx,
  ctx: CoreContext,
  { id, connection_id, statement }: { id: string; connection_id: string; statement: BankStatement },
): Promise<Moved> {
  const removed = await removeLines(tx, id, statement)
  const moved: Moved = { added: 0, changed: 0, removed, known: 0 }
  for (let from = 0; from < statement.lines.length; from += LINES_PER_INSERT) {
    const lines = statement.lines.slice(from, from + LINES_PER_INSERT)
    const others = await linesElsewhere(tx, { id, connection_id, currency: statement.currency, lines })
    const own = lines.filter((line) => !others.has(line.external_id))
    const rows = own.map((line) => rowOf(ctx, connection_id, line))
    const put = await insertLines(tx, { id, connection_id, currency: statement.currency, rows })
    moved.known += others.size
    moved.added += put.added
    moved.changed += put.changed
  }
  return moved
}

/** Lines that a corrected statement no longer has. One that is matched is not taken away unseen. */
async function removeLines(tx: Tx, id: string, statement: BankStatement): Promise<number> {
  const gone = await tx.query<{ id: number; match_state: string }>(
    `select id, match_state from bank_lines where statement_id = $1::uuid and external_id <> all($2::text[]) for update`,
    [id, statement.lines.map((line) => line.external_id)],
  )
  if (gone.some((line) => line.match_state === 'matched'))
    throw new HubError('conflict', 'the corrected statement leaves out a line that is matched', {
      hint: 'reject the match first',
    })
  if (gone.length > 0)
    await tx.query('delete from bank_lines where id = any($1::bigint[])', [gone.map((line) => line.id)])
  return gone.length
}

async function linesElsewhere(
  tx: Tx,
  given: { id: string; connection_id: string; currency: string; lines: readonly BankLine[] },
): Promise<Set<string>> {
  const amounts = new Map(given.lines.map((line) => [line.external_id, line.amount_minor]))
  const others = await tx.query<{ external_id: string; amount_minor: number; currency: string }>(
    `select external_id, amount_minor, currency from bank_lines
     where connection_id = $1 and external_id = any($2::text[]) and statement_id <> $3::uuid`,
    [given.connection_id, [...amounts.keys()], given.id],
  )
  const differing = others.find(
    (other) => other.amount_minor !== amounts.get(other.external_id) || other.currency !== given.currency,
  )
  if (differing !== undefined)
    throw new HubError(
      'conflict',
      `line ${differing.external_id.slice(0, 80)} is in another statement with another amount`,
    )
  return new Set(others.map((other) => other.external_id))
}

interface LineRow {
  external_id: string
  booked_on: string
  value_on: string | null
  amount_minor: number
  reference: string | null
  text_sealed: Buffer | null
  references_found: string[]
}

/** What may be kept in the open is taken out of the text; the text itself is sealed for its line. */
function rowOf(ctx: CoreContext, connection_id: string, line: BankLine): LineRow {
  const { external_id, booked_on, value_on, amount_minor } = line
  const isPlain = line.reference !== null && isPlainReference(line.reference)
  const text = [isPlain ? null : line.reference, line.text].filter((part) => part !== null && part !== '').join('\n')
  return {
    external_id,
    booked_on,
    value_on,
    amount_minor,
    reference: isPlain ? line.reference : null,
    text_sealed: text === '' ? null : ctx.vault.seal(Buffer.from(text, 'utf8'), lineAad(connection_id, external_id)),
    references_found: referencesIn(line.reference, line.text),
  }
}

/** A line whose money or day has changed loses its match; one that only says more keeps it. */
async function insertLines(
  tx: Tx,
  {
    id,
    connection_id,
    currency,
    rows,
  }: { id: string; connection_id: string; currency: string; rows: readonly LineRow[] },
): Promise<{ added: number; changed: number }> {
  const [result] = await tx.query<{ added: number; changed: number }>(
    `with put as (
       insert into bank_lines as l (statement_id, connection_id, external_id, booked_on, value_on, currency, amount_minor, reference,
         text_sealed, references_found)
       select $1::uuid, $2, w.external_id, w.booked_on, w.value_on, $3, w.amount_minor, w.reference, w.text_sealed,
         array(select jsonb_array_elements_text(w.found::jsonb))
       from unnest($4::text[], $5::date[], $6::date[], $7::bigint[], $8::text[], $9::bytea[], $10::text[])
         as w(external_id, booked_on, value_on, amount_minor, reference, text_sealed, found)
       on conflict (connection_id, external_id) do update set
         booked_on = excluded.booked_on, value_on = excluded.value_on, currency = excluded.currency,
         amount_minor = excluded.amount_minor, reference = excluded.reference, text_sealed = excluded.text_sealed,
         references_found = excluded.references_found
       where (l.booked_on, l.value_on, l.currency, l.amount_minor, l.reference, l.references_found)
         is distinct from (excluded.booked_on, excluded.value_on, excluded.currency, excluded.amount_minor, excluded.reference,
                           excluded.references_found)
       returning (xmax = 0) as is_new
     )
     select count(*) filter (where is_new)::int as added, count(*) filter (where not is_new)::int as changed from put`,
    [
      id,
      connection_id,
      currency,
      rows.map((row) => row.external_id),
      rows.map((row) => row.booked_on),
      rows.map((row) => row.value_on),
      rows.map((row) => row.amount_minor),
      rows.map((row) => row.reference),
      rows.map((row) => row.text_sealed),
      rows.map((row) => JSON.stringify(row.references_found)),
    ],
  )
  return result ?? { added: 0, changed: 0 }
}
