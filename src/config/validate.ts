import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js'
import formatsPlugin from 'ajv-formats'
import type { TSchema } from 'typebox'
import { fault, type ConfigFault, type Path } from './faults.ts'
import type { Source } from './source.ts'

// Not strict: a connector's schema is judged by its own contract test, and must not stop somebody's hub from reading its file.
const ajv = new Ajv2020({ strict: false, allErrors: true, verbose: true, useDefaults: true, keywords: ['secret'] })
formatsPlugin.default(ajv)

/**
 * Validates `value`, which stands at `base` in the source, fills in defaults in place, and answers every fault with its line. A text
 * that came out of `${…}` becomes a number or a flag where the schema wants one: everything in the environment is text.
 */
export function validate(schema: TSchema, value: unknown, base: Path, source: Source): ConfigFault[] {
  const check = ajv.compile(schema)
  if (check(value)) return []
  const converted = (check.errors ?? []).filter((error) => convert(value, base, error, source))
  if (converted.length > 0 && check(value)) return []
  const errors = check.errors ?? []
  const unions = errors
    .filter((error) => error.keyword === 'anyOf' || error.keyword === 'oneOf')
    .map((error) => `${error.schemaPath}/`)
  return errors
    .filter((error) => error.keyword !== 'if' && !unions.some((union) => error.schemaPath.startsWith(union)))
    .map((error) => faultOf(error, base, source))
}

const CONVERSIONS: Record<string, (text: string) => unknown> = {
  integer: (text) => (/^-?\d{1,15}$/.test(text) ? Number(text) : text),
  number: (text) => (/^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : text),
  boolean: (text) => (text === 'true' ? true : text === 'false' ? false : text),
}

function convert(value: unknown, base: Path, error: ErrorObject, source: Source): boolean {
  const wanted = error.keyword === 'type' ? CONVERSIONS[String((error.params as { type?: unknown }).type)] : undefined
  const path = stepsOf(error.instancePath)
  const last = path.at(-1)
  if (wanted === undefined || last === undefined || !source.isSubstituted([...base, ...path])) return false
  const parent = path.slice(0, -1).reduce<unknown>(childOf, value) as Record<string | number, unknown>
  const text = parent[last]
  if (typeof text !== 'string') return false
  // An empty reference means "not given", so that `${LIMIT:-}` can leave an optional number out.
  if (text === '') delete parent[last]
  else parent[last] = wanted(text)
  return true
}

type Describe = (
  error: ErrorObject,
  params: Record<string, unknown>,
) => { step?: string; message: string; allowed?: string[] }

const KINDS: Record<string, string> = {
  string: 'text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a section of settings',
}

const DESCRIPTIONS: Record<string, Describe> = {
  required: (_, params) => ({ step: String(params['missingProperty']), message: 'is required' }),
  additionalProperties: (error, params) => ({
    step: String(params['additionalProperty']),
    message: 'is not a known setting',
    allowed: Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {}),
  }),
  enum: (_, params) => ({
    message: 'is not one of the allowed values',
    allowed: (params['allowedValues'] as unknown[]).map(String),
  }),
  const: (_, params) => ({ message: 'is not the allowed value', allowed: [String(params['allowedValue'])] }),
  type: (_, params) => ({ message: `must be ${KINDS[String(params['type'])] ?? String(params['type'])}` }),
  anyOf: (error) => describeUnion(error),
  oneOf: (error) => describeUnion(error),
}

/** Branches that are all single values read as one list; of other unions only the fact is told. */
function describeUnion(error: ErrorObject): { message: string; allowed?: string[] } {
  const branches = Array.isArray(error.schema) ? (error.schema as { const?: unknown }[]) : []
  const values = branches.map((branch) => branch.const).filter((value) => value !== undefined)
  const allAreValues = branches.length > 0 && values.length === branches.length
  return allAreValues
    ? { message: 'is not one of the allowed values', allowed: values.map(String) }
    : { message: 'has none of the allowed forms' }
}

/** The value itself is never quoted: it may be a secret. */
function faultOf(error: ErrorObject, base: Path, source: Source): ConfigFault {
  const describe = DESCRIPTIONS[error.keyword]
  const hint = (error.parentSchema as { description?: unknown } | undefined)?.description
  const fallback = `${error.message ?? 'is invalid'}${typeof hint === 'string' ? ` (${hint})` : ''}`
  const { step, message, allowed } = describe?.(error, error.params as Record<string, unknown>) ?? { message: fallback }
  const path = [...base, ...stepsOf(error.instancePath), ...(step === undefined ? [] : [step])]
  return fault(path, source.lineOf(path), message, allowed)
}

/** RFC 6901 pointer to steps; a run of digits is an index, which no property name of the configuration is. */
function stepsOf(pointer: string): Path {
  const tokens = pointer.split('/').slice(1)
  return tokens.map((token) =>
    /^\d+$/.test(token) ? Number(token) : token.replaceAll('~1', '/').replaceAll('~0', '~'),
  )
}

function childOf(value: unknown, step: string | number): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[step] : undefined
}
