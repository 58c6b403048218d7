import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { labelsOfWorld } from '../../src/cli/labelsWorld.ts'
import type { RunningHub } from '../../src/main.ts'
import { labelsAreWhole } from '../../src/sandbox/judgeLabels.ts'
import { crossdockEach } from '../kit/commandLine.ts'
import { openFlow, type Flow } from '../kit/flowHub.ts'

const WAIT = { timeout: 60_000, interval: 100 }
let flow: Flow
let running: RunningHub
let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crossdock-labels-'))
  flow = await openFlow()
  running = await flow.start()
})
afterAll(async () => {
  await flow.close()
  rmSync(folder, { recursive: true })
})

test('an order goes its whole way: label, work, parcel, scans, and the buyer has it', async () => {
  const { world } = flow.sandbox
  const shop = world.shops.find(({ storefront }) => storefront.connection_id === 'woo-shop')!.storefront
  // It lies in Berlin alone, where parcels leave with labels.
  await expect.poll(() => shop.products().find(({ sku }) => sku === 'SPOON-OAK')?.quantity, WAIT).toBeGreaterThan(0)
  const buyer = { name: 'Ada Example', email: 'ada@example.test', country: 'DE' }
  const sold = shop.sell({ lines: [{ sku: 'SPOON-OAK', quantity: 1 }], buyer, paid: true, payment_id: null })!
  const order = async () =>
    (
      await flow.database.db.query<{ delivered_at: Date | null; fulfillment_state: string }>(
        `select delivered_at, fulfillment_state from orders where connection_id = 'woo-shop' and external_id = $1`,
        [sold.external_id],
      )
    )[0]
  await expect.poll(async () => (await order())?.delivered_at ?? null, WAIT).not.toBeNull()
  expect((await order())?.fulfillment_state).toBe('fulfilled')

  const [label] = world.carriers[0]!.ledger()
  expect(label).toMatchObject({ refunded: false, delivered: true })
  const told = () => shop.ledger().orders.find(({ external_id }) => external_id === sold.external_id)!.notices
  await expect.poll(() => told().map(({ tracking_number }) => tracking_number), WAIT).toEqual([label!.tracking_code])
  const judged = await labelsOfWorld(world, running)
  expect(judged).toMatchObject({ labels_bought: 1, delivered: 1, label_faults: [] })
  expect(labelsAreWhole(judged)).toBe(true)

  const out = join(folder, 'label.pdf')
  const ran = await crossdockEach(
    [
      ['labels', 'list', '--location', 'berlin', '--json'],
      ['labels', 'show', label!.reference!, '--json'],
      ['labels', 'file', label!.reference!, '--out', out, '--json'],
      ['labels', 'file', label!.reference!, '--out', out, '--json'],
      ['labels', 'buy', label!.reference!, '--json'],
      ['labels', 'void', label!.reference!, '--json'],
      ['labels', 'skip', label!.reference!.replace(/-1$/, ''), '--json'],
      ['labels', 'show', label!.reference!],
      ['labels', 'list'],
    ],
    { env: flow.variables },
  )
  const [list, shown, file, again, bought, voided, skipped, text, table] = ran
  expect(list!.json()).toMatchObject({ rows: [{ reference: label!.reference, state: 'bought' }] })
  expect(shown!.json()).toMatchObject({
    files: [{ content_type: 'application/pdf' }],
    scans: [{ status: 'delivered' }, {}, {}, {}, { status: 'label_created' }],
  })
  expect(file!.json()).toMatchObject({ content_type: 'application/pdf', path: out })
  expect(readFileSync(out).subarray(0, 5).toString()).toBe('%PDF-')
  expect([again!.code, again!.json()]).toMatchObject([2, { error: { code: 'conflict' } }])
  expect(bought!.json()).toMatchObject({ outcome: 'unchanged' })
  expect(voided!.json()).toMatchObject({ error: { code: 'conflict' } })
  expect(skipped!.json()).toMatchObject({ error: { code: 'conflict' } })
  expect(text!.stdout).toMatch(/taken by rule "light parcels"[^]*delivered/)
  expect(table!.stdout).toContain(label!.tracking_code)
  expect(ran.map(({ stdout }) => stdout).join('')).not.toMatch(/Ada Example/)
}, 120_000)
