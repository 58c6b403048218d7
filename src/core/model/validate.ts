import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import formatsPlugin from 'ajv-formats'
import type { Static, TSchema } from 'typebox'
import { HubError, type ErrorCode } from '../errors.ts'

const ajv = new Ajv2020({
  strict: true,
  allErrors: false,
  discriminator: false,
  allowUnionTypes: true,
  keywords: ['secret'],
})
formatsPlugin.default(ajv, { mode: 'fast', formats: ['date-time', 'date', 'uri', 'email', 'uuid'] })

export type Check<T> = (value: unknown) => T

/** Rules about how long, large or well-formed a value is, as against which values there are. */
const BOUNDS = new Set(['minLength', 'maxLength', 'minimum', 'maximum', 'minItems', 'maxItems', 'pattern', 'format'])

/**
 * Compiles a schema once into a function that returns the value typed, or throws `HubError(code)` whose `path` is the JSON path
 * of the first fault. The message names fields and rules, never the offending value (it may be personal). A value that is only out of
 * bounds is `out_of_bounds`, where that is another matter.
 */
export function checker<S extends TSchema>(
  schema: S,
  code: ErrorCode = 'payload_invalid',
  out_of_bounds: ErrorCode = code,
): Check<Static<S>> {
  const validate: ValidateFunction = ajv.compile(schema)
  return (value) => {
    if (validate(value)) return value as Static<S>
    const fault = validate.errors?.[0]
    const isBound = fault !== undefined && BOUNDS.has(fault.keyword)
    throw new HubError(isBound ? out_of_bounds : code, faultText(fault), { path: jsonPath(fault) })
  }
}

function faultText(fault: ErrorObject | undefined): string {
  if (fault === undefined) return 'does not match the schema'
  const params = fault.params as Record<string, unknown>
  const extra =
    fault.keyword === 'enum' && Array.isArray(params['allowedValues'])
      ? `: ${params['allowedValues'].slice(0, 30).join(', ')}`
      : fault.keyword === 'additionalProperties'
        ? `: ${String(params['additionalProperty'])}`
        : ''
  if (fault.keyword === 'required') return `${jsonPath(fault)} is missing`
  return `${jsonPath(fault)} ${fault.message ?? 'is invalid'}${extra}`
}

/** `/line_items/2/sku` → `$.line_items[2].sku` (RFC 6901 pointer to the usual path notation). What is missing is named by its own path. */
export function jsonPath(fault: ErrorObject | undefined): string {
  const missing =
    fault?.keyword === 'required' ? `/${String((fault.params as { missingProperty: unknown }).missingProperty)}` : ''
  const pointer = (fault?.instancePath ?? '') + missing
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, token) => (/^\d+$/.test(token) ? `${path}[${token}]` : `${path}.${token}`), '$')
}
