import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { amazonReport } from '../mappings/amazon/report.ts'
import type { Movement } from '../mappings/movements.ts'
import { openMerchant, type Merchant } from './merchant.ts'

const CSV_SETTINGS = {
  columns: { id: 'Ref', date: 'Day', type: 'What', gross: 'Amount', fee: 'Fee', order: 'Order', payout: 'Payout' },
  kinds: { Sale: 'sale' },
  payout_types: ['Paid'],
  decimal: ',',
  date_order: 'dmy',
  currency: 'EUR',
}

let merchant: Merchant
beforeAll(async () => {
  merchant = await openMerchant()
  appendFileSync(
    join(merchant.folder, 'crossdock.yaml'),
    `  - { id: amz, connector: amazon, company: acme, settings: {} }
  - { id: other, connector: csv, company: acme, settings: { settlement_files: ${JSON.stringify(CSV_SETTINGS)} } }
`,
  )
}, 60_000)
afterAll(() => merchant.close())

const SALE: Movement = { what: 'sale', order: 'A', net_minor: 49_98 }
const MOVES: readonly Movement[] = [
  SALE,
  { what: 'commission', order: 'A', net_minor: -7_50 },
  { what: 'refund', order: 'B', net_minor: -10_00 },
  { what: 'fee_returned', order: 'B', net_minor: 1_50 },
  { what: 'reserve_hold', order: '', net_minor: -5_00 },
]

function file(name: string, content: string | Buffer): string {
  const path = join(merchant.folder, name)
  writeFileSync(path, content)
  return path
}

interface Answer {
  code: number | null
  ok: boolean
  settlements: { id: string }[]
  id: string
}

async function run(...lines: string[][]): Promise<Answer[]> {
  const ran = await merchant.runEach(...lines.map((line) => [...line, '--json']))
  return ran.map(({ code, stdout }) => ({ ...(JSON.parse(stdout) as Omit<Answer, 'code'>), code }))
}

it('check proves a file without a database, and says what is wrong with one', { timeout: 60_000 }, async () => {
  const good = file('good.tsv.gz', gzipSync(amazonReport(MOVES, { style: 'eu' })))
  const bad = file('bad.tsv', amazonReport(MOVES.slice(1), { payout_minor: 28_98 }))
  const two = file(
    'two.csv',
    'Ref;Day;What;Amount;Fee;Order;Payout\n1;03.09.2026;Sale;5,00;0,50;A;P1\n2;03.09.2026;Paid;-4,50;;;P1\n3;03.09.2026;Sale;9,00;;A;P2\n4;04.09.2026;Paid;-8,00;;;P2\n',
  )
  const settings = file('settings.json', JSON.stringify(CSV_SETTINGS))
  const answers = await run(
    ['settlement', 'check', 'amazon', good],
    ['settlement', 'check', 'amazon', bad],
    ['settlement', 'check', 'csv', two, '--settings', settings],
    ['settlement', 'check', 'paypal', good],
    ['settlement', 'check', 'woocommerce', good],
    ['settlement', 'check', 'nobody', good],
    ['settlement', 'check', 'amazon', join(merchant.folder, 'absent')],
  )
  expect(answers[0]).toEqual({
    code: 0,
    ok: true,
    settlements: 1,
    lines: 5,
    currency: 'EUR',
    payout_minor: 28_98,
    sum_minor: 28_98,
    difference_minor: 0,
    by_kind: { sale: 49_98, commission: -7_50, refund: -10_00, fee_returned: 1_50, reserve_hold: -5_00 },
    format: 'amazon_v2',
    rows: 7,
    faults: [],
    faults_count: 0,
    warnings: [],
    warnings_count: 0,
  })
  expect(answers.slice(1)).toMatchObject([
    { code: 1, ok: false, difference_minor: 49_98, faults: [{ kind: 'payout_identity', difference_minor: 49_98 }] },
    {
      code: 1,
      settlements: 2,
      currency: 'EUR',
      payout_minor: 12_50,
      sum_minor: 13_50,
      difference_minor: 1_00,
      each: [
        { external_id: 'P1', difference_minor: 0 },
        { external_id: 'P2', difference_minor: -1_00 },
      ],
    },
    { code: 2, error: { code: 'file_invalid', hint: 'it looks like a file of Amazon' } },
    { code: 2, error: { code: 'unsupported' } },
    { code: 2, error: { code: 'not_found' } },
    { code: 2, error: { code: 'bad_request' } },
  ])
})

interface LineRow {
  external_id: string
  net_minor: number
  match_state: string
}
const linesOf = (id: string): Promise<LineRow[]> =>
  merchant.world.db.query<LineRow>(
    'select external_id, net_minor, match_state from settlement_lines where settlement_id = $1 order by id',
    [id],
  )

