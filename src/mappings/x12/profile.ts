import Type from 'typebox'
import { closed, Country, Id } from '../../core/model/schema.ts'
import { TOLERANCES, type Tolerance } from './faults.ts'

/** What is agreed with one partner: identities, releases, and which code means what. All of it is data of the connection's settings. */
const words = <const W extends readonly [string, ...string[]]>(list: W, description?: string) =>
  Type.Unsafe<W[number]>({ type: 'string', enum: list, ...(description === undefined ? {} : { description }) })
const codes = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 12 }), { minItems: 1, maxItems: 100, description }))
const table = <T extends Type.TSchema>(value: T, description: string) =>
  Type.Optional(Type.Record(Type.String({ minLength: 1, maxLength: 12 }), value, { description }))

const Identity = (description: string) =>
  Type.Object(
    {
      qualifier: Type.String({ pattern: '^[A-Z0-9]{2}$', description: 'ISA05 or ISA07' }),
      id: Type.String({ minLength: 1, maxLength: 15, description: 'ISA06 or ISA08' }),
      group: Type.Optional(
        Type.String({ minLength: 2, maxLength: 15, description: 'GS02 or GS03, where it is another' }),
      ),
    },
    { ...closed, description },
  )

const Divider = Type.String({ minLength: 1, maxLength: 1, pattern: '^[^A-Za-z0-9 ]$' })

export const LINE_MEANINGS = ['complete', 'follows', 'short', 'cancelled', 'substituted'] as const
export type LineMeaning = (typeof LINE_MEANINGS)[number]
export const ADJUSTMENTS = ['adjusted', 'damaged', 'found', 'lost', 'returned', 'ignored'] as const
export type Adjustment = (typeof ADJUSTMENTS)[number]
export const COUNTED = ['on_hand', 'available', 'damaged', 'quality_control', 'ignored'] as const
export type Counted = (typeof COUNTED)[number]
export const CONDITIONS = ['damaged', 'quality_control', 'short', 'over', 'ignored'] as const
export type Condition = (typeof CONDITIONS)[number]

export const PROFILE = {
  us: Identity('Who we are in its messages'),
  them: Identity('Who it is; a message of anybody else is kept and not answered'),
  version: Type.Optional(
    Type.String({ pattern: '^00[4-5]\\d{3}[A-Z0-9]{0,6}$', description: 'GS08 of what we send (004010)' }),
  ),
  usage: Type.Optional(
    words(['P', 'T'], 'ISA15 of what we send; given, a message marked otherwise is kept and not applied'),
  ),
  delimiters: Type.Optional(
    Type.Object(
      {
        element: Type.Optional(Divider),
        component: Type.Optional(Divider),
        segment: Type.Optional(Divider),
        repetition: Type.Optional(Divider),
      },
      { ...closed, description: 'Of what we send (* > ~ ^)' },
    ),
  ),
  line_breaks: Type.Optional(Type.Boolean({ description: 'A line break after each segment that we send' })),
  charset: Type.Optional(
    words(['ascii', 'utf8'], 'Names and addresses with their accents taken off, or as they are (ascii)'),
  ),
  tolerances: Type.Optional(
    Type.Array(Type.Unsafe<Tolerance>({ type: 'string', enum: [...TOLERANCES] }), {
      maxItems: TOLERANCES.length,
      description: 'Faults that pass with a note; every other one stops what it is in',
    }),
  ),
  acknowledge: Type.Optional(
    words(['997', 'none'], 'Whether what comes in is answered by functional acknowledgements (997)'),
  ),
  ta1: Type.Optional(
    words(
      ['requested', 'always', 'never'],
      'When an interchange is answered by TA1; a refused one always is, unless never',
    ),
  ),
  answer_within_minutes: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 10_080,
      description: 'When its 997 is overdue (120); 0: it sends none, and none is waited for',
    }),
  ),
  timezone: Type.Optional(Type.String({ minLength: 2, maxLength: 60, description: 'Of its dates and times (UTC)' })),
  currency: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'Where its orders name none' })),
  country: Type.Optional(Country),
  location_code: Type.Optional(
    Type.String({ ...Id, description: 'Its warehouse, where its messages name none; also what we call it in ours' }),
  ),
  sku_qualifiers: codes('Which product id is our SKU, the first that is there (VN SK BP IN UP UK UA EN)'),
  sku_qualifier: Type.Optional(
    Type.String({ pattern: '^[A-Z0-9]{2}$', description: 'Of our SKU in what we send (VN)' }),
  ),
  unit: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2}$', description: 'Unit in what we send (EA)' })),
  units: table(Type.Integer({ minimum: 1, maximum: 1_000_000 }), 'Our units in one of its unit: { EA: 1, CA: 12 }'),
  roles: Type.Optional(
    Type.Object(
      {
        ship_to: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2,3}$' })),
        depositor: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2,3}$' })),
        warehouse: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2,3}$' })),
        bill_to: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2,3}$' })),
        buyer: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2,3}$' })),
        seller: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{2,3}$' })),
      },
      { ...closed, description: 'N101 of each party (ST, DE, WH, BT, BY, SE)' },
    ),
  ),
  line_status: table(words(LINE_MEANINGS), 'What W1201 means for the units that were not shipped'),
  tracking: codes('Where tracking numbers stand, the first that is there (MAN*CP, N9*2I, N9*CN, N9*BM)'),
  carriers: table(Type.String({ minLength: 1, maxLength: 100 }), 'Names of carriers by their code (W2702)'),
  conditions: table(words(CONDITIONS), 'What W1303 means: damaged units, held ones, what is missing or too many'),
  adjustments: table(words(ADJUSTMENTS), 'What W1901 means'),
  counts: table(words(COUNTED), 'What QTY01 of an 846 counts'),
  full_counts: Type.Optional(
    Type.Object(
      {
        element: words(['BIA01', 'BIA02']),
        codes: Type.Array(Type.String({ minLength: 1, maxLength: 2 }), { minItems: 1, maxItems: 20 }),
      },
      { ...closed, description: 'Which 846 names everything there is (BIA01 00)' },
    ),
  ),
  full_replaces: Type.Optional(
    Type.Boolean({ description: 'What a full 846 leaves out is gone; otherwise it keeps its number' }),
  ),
  shrink_max_percent: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: 100,
      description: 'A full 846 that lost more of its lines is held for a person (30)',
    }),
  ),
  gs1_prefix: Type.Optional(
    Type.String({ pattern: '^\\d{6,12}$', description: 'Company prefix for SSCCs; given, ship notices name packs' }),
  ),
  payment_terms_days: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 365, description: 'Days to pay, said in invoices' }),
  ),
} as const

