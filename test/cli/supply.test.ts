import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
beforeAll(async () => {
  merchant = await openMerchant()
}, 60_000)
afterAll(() => merchant.close())

interface Document {
  ok: boolean
  outcome?: string
  supply?: { reference: string; state: string; lines: { received_quantity: number; to_come: number }[] }
  rows?: { reference: string }[]
  error?: { code: string; path?: string }
}

/** Writes a document where the command line can read it. */
function file(name: string, document: object): string {
  const path = join(merchant.folder, `${name}.json`)
  writeFileSync(path, JSON.stringify(document))
  return path
}

it('purchases and transfers go their whole way', { timeout: 120_000 }, async () => {
  const purchase = { reference: 'PO-1', location: 'north', lines: [{ sku: 'MUG', quantity: 4 }] }
  const wrong = file('wrong', { ...purchase, colour: 'red' })
  const delivery = file('delivery', { key: 'k', lines: [{ sku: 'MUG', quantity: 3 }] })
  const transfer = file('transfer', {
    reference: 'TR-1',
    from: 'north',
    to: 'south',
    lines: [{ sku: 'MUG', quantity: 2 }],
  })
  const ran = await merchant.runEach(
    ['supply', 'put', '--file', file('purchase', purchase), '--json'],
    ['supply', 'put', '--file', wrong, '--json'],
    ['supply', 'receive', 'PO-1', '--file', delivery, '--json'],
    ['supply', 'receive', 'PO-1', '--file', delivery, '--json'],
    ['supply', 'cancel', 'PO-1', '--json'],
    ['supply', 'show', 'PO-2', '--json'],
    ['transfer', 'create', '--file', transfer, '--json'],
    ['transfer', 'list', '--json'],
    ['transfer', 'cancel', 'TR-1', '--json'],
    ['supply', 'list', '--kind', 'purchase', '--json'],
  )
  const documents = ran.map(({ code, stdout }) => ({ ...(JSON.parse(stdout) as Document), code }))
  expect(documents).toMatchObject([
    { code: 0, outcome: 'created', supply: { state: 'open' } },
    { code: 2, error: { code: 'bad_request', path: '$' } },
    { outcome: 'received', supply: { lines: [{ received_quantity: 3, to_come: 1 }] } },
    { outcome: 'repeated' },
    { supply: { state: 'cancelled' } },
    { code: 2, error: { code: 'not_found' } },
    { code: 0, outcome: 'created' },
    { rows: [{ reference: 'TR-1' }] },
    { supply: { state: 'cancelled' } },
    { rows: [{ reference: 'PO-1' }] },
  ])
  const [text] = await merchant.runEach(['supply', 'show', 'TR-1'])
  expect(text?.stdout).toContain('TR-1  transfer from north to south  cancelled')
})
