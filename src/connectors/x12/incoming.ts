import { HubError } from '../../core/errors.ts'
import { readInterchanges, type FileRead, type Interchange } from '../../mappings/x12/envelope.ts'
import { fatal, fault, type Fault } from '../../mappings/x12/faults.ts'
import { isRefused, type GroupReport } from '../../mappings/x12/outAcknowledgements.ts'
import { USUAL, type Profile } from '../../mappings/x12/profile.ts'
import { el, one, type Node } from '../../mappings/x12/structure.ts'
import type { SetPayload } from '../../mappings/x12/values.ts'
import { decodeText } from '../_kit/csv.ts'
import type { FileRow, ParsedFile } from '../_kit/define.ts'
import { parseBare } from './bare.ts'
import { checkSet, FILE_TYPE, hashOf, rowOf, ta1Row, unreadable, type FileNote } from './sets.ts'

const SETS_MAX = 100_000

/** What came of each interchange, for the answers to it. */
export interface Report {
  key: string
  head: Interchange['head']
  faults: readonly Fault[]
  groups: readonly GroupReport[]
  /** A stranger's message, or one to somebody else: it is not answered. */
  foreign: boolean
}

export const reportsOf = ({ detail }: ParsedFile): readonly Report[] =>
  Array.isArray(detail) ? (detail as Report[]) : []

/**
 * Reads whatever a partner's file holds: any number of interchanges, groups and sets. What is sound becomes a row of the inbox for each set;
 * what is not becomes a row with its cause and the text that it was, and the rest goes on. Throws `file_invalid` for a file without a
 * single interchange.
 */
export function parseIncoming(file: FileNote, profile: Profile): ParsedFile {
  const text = decodeText(file.bytes)
  const read = readInterchanges(text)
  if (read.interchanges.length === 0) return parseBare(file, text, profile)
  const sets = read.interchanges.reduce(
    (sum, { groups }) => sum + groups.reduce((count, group) => count + group.sets.length, 0),
    0,
  )
  if (sets > SETS_MAX) throw new HubError('file_invalid', `the file has ${sets} sets, at most ${SETS_MAX} are read`)
  const rows: FileRow[] = []
  const found: Report[] = []
  const envelopes = new Map<string, string>()
  let counts: Counts = { full: false, partial: false }
  for (const interchange of withoutRepeats(text, read.interchanges)) {
    const { report, rows: own, counts: counted } = readOne(text, interchange, profile)
    found.push(report)
    counts = { full: counts.full || counted.full, partial: counts.partial || counted.partial }
    const stopped = report.foreign || fatal(report.faults, profile.tolerances ?? []).length > 0
    if (!stopped) envelopes.set(report.key, hashOf(text.slice(interchange.start, interchange.end)))
    for (const row of own) rows.push(stopped ? row : { ...row, envelope: report.key })
  }
  const rubbish = read.rubbish.map((span) => unreadable(text, span, span.detail))
  return finish({ rows: [...rows, ...rubbish], found, envelopes, counts, profile, as_of: asOf(read, file) })
}

/** The same interchange twice in one file is one; another one under the same number is refused. */
function withoutRepeats(text: string, interchanges: readonly Interchange[]): Interchange[] {
  const seen = new Map<string, string>()
  return interchanges.flatMap((interchange) => {
    const { head, start, end } = interchange
    const key = keyOf(head)
    const content = text.slice(start, end).trimEnd()
    const known = seen.get(key)
    if (known === undefined) {
      seen.set(key, content)
      return [interchange]
    }
    if (known === content) return []
    interchange.faults.unshift(fault('isa_repeated', 'another interchange of the file has the same ISA13'))
    return [interchange]
  })
}

const keyOf = ({ sender, control }: Interchange['head']): string => `${sender.qualifier}/${sender.id}/${control}`

interface Counts {
  full: boolean
  partial: boolean
}

interface Finished {
  rows: FileRow[]
  found: Report[]
  envelopes: ReadonlyMap<string, string>
  counts: Counts
  profile: Profile
  as_of: string
}

function finish({ rows, found, envelopes, counts, profile, as_of }: Finished): ParsedFile {
  const numbered = rows.map((row, index) => ({ ...row, row: index + 1 }))
  const full = counts.full && !counts.partial
  return {
    type: full ? 'x12_full_count' : FILE_TYPE,
    sequence: null,
    as_of,
    scope: full ? 'full' : 'partial',
    ...(full && profile.full_replaces === true ? { absent: 'zero' } : {}),
    rows: numbered,
    totals: { interchanges: found.length, rows: full ? countedLines(numbered) : numbered.length },
    envelopes: [...envelopes].map(([key, content]) => ({ key, content })),
    detail: found,
  }
}

