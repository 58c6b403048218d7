import { readFileSync } from 'node:fs'
import { HubError } from '../core/errors.ts'
import type { Fact } from '../core/model/fact.ts'
import { connectors } from '../connectors/index.ts'
import type { Connector } from '../connectors/_kit/define.ts'

export const PREVIEW_KINDS = ['order', 'stock', 'shipment', 'settlement', 'refund'] as const

export interface Preview {
  ok: true
  connector: string
  kind: string
  facts: Fact[]
  warnings: string[]
}

const PREVIEW_BYTES_MAX = 64 * 1024 * 1024

/** Maps one vendor payload without storing anything: "will my payloads map?". Throws the coded cause with its JSON path. */
export function preview(connectorId: string, kind: string, source: { name: string; bytes: Buffer; modified_at: Date }): Preview {
  const connector = connectorNamed(connectorId)
  const mapped =
    connector.files === undefined ? mapDocument(connector, kind, source) : mapFile(connector, connector.files, kind, source)
  return { ok: true, connector: connectorId, kind, ...mapped }
}

function connectorNamed(id: string): Connector {
  const connector = Object.hasOwn(connectors, id) ? connectors[id] : undefined
  if (connector === undefined) {
    throw new HubError('not_found', `there is no connector "${id}"`, { hint: `known connectors: ${Object.keys(connectors).join(', ')}` })
  }
  return connector
}

function mapDocument(connector: Connector, kind: string, source: { bytes: Buffer; modified_at: Date }) {
  const mapping = Object.hasOwn(connector.inbound, kind) ? connector.inbound[kind] : undefined
  if (mapping === undefined) {
    throw new HubError('unsupported', `${connector.id} has no "${kind}" payloads`, { hint: `it has: ${Object.keys(connector.inbound).join(', ')}` })
  }
  return mapping.map(parseJson(source.bytes), { observed_at: source.modified_at.toISOString(), settings: {} })
}

function mapFile(connector: Connector, files: NonNullable<Connector['files']>, kind: string, source: { name: string; bytes: Buffer; modified_at: Date }) {
  const file = files.parse({ name: source.name, bytes: source.bytes, modified_at_ms: source.modified_at.getTime() }, {})
  const facts: Fact[] = []
  const warnings: string[] = []
  for (const row of file.rows) {
    if (row.fault !== undefined) {
      warnings.push(`row ${row.row}: ${row.fault.message}`)
      continue
    }
    const mapped = connector.inbound[row.topic]?.map(row.payload, { observed_at: file.as_of, settings: {} })
    facts.push(...(mapped?.facts ?? []))
    warnings.push(...(mapped?.warnings ?? []))
  }
  if (facts.length === 0 && warnings.length > 0) {
    throw new HubError('file_invalid', warnings[0] ?? 'no row could be read', { hint: `this is not a ${kind} file of ${connector.id}` })
  }
  return { facts, warnings }
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''))
  } catch {
    // JSON.parse quotes the text around the fault, which may be personal.
    throw new HubError('payload_invalid', 'the payload is not valid JSON', { path: '$' })
  }
}

/** Reads a file, or stdin for `-`, with a cap. */
export function readInput(file: string, now: Date): { name: string; bytes: Buffer; modified_at: Date } {
  try {
    const bytes = readFileSync(file === '-' ? 0 : file)
    if (bytes.length > PREVIEW_BYTES_MAX) throw new HubError('bad_request', `${file} is larger than ${PREVIEW_BYTES_MAX} bytes`)
    return { name: file === '-' ? 'stdin' : (file.split(/[\\/]/).at(-1) ?? file), bytes, modified_at: now }
  } catch (thrown) {
    if (thrown instanceof HubError) throw thrown
    throw new HubError('bad_request', `cannot read ${file}`, { hint: 'name a file, or - for standard input' })
  }
}
