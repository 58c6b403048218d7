import type { Env } from './orm.ts'
import type { Row, Value, Values } from './values.ts'

/** A field. Without `compute` it is stored; with it, it is worked out whenever it is read. */
export interface Field {
  type: 'char' | 'text' | 'integer' | 'float' | 'monetary' | 'boolean' | 'date' | 'datetime' | 'selection' | 'json' | 'many2one' | 'one2many' | 'many2many' // prettier-ignore
  relation?: string
  /** Of a one2many: the many2one that points back. */
  inverse?: string
  required?: boolean
  default?: Value | ((env: Env, values: Values) => Value)
  compute?: (env: Env, row: Row) => Value
  /** Of a computed field that can be written: what that does. */
  assign?: (env: Env, row: Row, value: Value) => void
}

/** A public method. `model`: it takes no ids. `args` by name, with whether each is required. */
export interface Method {
  on: 'model' | 'records'
  args: Readonly<Record<string, 'required' | 'optional'>>
  run: (env: Env, ids: readonly number[], args: Values) => Value
}

export interface Model {
  fields: Readonly<Record<string, Field>>
  display?: (env: Env, row: Row) => string
  /** After a record was created, with its lines; and after one was written. */
  created?: (env: Env, row: Row) => void
  written?: (env: Env, row: Row, before: Row, values: Values) => void
  methods?: Readonly<Record<string, Method>>
  unique?: { name: string; fields: readonly string[] }
  order?: string
}

export type Models = Readonly<Record<string, Model>>

const typed =
  (type: Field['type']) =>
  (more: Partial<Field> = {}): Field => ({ type, ...more })

/** How the tables of fields are written. */
export const f = {
  char: typed('char'),
  text: typed('text'),
  integer: typed('integer'),
  float: typed('float'),
  money: typed('monetary'),
  flag: typed('boolean'),
  date: typed('date'),
  datetime: typed('datetime'),
  choice: typed('selection'),
  json: typed('json'),
  one: (relation: string, more: Partial<Field> = {}): Field => ({ type: 'many2one', relation, ...more }),
  lines: (relation: string, inverse: string, more: Partial<Field> = {}): Field => ({
    type: 'one2many',
    relation,
    inverse,
    ...more,
  }),
  many: (relation: string, more: Partial<Field> = {}): Field => ({ type: 'many2many', relation, ...more }),
}

const NUMBERS: ReadonlySet<Field['type']> = new Set(['integer', 'float', 'monetary'])

/** What a field holds when nobody has said anything. */
export const emptyOf = ({ type }: Field): Value => (NUMBERS.has(type) ? 0 : type === 'many2many' ? [] : false)

/** A method on records without arguments. */
export const action = (run: (env: Env, ids: readonly number[]) => Value): Method => ({ on: 'records', args: {}, run })

/** Fields that every record has. */
const SYSTEM: Readonly<Record<string, Field>> = {
  create_date: { type: 'datetime' },
  write_date: { type: 'datetime' },
  display_name: { type: 'char' },
}

export const fieldOf = (models: Models, model: string, name: string): Field | undefined =>
  name === 'id' ? { type: 'integer' } : (models[model]?.fields[name] ?? SYSTEM[name])
