import type { TSchema } from 'typebox'
import type { Path } from './faults.ts'

const REDACTED = '[redacted]'

/** The part of a JSON Schema that leads to where secrets are. */
interface SchemaNode {
  secret?: unknown
  properties?: Record<string, SchemaNode>
  patternProperties?: Record<string, SchemaNode>
  additionalProperties?: SchemaNode | boolean
  items?: SchemaNode
  anyOf?: SchemaNode[]
  oneOf?: SchemaNode[]
  allOf?: SchemaNode[]
}

/** Paths of the values in `value` whose schema is marked `secret: true`, in any branch of a union. */
export function secretPaths(schema: TSchema, value: unknown, base: Path): Path[] {
  return search(schema, value, base)
}

function search(schema: SchemaNode, value: unknown, path: Path): Path[] {
  if (schema.secret === true) return [path]
  const branches = [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])].flatMap((branch) =>
    search(branch, value, path),
  )
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined
      ? branches
      : [...branches, ...value.flatMap((entry, index) => search(items, entry, [...path, index]))]
  }
  if (typeof value !== 'object' || value === null) return branches
  const children = Object.entries(value).flatMap(([name, child]) => {
    const found = childSchema(schema, name)
    return found === undefined ? [] : search(found, child, [...path, name])
  })
  return [...branches, ...children]
}

function childSchema(schema: SchemaNode, name: string): SchemaNode | undefined {
  const byPattern = Object.entries(schema.patternProperties ?? {}).find(([pattern]) =>
    new RegExp(pattern, 'u').test(name),
  )
  const rest = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  return schema.properties?.[name] ?? byPattern?.[1] ?? rest
}

/** A copy with every secret replaced, and the password taken out of every URL, wherever it stands. An empty secret stays visible as empty. */
export function redacted<T>(value: T, secrets: readonly Path[]): T {
  const hidden = new Set(secrets.map((path) => JSON.stringify(path)))
  return replace(value, [], hidden) as T
}

function replace(value: unknown, path: Path, hidden: ReadonlySet<string>): unknown {
  if (hidden.has(JSON.stringify(path))) return value === '' || value === undefined ? value : REDACTED
  if (typeof value === 'string')
    return value.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/?#@]*):[^@/?#]*@/i, `$1:${REDACTED}@`)
  if (Array.isArray(value)) return value.map((entry, index) => replace(entry, [...path, index], hidden))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [name, replace(child, [...path, name], hidden)]),
  )
}