it(
  'import keeps a file once, holds one that does not add up, and takes its correction',
  { timeout: 120_000 },
  async () => {
    const { db } = merchant.world
    const wrong = file(
      'first.tsv',
      amazonReport([{ ...SALE, net_minor: 49_97 }, ...MOVES.slice(1), MOVES[4] ?? SALE], { payout_minor: 28_98 }),
    )
    const right = file('second.tsv', amazonReport(MOVES))
    const [held, again, shown] = await run(
      ['settlement', 'import', 'amz', wrong],
      ['settlement', 'import', 'amz', wrong],
      ['settlement', 'show', '20000000777'],
    )
    expect([held, again, shown]).toMatchObject([
      {
        code: 1,
        ok: false,
        outcome: 'imported',
        settlements: [{ change: 'new', proof: 'held', difference_minor: 5_01 }],
      },
      {
        code: 1,
        ok: false,
        outcome: 'same',
        hint: expect.stringContaining('accept-proof 20000000777') as string,
        settlements: [{ change: 'same', proof: 'held', lines: 6, lines_moved: 0, difference_minor: 5_01 }],
      },
      {
        code: 0,
        status: 'paid',
        currency: 'EUR',
        payout_minor: 28_98,
        net_minor: 23_97,
        gross_minor: 29_97,
        fees_minor: 6_00,
        difference_minor: 5_01,
        lines: 6,
        proof: 'held',
        version: 1,
      },
    ])
    const id = shown?.id ?? ''
    const before = await linesOf(id)
    const [corrected, reread, list, fixed] = await run(
      ['settlement', 'import', 'amz', right],
      ['settlement', 'import', 'amz', right, '--again'],
      ['settlement', 'list', '--connection', 'amz'],
      ['settlement', 'show', id],
    )
    expect([corrected, reread, list, fixed]).toMatchObject([
      // One line has another amount and one is gone; the others stay as they are.
      { code: 0, outcome: 'imported', settlements: [{ change: 'changed', lines_moved: 2, proof: 'proven' }] },
      { code: 0, outcome: 'same', settlements: [{ change: 'same', lines_moved: 0 }] },
      { rows: [{ external_id: '20000000777', difference_minor: 0 }] },
      { difference_minor: 0, proof: 'proven', version: 2, lines: 5, breaks: [] },
    ])
    // The file that was held is replaced: it holds nothing any more, and changes nothing.
    expect(await run(['settlement', 'import', 'amz', wrong])).toMatchObject([
      { code: 0, ok: true, outcome: 'same', settlements: [], hint: expect.stringContaining('--again') as string },
    ])
    const after = await linesOf(id)
    expect(after.map(({ external_id }) => external_id)).toEqual(
      before.slice(0, 5).map(({ external_id }) => external_id),
    )
    const files = await db.query<{ type: string; rows: number; body: Buffer | null }>(
      `select type, rows, body from inbound_files where connection_id = 'amz' order by id`,
    )
    expect(files).toMatchObject([
      { type: 'settlement:amazon_v2', rows: 8 },
      { type: 'settlement:amazon_v2', rows: 7 },
    ])
    // Kept sealed: nothing of the text can be read in the table.
    expect(files.every(({ body }) => body !== null && !body.includes(readFileSync(right).subarray(0, 20)))).toBe(true)
  },
)

it(
  'a line that is there twice or whose row is unreadable is kept and holds its payout',
  { timeout: 60_000 },
  async () => {
    const rows = [
      'Ref;Day;What;Amount;Fee;Order;Payout',
      '7;03.09.2026;Sale;5,00;;A;Q',
      '7;03.09.2026;Sale;5,00;;A;Q',
      '8;03.09.2026;Paid;-10,00;;;Q',
      '9;99.09.2026;Sale;1,00;;A;Q',
    ]
    const [imported, shown] = await run(
      ['settlement', 'import', 'other', file('twice.csv', rows.join('\r\n'))],
      ['settlement', 'show', 'Q'],
    )
    expect(imported).toMatchObject({ code: 1, settlements: [{ proof: 'held', difference_minor: 0 }] })
    expect(await linesOf(shown?.id ?? '')).toMatchObject([{ external_id: '7' }, { external_id: '7#2' }])
    const [row] = await merchant.world.db.query<{ proof_faults: object[] }>(
      `select proof_faults from settlements where external_id = 'Q'`,
    )
    expect(row?.proof_faults).toMatchObject([
      { kind: 'duplicate_line', row: 3 },
      { kind: 'unreadable', row: 5, column: 'date' },
    ])
  },
)
