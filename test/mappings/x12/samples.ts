import { x12 } from '../../../src/connectors/x12/index.ts'
import type { ParsedFile } from '../../../src/connectors/_kit/define.ts'
import type { Fact, FactOf } from '../../../src/core/model/fact.ts'

/** Two houses that never were: `us` is the merchant, `them` the partner. */
export const PROFILE = {
  us: { qualifier: 'ZZ', id: 'ACMETRADING' },
  them: { qualifier: '01', id: '555001234' },
  currency: 'USD',
  location_code: 'RTM',
}

export interface Dividers {
  element: string
  component: string
  segment: string
  /** After each segment. */
  line: string
}
export const USUAL: Dividers = { element: '*', component: '>', segment: '~', line: '' }

/** Writes an interchange as a partner would; the envelope is right unless it is said otherwise. */
export function interchange(
  sets: readonly { id: string; segments: readonly string[]; count?: number }[],
  options: {
    functional?: string
    control?: string
    group?: string
    dividers?: Partial<Dividers>
    sender?: { qualifier: string; id: string }
    receiver?: { qualifier: string; id: string }
    ends?: Partial<{ ge_count: number; ge_control: string; iea_count: number; iea_control: string }>
    date?: string
    time?: string
    ta1?: string
    usage?: string
    version?: string
  } = {},
): string {
  const { element, component, segment, line } = { ...USUAL, ...options.dividers }
  const { sender = PROFILE.them, receiver = PROFILE.us, control = '000000101', group = '101', ends = {} } = options
  const { date = '20260301', time = '1015', version = '004010' } = options
  const isa = [
    'ISA', '00', ' '.repeat(10), '00', ' '.repeat(10), sender.qualifier, sender.id.padEnd(15), receiver.qualifier, receiver.id.padEnd(15),
    date.slice(2), time, 'U', '00401', control, options.ta1 ?? '0', options.usage ?? 'P', component,
  ] // prettier-ignore
  const body = sets.flatMap(({ id, segments, count }, index) => {
    const number = String(index + 1).padStart(4, '0')
    return [`ST*${id}*${number}`, ...segments, `SE*${count ?? segments.length + 2}*${number}`]
  })
  const functional = options.functional ?? 'SW'
  const lines = [
    `GS*${functional}*${sender.id}*${receiver.id}*${date}*${time}*${group}*X*${version}`,
    ...body,
    `GE*${ends.ge_count ?? sets.length}*${ends.ge_control ?? group}`,
    `IEA*${ends.iea_count ?? 1}*${ends.iea_control ?? control}`,
  ]
  return [isa.join(element), ...lines.map((text) => text.replaceAll('*', element))]
    .map((text) => text + segment + line)
    .join('')
}

export const parse = (text: string | Buffer, settings: object = PROFILE): ParsedFile =>
  x12.files?.parse(
    { name: 'in.edi', bytes: Buffer.from(text), modified_at_ms: Date.parse('2026-03-01T10:20:00Z') },
    settings,
  ) as ParsedFile

/** The facts of a file's sound rows. */
export function factsOf(text: string, settings: object = PROFILE): { facts: Fact[]; warnings: string[] } {
  const parsed = parse(text, settings)
  const mapped = parsed.rows.map(({ topic, payload, fault }) => {
    if (fault !== undefined) throw new Error(`${topic}: ${fault.message}`)
    const mapping = x12.inbound[topic]
    if (mapping === undefined) throw new Error(`nothing maps ${topic}`)
    return mapping.map(payload, { observed_at: parsed.as_of, settings: settings as Record<string, unknown> })
  })
  return { facts: mapped.flatMap(({ facts }) => facts), warnings: mapped.flatMap(({ warnings }) => warnings) }
}

export const documents = <K extends Fact['kind']>(facts: readonly Fact[], kind: K): FactOf<K>['document'][] =>
  facts.flatMap((fact) => (fact.kind === kind ? [fact.document as FactOf<K>['document']] : []))

export const SHIPPED = [
  'W06*F*FO-0000000000A1*20260301*BOL77**1001',
  'N1*WH*ROTTERDAM*91*RTM',
  'G62*11*20260301*8*09300055*UT',
  'W27*M*DHLX*DHL EXPRESS',
  'LX*1',
  'MAN*CP*TRACK1',
  'W12*CC*3*3*0*EA**VN*TEA-1',
  'N9*LI*line-1',
  'LX*2',
  'MAN*CP*TRACK2',
  'W12*CP*5*2*3*EA**VN*MUG-1*LOT9',
  'W03*5',
]
export const COUNTED = [
  'BIA*00*SI*CNT-9*20260301*08001550',
  'N1*WH**91*RTM',
  'LIN**VN*TEA-1',
  'QTY*17*40*EA',
  'QTY*74*2*EA',
  'LIN**UP*099*VN*MUG-1',
  'QTY*33*7*EA',
  'QTY*QH*1*EA',
  'CTT*2',
]
export const RECEIVED = [
  'W17*F*20260301*RCV-5*PO-77**Q*093000',
  'N1*WH**91*RTM',
  'W07*10*EA**VN*TEA-1*LT**L7',
  'W13*2*EA*01**05',
  'W13*1*EA*07',
  'W07*4*CA**SK*MUG-1',
  'W14*14',
]
export const ADJUSTED = [
  'W15*20260301*ADJ-3',
  'N1*WH**91*RTM',
  'W19*AU*-2*EA**VN*TEA-1',
  'W19*51*4*EA**VN*MUG-1',
  'W19*AA*-1*EA**VN*MUG-1',
  'W19*05*-5*EA**VN*TEA-1',
]
export const ORDERED = [
  'BEG*00*SA*PO-4711**20260228',
  'CUR*BY*USD',
  'DTM*038*20260310',
  'TD5**2*UPSN*M*GROUND',
  'N1*ST*BAKER STORES*92*0042',
  'N2*DOCK 3',
  'N3*1 MAIN ST*SUITE 2',
  'N4*AUSTIN*TX*78701*US',
  'PER*RE*JO*TE*5550100',
  'PO1*1*12*EA*9.25*TE*CB*066850*VN*TEA-1',
  'PID*F****GREEN TEA',
  'PO1*2*2*CA*0.333*TE*VN*MUG-1',
  'CTT*2*14',
]
