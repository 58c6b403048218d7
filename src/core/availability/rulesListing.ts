import type { AvailabilityRules } from './rules.ts'
import { effectiveRule, ruleOrigins, type BackorderMode, type RuleField, type StockRule } from './rulesStock.ts'

/** A connection's own choices, which hold where no stock rule says otherwise. */
export interface OwnChoices {
  shortfall: 'partial' | 'all_or_nothing' | 'backorder'
  availability: {
    buffer: number
    buffer_percent: number
    cap: number | null
    share_percent: number
    zero_below: number
  }
}

export interface ListingScope {
  company_id: string
  connection_id: string
}

/** What a listing names itself (a kit, not its components), and what stock is taken of. */
export interface ListingItems {
  item_ids: readonly number[]
  component_ids: readonly number[]
}

type Chosen = Omit<AvailabilityRules, 'adaptive' | 'peak'>

/**
 * The rules of one listing. Where it names several items each may have rules of its own, and the strictest holds: a bundle is shown no
 * more freely than the most guarded thing in it. What may be ordered ahead is asked of the components too, because it is they that
 * will be waited for.
 */
export function listingRules(
  rules: readonly StockRule[],
  scope: ListingScope,
  { item_ids, component_ids }: ListingItems,
  own: OwnChoices,
): Chosen {
  const { buffer, buffer_percent, cap, share_percent, zero_below } = own.availability
  const usual = usualMode(own)
  if (rules.length === 0)
    return {
      share_percent, cap, buffer, buffer_percent, zero_below, backorder: usual, backorder_units_max: null,
    } // prettier-ignore
  const named = item_ids.map((item_id) => effectiveRule(rules, { ...scope, item_id, location_id: null }))
  const parts = component_ids.map((item_id) => effectiveRule(rules, { ...scope, item_id, location_id: null }))
  // A kit is never waited for itself: it is asked only where a rule names it.
  const kits = item_ids
    .filter((item_id) => !component_ids.includes(item_id))
    .map((item_id) => effectiveRule(rules.filter((rule) => rule.item_id === item_id), { ...scope, item_id, location_id: null })) // prettier-ignore
  const all = [...parts, ...kits]
  const caps = named.map((rule) => rule.cap ?? cap).filter((units) => units !== null)
  const bounds = all.map((rule) => rule.backorder_units_max).filter((units) => units !== null)
  return {
    share_percent: Math.min(...named.map((rule) => rule.share_percent ?? share_percent)),
    cap: caps.length === 0 ? null : Math.min(...caps),
    buffer: Math.max(...named.map((rule) => rule.buffer_units ?? buffer)),
    buffer_percent: Math.max(...named.map((rule) => rule.buffer_percent ?? buffer_percent)),
    zero_below: Math.max(...named.map((rule) => rule.zero_below ?? zero_below)),
    backorder: strictestMode([
      ...parts.map((rule) => rule.backorder ?? usual),
      ...kits.flatMap((rule) => rule.backorder ?? []),
    ]),
    backorder_units_max: bounds.length === 0 ? null : Math.min(...bounds),
  }
}

const usualMode = ({ shortfall }: OwnChoices): BackorderMode => (shortfall === 'backorder' ? 'backorder' : 'deny')

/** One that denies denies the whole; different ways of waiting come down to waiting. */
function strictestMode(modes: readonly BackorderMode[]): BackorderMode {
  if (modes.includes('deny')) return 'deny'
  const [first = 'deny'] = modes
  return modes.every((mode) => mode === first) ? first : 'backorder'
}

/** Units of an item that are kept back at one place. */
export function safetyUnits(
  rules: readonly StockRule[],
  scope: ListingScope & { item_id: number; location_id: string },
): number {
  return rules.length === 0 ? 0 : (effectiveRule(rules, scope).safety_units ?? 0)
}

/** Where a field's value comes from. */
export interface RuleOrigin<Rule extends StockRule> {
  field: RuleField
  value: number | string | null
  /** Null: the connection's own choice in the configuration. */
  rule: Rule | null
  /** The place that the field speaks of; null: the listing as a whole. */
  location_id: string | null
}

const LISTING_FIELDS = [
  'share_percent',
  'cap',
  'buffer_units',
  'buffer_percent',
  'zero_below',
  'backorder',
  'backorder_units_max',
] as const

/** Which rule each field of an item's listing came from, for people. Fields that nobody set and that change nothing are left out. */
export function explainRules<Rule extends StockRule>(
  rules: readonly Rule[],
  scope: ListingScope & { item_id: number },
  places: readonly string[],
  own: OwnChoices,
): RuleOrigin<Rule>[] {
  const { buffer, buffer_percent, cap, share_percent, zero_below } = own.availability
  const usual = {
    share_percent, cap, buffer_units: buffer, buffer_percent, zero_below, backorder: usualMode(own), backorder_units_max: null,
  } // prettier-ignore
  const origins = ruleOrigins(rules, { ...scope, location_id: null })
  const listing = LISTING_FIELDS.map((field): RuleOrigin<Rule> => {
    const rule = origins[field] ?? null
    return { field, value: rule === null ? usual[field] : rule[field], rule, location_id: null }
  })
  const safety = places.flatMap((location_id): RuleOrigin<Rule>[] => {
    const rule = ruleOrigins(rules, { ...scope, location_id }).safety_units
    return rule === undefined ? [] : [{ field: 'safety_units', value: rule.safety_units, rule, location_id }]
  })
  return [...listing.filter(({ rule, field, value }) => rule !== null || value !== NEUTRAL[field]), ...safety]
}

const NEUTRAL: Partial<Record<RuleField, number | string | null>> = {
  share_percent: 100,
  cap: null,
  buffer_units: 0,
  buffer_percent: 0,
  zero_below: 0,
  backorder: 'deny',
  backorder_units_max: null,
}
