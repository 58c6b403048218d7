import type { HeadFault } from './delimiters.ts'

/**
 * Everything that can be wrong with an interchange, as values: what it is called, what the acknowledgement says of it, and whether a
 * partner can be allowed it. Codes: TA105 (element I18), AK905 (716), AK502 (718), AK304 (720), AK403 (723).
 */
interface FaultKind {
  level: 'interchange' | 'group' | 'set'
  /** TA105, AK905 or AK502. */
  code: string
  /** May be let pass by a partner's `tolerances`, under this name. */
  tolerable: boolean
}

const kind = (level: FaultKind['level'], code: string, tolerable: boolean): FaultKind => ({ level, code, tolerable })

export const FAULTS = {
  isa_unreadable: kind('interchange', '022', false),
  isa_width: kind('interchange', '022', true),
  isa_component: kind('interchange', '027', true),
  terminator: kind('interchange', '004', true),
  isa_date: kind('interchange', '014', true),
  isa_time: kind('interchange', '015', true),
  isa_version: kind('interchange', '017', true),
  isa_control: kind('interchange', '018', false),
  isa_usage: kind('interchange', '020', false),
  isa_repeated: kind('interchange', '025', false),
  sender: kind('interchange', '006', false),
  receiver: kind('interchange', '008', false),
  iea_missing: kind('interchange', '023', false),
  iea_control: kind('interchange', '001', true),
  iea_count: kind('interchange', '021', true),
  content: kind('interchange', '024', false),
  gs_invalid: kind('group', '6', false),
  ge_missing: kind('group', '3', false),
  ge_control: kind('group', '4', true),
  ge_count: kind('group', '5', true),
  st_invalid: kind('set', '7', false),
  st_repeated: kind('set', '23', false),
  se_missing: kind('set', '2', false),
  se_control: kind('set', '3', true),
  se_count: kind('set', '4', true),
  unsupported_set: kind('set', '1', false),
  too_large: kind('set', '5', false),
  unknown_segments: kind('set', '5', true),
  segment_order: kind('set', '5', true),
  segment_repeats: kind('set', '5', true),
  segment_missing: kind('set', '5', false),
  element_invalid: kind('set', '5', false),
  element_extra: kind('set', '5', true),
  totals: kind('set', '5', true),
} as const satisfies Readonly<Record<string, FaultKind>> & Readonly<Record<HeadFault, FaultKind>>
export type FaultName = keyof typeof FAULTS

/** What a partner may be allowed (`tolerances` in the settings). An envelope that is missing altogether has no faults to name. */
export const TOLERANCES = [
  'no_envelope',
  ...(Object.keys(FAULTS) as FaultName[]).filter((name) => FAULTS[name].tolerable),
] as ['no_envelope', ...FaultName[]]
export type Tolerance = (typeof TOLERANCES)[number]

/** Where in a transaction set something is wrong, as AK3 and AK4 say it. */
export interface SegmentNote {
  segment: string
  /** Counted from ST, which is 1. */
  position: number
  /** AK304. */
  code: string
  element?: { position: number; number?: string; code: string; meaning?: string }
}

export interface Fault {
  name: FaultName
  /** A sentence without data of the document: names and positions only. */
  detail: string
  at?: SegmentNote
}

export const fault = (name: FaultName, detail: string, at?: SegmentNote): Fault => ({
  name,
  detail,
  ...(at === undefined ? {} : { at }),
})

/** Those that stop the document: everything that is not on the partner's list. */
export const fatal = (faults: readonly Fault[], tolerances: readonly string[]): Fault[] =>
  faults.filter(({ name }) => !(FAULTS[name].tolerable && tolerances.includes(name)))
