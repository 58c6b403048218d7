import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import { writeAudit } from '../../db/audit.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { RULE_FIELDS, ruleFault, type StockRuleFields } from './rulesStock.ts'
import { touchScopes } from './touch.ts'

/** What a rule speaks of, in people's names; null: all of it. */
export interface NamedScope {
  company_id: string
  connection_id: string | null
  sku: string | null
  location_id: string | null
}

export type StockRuleWish = NamedScope & StockRuleFields

export interface StockRuleRow extends StockRuleWish {
  id: number
  source: string
  changed_by: string
  changed_at: string
}

const COLUMNS = `r.id, r.company_id, r.connection_id, i.sku, r.location_id, r.safety_units, r.buffer_units, r.buffer_percent,
  r.share_percent, r.cap, r.zero_below, r.backorder, r.backorder_units_max, r.source, r.changed_by, r.changed_at`
const FROM = 'from stock_rules r left join items i on i.id = r.item_id'

export interface StockRuleFilter extends PageRequest {
  company?: string | undefined
  connection?: string | undefined
  sku?: string | undefined
  location?: string | undefined
}

const KEYSET: Keyset<StockRuleRow> = { kinds: ['integer'], after: 'r.id > ?::bigint', keyOf: (row) => [row.id] }

/** In the order in which they were made. */
export async function listStockRules(q: Queryable, filter: StockRuleFilter): Promise<Page<StockRuleRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['r.company_id = ?', filter.company],
    ['r.connection_id = ?', filter.connection],
    ['i.sku = ?', filter.sku],
    ['r.location_id = ?', filter.location],
  ])
  const rows = await q.query<StockRuleRow>(`select ${COLUMNS} ${FROM}${where} order by r.id limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

/**
 * Sets the rule of a scope to exactly these fields; what a person sets wins over the configuration until it is removed. Every number
 * that it speaks of is due at once. Saying the same again changes nothing. Faults: `bad_request` for a rule that sets nothing or
 * cannot be, `not_found` for a company, connection, location or SKU that does not exist.
 */
export async function setStockRule(tx: Tx, wish: StockRuleWish, by: string, now: Date): Promise<StockRuleRow> {
  const fault = ruleFault(wish, wish)
  if (fault !== null) throw new HubError('bad_request', fault)
  const item_id = await itemOf(tx, wish)
  const before = await ruleOf(tx, wish, item_id)
  if (before?.source === 'user' && RULE_FIELDS.every((field) => before[field] === wish[field])) return before
  await tx.query(
    `insert into stock_rules (company_id, connection_id, item_id, location_id, ${RULE_FIELDS.join(', ')}, source, changed_by, changed_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'user', $13, $14)
     on conflict (company_id, connection_id, item_id, location_id) do update set
       ${RULE_FIELDS.map((field) => `${field} = excluded.${field}`).join(', ')},
       source = 'user', changed_by = excluded.changed_by, changed_at = excluded.changed_at`,
    [
      wish.company_id,
      wish.connection_id,
      item_id,
      wish.location_id,
      ...RULE_FIELDS.map((field) => wish[field]),
      by,
      now,
    ],
  )
  const after = await ruleOf(tx, wish, item_id)
  if (after === undefined) throw new HubError('invariant_broken', 'a stock rule was written and is not there')
  await audit(tx, { by, now, action: 'stock_rule.set', before, after }, wish)
  await touchScopes(tx, [{ ...wish, item_id }], now)
  return after
}

/**
 * Removes a rule that a person made; wider rules and the connection's own choices hold again. False when there is none. Faults:
 * `conflict` for a rule of the configuration, which would be back at the next start.
 */
export async function unsetStockRule(tx: Tx, scope: NamedScope, by: string, now: Date): Promise<boolean> {
  const item_id = await itemOf(tx, scope)
  const before = await ruleOf(tx, scope, item_id)
  if (before === undefined) return false
  if (before.source === 'config')
    throw new HubError('conflict', 'the rule is in the configuration', {
      hint: 'remove it there, or set another rule for the same scope',
    })
  await tx.query('delete from stock_rules where id = $1', [before.id])
  await audit(tx, { by, now, action: 'stock_rule.unset', before, after: undefined }, scope)
  await touchScopes(tx, [{ ...scope, item_id }], now)
  return true
}

/** The rule of exactly this scope. Faults: as `setStockRule`. */
export async function readStockRule(tx: Tx, scope: NamedScope): Promise<StockRuleRow | undefined> {
  return ruleOf(tx, scope, await itemOf(tx, scope))
}

async function ruleOf(tx: Tx, scope: NamedScope, item_id: number | null): Promise<StockRuleRow | undefined> {
  const rows = await tx.query(
    `select ${COLUMNS} ${FROM}
     where r.company_id = $1 and r.connection_id is not distinct from $2 and r.item_id is not distinct from $3
       and r.location_id is not distinct from $4 for update of r`,
    [scope.company_id, scope.connection_id, item_id, scope.location_id],
  )
  return plainRows<StockRuleRow>(rows)[0]
}

/** The item of the scope, after everything else that it names has been found too. */
async function itemOf(tx: Tx, { company_id, connection_id, sku, location_id }: NamedScope): Promise<number | null> {
  const [found] = await tx.query<{ company: boolean; connection: boolean; location: boolean; item_id: number | null }>(
    `select exists (select 1 from companies where id = $1) as company,
            $2::text is null or exists (select 1 from connections where id = $2 and company_id = $1) as connection,
            $3::text is null or exists (select 1 from locations where id = $3 and company_id = $1) as location,
            (select id from items where company_id = $1 and sku = $4) as item_id`,
    [company_id, connection_id, location_id, sku],
  )
  const missing = (what: string, name: string | null): never => {
    throw new HubError('not_found', `${company_id} has no ${what} ${name ?? ''}`)
  }
  if (found?.company !== true) throw new HubError('not_found', `there is no company ${company_id}`)
  if (!found.connection) missing('connection', connection_id)
  if (!found.location) missing('location', location_id)
  if (sku !== null && found.item_id === null) missing('item with the SKU', sku)
  return found.item_id
}

interface Change {
  by: string
  now: Date
  action: string
  before: StockRuleRow | undefined
  after: StockRuleRow | undefined
}

async function audit(tx: Tx, { by, now, action, before, after }: Change, scope: NamedScope): Promise<void> {
  const { company_id, connection_id, sku, location_id } = scope
  const subject = `stock-rule:${[company_id, connection_id, sku, location_id].map((name) => name ?? '*').join('/')}`
  const fields = (row: StockRuleRow | undefined): Record<string, number | string> => {
    const set: Record<string, number | string> = {}
    for (const field of RULE_FIELDS) {
      const value = row?.[field] ?? null
      if (value !== null) set[field] = value
    }
    return set
  }
  await writeAudit(tx, { at: now, actor: by, action, subject, data: { before: fields(before), after: fields(after) } })
}

/**
 * Brings the configuration's rules in line with the file: a row that left the file goes, one that a person has set stays as it is.
 * A second run changes nothing. Returns how many changed. Fault: `config_invalid` for a rule that names what does not exist.
 */
export async function syncStockRules(tx: Tx, wishes: readonly StockRuleWish[], now: Date): Promise<number> {
  const [unknown] = await tx.query<StockRuleWish>(
    `select w.company_id, w.connection_id, w.sku, w.location_id from ${WISHES} where
       (w.sku is not null and not exists (select 1 from items i where i.company_id = w.company_id and i.sku = w.sku))
       or (w.connection_id is not null and not exists (
         select 1 from connections c where c.company_id = w.company_id and c.id = w.connection_id))
       or (w.location_id is not null and not exists (
         select 1 from locations l where l.company_id = w.company_id and l.id = w.location_id)) limit 1`,
    [JSON.stringify(wishes)],
  )
  if (unknown !== undefined) {
    const names = [unknown.connection_id, unknown.sku, unknown.location_id].filter((name) => name !== null)
    throw new HubError(
      'config_invalid',
      `a stock rule of ${unknown.company_id} names what it does not have: ${names.join(', ')}`,
    )
  }
  const changed = await tx.query<{
    company_id: string
    connection_id: string | null
    item_id: number | null
    location_id: string | null
  }>(
    `with wanted as (
       select w.company_id, w.connection_id, i.id as item_id, w.location_id, ${RULE_FIELDS.map((field) => `w.${field}`).join(', ')}
       from ${WISHES} left join items i on i.company_id = w.company_id and i.sku = w.sku
     ), gone as (
       delete from stock_rules r where r.source = 'config' and not exists (
         select 1 from wanted w where (w.company_id, w.connection_id, w.item_id, w.location_id)
           is not distinct from (r.company_id, r.connection_id, r.item_id, r.location_id))
       returning company_id, connection_id, item_id, location_id
     ), put as (
       insert into stock_rules as r (company_id, connection_id, item_id, location_id, ${RULE_FIELDS.join(', ')}, source, changed_by, changed_at)
       select w.*, 'config', 'config', $2 from wanted w
       on conflict (company_id, connection_id, item_id, location_id) do update set
         ${RULE_FIELDS.map((field) => `${field} = excluded.${field}`).join(', ')}, changed_at = excluded.changed_at
       where r.source = 'config' and (${RULE_FIELDS.map((field) => `r.${field}`).join(', ')})
         is distinct from (${RULE_FIELDS.map((field) => `excluded.${field}`).join(', ')})
       returning company_id, connection_id, item_id, location_id
     )
     select * from gone union all select * from put`,
    [JSON.stringify(wishes), now],
  )
  await touchScopes(tx, changed, now)
  return changed.length
}

const WISHES = `jsonb_to_recordset($1::jsonb) as w(company_id text, connection_id text, sku text, location_id text, safety_units int,
  buffer_units int, buffer_percent int, share_percent int, cap int, zero_below int, backorder text, backorder_units_max int)`
