import { findHeads, readHead, type Delimiters } from './delimiters.ts'
import { fault, type Fault } from './faults.ts'
import { elementsOf, nameOf, spansOf, type Span } from './segments.ts'

/** ISA as the hub reads it. */
export interface InterchangeHead {
  sender: Party
  receiver: Party
  /** YYMMDD and HHMM as they stand. */
  date: string
  time: string
  version: string
  control: string
  wants_ta1: boolean
  usage: string
}

export interface Party {
  qualifier: string
  id: string
}

export interface GroupHead {
  functional: string
  sender: string
  receiver: string
  date: string
  time: string
  control: string
  version: string
}

/** One transaction set: where its text lies, from ST to SE. It is taken apart when it is looked into. */
export interface SetSpan extends Span {
  id: string
  control: string
  segments: number
  faults: Fault[]
}

export interface Group {
  head: GroupHead
  sets: SetSpan[]
  /** GE01, where there is a GE. */
  claimed: string | null
  faults: Fault[]
}

export interface Interchange extends Span {
  delimiters: Delimiters
  head: InterchangeHead
  groups: Group[]
  /** TA1 segments that it carries, as they stand. */
  acknowledgements: { elements: string[]; start: number; end: number }[]
  faults: Fault[]
}

/** What a file holds, in its order. `rubbish`: text outside of every interchange. */
export interface FileRead {
  interchanges: Interchange[]
  rubbish: (Span & { detail: string })[]
}

const trim = (text: string | undefined): string => (text ?? '').trim()

/** Finds every interchange of a text and checks what its own envelope says of it. Faults are values; nothing is thrown. */
export function readInterchanges(text: string): FileRead {
  const starts = findHeads(text)
  const read: FileRead = { interchanges: [], rubbish: [] }
  const first = starts[0] ?? text.length
  noteRubbish(read, text, { start: 0, end: first })
  for (const [index, start] of starts.entries()) {
    const end = starts[index + 1] ?? text.length
    const head = readHead(text, start)
    if (head === undefined) {
      read.rubbish.push({ start, end, detail: 'an ISA segment that cannot be read' })
      continue
    }
    const interchange: Interchange = {
      start,
      end,
      delimiters: head.delimiters,
      head: interchangeHead(head.elements),
      groups: [],
      acknowledgements: [],
      faults: head.faults.map(({ fault: name, detail }) => fault(name, detail)),
    }
    checkHead(interchange)
    const stop = interchange.faults.some(({ name }) => name === 'isa_unreadable')
      ? end
      : readBody(text, { start: head.end, end }, interchange)
    interchange.end = stop
    read.interchanges.push(interchange)
    noteRubbish(read, text, { start: stop, end })
  }
  return read
}

function noteRubbish(read: FileRead, text: string, { start, end }: Span): void {
  if (text.slice(start, end).trim() !== '') read.rubbish.push({ start, end, detail: 'text outside of an interchange' })
}

function interchangeHead(elements: readonly string[]): InterchangeHead {
  const at = (position: number): string => elements[position - 1] ?? ''
  return {
    sender: { qualifier: trim(at(5)), id: trim(at(6)) },
    receiver: { qualifier: trim(at(7)), id: trim(at(8)) },
    date: at(9),
    time: at(10),
    version: at(12),
    control: at(13),
    wants_ta1: at(14) !== '0' && at(14) !== '',
    usage: at(15),
  }
}

