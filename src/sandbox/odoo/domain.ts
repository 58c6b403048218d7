import { valueError } from './faults.ts'
import { fieldOf } from './model.ts'
import type { Env } from './orm.ts'
import { wordOf, type Row, type Value } from './values.ts'

type Test = (row: Row) => boolean

/** Turns a domain (prefix notation, `&` left out) into a test of records. A field that does not exist is a ValueError, as there. */
export function testOf(env: Env, model: string, domain: unknown): Test {
  const terms = Array.isArray(domain) ? (domain as unknown[]) : []
  const tests: Test[] = []
  let at = 0
  const next = (): Test => {
    const term = terms[at]
    at += 1
    if (term === '!') {
      const test = next()
      return (row) => !test(row)
    }
    if (term === '&' || term === '|') {
      const [a, b] = [next(), next()]
      return term === '&' ? (row) => a(row) && b(row) : (row) => a(row) || b(row)
    }
    return leaf(env, model, term)
  }
  while (at < terms.length) tests.push(next())
  return (row) => tests.every((test) => test(row))
}

function leaf(env: Env, model: string, term: unknown): Test {
  if (!Array.isArray(term) || term.length !== 3 || typeof term[0] !== 'string')
    throw valueError(`Invalid domain term ${JSON.stringify(term)}`)
  const [path, operator, wanted] = term as [string, string, unknown]
  checkPath(env, model, path, term)
  const compare = OPERATORS[operator]
  if (compare === undefined)
    throw valueError(`Invalid operator ${JSON.stringify(operator)} in condition ${shown(term)}`)
  return (row) => compare({ env, model, path, values: valuesAt(env, model, row, path), wanted })
}

const shown = (term: readonly unknown[]): string =>
  `(${term.map((part) => (typeof part === 'string' ? `'${part}'` : JSON.stringify(part))).join(', ')})`

function checkPath(env: Env, model: string, path: string, term: readonly unknown[]): void {
  let on = model
  for (const name of path.split('.')) {
    const field = fieldOf(env.models, on, name)
    if (field === undefined) throw valueError(`Invalid field ${on}.${name} in condition ${shown(term)}`)
    on = field.relation ?? on
  }
}

/** Every value that a path leads to: through lines and tags there may be several. */
function valuesAt(env: Env, model: string, row: Row, path: string): Value[] {
  const [name = '', ...rest] = path.split('.')
  const value = env.valueOf(model, row, name)
  const relation = env.models[model]?.fields[name]?.relation
  if (rest.length === 0 || relation === undefined) return Array.isArray(value) ? [...(value as Value[])] : [value]
  const ids = Array.isArray(value) ? value : value === false ? [] : [value]
  return ids.flatMap((id) => {
    const next = typeof id === 'number' ? env.row(relation, id) : undefined
    return next === undefined ? [] : valuesAt(env, relation, next, rest.join('.'))
  })
}

interface Comparison {
  env: Env
  model: string
  path: string
  values: readonly Value[]
  wanted: unknown
}

const isSame = (a: Value, b: unknown): boolean =>
  a === b || (a === false && (b === null || b === '')) || (b === false && a === '')
const listOf = (wanted: unknown): unknown[] => (Array.isArray(wanted) ? (wanted as unknown[]) : [wanted])
const anyOf = ({ values, wanted }: Comparison): boolean =>
  listOf(wanted).some((one) => values.some((value) => isSame(value, one)) || (one === false && values.length === 0))
const ordered =
  (test: (a: number | string, b: number | string) => boolean) =>
  ({ values, wanted }: Comparison): boolean =>
    values.some((value) => {
      if (typeof value === 'number' && typeof wanted === 'number') return test(value, wanted)
      return typeof value === 'string' && typeof wanted === 'string' && test(value, wanted)
    })
const textual =
  (fold: (text: string) => string) =>
  ({ values, wanted, env, model, path }: Comparison): boolean => {
    const relation = env.models[model]?.fields[path]?.relation
    const needle = fold(String(wanted))
    return values.some((value) => {
      const text = typeof value === 'number' && relation !== undefined ? env.nameOf(relation, value) : value
      return typeof text === 'string' && fold(text).includes(needle)
    })
  }

/** The record itself or one that it lies under. */
const under =
  (up: 'value' | 'wanted') =>
  ({ env, model, path, values, wanted }: Comparison): boolean => {
    const relation = path === 'id' ? model : (env.models[model]?.fields[path]?.relation ?? model)
    const parents = (id: Value): Value[] => {
      const row = typeof id === 'number' ? env.row(relation, id) : undefined
      const parent = row?.['parent_id'] ?? row?.['location_id'] ?? false
      return row === undefined ? [id] : [id, ...(parent === false ? [] : parents(parent))]
    }
    return values.some((value) =>
      listOf(wanted).some((one) =>
        up === 'value' ? parents(value).includes(one as Value) : parents(one as Value).includes(value),
      ),
    )
  }

const OPERATORS: Readonly<Record<string, (comparison: Comparison) => boolean>> = {
  '=': anyOf,
  in: anyOf,
  '!=': (comparison) => !anyOf(comparison),
  'not in': (comparison) => !anyOf(comparison),
  '>': ordered((a, b) => a > b),
  '>=': ordered((a, b) => a >= b),
  '<': ordered((a, b) => a < b),
  '<=': ordered((a, b) => a <= b),
  like: textual((text) => text),
  ilike: textual((text) => text.toLowerCase()),
  '=like': anyOf,
  '=ilike': ({ values, wanted }) =>
    values.some((value) => wordOf(value).toLowerCase() === String(wanted).toLowerCase()),
  child_of: under('value'),
  parent_of: under('wanted'),
}

/** `write_date asc, id desc`. */
export function sortRows(env: Env, model: string, rows: readonly Row[], order: string): Row[] {
  const keys = order.split(',').map((part) => {
    const [name = 'id', direction = 'asc'] = part.trim().split(/\s+/)
    return { name, sign: direction.toLowerCase() === 'desc' ? -1 : 1 }
  })
  for (const { name } of keys)
    if (fieldOf(env.models, model, name) === undefined) throw valueError(`Invalid field ${name} on model ${model}`)
  return rows.toSorted((a, b) => {
    for (const { name, sign } of keys) {
      const [x, y] = [env.valueOf(model, a, name), env.valueOf(model, b, name)]
      if (x === y) continue
      return sign * (typeof x === 'number' && typeof y === 'number' ? x - y : wordOf(x) < wordOf(y) ? -1 : 1)
    }
    return a.id - b.id
  })
}