/** Lines of the counts, by which a full file is measured against the last one. */
const countedLines = (rows: readonly FileRow[]): number =>
  rows.reduce(
    (sum, { payload }) =>
      sum + (isSet(payload) ? payload.text.split(`LIN${payload.delimiters.element}`).length - 1 : 0),
    0,
  )

const isSet = (payload: unknown): payload is SetPayload =>
  typeof payload === 'object' && payload !== null && 'text' in payload && 'delimiters' in payload

/** When the oldest interchange was made, as far as it says; the file's own time otherwise. */
function asOf({ interchanges }: FileRead, { modified_at_ms }: FileNote): string {
  const times = interchanges.flatMap(({ head: { date, time } }) => {
    const ms = Date.parse(
      `20${date.replace(/(\d\d)(\d\d)(\d\d)/, '$1-$2-$3')}T${time.replace(/(\d\d)(\d\d)/, '$1:$2')}:00Z`,
    )
    return Number.isNaN(ms) ? [] : [ms]
  })
  return new Date(times.length === 0 ? modified_at_ms : Math.min(...times)).toISOString()
}

// ── one interchange ───────────────────────────────────────────────────────────────────────────────────────────────────────

function readOne(
  text: string,
  interchange: Interchange,
  profile: Profile,
): { report: Report; rows: FileRow[]; counts: Counts } {
  const { head, delimiters } = interchange
  const strangers = whoFaults(head, profile)
  const faults = [...strangers, ...usageFaults(head, profile), ...interchange.faults]
  const tolerances = profile.tolerances ?? []
  const [stop] = fatal(faults, tolerances)
  const key = keyOf(head)
  const counts: Counts = { full: false, partial: false }
  const rows: FileRow[] = []
  const groups: GroupReport[] = []
  for (const group of interchange.groups) {
    const checked = group.sets.map((span) => checkSet(text, span, delimiters))
    const report: GroupReport = {
      functional: group.head.functional,
      control: group.head.control,
      claimed: group.claimed,
      faults: group.faults,
      sets: checked.map(({ span, faults: own }) => ({ id: span.id, control: span.control, faults: own })),
    }
    groups.push(report)
    for (const [index, { span, root }] of checked.entries()) {
      const set = report.sets[index]
      if (set === undefined) continue
      const cause =
        stop ??
        (isRefused(set, report, tolerances) ? fatal([...group.faults, ...set.faults], tolerances)[0] : undefined)
      rows.push(rowOf(text, span, { interchange, group, key, cause }))
      if (cause === undefined && span.id === '846') noteCount(root, profile, counts)
    }
  }
  rows.push(...interchange.acknowledgements.map((ta1) => ta1Row(interchange, ta1, key, stop)))
  if (rows.length === 0 && stop !== undefined) rows.push(unreadable(text, interchange, stop.detail))
  return { report: { key, head, faults, groups, foreign: strangers.length > 0 }, rows, counts }
}

const same = (a: { qualifier: string; id: string }, b: { qualifier: string; id: string }): boolean =>
  a.qualifier === b.qualifier && a.id.trim() === b.id.trim()

function whoFaults({ sender, receiver }: Interchange['head'], { us, them }: Profile): Fault[] {
  return [
    ...(them === undefined || same(sender, them)
      ? []
      : [fault('sender', 'ISA05 and ISA06 name another sender than this partner')]),
    ...(us === undefined || same(receiver, us)
      ? []
      : [fault('receiver', 'ISA07 and ISA08 name another receiver than us')]),
  ]
}

const usageFaults = ({ usage }: Interchange['head'], profile: Profile): Fault[] =>
  profile.usage === undefined || usage === profile.usage
    ? []
    : [fault('isa_usage', `ISA15 says ${usage === 'T' ? 'test' : 'production'}, the connection is for the other`)]

function noteCount(root: Node | undefined, profile: Profile, counts: Counts): void {
  const { element, codes } = profile.full_counts ?? USUAL.full_counts
  const bia = root === undefined ? undefined : one(root, 'BIA')
  const isFull = (codes as readonly string[]).includes(el(bia, element === 'BIA01' ? 1 : 2))
  if (isFull) counts.full = true
  else counts.partial = true
}
