import { HubError } from '../core/errors.ts'

/** What every list takes: how many rows, and where the last page ended. */
export interface PageRequest {
  /** 1 to `PAGE_LIMIT_MAX`, default `PAGE_LIMIT_DEFAULT`. */
  limit?: number | undefined
  /** `next_cursor` of the page before. Opaque: its inside may change from version to version. */
  cursor?: string | undefined
}

export interface Page<Row> {
  rows: Row[]
  /** Null on the last page. */
  next_cursor: string | null
}

export const PAGE_LIMIT_MAX = 200
export const PAGE_LIMIT_DEFAULT = 50

/** The sort key of a list, column by column; a cursor holds one value for each. */
type KeyKind = 'integer' | 'text' | 'uuid' | 'instant'

const KEY_KINDS: Record<KeyKind, (value: unknown) => boolean> = {
  integer: (value) => Number.isSafeInteger(value),
  text: (value) => typeof value === 'string' && value.length <= 400,
  uuid: (value) => isUuid(value),
  // As PostgreSQL prints it: microseconds that a Date would cut off, so that no row falls between two pages.
  instant: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/.test(value),
}

export const isUuid = (value: unknown): value is string =>
  typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)

/** One condition of a WHERE clause; each `?` takes the next value. A filter whose first value is undefined is left out. */
export type Filter = readonly [sql: string, ...values: unknown[]]

export interface Keyset<Row> {
  kinds: readonly KeyKind[]
  /** Rows after the cursor, in the list's own order: `id < ?`. */
  after: string
  /** Order of the cursor's values within `after`, where a column is named twice. */
  places?: readonly number[]
  keyOf: (row: Row) => readonly (string | number)[]
}

export interface PageQuery {
  /** ` where … ` or nothing. */
  where: string
  params: unknown[]
  /** One more than asked for: the extra row says that there is another page. */
  fetch: number
}

/** Turns filters and a cursor into the end of a statement. Faults: `bad_request` for a limit or a cursor that is none of ours. */
export function pageQuery<Row>(request: PageRequest, keyset: Keyset<Row>, filters: readonly Filter[]): PageQuery {
  const cursor = request.cursor === undefined ? undefined : readCursor(request.cursor, keyset.kinds)
  const places = keyset.places ?? keyset.kinds.map((_, index) => index)
  const after: Filter[] = cursor === undefined ? [] : [[keyset.after, ...places.map((place) => cursor[place])]]
  const { sql, params } = whereClause([...filters, ...after])
  return { where: sql, params, fetch: limitOf(request) + 1 }
}

/** The page of a query that fetched one row too many. */
export function pageOf<Row extends object>(
  request: PageRequest,
  keyset: Keyset<Row>,
  fetched: readonly Row[],
): Page<Row> {
  const limit = limitOf(request)
  const rows = fetched.slice(0, limit)
  const last = rows.at(-1)
  const next_cursor = fetched.length > limit && last !== undefined ? writeCursor(keyset.keyOf(last)) : null
  return { rows: plainRows(rows), next_cursor }
}

/** ` where a = $1 and b = $2` of the filters that were given. */
export function whereClause(filters: readonly Filter[]): { sql: string; params: unknown[] } {
  const params: unknown[] = []
  const given = filters.filter(([, first], index) => first !== undefined || (filters[index]?.length ?? 0) === 1)
  const conditions = given.map(([sql, ...values]) => {
    let next = 0
    return sql.replaceAll('?', () => {
      params.push(values[next])
      next += 1
      return `$${params.length}`
    })
  })
  return { sql: conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`, params }
}

/** Rows as JSON would show them: every instant is ISO text, so that API and command line read the same document. */
export function plainRows<Row extends object>(rows: readonly object[]): Row[] {
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([key, value]) => [key, value instanceof Date ? value.toISOString() : value]),
    ),
  ) as Row[]
}

function limitOf(request: PageRequest): number {
  const limit = request.limit ?? PAGE_LIMIT_DEFAULT
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT_MAX) {
    throw new HubError('bad_request', `limit must be a whole number from 1 to ${PAGE_LIMIT_MAX}`, { path: 'limit' })
  }
  return limit
}

function writeCursor(key: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url')
}

function readCursor(cursor: string, kinds: readonly KeyKind[]): unknown[] {
  const key = parseJson(Buffer.from(cursor.slice(0, 2_000), 'base64url').toString('utf8'))
  const isOurs =
    Array.isArray(key) && key.length === kinds.length && kinds.every((kind, index) => KEY_KINDS[kind](key[index]))
  if (!isOurs) {
    throw new HubError('bad_request', 'the cursor is not one of this list', {
      path: 'cursor',
      hint: 'take next_cursor of the page before as it is, or leave it out to start at the beginning',
    })
  }
  return key
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
