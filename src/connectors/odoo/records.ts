import { createHash } from 'node:crypto'
import Type, { type Static, type TProperties } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Odoo } from './client.ts'
import { causeOf } from './faults.ts'
import { moduleOf } from './settings.ts'
import { Ids } from './values.ts'

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

export type Domain = readonly unknown[]

/** Rows of one model, by the names of version 19; compiled once where it is declared. */
export interface RowType<P extends TProperties> {
  model: string
  fields: readonly string[]
  check: (value: unknown) => (Static<Type.TObject<P>> & { id: number })[]
}

export function rows<P extends TProperties>(model: string, properties: P): RowType<P> {
  const row = Type.Object({ id: Type.Integer({ minimum: 1 }), ...properties }, { additionalProperties: true })
  const check = checker(Type.Array(row), 'vendor_response_invalid')
  return { model, fields: Object.keys(properties), check: (value) => check(value) as never }
}

interface SearchOptions {
  order?: string
  limit?: number
  context?: Readonly<Record<string, unknown>>
}

/** Searches and reads at once. A field that this server lacks is undefined. */
export async function search<P extends TProperties>(
  odoo: Odoo,
  type: RowType<P>,
  domain: Domain,
  options: SearchOptions = {},
): Promise<(Static<Type.TObject<P>> & { id: number })[]> {
  const names = await odoo.names(type.model, type.fields)
  const asked = type.fields.flatMap((field) => names[field] ?? [])
  const { context, ...rest } = options
  const answer = await odoo.ask(type.model, 'search_read', {
    args: { domain, fields: asked, ...rest },
    ...(context === undefined ? {} : { context }),
  })
  const read = Array.isArray(answer) ? (answer as Record<string, unknown>[]) : []
  if (!Array.isArray(answer))
    throw new HubError('vendor_response_invalid', `${type.model} was not answered with a list`)
  return type.check(read.map((row) => translate(row, type.fields, names)))
}

function translate(
  row: Record<string, unknown>,
  fields: readonly string[],
  names: Readonly<Record<string, string | null>>,
): Record<string, unknown> {
  const known = fields.flatMap((field): [string, unknown][] => {
    const name = names[field]
    return name === null || name === undefined ? [] : [[field, row[name]]]
  })
  return { id: row['id'], ...Object.fromEntries(known) }
}

export async function readByIds<P extends TProperties>(
  odoo: Odoo,
  type: RowType<P>,
  ids: readonly number[],
): Promise<(Static<Type.TObject<P>> & { id: number })[]> {
  return ids.length === 0 ? [] : await search(odoo, type, [['id', 'in', ids]], { context: { active_test: false } })
}

export async function readOne<P extends TProperties>(
  odoo: Odoo,
  type: RowType<P>,
  id: number,
): Promise<Static<Type.TObject<P>> & { id: number }> {
  const [row] = await readByIds(odoo, type, [id])
  if (row === undefined) throw new HubError('vendor_not_found', `${type.model} ${id} is not there or not to be seen`)
  return row
}

// ── external ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const NAME_MAX = 100

/** Pure: the second part of an external id. No dots and no blanks; what had to be changed keeps its identity by a hash. */
export function externalName(key: string): string {
  const plain = key.replace(/[^A-Za-z0-9_-]/g, '_')
  if (plain === key && key.length <= NAME_MAX) return plain
  return `${plain.slice(0, NAME_MAX)}_${createHash('sha256').update(key).digest('hex').slice(0, 12)}`
}

export const externalId = (odoo: Pick<Odoo, 'settings'>, key: string): string =>
  `${moduleOf(odoo.settings)}.${externalName(key)}`

const DATA = rows('ir.model.data', { name: Type.String(), model: Type.String(), res_id: Type.Integer() })
const readReference = checker(
  Type.Unsafe<[string, number | false]>({
    type: 'array',
    prefixItems: [{ type: 'string' }, { anyOf: [{ type: 'integer' }, { const: false }] }],
    items: false,
    minItems: 2,
  }),
  'vendor_response_invalid',
)

/** Id of our record of that key, or null. A user who may not read the table of external ids is answered one by one. */
export async function findOurs(odoo: Odoo, model: string, key: string): Promise<number | null> {
  return (await findAllOurs(odoo, model, [key])).get(key) ?? null
}