const ProfileSchema = Type.Partial(Type.Object(PROFILE))
/** What a mapping gets of it: anything may be missing, for a payload can be looked at without a connection. */
export type Profile = Type.Static<typeof ProfileSchema>

/** Settings of the connection as a mapping is handed them. They were checked when the configuration was read. */
export const profileOf = (settings: Readonly<Record<string, unknown>>): Profile => settings

/** The usual meanings; a partner's own table is laid over them. */
export const USUAL = {
  sku_qualifiers: ['VN', 'SK', 'BP', 'IN', 'UP', 'UK', 'UA', 'EN'],
  units: { EA: 1, UN: 1, PC: 1, EACH: 1 },
  // Element 368: complete, partial with and without back order, back ordered, substituted, cancelled, out of stock.
  line_status: {
    CC: 'complete', CM: 'complete', CE: 'complete', LS: 'complete', SS: 'complete', BP: 'follows', BO: 'follows', BK: 'follows', CP: 'short',
    DS: 'short', OP: 'short', IC: 'cancelled', DE: 'cancelled', CK: 'cancelled', CS: 'substituted', IS: 'substituted',
  } as Readonly<Record<string, LineMeaning>>,
  tracking: ['MAN*CP', 'N9*2I', 'N9*CN'],
  // Element 412.
  conditions: { '01': 'damaged', '02': 'short', '03': 'over', '04': 'ignored', '07': 'quality_control' } as Readonly<Record<string, Condition>>,
  // Element 181.
  adjustments: {
    '04': 'adjusted', '05': 'ignored', '07': 'lost', '51': 'found', '52': 'adjusted', '53': 'adjusted', '54': 'adjusted', '55': 'ignored',
    '56': 'adjusted', '57': 'adjusted', AA: 'adjusted', AB: 'adjusted', AR: 'adjusted', AY: 'adjusted', AI: 'lost', AU: 'damaged',
    AV: 'damaged', AW: 'lost', AX: 'lost',
  } as Readonly<Record<string, Adjustment>>,
  // Element 673.
  counts: { '17': 'on_hand', '33': 'available', '74': 'damaged', QH: 'quality_control', QO: 'ignored', '02': 'ignored', '63': 'ignored' } as Readonly<Record<string, Counted>>,
  full_counts: { element: 'BIA01', codes: ['00'] },
  roles: { ship_to: 'ST', depositor: 'DE', warehouse: 'WH', bill_to: 'BT', buyer: 'BY', seller: 'SE' },
  version: '004010',
  answer_within_minutes: 120,
} as const // prettier-ignore

export const roleOf = (profile: Profile, role: keyof (typeof USUAL)['roles']): string =>
  profile.roles?.[role] ?? USUAL.roles[role]
