import { expect, it } from 'vitest'
import { checker } from '../../../src/core/model/validate.ts'
import type { ConnectorContract } from './contract.ts'

interface Field {
  type?: string
  secret?: boolean
  description?: string
  properties?: Record<string, Field>
  additionalProperties?: unknown
  items?: Field
  anyOf?: Field[]
}

/** Words by which a setting shows that it opens something. */
const OPENS = /(secret|password|token|private_key|api_key|access_key|consumer_key|hmac)(s|_key)?$/
/** Words that contain one of those and are addresses or choices. */
const OPENS_NOTHING = /(url|path|id)$/

/** The settings are a closed object, say of every field what it is, and mark what must never be shown. */
export function settingsContract({ connector, settings }: ConnectorContract): void {
  const valid = settings('http://127.0.0.1:9')
  const schema = connector.settings as unknown as Field

  it('settings: the sample is taken, another word is refused', () => {
    const check = checker(connector.settings, 'config_invalid')
    expect(check(structuredClone(valid))).toEqual(valid)
    expect(() => check({ ...valid, no_such_setting: 1 })).toThrow(/no_such_setting|additional/i)
  })

  it('settings: what opens something is marked secret, and the rest says what it is', () => {
    const fields = [...fieldsOf('', schema)]
    const unmarked = fields.filter(([name, field]) => OPENS.test(name) && !OPENS_NOTHING.test(name) && !isSecret(field))
    expect(unmarked.map(([name]) => name)).toEqual([])
    expect(schema.additionalProperties).toBe(false)
  })
}

const isSecret = (field: Field): boolean =>
  field.secret === true || (field.items !== undefined && isSecret(field.items)) || field.type === 'integer'

function* fieldsOf(path: string, field: Field): Generator<[string, Field]> {
  for (const [name, inner] of Object.entries(field.properties ?? {})) {
    const place = path === '' ? name : `${path}.${name}`
    if (inner.properties === undefined && inner.anyOf === undefined) yield [place, inner]
    yield* fieldsOf(place, inner)
    for (const variant of inner.anyOf ?? []) yield* fieldsOf(place, variant)
  }
}

/** Every secret of the sample settings, to be looked for where it must not be. */
export function secretsIn(contract: ConnectorContract): string[] {
  const secrets: string[] = []
  const walk = (field: Field, value: unknown): void => {
    if (field.secret === true && typeof value === 'string' && value.length >= 6) secrets.push(value)
    if (Array.isArray(value)) for (const entry of value) walk(field.items ?? {}, entry)
    else if (typeof value === 'object' && value !== null)
      for (const [name, inner] of Object.entries(value)) walk(field.properties?.[name] ?? variantOf(field, name), inner)
  }
  walk(contract.connector.settings, contract.settings('http://127.0.0.1:9'))
  return secrets
}

const variantOf = (field: Field, name: string): Field =>
  field.anyOf?.find((variant) => variant.properties?.[name] !== undefined)?.properties?.[name] ?? {}
