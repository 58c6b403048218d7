import { asHubError, HubError } from '../core/errors.ts'
import type { Fact } from '../core/model/fact.ts'
import { connectors } from '../connectors/index.ts'
import { documentsIn, type Found } from '../connectors/_kit/envelopes.ts'
import type { Connector, FileDefinition, ParsedFile } from '../connectors/_kit/define.ts'
import type { Mapped, Mapping } from '../mappings/define.ts'
import type { Input } from './input.ts'

/** The usual kinds; every other topic of a connector (`connectors/<vendor>/index.ts`, `inbound`) can be previewed as well. */
export const PREVIEW_KINDS = ['order', 'stock', 'shipment', 'settlement', 'refund'] as const

export interface Preview {
  connector: string
  kind: string
  facts: Fact[]
  warnings: string[]
}

export interface PreviewRequest {
  connector: string
  kind: string
  input: Input
  /** When the picture was taken; a payload that carries no time of its own is as old as this. */
  now: Date
  /** Settings of the connection whose payload it is, without its secrets. */
  settings: Readonly<Record<string, unknown>>
}

/**
 * Maps one vendor payload without storing anything: "will my payloads map?". Takes a single document, and what the vendor's API wraps
 * around it: a list, a batch, an object with one known key. Throws the coded cause with its JSON path, or `row n, column c` in a file.
 */
export function preview(request: PreviewRequest): Preview {
  const connector = connectorNamed(request.connector)
  const mapping = mappingFor(connector, request.kind)
  const { files } = connector
  const mapped = files === undefined ? mapDocuments(connector, mapping, request) : mapFile(files, mapping, request)
  return { connector: connector.id, kind: request.kind, ...mapped }
}

function connectorNamed(id: string): Connector {
  const connector = Object.hasOwn(connectors, id) ? connectors[id] : undefined
  if (connector !== undefined) return connector
  throw new HubError('not_found', `there is no connector "${id}"`, {
    hint: `known: ${Object.keys(connectors).join(', ')}`,
  })
}

function mappingFor(connector: Connector, kind: string): Mapping {
  const mapping = Object.hasOwn(connector.inbound, kind) ? connector.inbound[kind] : undefined
  if (mapping !== undefined) return mapping
  const hint = `it has: ${Object.keys(connector.inbound).join(', ')}`
  throw new HubError('unsupported', `${connector.id} takes in no "${kind}" payloads`, { hint })
}

/** Maps a document that has been parsed already, as `preview` would, without a connection's settings. */
export function mapPayload(connector: Connector, topic: string, payload: unknown, now: Date): Mapped {
  const context = { observed_at: now.toISOString(), settings: {} }
  const documents = documentsIn(payload, connector.envelopes?.[topic] ?? [])
  return joined(documents.map((found) => mapOne(mappingFor(connector, topic), found, context)))
}

// ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function mapDocuments(connector: Connector, mapping: Mapping, { kind, input, now, settings }: PreviewRequest): Mapped {
  const documents = documentsIn(parseJson(input.bytes), connector.envelopes?.[kind] ?? [])
  const context = { observed_at: now.toISOString(), settings }
  return joined(documents.map(({ path, payload }) => mapOne(mapping, { path, payload }, context)))
}

/** ISO 4217 for "no currency involved". */
const NO_CURRENCY = 'XXX'
const CURRENCY_WARNING = `names no currency, so ${NO_CURRENCY} with two decimals stands in; in earnest the connection's setting decides (--connection)`

/**
 * Some documents leave the currency to the shop's settings. A preview without a connection has none, and for everything but the
 * currency it can still tell whether the document maps.
 */
function mapOne(mapping: Mapping, { path, payload }: Found, context: Parameters<Mapping['map']>[1]): Mapped {
  const first = attempt(mapping, payload, context)
  if (!(first instanceof HubError)) return placed(first, path)
  const isUnset = context.settings['currency'] === undefined
  const second = isUnset
    ? attempt(mapping, payload, { ...context, settings: { ...context.settings, currency: NO_CURRENCY } })
    : first
  if (second instanceof HubError) throw placedError(first, path)
  return placed({ facts: second.facts, warnings: [...second.warnings, CURRENCY_WARNING] }, path)
}