export async function findAllOurs(odoo: Odoo, model: string, keys: readonly string[]): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  if (keys.length === 0) return found
  if (!(await odoo.may('ir.model.data', 'read'))) {
    for (const key of keys) {
      const id = await askReference(odoo, model, key)
      if (id !== null) found.set(key, id)
    }
    return found
  }
  const names = new Map(keys.map((key) => [externalName(key), key]))
  const domain = [['module', '=', moduleOf(odoo.settings)], ['name', 'in', [...names.keys()]]] // prettier-ignore
  const links = (await search(odoo, DATA, domain)).filter((link) => link.model === model)
  const alive = new Set(await existing(odoo, model, links.map(({ res_id }) => res_id))) // prettier-ignore
  for (const { name, res_id } of links) {
    const key = names.get(name)
    if (key !== undefined && alive.has(res_id)) found.set(key, res_id)
  }
  return found
}

const readIds = checker(Ids, 'vendor_response_invalid')

/** A deleted record leaves its external id behind for a while. */
async function existing(odoo: Odoo, model: string, ids: readonly number[]): Promise<number[]> {
  if (ids.length === 0) return []
  const answer = await odoo.ask(model, 'search', {
    args: { domain: [['id', 'in', ids]] },
    context: { active_test: false },
  })
  return readIds(answer)
}

async function askReference(odoo: Odoo, model: string, key: string): Promise<number | null> {
  const args = { module: moduleOf(odoo.settings), xml_id: externalName(key) }
  try {
    const answer = await odoo.ask('ir.model.data', 'check_object_reference', { args, context: { active_test: false } })
    const [found, id] = readReference(answer)
    return found === model && id !== false ? id : null
  } catch (thrown) {
    if (thrown instanceof HubError && thrown.code === 'vendor_not_found') return null
    throw thrown
  }
}

const readExternalIds = checker(Type.Record(Type.String(), Type.String()), 'vendor_response_invalid')

/** The external ids of records, ours or others', by the records' ids. */
export async function externalIdsOf(odoo: Odoo, model: string, ids: readonly number[]): Promise<Map<number, string>> {
  if (ids.length === 0) return new Map()
  const answer = readExternalIds(await odoo.ask(model, 'get_external_id', { ids }))
  return new Map(Object.entries(answer).map(([id, name]) => [Number(id), name]))
}

// ── writing by external id ────────────────────────────────────────────────────────────────────────────────────────────────

/** Column of `load` (`order_line/product_id/.id`) → text. */
export type Cells = Readonly<Record<string, string>>

const readLoaded = checker(
  Type.Object(
    {
      ids: Type.Union([Ids, Type.Literal(false)]),
      messages: Type.Array(
        Type.Object({ type: Type.String(), message: Type.Optional(Type.String()) }, { additionalProperties: true }),
      ),
    },
    { additionalProperties: true },
  ),
  'vendor_response_invalid',
)

/**
 * Creates or changes one record with its lines by their external ids, in one transaction: the same again changes nothing, and of two at
 * once one is turned down by the table of external ids. Refusals come with HTTP 200 and are in `messages`.
 */
export async function load(odoo: Odoo, model: string, head: Cells, lines: readonly Cells[] = []): Promise<void> {
  const lineFields = [...new Set(lines.flatMap((line) => Object.keys(line)))]
  const headFields = Object.keys(head)
  const data = (lines.length === 0 ? [{}] : lines).map((line: Cells, index) => [
    ...headFields.map((field) => (index === 0 ? head[field] : '')),
    ...lineFields.map((field) => line[field] ?? ''),
  ])
  await loadRows(odoo, model, [...headFields, ...lineFields], data)
}

/** Several records without lines. */
export async function loadAll(odoo: Odoo, model: string, records: readonly Cells[]): Promise<void> {
  const fields = [...new Set(records.flatMap((record) => Object.keys(record)))]
  await loadRows(odoo, model, fields, records.map((record) => fields.map((field) => record[field] ?? ''))) // prettier-ignore
}

async function loadRows(odoo: Odoo, model: string, fields: string[], data: unknown[][]): Promise<void> {
  const { ids, messages } = readLoaded(await odoo.tell(model, 'load', { args: { fields, data } }))
  const errors = messages.filter(({ type }) => type === 'error')
  if (ids !== false && errors.length === 0) return
  const [cause] = errors.flatMap(({ message }) => (message === undefined ? [] : (causeOf(message) ?? [])))
  throw new HubError(
    'vendor_rejected',
    `${model} was not taken: ${cause ?? "Odoo's import says why when it is tried by hand"}`,
  )
}
