import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import {
  decodeText,
  disarmCell,
  readCsv,
  restoreCell,
  sniffDelimiter,
  writeCsv,
} from '../../../src/connectors/_kit/csv.ts'

const cells = (text: string): string[][] => readCsv(text).map((record) => record.cells)

describe('reading', () => {
  it.each([
    ['UTF-8', Buffer.from('sku,Größe')],
    ['UTF-8 with a mark', Buffer.from('\ufeffsku,Größe')],
    ['Windows-1252', Buffer.from('sku,Gr\u00f6\u00dfe', 'latin1')],
    ['UTF-16 with a mark', Buffer.from('\ufeffsku,Größe', 'utf16le')],
  ])('decodes %s', (_name, bytes) => {
    expect(decodeText(bytes)).toBe('sku,Größe')
  })

  it('refuses what is not text', () => {
    expect(() => decodeText(Buffer.from([0x50, 0x4b, 3, 4, 0, 0]))).toThrow(HubError)
  })

  it.each([
    ['a,b,c', ','],
    ['a;b;c', ';'],
    ['a\tb', '\t'],
    ['a|b|c', '|'],
    ['"a,b,c";d;e', ';'],
    ['single', ','],
    ['', ','],
  ])('finds the delimiter of %j', (text, delimiter) => {
    expect(sniffDelimiter(text)).toBe(delimiter)
  })

  it('keeps quoted line breaks and counts lines as an editor does', () => {
    const records = readCsv('a,b\r\n"x\r\ny",2\r\n\r\n3,"say ""hi"""\n5,6')
    expect(records).toEqual([
      { line: 1, cells: ['a', 'b'] },
      { line: 3, cells: ['x\r\ny', '2'] },
      { line: 5, cells: ['3', 'say "hi"'] },
      { line: 6, cells: ['5', '6'] },
    ])
  })

  it.each(['a,b\n"Canary,2', 'a,b\nx"Canary",2', 'a,b\n"x"Canary,2'])(
    'names the line of a fault in %j and not its text',
    (text) => {
      const fault = (() => {
        try {
          readCsv(text)
          return undefined
        } catch (thrown) {
          return thrown
        }
      })()
      expect(fault).toMatchObject({ code: 'file_invalid', path: expect.stringMatching(/^line \d$/) as string })
      expect(String(fault)).not.toContain('Canary')
    },
  )
})

describe('writing', () => {
  it.each([
    ['=1+1', "'=1+1"], ['+cmd|x', "'+cmd|x"], ['-2+3', "'-2+3"], ['@SUM(A1)', "'@SUM(A1)"], ['\t=1', "'\t=1"], ['\r=1', "'\r=1"], ["'=1", "''=1"],
    ['-12', '-12'], ['+4915112345', '+4915112345'], ['-1.5', '-1.5'], ['plain', 'plain'], ["O'Neil", "O'Neil"], ["'quoted", "'quoted"], ['', ''],
  ])('writes %j as %j and reads it back', (text, written) => {
    expect([disarmCell(text), restoreCell(disarmCell(text))]).toEqual([written, text])
  }) // prettier-ignore

  it('leaves no cell that a spreadsheet would run, and gives back what was written', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({
        unit: fc.constantFrom('=', '+', '-', '@', '\t', '\r', '\n', '"', "'", ',', ';', '|', ' ', 'a', '1'),
      }),
    )
    const table = fc
      .integer({ min: 1, max: 5 })
      .chain((width) =>
        fc.array(fc.array(text, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 8 }),
      )
    fc.assert(
      fc.property(table, fc.constantFrom(',', ';', '\t', '|'), (rows, delimiter) => {
        // A record of nothing but one empty cell is an empty line, which is no record.
        fc.pre(rows.every((row) => row.some((cell) => cell !== '')) && !(rows[0]?.[0] ?? '').startsWith('\ufeff'))
        const written = writeCsv(rows, { delimiter }).toString()
        expect(readCsv(written, { delimiter }).map((record) => record.cells)).toEqual(rows)
        for (const row of rows)
          for (const cell of row) expect(disarmCell(cell)).toMatch(/^(?![=+\-@\t\r])|^[+-]?\d+(\.\d+)?$/)
      }),
      { numRuns: 1_000 },
    )
  })

  it('uses CRLF and quotes where they are needed', () => {
    expect(writeCsv([['a', 1], ['x,y', 'q"q']]).toString()).toBe('a,1\r\n"x,y","q""q"\r\n') // prettier-ignore
    expect(cells('a;1\r\n')).toEqual([['a', '1']])
  })
})
