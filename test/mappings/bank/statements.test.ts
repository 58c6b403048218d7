import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bank } from '../../../src/connectors/bank/index.ts'
import { proofOf } from '../../../src/core/bank/rulesStatement.ts'
import type { BankFileRead } from '../../../src/core/model/bankStatement.ts'
import { decimalFromMinor } from '../../../src/core/model/money.ts'
import { parseXml } from '../../../src/mappings/bank/xml.ts'

const ACCOUNT = 'DE02120300000000202051'
const CSV = {
  columns: { booked_on: 'Buchungstag', amount: 'Betrag', balance: 'Saldo', text: ['Text'] },
  decimal: ',',
  dates: 'dmy',
}
const SETTINGS = { account: ACCOUNT, currency: 'EUR', csv: CSV }

interface Move {
  minor: number
  day: number
  text: string
}
const read = (content: string | Buffer, settings: object = SETTINGS): BankFileRead =>
  bank.statements!.read(typeof content === 'string' ? Buffer.from(content) : content, settings)
const isProven = (file: BankFileRead): boolean =>
  file.statements.every((statement) => proofOf(statement, file.faults).proof === 'proven')
const total = (moves: readonly Move[]): number => moves.reduce((sum, move) => sum + move.minor, 0)
const two = (value: number): string => String(value).padStart(2, '0')
const comma = (minor: number): string => decimalFromMinor(minor, 'EUR').replace('.', ',')
const side = (minor: number, words: readonly [string, string]): string => (minor < 0 ? words[1] : words[0])

// ── writers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
const balance = (code: string, minor: number) =>
  `<Bal><Tp><CdOrPrtry><Cd>${code}</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">${decimalFromMinor(Math.abs(minor), 'EUR')}</Amt><CdtDbtInd>${side(minor, ['CRDT', 'DBIT'])}</CdtDbtInd></Bal>`
const entry = (move: Move) => `<Ntry><Amt Ccy="EUR">${decimalFromMinor(Math.abs(move.minor), 'EUR')}</Amt>
  <CdtDbtInd>${side(move.minor, ['CRDT', 'DBIT'])}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
  <BookgDt><Dt>2026-03-${two(move.day)}</Dt></BookgDt><ValDt><Dt>2026-03-${two(move.day)}</Dt></ValDt>
  <NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><RmtInf><Ustrd>${escaped(move.text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>`
