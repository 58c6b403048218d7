import Type from 'typebox'
import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { Currency } from '../model/money.ts'
import { closed, Id, Instant, Words } from '../model/schema.ts'
import { checker } from '../model/validate.ts'
import { landedTotals } from './rulesCosts.ts'

const Minor = Type.Integer({ minimum: 0, maximum: 1_000_000_000_000 })

/** Deliveries with what they cost. `reference` is the invoice's or delivery's own name: the same again is kept once. */
export const CostReceipts = Type.Array(
  Type.Object(
    {
      reference: Id,
      received_at: Instant,
      currency: Currency,
      /** Left out: `value`. */
      allocate_by: Type.Optional(Words(['value', 'quantity'])),
      freight_minor: Type.Optional(Minor),
      duty_minor: Type.Optional(Minor),
      lines: Type.Array(
        Type.Object(
          { sku: Id, quantity: Type.Integer({ minimum: 1, maximum: 100_000_000 }), unit_minor: Minor },
          closed,
        ),
        { minItems: 1, maxItems: 10_000 },
      ),
    },
    closed,
  ),
  { minItems: 1, maxItems: 100_000 },
)
export type CostReceipts = Type.Static<typeof CostReceipts>

const check = checker(CostReceipts)

/** Reads receipts as JSON states them. Faults: `payload_invalid` with the path. */
export const readReceipts = (document: unknown): CostReceipts => check(document)

/**
 * Keeps what units cost when they came, with freight and duty. A delivery that is known already is left as it is, because figures have
 * been made from it. Returns how many lines are new. Faults: `unknown_sku`.
 */
export async function importCosts(
  tx: Tx,
  { company_id, receipts, by, now }: { company_id: string; receipts: CostReceipts; by: string; now: Date },
): Promise<{ added: number; known: number }> {
  const rows = receipts.flatMap((receipt, index) => {
    const {
      allocate_by = 'value',
      freight_minor = 0,
      duty_minor = 0,
      lines,
      reference,
      received_at,
      currency,
    } = receipt
    const totals = landedTotals({ allocate_by, freight_minor, duty_minor, lines })
    return lines.map((line, position) => ({
      ...line,
      landed_minor: totals[position] ?? 0,
      received_at,
      currency,
      source: JSON.stringify([company_id, reference, position]),
      path: `$[${index}].lines[${position}].sku`,
    }))
  })
  const unknown = await tx.query<{ sku: string; path: string }>(
    `select w.sku, w.path from jsonb_to_recordset($1::jsonb) as w(sku text, path text)
     where not exists (select 1 from items i where i.company_id = $2 and i.sku = w.sku) limit 1`,
    [JSON.stringify(rows), company_id],
  )
  const [first] = unknown
  if (first !== undefined)
    throw new HubError('unknown_sku', `no item of ${company_id} has the SKU ${first.sku}`, { path: first.path })
  await refuseSecondCurrency(tx, company_id, rows)
  const added = await tx.query(
    `insert into item_costs (item_id, received_at, quantity, currency, unit_minor, landed_minor, source)
     select i.id, w.received_at, w.quantity, w.currency, w.unit_minor, w.landed_minor, w.source
     from jsonb_to_recordset($1::jsonb) as w(sku text, received_at timestamptz, quantity int, currency text, unit_minor bigint,
       landed_minor bigint, source text)
     join items i on i.company_id = $2 and i.sku = w.sku
     on conflict (source) do nothing returning 1`,
    [JSON.stringify(rows), company_id],
  )
  const result = { added: added.length, known: rows.length - added.length }
  await writeAudit(tx, { at: now, actor: by, action: 'costs.import', subject: `company:${company_id}`, data: result })
  return result
}

/** Units of one item are one pool, whose value has to be in one currency: there is no rate to convert by. */
async function refuseSecondCurrency(
  tx: Tx,
  company_id: string,
  rows: readonly { sku: string; currency: string; path: string }[],
): Promise<void> {
  // Two imports at once must not bring in two currencies.
  await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`costs:${company_id}`])
  const [broken] = await tx.query<{ sku: string }>(
    `select sku from (
       select w.sku, w.currency from jsonb_to_recordset($1::jsonb) as w(sku text, currency text)
       union
       select i.sku, c.currency from item_costs c join items i on i.id = c.item_id
       where i.company_id = $2 and i.sku in (select w.sku from jsonb_to_recordset($1::jsonb) as w(sku text))
     ) all_costs group by sku having count(*) > 1 limit 1`,
    [JSON.stringify(rows), company_id],
  )
  if (broken === undefined) return
  const path = rows.find(({ sku }) => sku === broken.sku)?.path ?? '$'
  throw new HubError('conflict', `costs of ${broken.sku} would be in two currencies`, { path })
}
