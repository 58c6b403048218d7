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

/**
 * Compiles a schema once into a function that returns the value typed, or throws `HubError(code)` whose `path` is the JSON path
 * of the first fault. The message names fields and rules, never the offending value (it may be personal).
 */
export function checker<S extends TSchema>(schema: S, code: ErrorCode = 'payload_invalid'): Check<Static<S>> {
  const validate: ValidateFunction = ajv.compile(schema)
  return (value) => {
    if (validate(value)) return value as Static<S>
    const fault = validate.errors?.[0]
    throw new HubError(code, faultText(fault), { path: jsonPath(fault) })
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
