import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readInterchanges } from '../../../src/mappings/x12/envelope.ts'
import { segmentsOf } from '../../../src/mappings/x12/segments.ts'
import { grammarOf } from '../../../src/mappings/x12/sets.ts'
import { COUNTED, documents, factsOf, interchange, ORDERED, parse, PROFILE, RECEIVED, SHIPPED, USUAL } from './samples.ts' // prettier-ignore

const sound = (text: string, settings?: object): string[] =>
  parse(text, settings).rows.map(({ fault }) => (fault === undefined ? 'sound' : fault.message))
const faults = (text: string): string[] =>
  readInterchanges(text).interchanges.flatMap(({ faults: own, groups }) => [
    ...own.map(({ name }) => name),
    ...groups.flatMap((group) => [...group.faults, ...group.sets.flatMap((set) => set.faults)].map(({ name }) => name)),
  ])
const GOOD = interchange([{ id: '945', segments: SHIPPED }])

describe('dividers', () => {
  it.each([
    ['line breaks between segments', { line: '\r\n' }],
    ['line feeds', { line: '\n' }],
    ['a line feed as terminator', { segment: '\n' }],
    ['CR and LF as terminator', { segment: '\r', line: '\n' }],
    ['a control character as terminator', { segment: '\x1c' }],
    ['other dividers', { element: '|', component: '^', segment: "'" }],
  ])('are read from the ISA: %s', (_name, dividers) => {
    const text = interchange([{ id: '945', segments: SHIPPED }], { dividers })
    expect(sound(text)).toEqual(['sound'])
    expect(documents(factsOf(text).facts, 'shipment')).toHaveLength(2)
  })

  it('takes mixed line ends and a byte order mark as they come', () => {
    const lines = interchange([{ id: '945', segments: SHIPPED }], { dividers: { segment: '\n' } }).split('\n')
    const mixed = lines.map((line, index) => line + ['\n', '\r\n', '\r'][index % 3]).join('')
    expect(sound(`\uFEFF${mixed}`)).toEqual(['sound'])
  })

  it('reads a file that was wrapped to a width', () => {
    const head = GOOD.slice(0, 106)
    const wrapped = GOOD.slice(106).replaceAll(/.{80}/g, (line) => `${line}\r\n`)
    expect(documents(factsOf(head + wrapped).facts, 'shipment')).toEqual(documents(factsOf(GOOD).facts, 'shipment'))
  })

  it('may differ between the interchanges of one file', () => {
    const other = interchange([{ id: '945', segments: SHIPPED.map((text) => text.replace('BOL77', 'BOL78')) }], {
      control: '000000102',
      dividers: { element: '|', segment: '\n', component: ':' },
    })
    expect(sound(`${GOOD}\r\n${other}`)).toEqual(['sound', 'sound'])
  })

  it.each([
    ['ISA16 left out', GOOD.replace('>~', '~'), ['isa_component'], ['isa_component']],
    [
      'ISA ends otherwise',
      interchange([{ id: '945', segments: SHIPPED }], { dividers: { line: '\n' } }).replace('>~', '>'),
      ['terminator'],
      ['terminator'],
    ],
    ['widths', GOOD.replace(' '.repeat(10), ' '), ['isa_width'], ['isa_width']],
  ])(
    'are found out where the head is wrong, and let pass where that is agreed: %s',
    (_name, text, found, tolerances) => {
      const broken = text.includes('\n') ? text : text.replaceAll('~', '~\n')
      expect(faults(broken)).toEqual(found)
      expect(sound(broken)).not.toEqual(['sound'])
      expect(sound(broken, { ...PROFILE, tolerances })).toEqual(['sound'])
    },
  )
})

