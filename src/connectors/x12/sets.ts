import { createHash } from 'node:crypto'
import type { ErrorCode } from '../../core/errors.ts'
import type { Delimiters } from '../../mappings/x12/delimiters.ts'
import type { Group, Interchange, SetSpan } from '../../mappings/x12/envelope.ts'
import { fault, FAULTS, type Fault } from '../../mappings/x12/faults.ts'
import { elementsOf, spansOf, type Segment, type Span } from '../../mappings/x12/segments.ts'
import { forbiddenIn, readSet, type Node } from '../../mappings/x12/structure.ts'
import { checkTotals } from '../../mappings/x12/totals.ts'
import type { SetPayload } from '../../mappings/x12/values.ts'
import type { FileRow } from '../_kit/define.ts'

/** Which entry of `inbound` maps which set. */
export const TOPICS: Readonly<Record<string, string>> = {
  '945': 'shipment', '944': 'receipt', '947': 'adjustment', '846': 'stock', '850': 'order', '860': 'order_change',
  '997': 'acknowledgement', '999': 'acknowledgement',
} // prettier-ignore
export const TA1_TOPIC = 'interchange_acknowledgement'
export const FILE_TYPE = 'x12'
/** What cannot even be called a set. Nothing maps it: it is kept for a person. */
const UNREADABLE = 'unreadable'

/** A set that is larger is no message but a mistake; it is kept in the file, and its beginning in the inbox. */
const SET_BYTES_MAX = 16 * 1024 * 1024
const SET_SEGMENTS_MAX = 200_000
const KEPT_CHARS_MAX = 64 * 1024

export interface FileNote {
  name: string
  bytes: Buffer
  modified_at_ms: number
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')

export interface CheckedSet {
  span: SetSpan
  faults: Fault[]
  root: Node | undefined
}

/** The set's own syntax and totals. Its structure is looked at once here and again when it is mapped, so that a file is never in memory twice. */
export function checkSet(text: string, span: SetSpan, delimiters: Delimiters): CheckedSet {
  if (!Object.hasOwn(TOPICS, span.id))
    return {
      span,
      root: undefined,
      faults: [...span.faults, fault('unsupported_set', `nothing takes in a set ${span.id.slice(0, 3)}`)],
    }
  if (span.end - span.start > SET_BYTES_MAX || span.segments > SET_SEGMENTS_MAX)
    return {
      span,
      root: undefined,
      faults: [...span.faults, fault('too_large', `the set has ${span.segments} segments`)],
    }
  const forbidden = forbiddenIn(text.slice(span.start, span.end), delimiters)
  const reading = readSet(span.id, segmentsIn(text, span, delimiters), forbidden)
  const faults = reading === undefined ? [] : [...reading.faults, ...checkTotals(span.id, reading.root)]
  return { span, root: reading?.root, faults: [...span.faults, ...faults] }
}

function* segmentsIn(text: string, span: Span, delimiters: Delimiters): Generator<Segment> {
  for (const one_ of spansOf(text, span, delimiters)) yield elementsOf(text, one_, delimiters)
}

export interface RowParts {
  interchange: Interchange
  group: Group
  key: string
  cause: Fault | undefined
}

const CODES: Partial<Readonly<Record<Fault['name'], ErrorCode>>> = {
  totals: 'control_total_mismatch',
  se_count: 'control_total_mismatch',
  ge_count: 'control_total_mismatch',
  iea_count: 'control_total_mismatch',
  unsupported_set: 'unsupported',
  element_invalid: 'payload_invalid',
  segment_missing: 'payload_invalid',
  unknown_segments: 'payload_invalid',
  segment_order: 'payload_invalid',
  segment_repeats: 'payload_invalid',
  element_extra: 'payload_invalid',
}

const codeOf = ({ name }: Fault): ErrorCode => CODES[name] ?? 'file_invalid'

export function rowOf(text: string, span: SetSpan, { interchange, group, key, cause }: RowParts): FileRow {
  const { head, delimiters } = interchange
  const whole = text.slice(span.start, span.end)
  const cut = cause !== undefined && whole.length > SET_BYTES_MAX
  const payload: SetPayload = {
    set: span.id,
    text: cut ? whole.slice(0, KEPT_CHARS_MAX) : whole,
    delimiters,
    interchange: { control: head.control, usage: head.usage },
    group: { control: group.head.control, date: group.head.date, time: group.head.time, version: group.head.version },
  }
  const topic = TOPICS[span.id] ?? UNREADABLE
  const name = `${key}/${group.head.control}/${span.control}`
  if (cause === undefined) return { row: 0, topic, dedupe_key: `x12:${name}`.slice(0, 400), payload }
  return { row: 0, topic, dedupe_key: `fault:${hashOf(`${name}\n${whole}`)}`, payload, fault: rowFault(cause) }
}

function rowFault(cause: Fault): NonNullable<FileRow['fault']> {
  const { level, code } = FAULTS[cause.name]
  const place = cause.at === undefined ? level : `${cause.at.segment} at position ${cause.at.position}`
  const words = { interchange: 'TA1', group: 'AK9', set: 'AK5' }[level]
  return { code: codeOf(cause), message: `${cause.detail} (${words} ${code})`, path: place }
}

export function ta1Row(
  { head, delimiters: _delimiters }: Interchange,
  { elements }: Interchange['acknowledgements'][number],
  key: string,
  stop: Fault | undefined,
): FileRow {
  const payload = { elements, date: head.date, time: head.time }
  const row = { row: 0, topic: TA1_TOPIC, dedupe_key: `x12:${key}/TA1/${elements[1] ?? ''}`.slice(0, 400), payload }
  return stop === undefined ? row : { ...row, dedupe_key: `fault:${row.dedupe_key}`, fault: rowFault(stop) }
}

/** Text that nothing could be made of, as it is, or its beginning. */
export function unreadable(text: string, { start, end }: Span, detail: string): FileRow {
  const whole = text.slice(start, end)
  const payload = { text: whole.slice(0, KEPT_CHARS_MAX), characters: whole.length }
  const dedupe_key = `fault:${hashOf(whole)}`
  return {
    row: 0,
    topic: UNREADABLE,
    dedupe_key,
    payload,
    fault: { code: 'file_invalid', message: detail, path: `character ${start + 1}` },
  }
}
