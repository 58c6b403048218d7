import { occurrenceCounter } from '../model/occurrences.ts'
import type { SettlementLine } from '../model/settlement.ts'
import { needsMatch } from './rules.ts'

/**
 * Returns a function that makes the table's row of a line. Whatever is wrong with a line stands in the faults of its payout; stored it
 * has to be in any case, with the net that its source states, and under a name of its own where it is there twice.
 */
export function lineStorer(): (settlement_external_id: string, line: SettlementLine) => Record<string, unknown> {
  const seen = occurrenceCounter()
  return (settlement, line) => {
    const nth = seen(`${settlement}\u0000${line.external_id}`)
    return lineRow({
      ...line,
      gross_minor: line.net_minor + line.fee_minor,
      ...(nth === 1 ? {} : { external_id: `${line.external_id.slice(0, 180)}#${nth}` }),
    })
  }
}

/** One line as the table keeps it: what a settlement line says, its references in columns of their own. */
function lineRow({ references, ...line }: SettlementLine): Record<string, unknown> {
  const { fx = null, row = null, ...plain } = line
  return {
    ...plain,
    ...references,
    fx_currency: fx?.currency ?? null,
    fx_original_minor: fx?.original_minor ?? null,
    fx_rate: fx?.rate ?? null,
    file_row: row,
    match_state: needsMatch({ kind: line.kind, references }) ? 'unmatched' : 'not_needed',
  }
}

/** Columns with their types, as a recordset of JSON is read and as a staging table is made. */
const TYPED = [
  'external_id text', 'kind text', 'vendor_type text', 'at timestamptz', 'currency text', 'gross_minor bigint', 'fee_minor bigint',
  'net_minor bigint', 'order_external_id text', 'order_number text', 'payment_ids text[]', 'fee_type text', 'sku text',
  'quantity integer', 'order_line_external_id text', 'shipment_external_id text', 'fx_currency text', 'fx_original_minor bigint',
  'fx_rate text', 'file_row integer', 'match_state text',
] as const // prettier-ignore

export const LINE_RECORD = TYPED.join(', ')
export const LINE_COLUMNS = TYPED.map((column) => column.split(' ')[0])
const [, ...REST] = LINE_COLUMNS
/** A line that only stands elsewhere in the file is the same line, and how it is matched is not the file's to say. */
const COMPARED = REST.filter((column) => column !== 'file_row' && column !== 'match_state')
const tuple = (table: string, columns: readonly (string | undefined)[]): string =>
  `(${columns.map((column) => `${table}.${column}`).join(', ')})`

/**
 * Puts the lines of a relation `wanted` (with `settlement_id`), leaves alone what is the same, and removes what the relation leaves
 * out of the settlements `$1`. A line that has changed looks for its order again. Returns how many lines moved, by settlement.
 */
export const mergeLines = (wanted: string): string => `
  with wanted as (${wanted}), gone as (
    delete from settlement_lines l where l.settlement_id = any($1::uuid[])
      and not exists (select 1 from wanted w where w.settlement_id = l.settlement_id and w.external_id = l.external_id)
    returning l.settlement_id
  ), put as (
    insert into settlement_lines as l (settlement_id, ${LINE_COLUMNS.join(', ')})
    select settlement_id, ${LINE_COLUMNS.join(', ')} from wanted
    on conflict (settlement_id, external_id) do update set
      ${REST.map((column) => `${column} = excluded.${column}`).join(', ')},
      match_reason = null, order_id = null, payment_id = null, match_group_id = null, match_rule = null
    where ${tuple('l', COMPARED)} is distinct from ${tuple('excluded', COMPARED)}
    returning l.settlement_id
  )
  select settlement_id, count(*)::int as touched from (select * from gone union all select * from put) moved group by 1`
