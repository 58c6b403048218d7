import type { Delimiters } from './delimiters.ts'
import { ELEMENTS_MAX, SEGMENTS, type Element } from './elements.ts'
import { isDate, isTime } from './envelope.ts'
import { fault, type Fault } from './faults.ts'
import type { Segment } from './segments.ts'
import { grammarOf, isKnownSegment, type Part } from './sets.ts'

/** A segment of a set, with the segments that belong to it: a loop hangs on its first one. */
export interface Node {
  id: string
  elements: Segment
  /** Counted from ST, which is 1. */
  position: number
  children: Node[]
}

export interface Reading {
  root: Node
  faults: Fault[]
}

/** More faults of one set than this are not collected; an acknowledgement with thousands of notes helps nobody. */
const FAULTS_MAX = 100

interface Frame {
  part: Part
  parts: readonly Part[]
  /** Where in `parts` the reading stands: what comes before it is over. */
  at: number
  counts: number[]
  node: Node
}

/**
 * Puts the segments of a set into its structure and checks them one by one against the tables. What has no place is reported and left
 * out; what stands at the wrong place of its loop is reported and kept. Undefined for a set that nothing is known of. `forbidden` is what
 * no element may hold, or `none` where the text was looked through and has none of it.
 */
export function readSet(id: string, segments: Iterable<Segment>, forbidden: Forbidden): Reading | undefined {
  const parts = grammarOf(id)
  if (parts === undefined) return undefined
  const root: Node = { id, elements: [], position: 0, children: [] }
  const faults: Fault[] = []
  const note = (one: Fault): void => void (faults.length < FAULTS_MAX && faults.push(one))
  const stack: Frame[] = [frameOf({ id, mandatory: true, max: 1, loop: parts }, root)]
  let position = 0
  for (const elements of segments) {
    position += 1
    const node: Node = { id: elements[0] ?? '', elements, position, children: NONE }
    checkElements(node, forbidden, note)
    place(stack, node, note)
  }
  while (stack.length > 0) close(stack, position + 1, note)
  return { root, faults }
}

/** Of the many segments that nothing hangs on. */
const NONE: Node[] = []

export type Forbidden = { component: string } | 'none'

/** Whether a text of a set may have characters in its elements that no element may have. */
export function forbiddenIn(text: string, { component, element, segment }: Delimiters): Forbidden {
  if (text.includes(component)) return { component }
  for (const [char] of text.matchAll(/\p{Cc}/gu))
    if (char !== element && char !== segment && char !== '\n' && char !== '\r') return { component }
  return 'none'
}

const frameOf = (part: Part, node: Node): Frame => {
  const parts = part.loop ?? []
  node.children = []
  return { part, parts, at: 0, counts: parts.map(() => 0), node }
}

type Note = (fault: Fault) => void

function place(stack: Frame[], node: Node, note: Note): void {
  const ahead = find(stack, node.id, ({ at }) => at)
  const found = ahead ?? find(stack, node.id, () => 0)
  if (found === undefined) {
    const code = !isKnownSegment(node.id) ? '1' : grammarHas(stack, node.id) ? '2' : '6'
    const detail = `${node.id.slice(0, 3)} at position ${node.position} has no place here`
    return note(fault('unknown_segments', detail, { segment: node.id.slice(0, 3), position: node.position, code }))
  }
  while (stack.length - 1 > found.level) close(stack, node.position, note)
  const frame = stack.at(-1)
  const part = frame?.parts[found.index]
  if (frame === undefined || part === undefined) return
  const at = { segment: node.id, position: node.position }
  if (ahead === undefined)
    note(fault('segment_order', `${node.id} at position ${node.position} comes too late`, { ...at, code: '7' }))
  else {
    missing(frame, { from: frame.at, to: found.index }, node.position, note)
    frame.at = found.index
  }
  const count = (frame.counts[found.index] ?? 0) + 1
  frame.counts[found.index] = count
  if (count === part.max + 1) {
    const detail = `${node.id} at position ${node.position} is there more often than ${part.max} times`
    note(fault('segment_repeats', detail, { ...at, code: part.loop === null ? '5' : '4' }))
  }
  frame.node.children.push(node)
  if (part.loop !== null) stack.push(frameOf(part, node))
}

/** The innermost place for a segment, looking from where each level stands. */
function find(
  stack: readonly Frame[],
  id: string,
  from: (frame: Frame) => number,
): { level: number; index: number } | undefined {
  for (let level = stack.length - 1; level >= 0; level -= 1) {
    const frame = stack[level]
    if (frame === undefined) return undefined
    for (let index = from(frame); index < frame.parts.length; index += 1)
      if (frame.parts[index]?.id === id) return { level, index }
  }
  return undefined
}

