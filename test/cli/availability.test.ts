import { afterAll, beforeAll, expect, test } from 'vitest'
import { openCases } from '../../src/core/cases/cases.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
beforeAll(async () => {
  merchant = await openMerchant()
  const drift = {
    company_id: 'acme', kind: 'channel_drift', subject: 'listing:1', connection_id: 'shop', data: { expected: 3, shown: 5 },
  } as const // prettier-ignore
  await inTransaction(merchant.world.db, (tx) => openCases(tx, [drift], merchant.world.ctx.now))
})
afterAll(() => merchant.close())

test('rules are set field by field, explained, and removed', async () => {
  const [set, more, list, explained, text, unset, again] = await merchant.runEach(
    ['rules', 'set', '--connection', 'shop', '--sku', 'TEA', 'cap=9', 'backorder=backorder', '--json'],
    ['rules', 'set', '--connection', 'shop', '--sku', 'TEA', 'cap=none', 'buffer_units=4', '--json'],
    ['rules', 'list', '--sku', 'TEA', '--json'],
    ['stock', 'explain', 'TEA', '--connection', 'shop', '--json'],
    ['stock', 'explain', 'TEA', '--connection', 'shop'],
    ['rules', 'unset', '--connection', 'shop', '--sku', 'TEA', '--json'],
    ['rules', 'unset', '--connection', 'shop', '--sku', 'TEA', '--json'],
  )
  expect(set?.json()).toMatchObject({ ok: true, rule: { company_id: 'acme', cap: 9, backorder: 'backorder' } })
  expect(more?.json()).toMatchObject({ rule: { cap: null, buffer_units: 4, backorder: 'backorder' } })
  expect(list?.json()).toMatchObject({ rows: [{ sku: 'TEA', buffer_units: 4, source: 'user' }], next_cursor: null })
  expect(explained?.json()).toMatchObject({
    listings: [
      { channel_sku: 'TEA-4PACK' },
      { channel_sku: 'TEA', due_quantity: 24, rules: [{ field: 'buffer_units', value: 4 }, { field: 'backorder' }] },
    ],
  }) // prettier-ignore
  expect(text?.stdout).toMatch(/shop TEA: due 24, shows –/)
  expect(text?.stdout).toMatch(/north TEA +\+ 30 +on_hand/)
  expect(text?.stdout).toMatch(/= 28 +sellable_units/)
  expect(text?.stdout).toMatch(/- 4 +buffer/)
  expect(text?.stdout).toMatch(/buffer_units=4 +TEA +user +cli/)
  expect([unset?.json(), again?.json()]).toMatchObject([{ removed: true }, { removed: false }])
})

test('cases are listed and resolved, and peak mode is switched', async () => {
  const [list, text, resolve, on, off] = await merchant.runEach(
    ['cases', 'list', '--state', 'open', '--json'],
    ['cases', 'list'],
    ['cases', 'resolve', '1', '--json'],
    ['peak', 'on', '--json'],
    ['peak', 'off', '--company', 'acme'],
  )
  expect(list?.json()).toMatchObject({ ok: true, rows: [{ kind: 'channel_drift', data: { shown: 5 } }] })
  expect(text?.stdout).toMatch(/channel_drift +listing:1 +shop +open +1 .*shown=5/)
  expect(resolve?.json()).toMatchObject({ ok: true, case: 1, resolved_now: true })
  expect(on?.json()).toMatchObject({ company_id: 'acme', peak_mode: true, connections: [] })
  expect(off?.stdout).toMatch(/peak mode of acme is off/)
})

test('wrong fields, names and numbers are bad input', async () => {
  const ran = await merchant.runEach(
    ['rules', 'set', 'capp=4', '--json'],
    ['rules', 'set', 'cap=-4', '--json'],
    ['rules', 'set', 'share_percent=101', '--json'],
    ['rules', 'set', '--location', 'north', 'cap=4', '--json'],
    ['rules', 'set', '--sku', 'NOPE', 'cap=4', '--json'],
    ['cases', 'resolve', '77', '--json'],
    ['peak', 'sometimes', '--json'],
    ['peak', 'on', '--company', 'nobody', '--json'],
  )
  expect(ran.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2, 2, 2, 2])
})
