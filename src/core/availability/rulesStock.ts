/** Modes of selling what is not there, per item and channel. */
export const BACKORDER_MODES = ['deny', 'backorder', 'drop_ship', 'transfer'] as const
export type BackorderMode = (typeof BACKORDER_MODES)[number]

/** What a stock rule may say. Null: this rule leaves the field to a wider one. */
export interface StockRuleFields {
  safety_units: number | null
  buffer_units: number | null
  buffer_percent: number | null
  share_percent: number | null
  cap: number | null
  zero_below: number | null
  backorder: BackorderMode | null
  /** The most units that may wait for supply at once. */
  backorder_units_max: number | null
}

/** One row of `stock_rules`: it speaks of the connection, item and place that it names; null: of all of the company's. */
export interface StockRule extends StockRuleFields {
  company_id: string
  connection_id: string | null
  item_id: number | null
  location_id: string | null
}

export interface RuleScope {
  /** Needed where the rules of several companies are at hand: a rule that names nothing speaks of its own company only. */
  company_id?: string
  connection_id: string
  item_id: number
  /** Null: the listing as a whole; rules that name a place do not speak of it. */
  location_id: string | null
}

export const RULE_FIELDS = [
  'safety_units',
  'buffer_units',
  'buffer_percent',
  'share_percent',
  'cap',
  'zero_below',
  'backorder',
  'backorder_units_max',
] as const satisfies readonly (keyof StockRuleFields)[]
export type RuleField = (typeof RULE_FIELDS)[number]

const NOTHING: StockRuleFields = {
  safety_units: null,
  buffer_units: null,
  buffer_percent: null,
  share_percent: null,
  cap: null,
  zero_below: null,
  backorder: null,
  backorder_units_max: null,
}

/** More named dimensions win; on a tie the item beats the connection, and that the place. No two rules of a company have one scope. */
function weight(rule: StockRule): number {
  const item = rule.item_id === null ? 0 : 1
  const connection = rule.connection_id === null ? 0 : 1
  const location = rule.location_id === null ? 0 : 1
  return 8 * (item + connection + location) + 4 * item + 2 * connection + location
}

function speaksOf(rule: StockRule, scope: RuleScope): boolean {
  return (
    (scope.company_id === undefined || rule.company_id === scope.company_id) &&
    (rule.connection_id === null || rule.connection_id === scope.connection_id) &&
    (rule.item_id === null || rule.item_id === scope.item_id) &&
    (rule.location_id === null || rule.location_id === scope.location_id)
  )
}

/** Which rule decides each field for the scope; a field that no rule sets is left out. */
export function ruleOrigins<Rule extends StockRule>(
  rules: readonly Rule[],
  scope: RuleScope,
): Partial<Record<RuleField, Rule>> {
  const origins: Partial<Record<RuleField, Rule>> = {}
  const heard = rules.filter((rule) => speaksOf(rule, scope)).toSorted((one, other) => weight(other) - weight(one))
  for (const rule of heard) {
    for (const field of RULE_FIELDS) if (rule[field] !== null) origins[field] ??= rule
  }
  return origins
}

/** Every field for the scope, each from the most specific rule that sets it, or null where none does. */
export function effectiveRule(rules: readonly StockRule[], scope: RuleScope): StockRuleFields {
  const fields = { ...NOTHING }
  if (rules.length === 0) return fields
  const origins = ruleOrigins(rules, scope)
  for (const field of RULE_FIELDS) {
    const rule = origins[field]
    if (rule !== undefined) Object.assign(fields, { [field]: rule[field] })
  }
  return fields
}

/** Fields that make sense for one place; everything else speaks of a number that is shown for all places together. */
const PLACE_FIELDS: ReadonlySet<string> = new Set(['safety_units'])

/** Why a rule cannot be as it is; null: it can. Pure, so that the configuration is checked by the same words. */
export function ruleFault(scope: { location_id: string | null }, fields: Partial<StockRuleFields>): string | null {
  const given = RULE_FIELDS.filter((field) => fields[field] !== null && fields[field] !== undefined)
  if (given.length === 0) return 'the rule sets nothing'
  const stray = scope.location_id === null ? undefined : given.find((field) => !PLACE_FIELDS.has(field))
  if (stray === undefined) return null
  return `${stray} is about all places together; a rule that names a location can only set safety_units`
}
