import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
let config: string
beforeAll(async () => {
  merchant = await openMerchant()
  config = join(merchant.folder, 'with-bank.yaml')
  const known = readFileSync(join(merchant.folder, 'crossdock.yaml'), 'utf8')
  const account =
    "  - id: bank\n    connector: bank\n    company: acme\n    settings: { account: 'DE1', currency: EUR }\n"
  writeFileSync(config, `${known.trimEnd()}\n${account}`)
}, 60_000)
afterAll(() => merchant.close())

const file = (name: string, end: string): string => {
  const path = join(merchant.folder, name)
  const rows = [
    ':20:X',
    ':25:DE1',
    `:28C:${name}`,
    ':60F:C260301EUR100,',
    ':61:2603020302C23,45NTRFNONREF',
    ':86:PAYOUT 7700112233',
  ]
  writeFileSync(path, [...rows, `:62F:C260302EUR${end}`].join('\n'))
  return path
}

it('bank statements go their whole way', { timeout: 120_000 }, async () => {
  const good = file('1', '123,45')
  const ran = await merchant.runEach(
    ['bank', 'import', 'bank', good, '--json', '--config', config],
    ['bank', 'import', 'bank', good, '--json', '--config', config],
    ['bank', 'import', 'bank', file('2', '123,46'), '--json', '--config', config],
    ['bank', 'import', 'shop', good, '--json', '--config', config],
    ['bank', 'list', '--json', '--config', config],
    ['bank', 'lines', '--connection', 'bank', '--json', '--config', config],
  )
  const documents = ran.map(({ code, stdout }) => ({ ...(JSON.parse(stdout) as object), code }))
  expect(documents).toMatchObject([
    { code: 0, ok: true, format: 'mt940', statements: [{ outcome: 'imported', added: 1, difference_minor: 0 }] },
    { code: 0, statements: [{ outcome: 'same' }] },
    { code: 1, ok: false, statements: [{ outcome: 'held', difference_minor: 1 }] },
    { code: 2, error: { code: 'unsupported' } },
    { code: 0, rows: [{ proof: 'held', lines: 0 }, { proof: 'proven', lines: 1 }] },
    { code: 0, rows: [{ amount_minor: 2_345, text: 'PAYOUT 7700112233', references_found: ['7700112233'] }] },
  ]) // prettier-ignore
  const [text] = await merchant.runEach(['bank', 'list', '--config', config])
  expect(text?.stdout).toContain('proven')
})
