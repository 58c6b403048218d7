import { load } from './load.ts'
import { fieldOf, type Method } from './model.ts'
import { readRow, type Env } from './orm.ts'
import { isRecord, refOf, wordOf, type Row, type Value, type Values } from './values.ts'

/** What every model can be asked, by the name of the method. `model` is the one that was called. */
type SharedMethod = Omit<Method, 'run'> & {
  run: (env: Env, model: string, ids: readonly number[], args: Values) => Value
}

const PAGE = { offset: 'optional', limit: 'optional', order: 'optional' } as const

const listOf = (value: Value | undefined): readonly Value[] => (Array.isArray(value) ? (value as Value[]) : [])
const pageOf = ({ offset, limit, order }: Values) => ({
  ...(typeof offset === 'number' ? { offset } : {}),
  ...(typeof limit === 'number' ? { limit } : {}),
  ...(typeof order === 'string' && order !== '' ? { order } : {}),
})

function readAll(env: Env, model: string, rows: readonly Row[], { fields, load: mode }: Values): Value {
  const asked = listOf(fields).map(wordOf)
  const names = asked.length > 0 ? asked : Object.keys(env.models[model]?.fields ?? {})
  return rows.map((row) => readRow(env, model, row, names, mode ?? '_classic_read'))
}

export const SHARED_METHODS: Readonly<Record<string, SharedMethod>> = {
  search_read: {
    on: 'model',
    args: { domain: 'optional', fields: 'optional', load: 'optional', ...PAGE },
    run: (env, model, _, args) => readAll(env, model, env.search(model, args['domain'], pageOf(args)), args),
  },
  search: {
    on: 'model',
    args: { domain: 'required', ...PAGE },
    run: (env, model, _, args) => env.search(model, args['domain'], pageOf(args)).map(({ id }) => id),
  },
  search_count: {
    on: 'model',
    args: { domain: 'required', limit: 'optional' },
    run: (env, model, _, args) => env.search(model, args['domain'], pageOf(args)).length,
  },
  read: {
    on: 'records',
    args: { fields: 'optional', load: 'optional' },
    // Records that are not there are left out without a word.
    run: (env, model, ids, args) => readAll(env, model, ids.flatMap((id) => env.row(model, id) ?? []), args), // prettier-ignore
  },
  create: {
    on: 'model',
    args: { vals_list: 'required' },
    run: (env, model, _, { vals_list }) => {
      const wanted = isRecord(vals_list) ? [vals_list] : listOf(vals_list)
      return wanted.map((values) => env.create(model, isRecord(values) ? values : {}))
    },
  },
  write: {
    on: 'records',
    args: { vals: 'required' },
    run: (env, model, ids, { vals }) => {
      env.write(model, ids, isRecord(vals) ? vals : {})
      return true
    },
  },
  unlink: {
    on: 'records',
    args: {},
    run: (env, model, ids) => {
      env.unlink(model, ids)
      return true
    },
  },
  load: {
    on: 'model',
    args: { fields: 'required', data: 'required' },
    run: (env, model, _, { fields, data }) => ({
      ...load(env, model, listOf(fields).map(wordOf), listOf(data).map(listOf)),
    }),
  },
  fields_get: {
    on: 'model',
    args: { allfields: 'optional', attributes: 'optional' },
    run: (env, model, _, { allfields, attributes }) => {
      const fields = env.models[model]?.fields ?? {}
      const wanted = listOf(allfields).map(wordOf)
      const shown = listOf(attributes).map(wordOf)
      const names = ['id', 'create_date', 'write_date', 'display_name', ...Object.keys(fields)]
      return Object.fromEntries(
        names
          .filter((name) => wanted.length === 0 || wanted.includes(name))
          .map((name) => [name, describe(env, model, name, shown)]),
      )
    },
  },
  has_access: { on: 'records', args: { operation: 'required' }, run: () => true },
  check_access_rights: { on: 'model', args: { operation: 'required', raise_exception: 'optional' }, run: () => true },
  get_external_id: {
    on: 'records',
    args: {},
    run: (env, model, ids) => {
      const nameOf = (id: number): string => {
        const link = env.store.by('ir.model.data', 'res_id', id).find((row) => row['model'] === model)
        return link === undefined ? '' : `${wordOf(link['module'])}.${wordOf(link['name'])}`
      }
      return Object.fromEntries(ids.map((id) => [String(id), nameOf(id)]))
    },
  },
  read_group: {
    on: 'model',
    args: {
      domain: 'required',
      fields: 'required',
      groupby: 'required',
      offset: 'optional',
      limit: 'optional',
      orderby: 'optional',
      lazy: 'optional',
    },
    run: (env, model, _, args) => readGroup(env, model, args),
  },
}

function describe(env: Env, model: string, name: string, attributes: readonly string[]): Value {
  const field = fieldOf(env.models, model, name)
  const all: Record<string, Value> = {
    type: field?.type ?? 'integer',
    string: name,
    store: field?.compute === undefined,
    required: field?.required === true,
    readonly: field?.compute !== undefined && field.assign === undefined,
    ...(field?.relation === undefined ? {} : { relation: field.relation }),
  }
  return attributes.length === 0
    ? all
    : Object.fromEntries(Object.entries(all).filter(([key]) => attributes.includes(key)))
}

/** Sums by the values of some fields; only what the stock of places needs. */
function readGroup(env: Env, model: string, { domain, fields, groupby }: Values): Value {
  const by = listOf(groupby).map(wordOf)
  const sums = listOf(fields).map((field) => wordOf(field).split(':')[0] ?? '')
  const groups = Map.groupBy(env.search(model, domain), (row) =>
    JSON.stringify(by.map((name) => env.valueOf(model, row, name))),
  )
  return [...groups.values()].flatMap((rows): Value[] => {
    const [first] = rows
    if (first === undefined) return []
    const keys = by.map((name): [string, Value] => [
      name,
      readRow(env, model, first, [name], '_classic_read')[name] ?? false,
    ])
    const totals = sums.map((name): [string, Value] => [
      name,
      rows.reduce((sum, row) => sum + Number(env.valueOf(model, row, name)), 0),
    ])
    const own = by.map((name): Value => [name, '=', refOf(first, name) || false])
    const terms = Array.isArray(domain) ? (domain as Value[]) : []
    const joined = [
      ...Array.from({ length: Math.max(0, terms.length + own.length - 1) }, (): Value => '&'),
      ...terms,
      ...own,
    ]
    return [{ ...Object.fromEntries(keys), __count: rows.length, ...Object.fromEntries(totals), __domain: joined }]
  })
}
