import { sortRows, testOf } from './domain.ts'
import { nameRecord } from './external.ts'
import { missingError, validationError, valueError } from './faults.ts'
import { emptyOf, fieldOf, type Field, type Model, type Models } from './model.ts'
import type { Store } from './store.ts'
import { idsOf, isRecord, refOf, wordOf, type Row, type Value, type Values } from './values.ts'

interface SearchOptions {
  order?: string
  offset?: number
  limit?: number
}

/** Records and what can be done with them, as a method of a model sees it. */
export interface Env {
  readonly models: Models
  readonly store: Store
  readonly context: Values
  readonly now: () => Date
  row: (model: string, id: number) => Row | undefined
  /** Faults: MissingError. */
  need: (model: string, id: number) => Row
  /** Stored or computed. */
  valueOf: (model: string, row: Row, field: string) => Value
  nameOf: (model: string, id: number) => string
  search: (model: string, domain: unknown, options?: SearchOptions) => Row[]
  create: (model: string, values: Values) => number
  write: (model: string, ids: readonly number[], values: Values) => void
  unlink: (model: string, ids: readonly number[]) => void
  /** The next number of a document: `S00001`. */
  sequence: (name: string, digits: number) => string
}

/** UTC without a zone; kept to the microsecond and shown to the second, so that a watermark must overlap. */
export const momentOf = (at: Date): string => at.toISOString().replace('T', ' ').replace('Z', '000')

export function openEnv(parts: { models: Models; store: Store; now: () => Date; context: Values }): Env {
  const { models, store } = parts
  const env: Env = {
    ...parts,
    row: (model, id) => store.get(model, id),
    need: (model, id) => {
      const row = store.get(model, id)
      if (row === undefined)
        throw missingError(`Record does not exist or has been deleted.\n(Record: ${model}(${id},), User: 2)`)
      return row
    },
    valueOf: (model, row, name) => {
      if (name === 'id') return row.id
      if (name === 'display_name') return env.nameOf(model, row.id)
      const field = models[model]?.fields[name]
      if (field?.compute !== undefined) return field.compute(env, row)
      if (field?.type === 'one2many') {
        const ids = store.by(field.relation ?? '', field.inverse ?? '', row.id).map(({ id }) => id)
        return models[field.relation ?? '']?.order === 'id desc' ? ids.toReversed() : ids
      }
      return row[name] ?? (field === undefined ? false : emptyOf(field))
    },
    nameOf: (model, id) => {
      const row = store.get(model, id)
      if (row === undefined) return ''
      const name = models[model]?.display?.(env, row) ?? env.valueOf(model, row, 'name')
      return typeof name === 'string' ? name : `${model},${id}`
    },
    search: (model, domain, options = {}) => search(env, model, domain, options),
    create: (model, values) => create(env, model, values),
    write: (model, ids, values) => {
      for (const id of ids) write(env, model, env.need(model, id), values)
    },
    unlink: (model, ids) => {
      for (const id of ids) if (store.get(model, id) !== undefined) store.remove(model, id)
    },
    sequence: (name, digits) => {
      const known = store.by('ir.sequence', 'name', name)[0]
      const number = Number(known?.['number'] ?? 0) + 1
      store.put('ir.sequence', { id: known?.id ?? store.nextId('ir.sequence'), name, number })
      return `${name}${String(number).padStart(digits, '0')}`
    },
  }
  return env
}

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

function search(env: Env, model: string, domain: unknown, { order, offset = 0, limit }: SearchOptions): Row[] {
  const terms = Array.isArray(domain) ? (domain as unknown[]) : []
  const test = testOf(env, model, terms)
  const hides =
    env.models[model]?.fields['active'] !== undefined && env.context['active_test'] !== false && !names(terms, 'active')
  const found = candidates(env, model, terms).filter((row) => (!hides || row['active'] !== false) && test(row))
  const sorted = sortRows(env, model, found, order ?? env.models[model]?.order ?? 'id')
  return sorted.slice(offset, limit === undefined ? undefined : offset + limit)
}

const names = (terms: readonly unknown[], field: string): boolean =>
  terms.some((term) => Array.isArray(term) && term[0] === field)

