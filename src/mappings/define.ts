import type { Static, TSchema } from 'typebox'
import { HubError } from '../core/errors.ts'
import { FACT_SCHEMAS, type Fact, type FactKind } from '../core/model/fact.ts'
import { checker, type Check } from '../core/model/validate.ts'

/** What a mapping may know besides the payload: when this picture was taken, and plain settings of the connection. */
export interface MappingContext {
  /** ISO instant at which the vendor took this picture (webhook trigger time, poll time, file time). */
  observed_at: string
  /** The connection's settings, for things a payload leaves out (shop currency, time zone). Never secrets. */
  settings: Readonly<Record<string, unknown>>
  /** Record a doubt without failing: an unknown status, an unknown type. */
  warn: (warning: string) => void
}

export interface Mapped {
  facts: Fact[]
  warnings: string[]
}

/** Vendor payload → canonical facts. Pure: validate what is read, map, validate what comes out. */
export interface Mapping {
  /** How many fields a payload must have at least: what few fields make could be almost any document. */
  readonly fields_min?: number
  readonly map: (payload: unknown, context: Omit<MappingContext, 'warn'>) => Mapped
}

const factChecks: { readonly [K in FactKind]: Check<unknown> } = Object.fromEntries(
  Object.entries(FACT_SCHEMAS).map(([kind, schema]) => [kind, checker(schema, 'mapping_broken', 'payload_invalid')]),
) as { [K in FactKind]: Check<unknown> }

/**
 * `from` lists only the fields that are read and lets others pass, because vendors add fields. A payload that does not fit is
 * `payload_invalid` with its JSON path (the row is parked, the raw bytes stay); a result that does not fit is `mapping_broken`: our bug.
 */
export function defineMapping<S extends TSchema>(mapping: {
  from: S
  map: (payload: Static<S>, context: MappingContext) => Fact[]
}): Mapping {
  const check = checker(mapping.from)
  return {
    fields_min: requiredOf(mapping.from),
    map: (payload, context) => {
      const warnings: string[] = []
      const facts = mapping.map(check(payload), { ...context, warn: (warning) => warnings.push(warning) })
      for (const fact of facts) factChecks[fact.kind](fact)
      return { facts, warnings }
    },
  }
}

const requiredOf = (schema: TSchema): number =>
  'required' in schema && Array.isArray(schema.required) ? schema.required.length : 0

/** Looks a vendor word up in a table; an unknown word becomes the safe state and a warning, never a crash. */
export function fromTable<V>(
  table: Readonly<Record<string, V>>,
  word: string,
  safe: V,
  context: MappingContext,
  what: string,
): V {
  const known = Object.hasOwn(table, word) ? table[word] : undefined
  if (known !== undefined) return known
  context.warn(`unknown ${what} "${word.slice(0, 60)}" taken as ${JSON.stringify(safe)}`)
  return safe
}

/** ISO instant of a vendor time that may lack its zone (taken as UTC then). Throws `payload_invalid` with the path. */
export function instantOf(text: string, path: string): string {
  const withZone = /(?:[zZ]|[+-]\d{2}:?\d{2})$/.test(text) ? text : `${text}Z`
  const ms = Date.parse(withZone)
  if (Number.isNaN(ms)) throw new HubError('payload_invalid', `${path} is not a time`, { path })
  return new Date(ms).toISOString()
}
