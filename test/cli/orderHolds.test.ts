import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant

beforeAll(async () => {
  merchant = await openMerchant()
})
afterAll(() => merchant.close())

it('puts an order on hold, shows why, and lets it go on', async () => {
  const reason = ['--reason', 'INCORRECT_ADDRESS']
  const [held, shown, released, again] = await merchant.runEach(
    ['orders', 'hold', '#A', ...reason, '--json'],
    ['orders', 'show', '#A'],
    ['orders', 'release', '#A', '--json'],
    ['orders', 'release', '#A'],
  )
  expect(held?.json()).toMatchObject({ ok: true, hold_reason: 'INCORRECT_ADDRESS', changed: true })
  expect(shown?.stdout).toMatch(/on hold: INCORRECT_ADDRESS/)
  expect(released?.json()).toMatchObject({ ok: true, hold_reason: null, changed: true })
  expect(again?.stdout).toMatch(/was not on hold/)
})

it('refuses a reason and an order that do not exist', async () => {
  const ran = await merchant.runEach(
    ['orders', 'hold', '#A', '--reason', 'because', '--json'],
    ['orders', 'hold', '#A', '--json'],
    ['orders', 'hold', 'nobody', '--reason', 'OTHER', '--json'],
  )
  expect(ran.map(({ code }) => code)).toEqual([2, 2, 2])
  expect(ran[2]?.json()).toMatchObject({ error: { code: 'not_found' } })
})