function grammarHas(stack: readonly Frame[], id: string): boolean {
  const has = (parts: readonly Part[]): boolean =>
    parts.some((part) => part.id === id || (part.loop !== null && has(part.loop)))
  return has(stack[0]?.parts ?? [])
}

function close(stack: Frame[], position: number, note: Note): void {
  const frame = stack.pop()
  if (frame !== undefined) missing(frame, { from: frame.at, to: frame.parts.length }, position, note)
}

function missing(frame: Frame, { from, to }: { from: number; to: number }, position: number, note: Note): void {
  for (let index = from; index < to; index += 1) {
    const part = frame.parts[index]
    if (part === undefined || !part.mandatory || (frame.counts[index] ?? 0) > 0) continue
    const detail = `${part.id} is missing before position ${position}`
    note(fault('segment_missing', detail, { segment: part.id, position, code: '3' }))
  }
}

// ── elements ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function checkElements({ id, elements, position }: Node, forbidden: Forbidden, note: Note): void {
  const known = SEGMENTS.get(id)
  const count = elements.length - 1
  const most = known?.length ?? ELEMENTS_MAX
  if (count > most && elements.slice(most + 1).some((text) => text !== '')) {
    const element = { position: most + 1, code: '3' }
    const detail = `${id} at position ${position} has more than ${most} elements`
    note(fault('element_extra', detail, { segment: id, position, code: '8', element }))
  }
  for (let index = 0; index < (known?.length ?? 0); index += 1) {
    const element = known?.[index]
    if (element === undefined) return
    const text = elements[index + 1] ?? ''
    const code = text === '' ? (element.mandatory ? '1' : undefined) : codeOf(element, text, forbidden)
    if (code === undefined) continue
    const place = { position: index + 1, code, meaning: element.name, ...numberOf(element) }
    const detail = `${id}${String(index + 1).padStart(2, '0')} (${element.name}) at position ${position} ${WORDS[code]}`
    note(fault('element_invalid', detail, { segment: id, position, code: '8', element: place }))
  }
}

const numberOf = ({ number }: Element): { number?: string } =>
  number === undefined || !/^\d+$/.test(number) ? {} : { number }

const WORDS: Readonly<Record<string, string>> = {
  '1': 'is missing',
  '4': 'is too short',
  '5': 'is too long',
  '6': 'has a character that it may not have',
  '8': 'is not a date',
  '9': 'is not a time',
}

const R = /^-?(\d+\.?\d*|\.\d+)$/
const N = /^-?\d+$/

/** AK403 for what is wrong with one element, or nothing. Signs and decimal points count for no length. */
function codeOf({ type, min, max }: Element, text: string, forbidden: Forbidden): string | undefined {
  if (type === '-') return undefined
  if (forbidden !== 'none' && (/\p{Cc}/u.test(text) || text.includes(forbidden.component))) return '6'
  switch (type) {
    case 'R':
      if (!R.test(text)) return '6'
      return lengthCode(text.replace(/[-.]/g, ''), min, max)
    case 'N0':
    case 'N2':
      return N.test(text) ? lengthCode(text.replace('-', ''), min, max) : '6'
    case 'DT':
      return isDate(text) && text.length >= 6 ? undefined : '8'
    case 'TM':
      return isTime(text) ? undefined : '9'
    default:
      return lengthCode(text.trimEnd(), min, max)
  }
}

const lengthCode = (text: string, min: number, max: number): string | undefined =>
  text.length < min ? '4' : text.length > max ? '5' : undefined

// ── reading what was put in order ─────────────────────────────────────────────────────────────────────────────────────────

export const all = (node: Node | undefined, id: string): Node[] =>
  (node?.children ?? []).filter((child) => child.id === id)
export const one = (node: Node | undefined, id: string): Node | undefined =>
  node?.children.find((child) => child.id === id)

/** All segments of a name below a node, however deep. */
export function deep(node: Node, id: string, found: Node[] = []): Node[] {
  for (const child of node.children) {
    if (child.id === id) found.push(child)
    if (child.children.length > 0) deep(child, id, found)
  }
  return found
}

/** An element's text without blanks around it; empty when it is not there. */
export const el = (node: Node | undefined, position: number): string => (node?.elements[position] ?? '').trim()
export const maybe = (node: Node | undefined, position: number): string | null => {
  const text = el(node, position)
  return text === '' ? null : text
}