const camt = (moves: readonly Move[], begin: number, end = begin + total(moves), more = '') =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<c:Document xmlns:c="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><c:BkToCstmrStmt><Stmt><Id>ST-1</Id>
  <Acct><Id><IBAN>${ACCOUNT}</IBAN></Id><Ccy>EUR</Ccy></Acct>${balance('OPBD', begin)}${balance('CLBD', end)}
  <!-- booked -->${moves.map(entry).join('\n')}${more}</Stmt></c:BkToCstmrStmt></c:Document>`

const mt940 = (moves: readonly Move[], begin: number, end = begin + total(moves)) =>
  [
    '{1:F01BANKDEFFXXXX0000000000}{2:I940BANKDEFFXXXXN}{4:',
    ':20:STARTUMS',
    `:25:${ACCOUNT}`,
    ':28C:00012/001',
    `:60F:${side(begin, ['C', 'D'])}260228EUR${comma(Math.abs(begin))}`,
    ...moves.flatMap((move) => [
      `:61:2603${two(move.day)}03${two(move.day)}${side(move.minor, ['C', 'D'])}R${comma(Math.abs(move.minor))}NTRFNONREF`,
      `:86:166?00SEPA?20${move.text.slice(0, 27)}`,
    ]),
    `:62F:${side(end, ['C', 'D'])}260331EUR${comma(Math.abs(end))}`,
    '-}',
  ].join('\r\n')

const csv = (moves: readonly Move[], begin: number) => {
  let saldo = begin
  const rows = moves.map((move) => {
    saldo += move.minor
    return [`${two(move.day)}.03.2026`, move.text, comma(move.minor), comma(saldo)].map((cell) => `"${cell}"`).join(';')
  })
  return ['Kontoauszug;;;', 'Buchungstag;Text;Betrag;Saldo', ...rows].join('\r\n')
}

const MOVES: Move[] = [
  { minor: 488_000, day: 2, text: 'STRIPE po_1AbCdEf23456 & more' },
  { minor: -1_250, day: 3, text: 'Gebühr' },
  { minor: 100, day: 3, text: 'Ada Example' },
  { minor: 100, day: 3, text: 'Ada Example' },
]
const WRITERS = { camt053: camt, mt940, csv }

describe.each(Object.entries(WRITERS))('%s', (format, write) => {
  it('comes back line by line, proves itself, and names each line the same again', () => {
    const file = read(write(MOVES, 5_000))
    expect([file.format, file.faults, isProven(file)]).toEqual([format, [], true])
    const [statement] = file.statements
    expect(statement).toMatchObject({ account: ACCOUNT, currency: 'EUR', begin_minor: 5_000, end_minor: 491_950 })
    expect(statement!.lines.map((line) => [line.booked_on, line.amount_minor])).toEqual(
      MOVES.map((move) => [`2026-03-${two(move.day)}`, move.minor]),
    )
    expect(statement!.lines[0]!.text).toContain('po_1AbCdEf23456')
    expect(new Set(statement!.lines.map((line) => line.external_id)).size).toBe(4)
    expect(read(write(MOVES, 5_000)).statements).toEqual(file.statements)
    expect(read(`\uFEFF${write(MOVES, 5_000).replaceAll('\r\n', '\n')}`).statements[0]!.lines).toEqual(statement!.lines)
  })

  it('Latin-1 is read as what it is', () => {
    const text = write(MOVES, 5_000).replace('encoding="UTF-8"', 'encoding="ISO-8859-1"')
    expect(read(Buffer.from(text, 'latin1')).statements[0]!.lines[1]!.text).toContain('Gebühr')
  })

  it('another account is refused, and so is another currency', () => {
    expect(() => read(write(MOVES, 0).replaceAll('EUR', 'USD'), { ...SETTINGS, csv: undefined })).toThrow()
    if (format !== 'csv')
      expect(() => read(write(MOVES, 0), { ...SETTINGS, account: 'DE00' })).toThrow(/another account/)
  })

  const move = fc.record({
    minor: fc.integer({ min: -900_000, max: 900_000 }).filter((minor) => minor !== 0),
    day: fc.integer({ min: 1, max: 28 }),
    text: fc.constantFrom('PAYOUT 7700112233', 'Miete', 'po_1AbCdEf23456'),
  })
  const moves = fc.array(move, { minLength: 3, maxLength: 25 }).map((list) => list.toSorted((a, b) => a.day - b.day))

  it('any statement proves itself, and every damage in it is found', () => {
    fc.assert(
      fc.property(
        moves,
        fc.integer({ min: -50_000, max: 50_000 }),
        fc.nat(),
        fc.constantFrom('none', 'cent', 'drop', 'double', 'sign'),
        (list, begin, at, what) => {
          const text = write(list, begin)
          const index = format === 'csv' ? 1 + (at % (list.length - 2)) : at % list.length
          expect(isProven(read(damaged(format, text, index, what)))).toBe(what === 'none')
        },
      ),
      { numRuns: 80 },
    )
  })
})

/** Changes one movement in the text of a file, so that the balances stay what they were. */
function damaged(format: string, text: string, index: number, what: string): string {
  const parts = { camt053: /(?=<Ntry>)|(?<=<\/Ntry>)/, mt940: /(?=:61:)|(?=:62F)/, csv: /(?<=\r\n)/ }[format]!
  const isMove = { camt053: /^<Ntry>/, mt940: /^:61:/, csv: /^"/ }[format]!
  const pieces = text.split(parts)
  const place = pieces.flatMap((piece, at) => (isMove.test(piece) ? [at] : []))[index]!
  const piece = pieces[place]!
  const amount = {
    camt053: /(<Amt Ccy="EUR">)([\d.]+)/,
    mt940: /((?:C|D)R)(\d+,\d\d)/,
    csv: /(^"[^"]*";"[^"]*";")(-?\d+,\d\d)/,
  }[format]!
  const turned = { camt053: /CRDT|DBIT/, mt940: /(?<=^:61:\d{10})[CD]/, csv: /(?<=^"[^"]*";"[^"]*";")-?/ }[format]!
  const other: Record<string, string> = { CRDT: 'DBIT', DBIT: 'CRDT', C: 'D', D: 'C', '-': '', '': '-' }
  const mark = format === 'camt053' ? '.' : ','
  const plusOne = (digits: string): string =>
    decimalFromMinor(Number(digits.replace(mark, '')) + 1, 'EUR').replace('.', mark)
  const changed: Record<string, string[]> = {
    none: [piece],
    cent: [piece.replace(amount, (_, before: string, digits: string) => before + plusOne(digits))],
    drop: [],
    double: [piece.endsWith('\r\n') || format !== 'csv' ? piece : `${piece}\r\n`, piece],
    sign: [piece.replace(turned, (word) => other[word]!)],
  }
  return pieces.toSpliced(place, 1, ...changed[what]!).join('')
}

describe('CAMT.053', () => {
  it('takes booked entries alone, a batch as one line, and the direction of a reversal as it is written', () => {
    const pending = entry({ minor: 7, day: 4, text: 'x' }).replace('<Cd>BOOK</Cd>', '<Cd>PDNG</Cd>')
    const old = entry({ minor: -300, day: 4, text: 'y' })
      .replace('<Sts><Cd>BOOK</Cd></Sts>', '<RvslInd>true</RvslInd><Sts>BOOK</Sts>')
      .replace('</TxDtls>', '</TxDtls><TxDtls><Refs><EndToEndId>E2E-77</EndToEndId></Refs></TxDtls>')
    const file = read(camt([], 0, -300, pending + old))
    expect(isProven(file)).toBe(true)
    expect(file.statements[0]!.lines).toMatchObject([{ amount_minor: -300, reference: null, text: 'y\nE2E-77' }])
  })

  it.each([
    [
      'a document type',
      (text: string) => text.replace('?>', '?><!DOCTYPE Document [<!ENTITY a "b">]>'),
      /document type/,
    ],
    ['an entity of its own', (text: string) => text.replace('&amp;', '&boom;'), /entity/],
    ['a processing instruction', (text: string) => text.replace('<!-- booked -->', '<?php ?>'), /processing/],
    ['a truncated tail', (text: string) => text.slice(0, -40), /cut off|closes what/],
    ['elements across', (text: string) => text.replace('</Bal>', '</Tp>'), /unexpected close tag/],
    ['no statement', () => '<Document><Other/></Document>', /no camt.053/],
    ['two roots', (text: string) => `${text}<again/>`, /only one root/],
  ])('refuses %s', (_name, damage, message) => {
    expect(() => read(damage(camt(MOVES, 0)))).toThrow(message)
  })

  it.each([
    ['another currency in an entry', (text: string) => text.replace('"EUR">4880.00', '"USD">4880.00')],
    ['a negative amount', (text: string) => text.replace('>4880.00', '>-4880.00')],
    ['an unknown status', (text: string) => text.replace('<Cd>BOOK', '<Cd>WHAT')],
  ])('holds %s', (_name, damage) => {
    const file = read(damage(camt(MOVES, 0)))
    expect([isProven(file), file.faults.length]).toEqual([false, 1])
  })

  it('reads attributes, CDATA, character references and nothing too deep', () => {
    expect(parseXml(`<a x='1' y="&lt;2"><![CDATA[<&]]>&#65;&#x42;</a>`)).toEqual({
      name: 'a',
      attributes: { x: '1', y: '<2' },
      children: [],
      text: '<&AB',
    })
    expect(() => parseXml('<a>'.repeat(200) + '</a>'.repeat(200))).toThrow(/inside each other/)
    expect(() => parseXml('<a x=1></a>')).toThrow(/well-formed/)
  })
})

