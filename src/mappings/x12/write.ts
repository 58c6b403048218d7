import { HubError } from '../../core/errors.ts'
import type { Delimiters } from './delimiters.ts'
import { USUAL, type Profile } from './profile.ts'
import type { Segment } from './segments.ts'
import { readSet } from './structure.ts'
import { checkTotals } from './totals.ts'

/** A transaction set to be written: what stands between ST and SE. */
export interface OutSet {
  id: string
  segments: readonly Segment[]
  /** ST02; absent: its place in the group. */
  control?: string
}

/** Identities that every interchange of a partner carries. */
export type Sender = Profile & Required<Pick<Profile, 'us' | 'them'>>

export interface OutGroup {
  functional: string
  /** GS08; absent: the profile's. */
  version?: string
  sets: readonly OutSet[]
}

export interface OutInterchange {
  /** ISA13 and GS06 alike. */
  number: number
  /** ISO instant; the same message written again bears the same one. */
  at: string
  /** At most one group, because the group bears the interchange's number. */
  group: OutGroup | null
  /** TA1 segments that go before it. */
  acknowledgements?: readonly Segment[]
}

const dividersOf = ({ delimiters }: Profile): Delimiters & { repetition: string } => ({
  element: delimiters?.element ?? '*',
  component: delimiters?.component ?? '>',
  segment: delimiters?.segment ?? '~',
  repetition: delimiters?.repetition ?? '^',
})

/** ISA12 of a release: `004010VICS` is sent under the controls of 00401. */
const controlsOf = (version: string): string => `${version.slice(0, 5)}`

const CONTROL_MAX = 1_000_000_000

/** The text of one interchange. Throws `mapping_broken` for a document that our own tables refuse: nothing malformed leaves the house. */
export function writeInterchange(
  profile: Sender,
  { number, at, group, acknowledgements = [] }: OutInterchange,
): string {
  const dividers = dividersOf(profile)
  const version = group?.version ?? profile.version ?? USUAL.version
  const control = number % CONTROL_MAX
  const stamp = stampOf(at)
  const repetition = Number(controlsOf(version)) >= 402 ? dividers.repetition : 'U'
  const { us, them } = profile
  const isa = [
    'ISA', '00', ' '.repeat(10), '00', ' '.repeat(10), us.qualifier, us.id.padEnd(15), them.qualifier, them.id.padEnd(15), stamp.date.slice(2),
    stamp.time.slice(0, 4), repetition, controlsOf(version), String(control).padStart(9, '0'), '0', profile.usage ?? 'P', dividers.component,
  ] // prettier-ignore
  const body = group === null ? [] : groupSegments(profile, { group, version, control, stamp, dividers })
  const iea = ['IEA', group === null ? '0' : '1', String(control).padStart(9, '0')]
  const end = dividers.segment + (profile.line_breaks === true && !/[\r\n]/.test(dividers.segment) ? '\r\n' : '')
  const segments = [...acknowledgements, ...body, iea].map((segment) => joined(segment, dividers))
  return [isa.join(dividers.element), ...segments].map((segment) => `${segment}${end}`).join('')
}

interface GroupParts {
  group: OutGroup
  version: string
  control: number
  stamp: { date: string; time: string }
  dividers: Delimiters
}

function groupSegments(profile: Sender, { group, version, control, stamp, dividers }: GroupParts): Segment[] {
  const { us, them } = profile
  const gs = [
    'GS',
    group.functional,
    us.group ?? us.id,
    them.group ?? them.id,
    stamp.date,
    stamp.time,
    String(control),
    'X',
    version,
  ]
  const sets = group.sets.flatMap((set, index) => {
    const segments = setSegments(set, set.control ?? setControl(index + 1))
    proveSound(set.id, segments, dividers)
    return segments
  })
  return [gs, ...sets, ['GE', String(group.sets.length), String(control)]]
}

/** ST02 takes four to nine digits. */
export const setControl = (number: number): string => String(number % CONTROL_MAX).padStart(4, '0')

function setSegments({ id, segments }: OutSet, control: string): Segment[] {
  return [['ST', id, control], ...segments, ['SE', String(segments.length + 2), control]]
}

function proveSound(id: string, segments: readonly Segment[], { component }: Delimiters): void {
  const reading = readSet(id, segments, { component })
  const faults = reading === undefined ? undefined : [...reading.faults, ...checkTotals(id, reading.root)]
  if (faults?.length === 0) return
  throw new HubError(
    'mapping_broken',
    `the ${id} that was made is not sound: ${faults?.[0]?.detail ?? 'it is not known'}`,
  )
}

/** Empty elements at the end are left out, as X12 wants it. */
function joined(segment: Segment, dividers: Delimiters): string {
  const trimmed = segment.slice(0, segment.findLastIndex((element) => element !== '') + 1)
  const text = trimmed.join(dividers.element)
  const foreign = trimmed.some((element) =>
    [dividers.element, dividers.segment, '\r', '\n'].some((char) => element.includes(char)),
  )
  if (foreign) throw new HubError('mapping_broken', `an element of ${segment[0] ?? 'a segment'} holds a divider`)
  return text
}

/** CCYYMMDD and HHMMSS of an instant, in UTC: dates of the envelope say when, not where. */
export function stampOf(at: string): { date: string; time: string } {
  const plain = new Date(at).toISOString().replaceAll(/[-:]/g, '')
  return { date: plain.slice(0, 8), time: plain.slice(9, 15) }
}

// ── elements ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Letters that no decomposition takes apart. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss', ẞ: 'SS', ø: 'o', Ø: 'O', ł: 'l', Ł: 'L', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', đ: 'd', Đ: 'D', ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ı: 'i',
} // prettier-ignore

/** Words for people: without dividers and line breaks, in the agreed alphabet, cut to what fits. Empty where there are none. */
export function words(text: string | null | undefined, max: number, profile: Profile): string {
  if (text === null || text === undefined) return ''
  const { element, component, segment, repetition } = dividersOf(profile)
  const plain = profile.charset === 'utf8' ? text : ascii(text)
  const clean = [element, component, segment, repetition].reduce((all, divider) => all.replaceAll(divider, ' '), plain)
  return clean
    .replaceAll(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .slice(0, max)
    .trim()
}

const ascii = (text: string): string =>
  Array.from(text.normalize('NFKD'))
    .map((char) =>
      /\p{M}/u.test(char) ? '' : (LETTERS[char] ?? (/[\x20-\x7e]/.test(char) ? char : /\s/.test(char) ? ' ' : '?')),
    )
    .join('')

/** A name that has to arrive as it is; undefined where it cannot be written. */
export function name(text: string | null | undefined, max: number, profile: Profile): string | undefined {
  if (text === null || text === undefined || text === '') return undefined
  return words(text, Number.MAX_SAFE_INTEGER, profile) === text && text.length <= max ? text : undefined
}
