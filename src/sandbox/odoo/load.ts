import { findExternal, nameRecord } from './external.ts'
import { isOdooFault, validationError } from './faults.ts'
import { fieldOf } from './model.ts'
import type { Env } from './orm.ts'
import { wordOf, type Value } from './values.ts'

interface Cell {
  path: string[]
  text: string
}

interface Loaded {
  ids: number[] | false
  messages: Record<string, Value>[]
  nextrow: number
}

/**
 * Odoo's import: rows of text that create or change records by external id, with lines in columns of their own and on rows that leave the
 * head blank. Wrong rows are answered with messages and HTTP 200, and nothing is kept.
 */
export function load(env: Env, model: string, fields: readonly string[], data: readonly (readonly Value[])[]): Loaded {
  const paths = fields.map((field) => field.split('/'))
  const groups = groupRows(env, model, paths, data)
  const messages: Record<string, Value>[] = []
  const ids: number[] = []
  const refusal = attempt(env, () => {
    for (const { from, rows } of groups) {
      try {
        ids.push(env.store.savepoint(() => putRecord(env, model, rows)))
      } catch (thrown) {
        if (!isOdooFault(thrown)) throw thrown
        messages.push({
          type: 'error',
          message: thrown.message,
          rows: { from, to: from + rows.length - 1 },
          record: from,
        })
      }
    }
    if (messages.length > 0) throw validationError('undone')
  })
  return refusal ? { ids: false, messages, nextrow: 0 } : { ids, messages, nextrow: 0 }
}

/** True when the work was undone. */
function attempt(env: Env, work: () => void): boolean {
  try {
    env.store.savepoint(work)
    return false
  } catch (thrown) {
    if (isOdooFault(thrown)) return true
    throw thrown
  }
}

function groupRows(
  env: Env,
  model: string,
  paths: readonly string[][],
  data: readonly (readonly Value[])[],
): { from: number; rows: Cell[][] }[] {
  const groups: { from: number; rows: Cell[][] }[] = []
  for (const [index, values] of data.entries()) {
    const cells = values.map((value, at): Cell => ({
      path: paths[at] ?? [],
      text: value === false || value === null ? '' : wordOf(value),
    }))
    const isHead = cells.some(({ path: [name = ''], text }) => text !== '' && !isLineField(env, model, name))
    const last = groups.at(-1)
    if (isHead || last === undefined) groups.push({ from: index, rows: [cells] })
    else last.rows.push(cells)
  }
  return groups
}

const isLineField = (env: Env, model: string, name: string): boolean =>
  fieldOf(env.models, model, name)?.type === 'one2many'

function putRecord(env: Env, model: string, rows: readonly Cell[][]): number {
  const [head = []] = rows
  const values: Record<string, Value> = {}
  let external: string | null = null
  for (const { path, text } of head) {
    const [name = ''] = path
    if (name === 'id' && path.length === 1) external = text
    else if (!isLineField(env, model, name)) values[name] = valueOf(env, model, path, text)
  }
  const lineNames = [...new Set(head.flatMap(({ path: [name = ''] }) => (isLineField(env, model, name) ? [name] : [])))]
  for (const name of lineNames) values[name] = lineCommands(env, model, name, rows)
  return upsert(env, model, external, values)
}

function lineCommands(env: Env, model: string, name: string, rows: readonly Cell[][]): Value[] {
  const relation = fieldOf(env.models, model, name)?.relation ?? ''
  return rows.flatMap((cells): Value[] => {
    const own = cells.filter(({ path }) => path[0] === name).map(({ path, text }) => ({ path: path.slice(1), text }))
    if (own.every(({ text }) => text === '')) return []
    const values: Record<string, Value> = {}
    let external = ''
    for (const { path, text } of own) {
      if (path.length === 1 && path[0] === 'id') external = text
      else values[path[0] ?? ''] = valueOf(env, relation, path, text)
    }
    const known = external === '' ? undefined : findExternal(env, external)
    if (known !== undefined && env.row(relation, known.id) !== undefined) return [[1, known.id, values]]
    return [[0, external === '' ? 0 : { external }, values]]
  })
}

function upsert(env: Env, model: string, external: string | null, values: Record<string, Value>): number {
  const known = external === null || external === '' ? undefined : findExternal(env, external)
  if (known !== undefined && known.model !== model)
    throw validationError(`The external id ${external ?? ''} belongs to a record of ${known.model}`)
  if (known !== undefined && env.row(model, known.id) !== undefined) {
    env.write(model, [known.id], values)
    return known.id
  }
  const id = env.create(model, values)
  if (external !== null && external !== '') nameRecord(env, external, model, id)
  return id
}

function valueOf(env: Env, model: string, path: readonly string[], text: string): Value {
  const [name = '', by] = path
  const field = fieldOf(env.models, model, name)
  if (field === undefined) throw validationError(`No matching field found for '${name}'`)
  if (field.type === 'many2one') return text === '' ? false : refOfText(env, field.relation ?? '', by, text)
  if (field.type === 'many2many')
    return [
      [6, 0, text === '' ? [] : text.split(',').map((one) => refOfText(env, field.relation ?? '', by, one.trim()))],
    ]
  if (field.type === 'boolean') return ['1', 'true', 'yes'].includes(text.toLowerCase())
  if (field.type === 'float' || field.type === 'monetary' || field.type === 'integer') {
    const value = Number(text)
    if (Number.isNaN(value)) throw validationError(`'${text}' does not seem to be a number for field '${name}'`)
    return value
  }
  return text === '' ? false : text
}

function refOfText(env: Env, relation: string, by: string | undefined, text: string): number {
  if (by === '.id') {
    if (env.row(relation, Number(text)) !== undefined) return Number(text)
    throw validationError(`No matching record found for database id '${text}' in field '${relation}'`)
  }
  if (by === 'id') {
    const found = findExternal(env, text)
    if (found !== undefined && found.model === relation) return found.id
    throw validationError(`No matching record found for external id '${text}' in field '${relation}'`)
  }
  const found = env.search(relation, [['name', '=', text]])[0]
  if (found === undefined) throw validationError(`No matching record found for name '${text}' in field '${relation}'`)
  return found.id
}