describe('MT940', () => {
  it('RC and RD take back, continuation lines and the bank reference are read, the year turns', () => {
    const text = [
      ':20:X', `:25:${ACCOUNT}`, ':28C:1', ':60F:C251231EUR100,', ':61:2512310102RCR10,00NTRFOWN-REF-1//BANK-77', 'more about it',
      ':86:first line', 'second line', ':61:260102RD5,5NMSCNONREF', ':62F:C260102EUR95,5',
    ].join('\n') // prettier-ignore
    const file = read(text)
    expect([file.faults, isProven(file)]).toEqual([[], true])
    expect(file.statements[0]!.lines).toMatchObject([
      { booked_on: '2026-01-02', value_on: '2025-12-31', amount_minor: -1_000, reference: 'OWN-REF-1', external_id: '2026-01-02:-1000:BANK-77' },
      { booked_on: '2026-01-02', amount_minor: 550, reference: null, text: null },
    ]) // prettier-ignore
    expect(file.statements[0]!.lines[0]!.text).toBe('more about it\nfirst line second line')
  })

  it('several statements in one file stay apart; a missing end and a broken movement are held', () => {
    const one = mt940(MOVES, 0)
    expect(read(`${one}\r\n${one.replace('00012/001', '00013/001')}`).statements.map((s) => s.external_id)).toEqual([
      `${ACCOUNT}:2026:00012/001:2026-03-31`,
      `${ACCOUNT}:2026:00013/001:2026-03-31`,
    ])
    expect(isProven(read(one.replace(/:62F:.*\r\n/, '')))).toBe(false)
    expect(read(one.replace(':61:2603', ':61:26XX')).faults).toHaveLength(1)
  })
})

describe('CSV', () => {
  it('reads either order, credit and debit columns, and says when nothing can be proven', () => {
    const [title, headings, ...rows] = csv(MOVES, 5_000).split('\r\n')
    const newestFirst = read([title, headings, ...rows.toReversed()].join('\n'))
    expect([isProven(newestFirst), newestFirst.statements[0]!.begin_minor]).toEqual([true, 5_000])
    const columns = { booked_on: 'date', credit: 'in', debit: 'out' }
    const sides = read('date,in,out\n2026-03-01,10.50,\n2026-03-02,,3.00\n', { ...SETTINGS, csv: { columns } })
    expect(sides.statements[0]!.lines.map((line) => line.amount_minor)).toEqual([1_050, -300])
    expect([sides.warnings.length, proofOf(sides.statements[0]!, []).proof]).toEqual([1, 'unproven'])
  })

  it.each([
    ['a formula', '"=1+1"'],
    ['nothing', '""'],
    ['words', '"much"'],
  ])('%s as an amount is a fault of its row', (_name, cell) => {
    const file = read(csv(MOVES, 0).replace('"4880,00"', cell))
    expect([file.faults.length, isProven(file)]).toEqual([1, false])
  })

  it('a file without the declared columns is refused', () => {
    expect(() => read('a;b\n1;2\n')).toThrow(/no row has the columns/)
    expect(() => read('a;b\n1;2\n', { account: ACCOUNT, currency: 'EUR' })).toThrow(/neither CAMT/)
    expect(() => read('')).toThrow(/empty/)
  })
})