describe('the envelope', () => {
  it.each([
    ['SE01', interchange([{ id: '945', segments: SHIPPED, count: 99 }]), 'se_count'],
    ['SE02', GOOD.replace('SE*14*0001', 'SE*14*0002'), 'se_control'],
    ['GE01', interchange([{ id: '945', segments: SHIPPED }], { ends: { ge_count: 2 } }), 'ge_count'],
    ['GE02', interchange([{ id: '945', segments: SHIPPED }], { ends: { ge_control: '7' } }), 'ge_control'],
    ['IEA01', interchange([{ id: '945', segments: SHIPPED }], { ends: { iea_count: 3 } }), 'iea_count'],
    ['IEA02', interchange([{ id: '945', segments: SHIPPED }], { ends: { iea_control: '000000999' } }), 'iea_control'],
    ['ISA09', GOOD.replace('*260301*', '*261399*'), 'isa_date'],
  ])('is checked and may be let pass: %s', (_name, text, name) => {
    expect(faults(text)).toEqual([name])
    expect(sound(text)).not.toEqual(['sound'])
    expect(sound(text, { ...PROFILE, tolerances: [name] })).toEqual(['sound'])
  })

  it('compares group numbers as numbers, because leading zeros come and go', () => {
    expect(sound(interchange([{ id: '945', segments: SHIPPED }], { ends: { ge_control: '000101' } }))).toEqual([
      'sound',
    ])
  })

  it('keeps what was cut off, with its text, and reads what follows', () => {
    const next = interchange([{ id: '947', segments: ['W15*20260301*A1', 'N1*WH**91*RTM', 'W19*AA*1*EA**VN*TEA-1'] }], {
      control: '000000102',
      functional: 'AW',
    })
    for (let cut = 20; cut < GOOD.length - 1; cut += 7) {
      const parsed = parse(GOOD.slice(0, cut) + next)
      const kept = parsed.rows.filter(({ fault }) => fault !== undefined)
      expect(
        parsed.rows.filter(({ topic, fault }) => topic === 'adjustment' && fault === undefined),
        `cut at ${cut}`,
      ).toHaveLength(1)
      expect(kept.length, `cut at ${cut}`).toBeGreaterThan(0)
    }
  })

  it('knows a stranger, a message to somebody else, and a test where there are none', () => {
    const stranger = interchange([{ id: '945', segments: SHIPPED }], { sender: { qualifier: 'ZZ', id: 'SOMEBODY' } })
    const astray = interchange([{ id: '945', segments: SHIPPED }], { receiver: { qualifier: 'ZZ', id: 'SOMEBODY' } })
    const test = interchange([{ id: '945', segments: SHIPPED }], { usage: 'T' })
    expect(sound(stranger)[0]).toContain('another sender')
    expect(sound(astray)[0]).toContain('another receiver')
    expect(sound(test)).toEqual(['sound'])
    expect(sound(test, { ...PROFILE, usage: 'P' })[0]).toContain('test')
  })

  it('takes an interchange twice in a file for one, and refuses another under its number', () => {
    expect(sound(GOOD + GOOD)).toEqual(['sound'])
    const other = interchange([{ id: '945', segments: SHIPPED.map((text) => text.replace('TRACK1', 'TRACK9')) }])
    expect(sound(GOOD + other)).toEqual(['sound', expect.stringContaining('same ISA13')])
  })

  it.each([
    ['nothing', '', /no ISA/],
    ['something else', 'order,sku,quantity\n1,A,2\n', /no ISA/],
    ['a set without an envelope', 'ST*945*0001~W06*F~SE*3*0001~', /no envelope/],
  ])('is missed in a file with %s', (_name, text, cause) => {
    expect(() => parse(text)).toThrow(cause)
  })

  it('may be missing where that is agreed', () => {
    const text = ['ST*945*0001', ...SHIPPED, `SE*${SHIPPED.length + 2}*0001`].join('~\n')
    expect(sound(`${text}~`, { ...PROFILE, tolerances: ['no_envelope'] })).toEqual(['sound'])
  })
})

describe('what is inside a set', () => {
  const shipped = (change: (segments: string[]) => string[]): string =>
    interchange([{ id: '945', segments: change([...SHIPPED]) }])
  it.each([
    [
      'an unknown segment',
      shipped((all) => all.toSpliced(3, 0, 'ZZ9*1')),
      'ZZ9 at position 5 has no place here',
      'unknown_segments',
    ],
    [
      'a segment out of place',
      shipped(([w06 = '', n1 = '', ...rest]) => [w06, ...rest.slice(0, 2), n1, ...rest.slice(2)]),
      'N1 at position 5 comes too late',
      'segment_order',
    ],
    [
      'too many elements',
      shipped((all) => all.with(0, `${all[0] ?? ''}${'*X'.repeat(12)}`)),
      'W06 at position 2 has more than 12 elements',
      'element_extra',
    ],
    [
      'a total that does not agree',
      shipped((all) => all.with(-1, 'W03*6')),
      'W0301 does not agree with W1203',
      'totals',
    ],
  ])('is refused with its position, and may be let pass: %s', (_name, text, message, tolerance) => {
    const [found] = sound(text)
    if (message !== null) expect(found).toContain(message)
    expect(found).not.toBe('sound')
    expect(sound(text, { ...PROFILE, tolerances: [tolerance] })).toEqual(['sound'])
  })

  it.each([
    ['a missing segment', shipped((all) => all.filter((one) => !one.startsWith('W03'))), 'W03 is missing'],
    [
      'a missing element',
      shipped((all) => all.with(6, 'W12**3*3*0*EA**VN*TEA-1')),
      'W1201 (status) at position 8 is missing',
    ],
    [
      'a letter in a quantity',
      shipped((all) => all.with(6, 'W12*CC*3*x*0*EA**VN*TEA-1')),
      'W1203 (shipped) at position 8 has a character',
    ],
    ['no such day', shipped((all) => all.with(2, 'G62*11*20260231')), 'G6202 (date) at position 4 is not a date'],
  ])('is never let pass: %s', (_name, text, message) => {
    expect(sound(text)[0]).toContain(message)
    const tolerances = ['totals', 'unknown_segments', 'segment_order', 'element_extra']
    expect(sound(text, { ...PROFILE, tolerances })[0]).toContain(message)
  })

  it('has a grammar for every set that is spoken', () => {
    for (const id of ['940', '943', '944', '945', '947', '846', '850', '860', '855', '856', '810', '997', '999'])
      expect(grammarOf(id)?.at(0), id).toMatchObject({ id: 'ST', mandatory: true })
    expect(grammarOf('constructor')).toBeUndefined()
  })
})

