import { InvalidArgumentError, type Command } from 'commander'
import {
  listStockRules,
  readStockRule,
  setStockRule,
  unsetStockRule,
  type NamedScope,
  type StockRuleRow,
} from '../core/availability/ruleChanges.ts'
import { BACKORDER_MODES, RULE_FIELDS, type RuleField, type StockRuleFields } from '../core/availability/rulesStock.ts'
import { HubError } from '../core/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { wakePushes } from '../queues/wake.ts'
import { actor } from './actor.ts'
import { cursorOption, limitOption, wholeNumber } from './arguments.ts'
import { withDb, withHub, type CommonOptions } from './options.ts'
import { print, table } from './output.ts'

interface ScopeOptions extends CommonOptions {
  company?: string
  connection?: string
  sku?: string
  location?: string
}

interface ListOptions extends ScopeOptions {
  limit: number
  cursor?: string
}

export function addRuleCommands(program: Command): void {
  const rules = program.command('rules').description('what may be shown where: stock rules')
  scoped(rules.command('list').description('the rules, with who set each and when'))
    .addOption(limitOption(200))
    .addOption(cursorOption())
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>()
      const { company, connection, sku, location, limit, cursor } = options
      const filter = { company, connection, sku, location, limit, cursor }
      const page = await withDb(options, (db) => listStockRules(db, filter))
      print(options, page, () => rulesText(page.rows))
    })
  scoped(rules.command('set').description('sets fields of the rule of a scope; its other fields stay'))
    .argument('<field=value...>', `${RULE_FIELDS.join(', ')}; \`none\` leaves a field to a wider rule again`, fieldsOf)
    .action(async (fields: Partial<StockRuleFields>, _options: object, command: Command) => {
      const options = command.optsWithGlobals<ScopeOptions>()
      const rule = await withHub(options, ({ hub }) => set(hub, options, fields))
      print(options, { rule }, () => rulesText([rule]))
    })
  scoped(rules.command('unset').description('removes the rule of a scope')).action(
    async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<ScopeOptions>()
      const removed = await withHub(options, ({ hub }) => unset(hub, options))
      print(options, { removed }, () => (removed ? 'the rule is gone' : 'there was no such rule'))
    },
  )
}

const scoped = (command: Command): Command =>
  command
    .option('--company <id>', 'the company; may be left out where there is one')
    .option('--connection <id>', 'only on this connection')
    .option('--sku <sku>', 'only of this item')
    .option('--location <id>', 'only at this place (safety_units)')

async function set(hub: Hub, options: ScopeOptions, fields: Partial<StockRuleFields>): Promise<StockRuleRow> {
  const scope = scopeOf(hub, options)
  const row = await inTransaction(hub.db, async (tx) => {
    const before = await readStockRule(tx, scope)
    const kept = Object.fromEntries(RULE_FIELDS.map((field) => [field, before?.[field] ?? null]))
    const wish = { ...(kept as unknown as StockRuleFields), ...fields, ...scope }
    return setStockRule(tx, wish, actor(), hub.clock.now())
  })
  await wakePushes(hub)
  return row
}

async function unset(hub: Hub, options: ScopeOptions): Promise<boolean> {
  const scope = scopeOf(hub, options)
  const removed = await inTransaction(hub.db, (tx) => unsetStockRule(tx, scope, actor(), hub.clock.now()))
  await wakePushes(hub)
  return removed
}

/** A connection and a location belong to one company, so it has to be named only where neither is and there are several. */
function scopeOf(hub: Hub, { company, connection, sku, location }: ScopeOptions): NamedScope {
  const { connections, locations, companies } = hub.config
  const owner =
    company ??
    connections.find(({ id }) => id === connection)?.company ??
    locations.find(({ id }) => id === location)?.company ??
    (companies.length === 1 ? companies[0]?.id : undefined)
  if (owner === undefined) throw new HubError('bad_request', 'name the company with --company')
  return {
    company_id: owner,
    connection_id: connection ?? null,
    sku: sku ?? null,
    location_id: location ?? null,
  }
}

const isField = (name: string): name is RuleField => RULE_FIELDS.some((field) => field === name)

/** commander hands over one argument at a time, and what it has collected so far. */
function fieldsOf(text: string, before: Partial<StockRuleFields> | undefined): Partial<StockRuleFields> {
  const [name = '', value = ''] = text.split('=', 2)
  if (!isField(name)) throw new InvalidArgumentError(`Fields are ${RULE_FIELDS.join(', ')}.`)
  return { ...before, [name]: valueOf(name, value) }
}

function valueOf(field: RuleField, value: string): string | number | null {
  if (value === 'none') return null
  if (field === 'backorder') {
    const mode = BACKORDER_MODES.find((word) => word === value)
    if (mode === undefined) throw new InvalidArgumentError(`backorder is one of ${BACKORDER_MODES.join(', ')}.`)
    return mode
  }
  const number = wholeNumber(value)
  const most = field.endsWith('_percent') ? 100 : 1_000_000
  if (number > most) throw new InvalidArgumentError(`${field} is at most ${most}.`)
  return number
}

function rulesText(rows: readonly StockRuleRow[]): string {
  const any = (name: string | null): string => name ?? 'all'
  return table(
    ['company', 'connection', 'sku', 'location', 'rule', 'source', 'changed by', 'changed at'],
    rows.map((row) => [
      row.company_id,
      any(row.connection_id),
      any(row.sku),
      any(row.location_id),
      RULE_FIELDS.flatMap((field) => (row[field] === null ? [] : [`${field}=${row[field]}`])).join(' '),
      row.source,
      row.changed_by,
      row.changed_at,
    ]),
  )
}