function attempt(mapping: Mapping, payload: unknown, context: Parameters<Mapping['map']>[1]): Mapped | HubError {
  try {
    return mapping.map(payload, context)
  } catch (thrown) {
    if (thrown instanceof HubError) return thrown
    return new HubError('mapping_broken', 'the mapping failed on this payload', { path: '$', cause: thrown })
  }
}

const placed = ({ facts, warnings }: Mapped, path: string): Mapped => ({
  facts,
  warnings: path === '$' ? warnings : warnings.map((warning) => `${path}: ${warning}`),
})

/** The mapping saw one document only: its path is moved to where that document stands in the whole. */
function placedError(error: HubError, path: string): HubError {
  const inside = error.path ?? '$'
  if (path === '$' || !inside.startsWith('$')) return error
  const whole = `${path}${inside.slice(1)}`
  const message = error.message.startsWith(inside) ? `${whole}${error.message.slice(inside.length)}` : error.message
  return new HubError(error.code, message, {
    path: whole,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  })
}

const joined = (mapped: readonly Mapped[]): Mapped => ({
  facts: mapped.flatMap(({ facts }) => facts),
  warnings: mapped.length === 0 ? ['the list is empty'] : mapped.flatMap(({ warnings }) => warnings),
})

function parseJson(bytes: Buffer): unknown {
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '')
  if (text.trim() === '') throw new HubError('payload_invalid', 'the payload is empty', { path: '$' })
  try {
    return JSON.parse(text)
  } catch {
    // JSON.parse quotes the text around the fault, which may be personal.
    throw new HubError('payload_invalid', 'the payload is not valid JSON', { path: '$' })
  }
}

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A row that cannot be read spoils only itself, as in earnest; a file of which nothing can be read is refused with its first cause. */
function mapFile(
  files: FileDefinition<unknown>,
  mapping: Mapping,
  { kind, input, now, settings }: PreviewRequest,
): Mapped {
  const type = files.types?.[kind]
  if (type === undefined) throw new HubError('unsupported', `no file of this connector carries "${kind}"`)
  const file = files.parse({ name: input.name, bytes: input.bytes, modified_at_ms: now.getTime(), type }, settings)
  return mapRows(file, () => mapping, settings)
}

function mapRows(
  file: ParsedFile,
  mappingOf: (topic: string) => Mapping,
  settings: Readonly<Record<string, unknown>>,
): Mapped {
  const faults: HubError[] = []
  const mapped = file.rows.map(({ row, topic, payload, fault }): Mapped => {
    const result =
      fault === undefined
        ? attempt(mappingOf(topic), payload, { observed_at: file.as_of, settings })
        : new HubError(fault.code, fault.message, { path: fault.path })
    if (!(result instanceof HubError)) return placed(result, `row ${row}`)
    faults.push(result)
    return { facts: [], warnings: [rowText(row, result)] }
  })
  const [first] = faults
  if (first !== undefined && faults.length === file.rows.length) throw first
  return file.rows.length === 0 ? { facts: [], warnings: ['the file has no rows'] } : joined(mapped)
}

const rowText = (row: number, { message }: HubError): string =>
  message.startsWith('row ') ? message : `row ${row}: ${message}`

/** Maps a file of which only its content says what it is: every row by its own topic. Faults as in `preview`. */
export function mapFileBytes(files: FileDefinition<unknown>, connector: Connector, input: Input, now: Date): Mapped {
  const types = [undefined, ...Object.values(files.types ?? {})]
  let refusal: HubError | undefined
  for (const type of types) {
    try {
      const file = files.parse(
        {
          name: input.name,
          bytes: input.bytes,
          modified_at_ms: now.getTime(),
          ...(type === undefined ? {} : { type }),
        },
        {},
      )
      // Whose file it is is not known here, so what its connection would add to it stands in.
      return mapRows(file, (topic) => mappingFor(connector, topic), { currency: NO_CURRENCY })
    } catch (thrown) {
      refusal ??= asHubError(thrown)
    }
  }
  throw refusal ?? new HubError('unsupported', `${connector.id} reads no such file`)
}

/** Every refusal of a preview says where: the whole document, when nothing finer is known. */
export function withPath(thrown: unknown): HubError {
  const error = asHubError(thrown)
  if (error.path !== undefined) return error
  const hint = error.hint === undefined ? {} : { hint: error.hint }
  return new HubError(error.code, error.message, { path: '$', ...hint, cause: error.cause })
}
