import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
beforeAll(async () => {
  merchant = await openMerchant()
}, 60_000)
afterAll(() => merchant.close())

interface Document {
  ok: boolean
  id?: string
  state?: string
  key?: string
  rows?: { id: string; kind: string; state: string }[]
  lines?: { sku: string; counted: number | null; expected: number | null }[]
  error?: { code: string; path?: string; hint?: string }
}

it('people move and count stock', { timeout: 120_000 }, async () => {
  const move = (...rest: string[]) => ['stock', 'move', ...rest, '--json']
  const ran = await merchant.runEach(
    move('receive', 'MUG', 'north', '5', '--reason', 'delivery', '--key', 'k1'),
    move('receive', 'MUG', 'north', '5', '--reason', 'delivery', '--key', 'k1'),
    move('receive', 'MUG', 'north', '500', '--reason', 'delivery', '--key', 'k2'),
    move('steal', 'MUG', 'north', '1', '--reason', 'stolen'),
    move('lost', 'MUG', 'north', '1', '--reason', 'because'),
    move('lost', 'MUG', 'north', '0', '--reason', 'stolen'),
    ['stock', 'movements', '--state', 'waiting', '--json'],
    ['stock', 'approve', 'nonsense', '--json'],
    ['stock', 'lots', '--json'],
    ['counts', 'open', 'north', 'MUG', '--key', 'c1', '--json'],
    ['counts', 'list', '--json'],
    ['counts', 'show', 'nonsense', '--json'],
  )
  const documents = ran.map(({ code, stdout }) => ({ ...(JSON.parse(stdout) as Document), code }))
  expect(documents).toMatchObject([
    { code: 0, state: 'applied', key: 'k1' },
    { code: 0, state: 'applied', id: documents[0]?.id },
    { code: 0, state: 'waiting' },
    { code: 2, error: { code: 'bad_request' } },
    { code: 2, error: { code: 'bad_request' } },
    { code: 2, error: { code: 'bad_request', path: 'quantity' } },
    { rows: [{ id: documents[2]?.id, kind: 'receive', state: 'waiting' }] },
    { code: 2, error: { code: 'not_found' } },
    { rows: [] },
    { state: 'open', lines: [{ sku: 'MUG', counted: null, expected: null }] },
    { rows: [{ id: documents[9]?.id }] },
    { code: 2, error: { code: 'not_found' } },
  ])
  const waiting = documents[2]?.id ?? ''
  const count = documents[9]?.id ?? ''
  const at = new Date().toISOString()
  const decided = await merchant.runEach(
    ['stock', 'approve', waiting, '--json'],
    ['stock', 'reject', waiting],
    ['counts', 'submit', count, 'MUG=4/1', '--at', at, '--json'],
    ['counts', 'submit', count, 'MUG', '--at', at, '--json'],
  )
  const answers = decided.map(({ code, stdout }) => ({ code, stdout }))
  // Who asked for it may take it back, but not approve it.
  expect(JSON.parse(answers[0]?.stdout ?? '')).toMatchObject({ error: { code: 'forbidden' } })
  expect(answers[1]?.stdout).toContain('receive 500 × MUG at north: rejected')
  expect(JSON.parse(answers[2]?.stdout ?? '')).toMatchObject({ state: 'posted', lines: [{ counted: 4, damaged: 1 }] })
  expect(answers[3]?.code).toBe(2)
})
