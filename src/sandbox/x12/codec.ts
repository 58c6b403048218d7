/** X12 as a warehouse's own program knows it: enough to read a depositor's orders and to write reports. Written apart from the hub's. */

export interface ReadSet {
  id: string
  control: string
  /** Segments between ST and SE, taken apart. */
  segments: string[][]
  /** Whether SE counts what there is. */
  whole: boolean
}

export interface ReadFile {
  control: string
  sender: string
  functional: string
  group: string
  sets: ReadSet[]
  /** What is wrong with the envelope; null where nothing is. */
  fault: string | null
}

/** One interchange with one group, as depositors send them. */
export function readFile(text: string): ReadFile {
  const element = text.charAt(3)
  const end = text.charAt(105)
  const segments = text
    .split(end)
    .map((one) => one.trim().split(element))
    .filter(([id = '']) => id !== '')
  const [isa = [], gs = []] = segments
  const read: ReadFile = {
    control: isa[13] ?? '',
    sender: (isa[6] ?? '').trim(),
    functional: gs[0] === 'GS' ? (gs[1] ?? '') : '',
    group: gs[0] === 'GS' ? (gs[6] ?? '') : '',
    sets: [],
    fault: isa[0] === 'ISA' && isa.length === 17 ? null : 'no ISA',
  }
  let open: ReadSet | undefined
  for (const segment of segments) {
    if (segment[0] === 'ST') open = { id: segment[1] ?? '', control: segment[2] ?? '', segments: [], whole: false }
    else if (segment[0] === 'SE' && open !== undefined) {
      read.sets.push({ ...open, whole: Number(segment[1]) === open.segments.length + 2 && segment[2] === open.control })
      open = undefined
    } else open?.segments.push(segment)
  }
  const [ge, iea] = [segments.find(([id]) => id === 'GE'), segments.at(-1)]
  if (ge !== undefined && Number(ge[1]) !== read.sets.length) read.fault ??= 'GE counts other sets'
  if (iea?.[0] !== 'IEA' || iea[2] !== read.control) read.fault ??= 'no IEA, or another number'
  return read
}

export interface Parties {
  us: { qualifier: string; id: string }
  them: { qualifier: string; id: string }
}

const FUNCTIONAL: Readonly<Record<string, string>> = { '945': 'SW', '944': 'RE', '947': 'AW', '846': 'IB', '997': 'FA' }

/** One interchange of sets of one kind. `miscount` makes every SE claim a segment that is not there. */
export function writeFile(
  parties: Parties,
  { id, control, at_ms, sets }: { id: string; control: number; at_ms: number; sets: readonly string[][] },
  miscount: 0 | 1 = 0,
): string {
  const stamp = stampOf(at_ms)
  const number = String(control).padStart(9, '0')
  const { us, them } = parties
  const isa = ['ISA', '00', ' '.repeat(10), '00', ' '.repeat(10), us.qualifier, us.id.padEnd(15), them.qualifier, them.id.padEnd(15), stamp.date.slice(2), stamp.time.slice(0, 4), 'U', '00401', number, '0', 'P', '>'] // prettier-ignore
  const body = sets.flatMap((segments, index) => {
    const st = String(index + 1).padStart(4, '0')
    return [`ST*${id}*${st}`, ...segments, `SE*${segments.length + 2 + miscount}*${st}`]
  })
  const gs = `GS*${FUNCTIONAL[id] ?? 'ZZ'}*${us.id}*${them.id}*${stamp.date}*${stamp.time.slice(0, 6)}*${control}*X*004010`
  return [isa.join('*'), gs, ...body, `GE*${sets.length}*${control}`, `IEA*1*${number}`]
    .map((one) => `${one}~\r\n`)
    .join('')
}

/** CCYYMMDD and HHMMSSDD: X12 times are good to the hundredth of a second. */
export function stampOf(ms: number): { date: string; time: string } {
  const text = new Date(ms).toISOString()
  return { date: text.slice(0, 10).replaceAll('-', ''), time: text.slice(11, 22).replaceAll(/[:.]/g, '') }
}