export const isDate = (text: string): boolean => {
  const [, century = '20', year, month, day] = /^(\d\d)?(\d\d)(\d\d)(\d\d)$/.exec(text) ?? []
  if (year === undefined) return false
  const date = new Date(`${century}${year}-${month}-${day}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.getUTCDate() === Number(day)
}

export const isTime = (text: string): boolean => /^([01]\d|2[0-3])[0-5]\d([0-5]\d(\d{1,2})?)?$/.test(text)

const VERSIONS = /^00[2-8]\d\d$/

function checkHead({ head, faults }: Interchange): void {
  if (!/^\d{6}$/.test(head.date) || !isDate(head.date)) faults.push(fault('isa_date', 'ISA09 is not a date'))
  if (!/^\d{4}$/.test(head.time) || !isTime(head.time)) faults.push(fault('isa_time', 'ISA10 is not a time'))
  if (!VERSIONS.test(head.version)) faults.push(fault('isa_version', 'ISA12 is not a version of the control segments'))
  if (!/^\d{9}$/.test(head.control)) faults.push(fault('isa_control', 'ISA13 is not a number of nine digits'))
  if (!/^[PTI]$/.test(head.usage)) faults.push(fault('isa_usage', 'ISA15 is neither P nor T'))
}

interface Open {
  group: Group | null
  set: SetSpan | null
  /** ST02 of the open group's sets. */
  controls: Set<string>
}

/** Returns where the interchange ends: behind IEA, or where its text ends. */
function readBody(text: string, span: Span, interchange: Interchange): number {
  const { delimiters, faults } = interchange
  const open: Open = { group: null, set: null, controls: new Set() }
  for (const one of spansOf(text, span, delimiters)) {
    const name = nameOf(text, one, delimiters)
    if (name === 'IEA') {
      closeGroup(open)
      readTrailer(elementsOf(text, one, delimiters), interchange)
      return one.open ? one.end : one.end + 1
    }
    const step = Object.hasOwn(STEPS, name) ? STEPS[name] : undefined
    if (step !== undefined && !(one.open && name !== 'SE')) step(open, interchange, { text, span: one })
    else inside(open, interchange, one)
  }
  closeGroup(open)
  faults.push(fault('iea_missing', 'the text ends before IEA: it was cut off'))
  return span.end
}

interface Found {
  text: string
  span: Span
}

type Step = (open: Open, interchange: Interchange, found: Found) => void

/** Segments of the envelope; every other one belongs to the open set. */
const STEPS: Readonly<Record<string, Step>> = {
  GS: (open, interchange, { text, span }) => {
    closeGroup(open)
    open.controls.clear()
    open.group = groupOf(elementsOf(text, span, interchange.delimiters))
    interchange.groups.push(open.group)
  },
  GE: (open, interchange, { text, span }) => {
    closeSet(open)
    if (open.group === null) return void interchange.faults.push(fault('content', 'a GE without its GS'))
    endGroup(open.group, elementsOf(text, span, interchange.delimiters))
    open.group = null
  },
  ST: (open, interchange, { text, span }) => {
    closeSet(open)
    if (open.group === null) return void interchange.faults.push(fault('content', 'an ST outside of a group'))
    const [, id = '', control = ''] = elementsOf(text, span, interchange.delimiters)
    const faults: Fault[] = []
    if (!/^[A-Z0-9]{3}$/.test(id) || control === '' || control.length > 9)
      faults.push(fault('st_invalid', 'ST01 or ST02 is missing or too long'))
    if (open.controls.has(control)) faults.push(fault('st_repeated', 'another set of the group has the same ST02'))
    open.controls.add(control)
    open.set = { id, control, start: span.start, end: span.end, segments: 1, faults }
    open.group.sets.push(open.set)
  },
  SE: (open, interchange, { text, span }) => {
    if (open.set === null) return void interchange.faults.push(fault('content', 'an SE without its ST'))
    const [, count = '', control = ''] = elementsOf(text, span, interchange.delimiters)
    open.set.end = span.end
    open.set.segments += 1
    if (!sameNumber(count, open.set.segments))
      open.set.faults.push(fault('se_count', `SE01 does not say the ${open.set.segments} segments that there are`))
    if (control.trim() !== open.set.control)
      open.set.faults.push(fault('se_control', 'SE02 is another number than ST02'))
    open.set = null
  },
  TA1: (open, interchange, { text, span }) => {
    if (open.group !== null) return inside(open, interchange, span)
    const { start, end } = span
    interchange.acknowledgements.push({ elements: elementsOf(text, span, interchange.delimiters), start, end })
  },
}

function inside(open: Open, { faults }: Interchange, { end }: Span): void {
  if (open.set === null) {
    if (!faults.some(({ name }) => name === 'content'))
      faults.push(fault('content', 'a segment outside of every transaction set'))
    return
  }
  open.set.end = end
  open.set.segments += 1
}

function groupOf(elements: readonly string[]): Group {
  const at = (position: number): string => trim(elements[position])
  const head: GroupHead = {
    functional: at(1),
    sender: at(2),
    receiver: at(3),
    date: at(4),
    time: at(5),
    control: at(6),
    version: at(8),
  }
  const sound = /^[A-Z]{2}$/.test(head.functional) && /^\d{1,9}$/.test(head.control) && /^\d{6}/.test(head.version)
  const faults = sound ? [] : [fault('gs_invalid', 'GS01, GS06 or GS08 is not what it has to be')]
  return { head, sets: [], claimed: null, faults }
}

function closeSet(open: Open): void {
  open.set?.faults.push(fault('se_missing', 'the set has no SE'))
  open.set = null
}

function closeGroup(open: Open): void {
  closeSet(open)
  open.group?.faults.push(fault('ge_missing', 'the group has no GE'))
  open.group = null
}

function endGroup(group: Group, [, count = '', control = '']: readonly string[]): void {
  group.claimed = count
  if (!sameNumber(count, group.sets.length))
    group.faults.push(fault('ge_count', `GE01 does not say the ${group.sets.length} sets that there are`))
  // Leading zeros come and go between GS06 and GE02 (X12 counts them as one number).
  if (!/^\d{1,9}$/.test(control.trim()) || Number(control) !== Number(group.head.control))
    group.faults.push(fault('ge_control', 'GE02 is another number than GS06'))
}

function readTrailer([, count = '', control = '']: readonly string[], { head, groups, faults }: Interchange): void {
  if (!sameNumber(count, groups.length))
    faults.push(fault('iea_count', `IEA01 does not say the ${groups.length} groups that there are`))
  if (control.trim() !== head.control) faults.push(fault('iea_control', 'IEA02 is another number than ISA13'))
}

const sameNumber = (text: string, count: number): boolean => /^\d{1,10}$/.test(text.trim()) && Number(text) === count
