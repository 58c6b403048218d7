/**
 * Segments and their elements: `<meaning><!> <type> <min>-<max> <element number>`, in the order of their positions; `!` is mandatory, `-` an
 * element that is only counted. Lengths are the widest of releases 004010 to 005010, so that a partner is not refused for its release.
 * Conditions between elements (P, R, C notes) are not checked: partners break them, and what is needed is asked for by the mappings.
 */
const TABLE: Readonly<Record<string, readonly string[]>> = {
  ST: ['set! ID 3-3 143', 'control number! AN 1-9 329', '-'],
  SE: ['segments! N0 1-10 96', 'control number! AN 1-9 329'],
  N1: ['party! ID 2-3 98', 'name AN 1-60 93', 'id qualifier ID 1-2 66', 'id AN 2-80 67', '-', '-'],
  N2: ['name! AN 1-60 93', 'name AN 1-60 93'],
  N3: ['address! AN 1-55 166', 'address AN 1-55 166'],
  N4: ['city AN 2-30 19', 'region ID 2-2 156', 'postcode ID 3-15 116', 'country ID 2-3 26', '-', '-', '-'],
  N9: ['qualifier! ID 2-3 128', 'reference AN 1-50 127', 'text AN 1-45 369', 'date DT 8-8 373', 'time TM 4-8 337', '-', '-'],
  G62: ['qualifier ID 2-2 432', 'date DT 8-8 373', 'time qualifier ID 1-2 176', 'time TM 4-8 337', 'zone ID 2-2 623'],
  LX: ['line! N0 1-6 554'],
  MAN: ['qualifier! ID 1-2 88', 'number! AN 1-48 87', 'number AN 1-48 87', '-', '-', '-'],
  // warehouse
  W05: ['status! ID 1-1 473', 'order! AN 1-22 285', 'purchase order AN 1-22 324', '-', '-', '-', '-'],
  W01: [
    'ordered! R 1-15 330', 'unit! ID 2-2 355', 'case code AN 12-12 438', 'product qualifier ID 2-2 235', 'product AN 1-80 234',
    'product qualifier ID 2-2 235', 'product AN 1-80 234', '-', '-', '-', '-', '-', 'lot AN 1-12 451', '-', 'product qualifier ID 2-2 235',
    'product AN 1-80 234', '-', '-', '-', '-', '-',
  ],
  W66: ['payment! ID 2-2 146', 'transport! ID 1-2 91', '-', '-', 'routing AN 1-35 387', '-', '-', '-', '-', 'carrier ID 2-4 140'],
  W76: ['units! R 1-15 330', '-', '-', '-', '-', '-'],
  W06: [
    'report! ID 1-1 514', 'order AN 1-22 285', 'date DT 8-8 373', 'shipment AN 1-30 145', 'agent shipment AN 1-12 531',
    'purchase order AN 1-22 324', '-', '-', '-', '-', '-', '-',
  ],
  W27: ['transport! ID 1-2 91', 'carrier ID 2-4 140', 'routing AN 1-35 387', 'payment ID 2-2 146', '-', '-', '-', '-', '-', '-', '-'],
  W12: [
    'status! ID 2-2 368', 'ordered R 1-15 330', 'shipped R 1-10 382', 'difference R 1-15 383', 'unit ID 2-2 355', 'case code AN 12-12 438',
    'product qualifier ID 2-2 235', 'product AN 1-80 234', 'lot AN 1-12 451', 'weight R 1-10 81', '-', '-', '-', '-', '-',
    'case code AN 12-12 438', 'product qualifier ID 2-2 235', 'product AN 1-80 234', '-', '-', 'product qualifier ID 2-2 235',
    'product AN 1-80 234', '-', '-', '-', '-', '-',
  ],
  W03: ['units shipped! R 1-10 382', 'weight R 1-10 81', '-', '-', '-', 'cartons R 1-15 80', '-'],
  W04: [
    'shipped! R 1-10 382', 'unit! ID 2-2 355', 'case code AN 12-12 438', 'product qualifier ID 2-2 235', 'product AN 1-80 234',
    'product qualifier ID 2-2 235', 'product AN 1-80 234', '-', '-', '-', '-', '-', '-', '-', '-',
  ],
  W17: [
    'report! ID 1-1 514', 'date! DT 8-8 373', 'receipt! AN 1-22 394', 'order AN 1-22 285', 'shipment AN 1-30 145',
    'time qualifier ID 1-2 176', 'time TM 4-8 337', '-', '-', '-', '-',
  ],
  W07: [
    'received! R 1-10 413', 'unit! ID 2-2 355', 'case code AN 12-12 438', 'product qualifier ID 2-2 235', 'product AN 1-80 234',
    'product qualifier ID 2-2 235', 'product AN 1-80 234', 'lot AN 1-12 451', '-', 'product qualifier ID 2-2 235', 'product AN 1-80 234',
    '-', '-',
  ],
  W13: ['units! R 1-15 380', 'unit! ID 2-2 355', 'condition! ID 2-2 412', 'lot AN 1-12 451', 'reason ID 2-2 853'],
  W14: ['received! R 1-10 413', 'shipped R 1-10 382', 'difference R 1-15 383', '-', '-', '-'],
  W15: ['date! DT 8-8 373', 'number AN 1-22 394', 'depositor number AN 1-22 394', '-', '-', '-'],
  W19: [
    'reason! ID 2-2 181', 'units! R 1-10 477', 'unit! ID 2-2 355', 'case code AN 12-12 438', 'product qualifier ID 2-2 235',
    'product AN 1-80 234', 'product qualifier ID 2-2 235', 'product AN 1-80 234', 'lot AN 1-12 451', '-', '-', '-', '-', '-', '-',
    'inventory type ID 1-2 529', 'product qualifier ID 2-2 235', 'product AN 1-80 234', '-', '-',
  ],
  BIA: ['purpose! ID 2-2 353', 'report! ID 2-2 755', 'reference! AN 1-50 127', 'date! DT 8-8 373', 'time TM 4-8 337', '-'],
  LIN: ['line AN 1-20 350', 'product qualifier! ID 2-2 235', 'product! AN 1-80 234', ...Array<string>(28).fill('-')],
  QTY: ['qualifier! ID 2-2 673', 'units R 1-15 380', 'unit - 1-99 C001', '-'],
  CTT: ['lines! N0 1-6 354', 'hash total R 1-10 347', '-', '-', '-', '-', '-'],
  // purchase orders and what answers them
  BEG: ['purpose! ID 2-2 353', 'type! ID 2-2 92', 'purchase order! AN 1-22 324', 'release AN 1-30 328', 'date! DT 8-8 373', '-', '-', '-', '-', '-', '-', '-'],
  BCH: ['purpose! ID 2-2 353', 'type! ID 2-2 92', 'purchase order! AN 1-22 324', '-', '-', 'date! DT 8-8 373', '-', '-', '-', '-', 'date DT 8-8 373', '-', '-', '-', '-', '-'],
  CUR: ['party! ID 2-3 98', 'currency! ID 3-3 100', ...Array<string>(19).fill('-')],
  REF: ['qualifier! ID 2-3 128', 'reference AN 1-50 127', 'text AN 1-80 352', '-'],
  PER: ['function! ID 2-2 366', 'name AN 1-60 93', 'kind ID 2-2 365', 'number AN 1-256 364', 'kind ID 2-2 365', 'number AN 1-256 364', '-', '-', '-'],
  DTM: ['qualifier! ID 3-3 374', 'date DT 8-8 373', 'time TM 4-8 337', 'zone ID 2-2 623', '-', '-'],
  PO1: ['line AN 1-20 350', 'ordered R 1-15 330', 'unit ID 2-2 355', 'price R 1-17 212', 'price basis ID 2-2 639', ...Array<string>(20).fill('-')],
  POC: ['line AN 1-20 350', 'change! ID 2-2 670', 'ordered R 1-15 330', 'left R 1-9 671', 'unit - 1-99 C001', 'price R 1-17 212', 'price basis ID 2-2 639', ...Array<string>(20).fill('-')],
  PID: ['kind! ID 1-1 349', '-', '-', '-', 'text AN 1-80 352', '-', '-', '-', '-'],
  AMT: ['qualifier! ID 1-3 522', 'amount! R 1-18 782', '-'],
  BAK: ['purpose! ID 2-2 353', 'type! ID 2-2 587', 'purchase order! AN 1-22 324', 'date! DT 8-8 373', '-', '-', '-', '-', '-', '-', '-'],
  ACK: ['status! ID 2-2 668', 'units R 1-15 380', 'unit ID 2-2 355', 'date qualifier ID 3-3 374', 'date DT 8-8 373', ...Array<string>(24).fill('-')],
  BSN: ['purpose! ID 2-2 353', 'shipment! AN 2-30 396', 'date! DT 8-8 373', 'time! TM 4-8 337', 'structure ID 4-4 1005', '-', '-'],
  HL: ['number! AN 1-12 628', 'parent AN 1-12 734', 'level! ID 1-2 735', '-'],
  PRF: ['purchase order! AN 1-22 324', '-', '-', 'date DT 8-8 373', '-', '-', '-'],
  SN1: ['line AN 1-20 350', 'shipped! R 1-10 382', 'unit! ID 2-2 355', '-', '-', '-', '-', '-', '-'],
  BIG: ['date! DT 8-8 373', 'invoice! AN 1-22 76', 'date DT 8-8 373', 'purchase order AN 1-22 324', '-', '-', 'type ID 2-2 640', '-', '-', '-', '-'],
  IT1: ['line AN 1-20 350', 'invoiced! R 1-10 358', 'unit! ID 2-2 355', 'price! R 1-17 212', 'price basis ID 2-2 639', ...Array<string>(20).fill('-')],
  TDS: ['total! N2 1-15 610', '-', '-', '-'],
  SAC: ['indicator! ID 1-1 248', 'code ID 4-4 1300', '-', '-', 'amount N2 1-15 610', ...Array<string>(11).fill('-')],
  TXI: ['type! ID 2-2 963', 'amount R 1-18 782', '-', '-', '-', '-', '-', '-', '-', '-'],
  // acknowledgements
  AK1: ['functional id! ID 2-2 479', 'group! N0 1-9 28', '-'],
  AK2: ['set! ID 3-3 143', 'control number! AN 1-9 329', '-'],
  AK3: ['segment! AN 2-3 721', 'position! N0 1-10 719', 'loop AN 1-6 447', 'code ID 1-3 720', '-', '-', '-', '-'],
  AK4: ['position! - 1-12 C030', 'element N0 1-4 725', 'code! ID 1-3 723', 'value AN 1-99 724'],
  AK5: ['status! ID 1-1 717', 'code ID 1-3 718', '-', '-', '-', '-'],
  AK9: ['status! ID 1-1 715', 'included! N0 1-6 97', 'received! N0 1-6 123', 'accepted! N0 1-6 2', 'code ID 1-3 716', '-', '-', '-', '-'],
} // prettier-ignore

export interface Element {
  name: string
  mandatory: boolean
  /** `-`: only counted. */
  type: 'ID' | 'AN' | 'R' | 'N0' | 'N2' | 'DT' | 'TM' | '-'
  min: number
  max: number
  number: string | undefined
}

const SPEC = /^(.+?)(!?) (ID|AN|R|N0|N2|DT|TM|-) (\d+)-(\d+) (\w+)$/

function elementOf(spec: string): Element {
  const [, name = '', mandatory, type = '-', min, max, number] = SPEC.exec(spec) ?? []
  const known = { name, mandatory: mandatory === '!', type: type as Element['type'], number }
  return { ...known, min: Number(min ?? 0), max: Number(max ?? Number.MAX_SAFE_INTEGER) }
}

export const SEGMENTS: ReadonlyMap<string, readonly Element[]> = new Map(
  Object.entries(TABLE).map(([id, specs]) => [id, specs.map(elementOf)]),
)

/** Elements of a segment that the table does not describe: a segment that the standard has and nothing is read from. */
export const ELEMENTS_MAX = 50
