import { execFileSync } from 'node:child_process'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import {
  bytesOfBuffer,
  readSettlementFile,
  SETTLEMENT_LIMITS,
  type SettlementBytes,
} from '../../../src/connectors/_kit/settlementFile.ts'
import { settlementTotals } from '../../../src/core/settlement/rulesProof.ts'
import { parseAmount, parseDate } from '../../../src/mappings/amounts.ts'
import { tableReader, type SettlementFormat } from '../../../src/mappings/settlement.ts'

/** The smallest format there can be: the first row of data is the payout, each other one a sale. */
const plain: SettlementFormat = {
  id: 'plain',
  label: 'plain rows',
  expects: 'the columns id, day, amount, note',
  content: 'delimited',
  delimiter: null,
  accepts: (head) => /^"?id"?[,;\t]/.test(head),
  open: (sink) => ({
    row: tableReader(sink, { required: ['id', 'amount'], short_rows: 'fault' }, ({ row, cell }) => {
      const minor = parseAmount(cell('amount'), 'EUR', { decimal: 'auto', path: 'amount' })
      const at = parseDate(cell('day'), { order: 'dmy', path: 'day' })
      const common = { currency: 'EUR', created_at: at, arrival_at: null, bank_reference: null, begin_minor: null }
      if (cell('id') === 'payout')
        sink.settlement({
          ...common,
          external_id: 'p',
          status: 'paid',
          payout_minor: minor,
          control_minor: null,
          end_minor: null,
        })
      else
        sink.line('p', {
          external_id: cell('id'),
          kind: 'sale',
          vendor_type: cell('note') || 'none',
          at,
          currency: 'EUR',
          gross_minor: minor,
          fee_minor: 0,
          net_minor: minor,
          references: { order_external_id: null, order_number: null, payment_ids: [] },
          row,
        })
    }),
    end: () => undefined,
  }),
}
const foreign: SettlementFormat = {
  ...plain,
  id: 'foreign',
  label: 'foreign',
  accepts: (head) => head.startsWith('%%'),
}

async function read(content: Buffer | string | SettlementBytes) {
  const totals = settlementTotals()
  const bytes = typeof content === 'function' ? content : bytesOfBuffer(Buffer.from(content))
  const notes: string[] = []
  const result = await readSettlementFile(
    bytes,
    { label: 'Plain', formats: [plain], others: [{ label: 'Foreign', formats: [foreign] }], settings: {} },
    {
      ...totals,
      line: (id, line) => {
        notes.push(line.vendor_type)
        totals.line(id, line)
      },
    },
  )
  return { ...result, proof: totals.result(), notes }
}

const ROWS = [
  ['id', 'day', 'amount', 'note'],
  ['payout', '03.09.2026', '7,25', ''],
  ['a', '03.09.2026', '5,00', 'Größe'],
  ['b', '04.09.2026', '2,25', '=1+1'],
]
const text = (delimiter: string, end: string): string => ROWS.map((row) => row.join(delimiter)).join(end) + end
const LF = text(';', '\n')

const ENCODED: readonly (readonly [string, Buffer])[] = [
  ['UTF-8', Buffer.from(LF)],
  ['UTF-8 with its mark', Buffer.from(`\uFEFF${LF}`)],
  ['UTF-16 LE', Buffer.from(`\uFEFF${LF}`, 'utf16le')],
  ['UTF-16 BE', Buffer.from(`\uFEFF${LF}`, 'utf16le').swap16()],
  ['Latin-1', Buffer.from(LF, 'latin1')],
  ['CRLF', Buffer.from(text(';', '\r\n'))],
  ['CR', Buffer.from(text(';', '\r'))],
  ['tabs', Buffer.from(text('\t', '\n'))],
  ['no line end at the end', Buffer.from(LF.trimEnd())],
  ['gzip', gzipSync(LF)],
  ['gzip of Latin-1 with CRLF', gzipSync(Buffer.from(text(';', '\r\n'), 'latin1'))],
  ['gzip in two members', Buffer.concat([gzipSync(LF.slice(0, 40)), gzipSync(LF.slice(40))])],
]

it.each(ENCODED)('reads %s, decimal commas, days first, and a cell like a formula', async (_name, bytes) => {
  const { proof, notes } = await read(bytes)
  expect(notes).toEqual(['Größe', '=1+1'])
  expect(proof).toMatchObject({ faults: [], settlements: [{ payout_minor: 725, difference_minor: 0, lines: 2 }] })
})