/** A plain condition on an index spares looking at every record. */
function candidates(env: Env, model: string, terms: readonly unknown[]): readonly Row[] {
  if (terms.some((term) => term === '|' || term === '!')) return env.store.all(model)
  for (const term of terms) {
    if (!Array.isArray(term)) continue
    const [field, operator, wanted] = term as [string, string, unknown]
    const values =
      operator === '=' ? [wanted] : operator === 'in' && Array.isArray(wanted) ? (wanted as unknown[]) : null
    if (values === null || !values.every((value) => typeof value === 'number' || typeof value === 'string')) continue
    if (field === 'id') return values.flatMap((id) => env.store.get(model, Number(id)) ?? [])
    if (isIndexed(env.models, model, field))
      return [...new Set(values)].flatMap((value) => env.store.by(model, field, value as number))
  }
  return env.store.all(model)
}

const INDEXED_NAMES = new Set(['name', 'code', 'default_code', 'res_id'])

/** Many2ones, and the names that things are looked up by. */
const isIndexed = (models: Models, model: string, name: string): boolean => {
  const field = models[model]?.fields[name]
  return field !== undefined && field.compute === undefined && (field.type === 'many2one' || INDEXED_NAMES.has(name))
}

export const indexedFields =
  (models: Models) =>
  (model: string): readonly string[] =>
    Object.keys(models[model]?.fields ?? {}).filter((name) => isIndexed(models, model, name))

/** One record as a client reads it: many2ones with their names, times to the second. */
export function readRow(
  env: Env,
  model: string,
  row: Row,
  fields: readonly string[],
  load: Value,
): Record<string, Value> {
  const entries = fields.map((name): [string, Value] => {
    const field = fieldOf(env.models, model, name)
    if (field === undefined) throw valueError(`Invalid field '${name}' on '${model}'`)
    const value = env.valueOf(model, row, name)
    if (field.type === 'datetime' && typeof value === 'string') return [name, value.slice(0, 19)]
    if (field.type !== 'many2one') return [name, value ?? false]
    if (typeof value !== 'number' || value === 0) return [name, false]
    return [name, load === null || load === false ? value : [value, env.nameOf(field.relation ?? '', value)]]
  })
  return { id: row.id, ...Object.fromEntries(entries) }
}

// ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

function create(env: Env, model: string, given: Values): number {
  const { fields, created, unique } = modelOf(env, model)
  checkFields(env, model, given)
  const id = env.store.nextId(model)
  const at = momentOf(env.now())
  let row: Row = { id, create_date: at, write_date: at }
  for (const [name, field] of Object.entries(fields)) {
    if (field.compute !== undefined || field.type === 'one2many') continue
    const value = name in given ? given[name] : undefined
    row[name] =
      value === undefined ? defaultOf(env, field, given) : normal(env, { model, name, field, before: [] }, value)
  }
  for (const [name, field] of Object.entries(fields)) {
    if (field.required === true && field.compute === undefined && (row[name] === false || row[name] === ''))
      throw validationError(
        `The operation cannot be completed:\n- Create/update: a mandatory field is not set.\n\nModel: ${model}\nField: ${name}`,
      )
  }
  if (unique !== undefined) checkUnique(env, model, row, unique)
  env.store.put(model, row)
  assignLines(env, model, id, given)
  row = env.need(model, id)
  created?.(env, row)
  return id
}

function write(env: Env, model: string, before: Row, given: Values): void {
  const { fields, written, unique } = modelOf(env, model)
  checkFields(env, model, given)
  const row: Row = { ...before, write_date: momentOf(env.now()) }
  for (const [name, value] of Object.entries(given)) {
    const field = fields[name]
    if (field !== undefined && field.compute === undefined && field.type !== 'one2many')
      row[name] = normal(env, { model, name, field, before: idsOf(before, name) }, value)
  }
  if (unique !== undefined) checkUnique(env, model, row, unique)
  env.store.put(model, row)
  assignLines(env, model, row.id, given)
  written?.(env, env.need(model, row.id), before, given)
}

const modelOf = (env: Env, model: string): Model => {
  const found = env.models[model]
  if (found === undefined) throw valueError(`unknown model ${model}`)
  return found
}

function checkFields(env: Env, model: string, given: Values): void {
  const unknown = Object.keys(given).find((name) => fieldOf(env.models, model, name) === undefined)
  if (unknown !== undefined) throw valueError(`Invalid field '${unknown}' in '${model}'`)
}

