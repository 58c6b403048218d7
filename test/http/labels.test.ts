import { afterAll, beforeAll, expect, test } from 'vitest'
import { createIntake } from '../../src/db/inbox.ts'
import type { App } from '../../src/http/app.ts'
import { createApiKey } from '../../src/http/auth.ts'
import type { Role } from '../../src/http/policies.ts'
import { buildServer } from '../../src/http/server.ts'
import type { Hub } from '../../src/hub.ts'
import { LABELS, labelOrder, openLabelWorld, type LabelWorld } from '../kit/labelWorld.ts'

let world: LabelWorld
let app: App
const keys = {} as Record<Role, string>

beforeAll(async () => {
  world = await openLabelWorld({
    ...LABELS,
    rules: [{ name: 'next day', countries: ['AT'], days_max: 1, amount_minor_max: 1 }],
  })
  const { db } = world.database
  const bare = world.hub
  const hub: Hub = {
    ...bare,
    config: {
      ...bare.config,
      hub: { ...bare.config.hub, host: '127.0.0.1', port: 0, log_level: 'silent', environment: 'sandbox' },
      users: [],
    },
  }
  for (const role of ['viewer', 'operator', 'finance', 'admin'] as const)
    keys[role] = (await createApiKey(db, { name: role, role, created_by: 'test', now: hub.clock.now() })).secret
  const intake = createIntake({ db, vault: hub.vault, wake: async () => {}, onWakeFailed: () => {} })
  app = await buildServer(hub, { intake, boards: new Map() })
})
afterAll(async () => {
  await app.close()
  await world.verified()
  await world.stop()
})

async function ask(method: 'GET' | 'POST', path: string, role: Role = 'operator', body?: object) {
  const answer = await app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${keys[role]}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return answer
}
const json = async (...args: Parameters<typeof ask>) => {
  const answer = await ask(...args)
  return { status: answer.statusCode, body: answer.json<Record<string, never>>() }
}
const audited = () =>
  world.database.db.query<{ actor: string; action: string; subject: string }>(
    `select actor, action, subject from audit_log where action like 'label%' order by id`,
  )

test('labels are listed and shown with what was offered, and their file is for operators, on record', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'H-1' }))
  await world.drive()
  const [parcel] = await world.parcels()
  const list = await json('GET', '/labels?state=bought', 'viewer')
  expect(list).toMatchObject({
    status: 200,
    body: { rows: [{ reference: parcel!.reference, state: 'bought', carrier: 'GLS' }], next_cursor: null },
  })
  expect((await json('GET', `/labels?fulfillment_order=${parcel!.number}`, 'viewer')).body).toEqual(list.body)
  const shown = await json('GET', `/labels/${parcel!.number}`, 'viewer')
  expect(shown).toMatchObject({
    status: 200,
    body: {
      reference: parcel!.reference,
      choice: { by: 'rules', rule: 'cheapest that keeps the promise', rate: parcel!.rate_external_id },
      files: [{ name: `${parcel!.reference}.pdf`, content_type: 'application/pdf' }],
    },
  })
  expect((shown.body as unknown as { choice: { offered: object[] } }).choice.offered).toHaveLength(4)
  expect(JSON.stringify([list, shown])).not.toMatch(/Ada|Hidden/)

  expect((await ask('GET', `/labels/${parcel!.reference}/file`, 'viewer')).statusCode).toBe(403)
  expect((await ask('GET', `/labels/${parcel!.reference}/file`, 'finance')).statusCode).toBe(403)
  expect(await audited()).toEqual([])
  const file = await ask('GET', `/labels/${parcel!.reference}/file`)
  expect(file.statusCode).toBe(200)
  expect(file.headers).toMatchObject({
    'content-type': 'application/pdf',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  expect(file.headers['content-disposition']).toBe(`attachment; filename="${parcel!.reference}.pdf"`)
  expect(file.rawPayload.subarray(0, 5).toString()).toBe('%PDF-')
  expect(await audited()).toMatchObject([
    { actor: 'key:operator', action: 'label.read', subject: expect.stringContaining('order:') as string },
  ])
  expect((await json('GET', `/labels/${parcel!.reference}/file?name=nothing.pdf`)).status).toBe(404)
  expect((await json('GET', '/labels/FO-NOBODY')).status).toBe(404)
})

test('what the rules cannot decide a person decides: offers, purchase, refund', async () => {
  const austria = {
    name: 'Ada Example',
    company: null,
    line1: 'Hidden Lane 7',
    line2: null,
    city: 'Wien',
    region: null,
    postcode: '1010',
    country: 'AT',
    phone: null,
  }
  await world.apply('shop', labelOrder({ MUG: 1 }, { external_id: 'H-2', ship_to: austria }))
  await world.drive()
  const number = (await world.parcels()).at(-1)!.number
  expect((await json('POST', `/fulfillment-orders/${number}/rates`, 'viewer', {})).status).toBe(403)
  const offered = await json('POST', `/fulfillment-orders/${number}/rates`, 'operator', {})
  expect(offered).toMatchObject({ status: 200, body: { outcome: 'unchanged', label: { state: 'rated' } } })
  const { label } = offered.body as unknown as {
    label: { reference: string; choice: { offered: { external_id: string; service: string }[] } }
  }
  const wanted = label.choice.offered.find(({ service }) => service === 'Express')!
  expect((await json('POST', `/labels/${label.reference}/buy`, 'operator', {})).status).toBe(404)
  expect((await json('POST', `/labels/${label.reference}/buy`, 'operator', { rates: 'x' })).status).toBe(400)
  const bought = await json('POST', `/labels/${label.reference}/buy`, 'operator', { rate: wanted.external_id })
  expect(bought).toMatchObject({
    status: 200,
    body: { outcome: 'applied', label: { state: 'bought', service: 'Express' } },
  })
  expect((await json('POST', `/labels/${label.reference}/buy`, 'operator', { rate: 'another' })).status).toBe(409)
  const voided = await json('POST', `/labels/${label.reference}/void`, 'operator')
  expect(voided).toMatchObject({ status: 200, body: { outcome: 'applied', label: { state: 'voided' } } })
  expect((await json('POST', `/labels/${label.reference}/void`, 'operator')).body).toMatchObject({
    outcome: 'unchanged',
  })

  await world.apply('shop', labelOrder({ MUG: 1 }, { external_id: 'H-3', ship_to: austria }))
  await world.drive()
  const waiting = (await world.parcels()).at(-1)!.number
  const skipped = await json('POST', `/fulfillment-orders/${waiting}/skip-label`, 'operator')
  expect(skipped).toMatchObject({ status: 200, body: { outcome: 'applied', label: null } })
  expect((await json('POST', `/fulfillment-orders/${waiting}/skip-label`, 'operator')).status).toBe(409)
  await world.drive()
  expect(world.told.at(-1)).toMatchObject({ fulfillment_order: waiting })
  expect((await audited()).map(({ action }) => action)).toEqual([
    'label.read',
    'label.read',
    'label.buy',
    'label.void',
    'label.skip',
  ])
})
