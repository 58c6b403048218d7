import Type, { type TSchema } from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX } from '../../db/page.ts'

/** Building blocks of what the API takes and answers. Money is integer minor units, quantities integers, instants ISO text. */
export const text = Type.String()
export const flag = Type.Boolean()
export const count = Type.Integer()
export const uuid = Type.String({ format: 'uuid' })
export const instant = Type.String({ format: 'date-time' })
export const maybeText = Type.Unsafe<string | null>({ type: ['string', 'null'] })
export const maybeCount = Type.Unsafe<number | null>({ type: ['integer', 'null'] })
export const maybeInstant = Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'date-time' })
/** Ids, numbers and words of ours, as they are. */
export const anything = Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })
export const anyValue = Type.Unsafe<unknown>({})

/** A schema that keeps its name in the OpenAPI document. `R` is the row it describes. */
export interface Named<R> {
  schema: TSchema & { $id: string }
  ref: Type.TUnsafe<R>
  page: Type.TUnsafe<{ rows: R[]; next_cursor: string | null }>
}

/** Every field of `R` has to be described, or what is not would silently be left out of the answer. */
export function named<R extends object>(name: string, properties: { [K in keyof Required<R>]: TSchema }): Named<R> {
  const ref = { $ref: `${name}#` }
  return {
    schema: { ...Type.Object(properties), $id: name },
    ref: Type.Unsafe<R>(ref),
    page: Type.Unsafe<{ rows: R[]; next_cursor: string | null }>({
      type: 'object',
      required: ['rows', 'next_cursor'],
      properties: { rows: { type: 'array', items: ref }, next_cursor: { type: ['string', 'null'] } },
    }),
  }
}

export const listOf = (properties: Record<string, TSchema>) => Type.Array(Type.Object(properties))

const problem = { $ref: 'Problem#' }
/** Answers that every route may give. */
export const FAULTS = { '4xx': problem, '5xx': problem } as const

export const PROBLEM_SCHEMA = {
  $id: 'Problem',
  type: 'object',
  description: 'RFC 9457 problem details',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'Stable; decide by it and not by the texts.' },
    path: { type: 'string', description: 'Where the fault is.' },
    hint: { type: 'string', description: 'What can be done about it.' },
    request_id: { type: 'string' },
  },
}

const optionalText = Type.Optional(Type.String({ minLength: 1, maxLength: 200 }))

/** A query: the given filters, and the page. Anything else is refused, because a misspelt filter would answer with everything. */
export function listQuery<P extends Record<string, TSchema>>(filters: P) {
  return Type.Object(
    {
      ...filters,
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAX, description: `default ${PAGE_LIMIT_DEFAULT}` }),
      ),
      cursor: Type.Optional(Type.String({ maxLength: 2_000, description: 'next_cursor of the page before' })),
    },
    closed,
  )
}

export const filters = {
  text: optionalText,
  since: Type.Optional(Type.String({ format: 'date-time', description: 'at or after this instant' })),
  uuid: Type.Optional(uuid),
  words: <const W extends readonly [string, ...string[]]>(words: W) =>
    Type.Optional(Type.Unsafe<W[number]>({ type: 'string', enum: words })),
}

export const numberId = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) })
export const textId = Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) })
export const dryRun = Type.Optional(
  Type.Boolean({ default: false, description: 'count what would be done, do nothing' }),
)
export const DONE = Type.Object({ ok: Type.Literal(true) }, closed)