describe('properties', () => {
  const element = fc.string({ unit: fc.constantFrom(...'ABCXYZ0123456789 .-'.split('')), maxLength: 12 })
  const segment = fc
    .tuple(fc.constantFrom('W12', 'N9', 'LX', 'ZZ'), fc.array(element, { minLength: 1, maxLength: 6 }))
    .map(([id, rest]) => [id, ...rest, 'E'])
  const dividers = fc.constantFrom(
    USUAL,
    { ...USUAL, element: '|' },
    { ...USUAL, segment: '\n' },
    { ...USUAL, segment: '\x1e', element: '\x1d', component: '\x1f' },
  )

  it('what is written is read again as it was', () => {
    fc.assert(
      fc.property(
        fc.array(segment, { minLength: 1, maxLength: 20 }),
        dividers,
        fc.constantFrom('', '\n', '\r\n'),
        (segments, own, line) => {
          const text = segments.map((one) => one.join(own.element) + own.segment + line).join('')
          expect(segmentsOf(text, { ...own, repetition: null })).toEqual(segments)
        },
      ),
    )
  })

  const SAMPLES = [
    { text: GOOD, of: 'shipment' },
    {
      text: interchange([{ id: '944', segments: RECEIVED.map((one) => one.replace('*CA*', '*EA*')) }], {
        functional: 'RE',
      }),
      of: 'receipt',
    },
    {
      text: interchange([{ id: '850', segments: ORDERED.map((one) => one.replace('*CA*', '*EA*')) }], {
        functional: 'PO',
      }),
      of: 'order',
    },
    { text: interchange([{ id: '846', segments: COUNTED }], { functional: 'IB' }), of: 'stock_count' },
  ] as const

  /** Units by SKU of everything that a text says, or null where it is refused or says something else. */
  const unitsIn = (text: string): string | null => {
    try {
      const { facts } = factsOf(text)
      const lines = facts.flatMap(({ document }) => ('lines' in document ? (document.lines ?? []) : []) as object[])
      return JSON.stringify(lines.map((one) => ('quantity' in one ? one.quantity : null)).filter((one) => one !== null))
    } catch {
      return null
    }
  }

  it.each(SAMPLES)('one wrong byte in a $of never crashes the reader', ({ text }) => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bytes = Buffer.from(text)
        bytes[at] = byte
        try {
          for (const { fault, payload, topic } of parse(bytes).rows) {
            expect(payload, topic).toBeDefined()
            if (fault !== undefined) expect(fault.message.length).toBeGreaterThan(5)
          }
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'file_invalid' })
        }
      }),
      { numRuns: 1_500 },
    )
  })

  const QUANTITIES: Readonly<Record<string, RegExp>> = {
    shipment: /W12\*..\*\d+\*(\d+)/g,
    receipt: /W07\*(\d+)/g,
    order: /PO1\*\d\*(\d+)/g,
  }

  // Every digit of every quantity that is under a total: another digit has to be found out.
  it.each(SAMPLES.slice(0, 3))('one wrong digit in a quantity of a $of is found out', ({ text, of }) => {
    const before = unitsIn(text)
    const quantity = QUANTITIES[of] ?? expect.fail(of)
    let tried = 0
    for (const { index, 0: whole, 1: digits = '' } of text.matchAll(quantity)) {
      for (let at = index + whole.length - digits.length; at < index + whole.length; at += 1) {
        for (const digit of '0123456789') {
          if (text[at] === digit) continue
          const wrong = text.slice(0, at) + digit + text.slice(at + 1)
          expect([before, null], `${digit} at ${at}`).toContain(unitsIn(wrong))
          tried += 1
        }
      }
    }
    expect(tried).toBeGreaterThan(10)
  })
})