it('says the same whatever pieces the bytes come in', async () => {
  for (const [name, bytes] of ENCODED) {
    const { proof, notes, sha256 } = await read(async function* () {
      for (const byte of bytes) yield Buffer.from([byte])
    })
    expect(notes, name).toEqual(['Größe', '=1+1'])
    expect(proof.settlements, name).toMatchObject([{ difference_minor: 0 }])
    expect(sha256, name).toEqual((await read(bytes)).sha256)
  }
})

it('tells the row at which a file was cut off', async () => {
  const short = await read(LF.slice(0, LF.indexOf('2,25') - 3))
  expect(short.proof).toMatchObject({ faults: [{ row: 4, message: 'has 2 of 4 columns: cut off' }] })
  expect(short.proof.settlements).toMatchObject([{ difference_minor: 225 }])
  const nothing = read(gzipSync(LF).subarray(0, 12))
  await expect(nothing).rejects.toMatchObject({ message: 'the compressed file ends early: it was cut off' })
  const many = gzipSync(
    `${LF}${Array.from({ length: 20_000 }, (_, at) => `c${at * 7919};05.09.2026;0,0${at % 7};n`).join('\n')}`,
  )
  const cut = await read(many.subarray(0, many.length - 2_000))
  expect(cut.proof.faults).toContainEqual(
    expect.objectContaining({ message: 'the compressed file ends early: it was cut off' }) as object,
  )
  const quote = await read(`${LF}c;05.09.2026;1,00;"open\nd;05.09.2026;1,00;x\n`)
  expect(quote.proof.faults).toMatchObject([{ row: 5, kind: 'unreadable' }])
})

it.each([
  ['nothing', '', /empty/, undefined],
  ['blanks', ' \n\n', /empty/, undefined],
  ['bytes of a picture', Buffer.from([0x89, 0x50, 0, 0, 1, 2]), /not text/, undefined],
  ['an archive of files', Buffer.from('PK\u0003\u0004rest'), /ZIP/, /unpack/],
  ['a page', Buffer.from('%PDF-1.7 …'), /PDF/, /CSV/],
  [
    'another file',
    'name,price\n',
    /no payout file of Plain: expected plain rows \(the columns id, day, amount, note\)/,
    undefined,
  ],
  ["another vendor's file", '%%head\n', /no payout file of Plain/, /looks like a file of Foreign/],
  ['a file without a column', 'id;day\nx;y\n', /columns are missing: amount/, undefined],
])('refuses %s in words', async (_name, content, message, hint) => {
  await expect(read(content)).rejects.toMatchObject({
    code: 'file_invalid',
    message: expect.stringMatching(message) as string,
    ...(hint === undefined ? {} : { hint: expect.stringMatching(hint) as string }),
  })
})

it('a heading alone is no payout, and a row that is wrong is a fault of that row', async () => {
  expect((await read('id;day;amount;note\n')).proof).toMatchObject({
    settlements: [],
    faults: [{ message: 'there is no payout in the file' }],
  })
  const wrong = await read(`${LF}c;05.09.2026;1.2.3;x\nd;32.01.2026;1,00;x\ne;05.09.2026;1,00;ok\n`)
  expect(wrong.proof.faults).toMatchObject([
    { row: 5, column: 'amount' },
    { row: 6, column: 'day' },
  ])
  expect(wrong.notes.at(-1)).toBe('ok')
})

it('has bounds for columns and records', async () => {
  const wide = `id;day;amount;note\n${';'.repeat(SETTLEMENT_LIMITS.columns)}\n`
  await expect(read(wide)).rejects.toMatchObject({ code: 'file_invalid', path: 'row 2' })
  const long = await read(`${LF}c;05.09.2026;1,00;${'x'.repeat(SETTLEMENT_LIMITS.record_bytes + 1)}\n`)
  expect(long.proof.faults).toMatchObject([{ message: 'is longer than 1000000 bytes' }])
})

it('reads 200,000 rows in a heap that could not hold them', { timeout: 120_000 }, () => {
  const answer = execFileSync(
    'node_modules/.bin/node',
    ['--max-old-space-size=48', 'test/connectors/kit/settlementFileMain.ts', '200000'],
    { encoding: 'utf8' },
  )
  expect(JSON.parse(answer)).toEqual({ lines: 200_000, batches: 40, largest: 5_000, difference_minor: 0, faults: 0 })
})
