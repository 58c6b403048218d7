import type { Interchange } from './envelope.ts'
import { fatal, FAULTS, type Fault } from './faults.ts'
import type { Segment } from './segments.ts'
import type { OutSet } from './write.ts'

/** How one received set, group or interchange came off: what was wrong with it, and what of that is allowed the partner. */
export interface SetReport {
  id: string
  control: string
  faults: readonly Fault[]
}
export interface GroupReport {
  functional: string
  control: string
  /** GE01, for AK902. */
  claimed: string | null
  faults: readonly Fault[]
  sets: readonly SetReport[]
}

const MANY = 5
const codesOf = (faults: readonly Fault[], level: 'group' | 'set'): string[] =>
  [...new Set(faults.filter(({ name }) => FAULTS[name].level === level).map(({ name }) => FAULTS[name].code))].slice(
    0,
    MANY,
  )

/** A set is refused for a fault of its own or of its group that is not allowed. */
export const isRefused = (set: SetReport, group: GroupReport, tolerances: readonly string[]): boolean =>
  fatal(group.faults, tolerances).length > 0 || fatal(set.faults, tolerances).length > 0

/** A group whose own name or number cannot be read cannot be answered by a 997; its interchange is. */
export const isAnswerable = ({ functional, control }: GroupReport): boolean =>
  /^[A-Z]{2}$/.test(functional) && /^\d{1,9}$/.test(control)

/**
 * 997 functional acknowledgement of one group: a word on every set, with the places of what was wrong. The values that stood there are not
 * repeated, for they may be personal.
 */
export function functionalAcknowledgement(group: GroupReport, tolerances: readonly string[]): OutSet {
  const refused = group.sets.filter((set) => isRefused(set, group, tolerances)).length
  const accepted = group.sets.length - refused
  const noted = group.faults.length > 0 || group.sets.some(({ faults }) => faults.length > 0)
  const status = accepted === 0 ? 'R' : refused > 0 ? 'P' : noted ? 'E' : 'A'
  const claimed = /^\d{1,6}$/.test(group.claimed?.trim() ?? '')
    ? (group.claimed?.trim() ?? '0')
    : String(group.sets.length)
  const segments: Segment[] = [
    ['AK1', group.functional, String(Number(group.control))],
    ...group.sets.flatMap((set) => setSegments(set, isRefused(set, group, tolerances))),
    ['AK9', status, claimed, String(group.sets.length), String(accepted), ...codesOf(group.faults, 'group')],
  ]
  return { id: '997', segments }
}

function setSegments(set: SetReport, refused: boolean): Segment[] {
  const notes = set.faults.flatMap(({ at }): Segment[] => {
    if (at === undefined) return []
    const ak3 = ['AK3', /^[A-Z0-9]{2,3}$/.test(at.segment) ? at.segment : 'ZZ', String(at.position), '', at.code]
    if (at.element === undefined) return [ak3]
    return [ak3, ['AK4', String(at.element.position), at.element.number ?? '', at.element.code]]
  })
  const status = refused ? 'R' : set.faults.length > 0 ? 'E' : 'A'
  // What cannot be repeated, because it is no name at all, is answered by its place.
  const id = /^[A-Z0-9]{3}$/.test(set.id) ? set.id : '000'
  const control = /^[A-Za-z0-9]{1,9}$/.test(set.control) ? set.control : '0'
  return [['AK2', id, control], ...notes, ['AK5', status, ...codesOf(set.faults, 'set')]]
}

/** TA1: whether the envelope could be read. Of several faults it has room for one, and names the first that stops. */
export function interchangeAcknowledgement(
  { head, faults }: { head: Interchange['head']; faults: readonly Fault[] },
  tolerances: readonly string[],
  repeated: 'new' | 'same' | 'other',
): Segment | null {
  if (!/^\d{9}$/.test(head.control)) return null
  const [stop] = fatal(faults, tolerances)
  const [first] = faults
  const code = stop === undefined ? (first === undefined ? '000' : FAULTS[first.name].code) : FAULTS[stop.name].code
  const [status, note] =
    repeated === 'other' ? ['R', '025'] : stop !== undefined ? ['R', code] : [first === undefined ? 'A' : 'E', code]
  const digits = (text: string, count: number): string =>
    (/^\d+$/.test(text) ? text.slice(0, count) : '').padEnd(count, '0')
  return ['TA1', head.control, digits(head.date, 6), digits(head.time, 4), status, note]
}