const defaultOf = (env: Env, field: Field, given: Values): Value =>
  typeof field.default === 'function' ? field.default(env, given) : (field.default ?? emptyOf(field))

function checkUnique(
  env: Env,
  model: string,
  row: Row,
  { name, fields }: { name: string; fields: readonly string[] },
): void {
  const [first = 'id'] = fields
  const same = env.store
    .by(model, first, row[first] as string)
    .find((other) => other.id !== row.id && fields.every((field) => other[field] === row[field]))
  if (same === undefined) return
  const values = fields.map((field) => wordOf(row[field])).join(', ')
  throw validationError(
    `The operation cannot be completed: duplicate key value violates unique constraint "${name}"\nDETAIL:  Key (${fields.join(', ')})=(${values}) already exists.\n`,
  )
}

interface Slot {
  model: string
  name: string
  field: Field
  /** Of a many2many: what it holds. */
  before: readonly number[]
}

function normal(env: Env, { model, name, field, before }: Slot, value: Value): Value {
  if (field.type === 'many2many') return taggedIds(env, field, value, before)
  if (value === null || value === undefined) return emptyOf(field)
  if (field.type === 'many2one') {
    if (value === false || value === 0 || value === '') return false
    if (typeof value !== 'number' || env.row(field.relation ?? '', value) === undefined)
      throw validationError(
        `The operation cannot be completed: another model requires the record being used: ${model}.${name}`,
      )
    return value
  }
  if (field.type === 'float' || field.type === 'monetary' || field.type === 'integer')
    return typeof value === 'number' ? value : Number(value)
  if (field.type === 'datetime' && typeof value === 'string' && value.length === 19) return `${value}.000000`
  return value
}

/** Commands of a many2many: link, unlink, clear, set, create. */
function taggedIds(env: Env, field: Field, value: Value, before: readonly number[]): number[] {
  if (!Array.isArray(value)) return []
  return (value as Value[]).reduce<number[]>(
    (ids, command) => {
      if (typeof command === 'number') return [...ids, command]
      const [code, id, more] = Array.isArray(command) ? (command as Value[]) : []
      switch (code) {
        case 0:
          return [...ids, env.create(field.relation ?? '', isRecord(more) ? more : {})]
        case 3:
          return ids.filter((one) => one !== id)
        case 4:
          return ids.includes(Number(id)) ? ids : [...ids, Number(id)]
        case 5:
          return []
        case 6:
          return Array.isArray(more) ? (more as Value[]).map(Number) : []
        default:
          return ids
      }
    },
    [...before],
  )
}

/** Commands of one2manys, and fields that are worked out but may be written. */
function assignLines(env: Env, model: string, id: number, given: Values): void {
  for (const [name, value] of Object.entries(given)) {
    const field = env.models[model]?.fields[name]
    if (field?.assign !== undefined) field.assign(env, env.need(model, id), value)
    if (field?.type !== 'one2many' || field.inverse === undefined || !Array.isArray(value)) continue
    const { relation = '', inverse = '' } = field
    for (const command of value as Value[]) {
      const [code, line, more] = Array.isArray(command) ? (command as Value[]) : []
      const values = isRecord(more) ? more : {}
      if (code === 0) {
        const made = env.create(relation, { ...values, [inverse]: id })
        // Only the import brings names of lines along.
        if (isRecord(line)) nameRecord(env, wordOf(line['external']), relation, made)
      }
      if (code === 1) env.write(relation, [Number(line)], values)
      else if (code === 2 || code === 3) env.unlink(relation, [Number(line)])
      else if (code === 4) env.write(relation, [Number(line)], { [inverse]: id })
      else if (code === 5)
        env.unlink(
          relation,
          env.store.by(relation, inverse, id).map((row) => row.id),
        )
    }
  }
}

/** Lines of a record, oldest first. */
export const linesOf = (env: Env, model: string, inverse: string, id: number): Row[] =>
  env.store.by(model, inverse, id).toSorted((a, b) => a.id - b.id)

/** The record that a many2one points to. */
export const follow = (env: Env, row: Row, field: string, relation: string): Row | undefined =>
  env.row(relation, refOf(row, field))
