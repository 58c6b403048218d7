import { afterEach, beforeEach, expect, test } from 'vitest'
import { relayDue } from '../../src/queues/relay.ts'
import { goWithoutLabel, purchaseByHand, ratesByHand, giveBackByHand } from '../../src/queues/labelsByHand.ts'
import type { GroupRef } from '../../src/queues/effects.ts'
import { newSweep, sweepOnce } from '../../src/queues/sweep.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { LABELS, labelOrder, openLabelWorld, type LabelWorld } from '../kit/labelWorld.ts'

let world: LabelWorld

beforeEach(async () => {
  world = await openLabelWorld()
  return () => world.stop()
})
afterEach(() => world.verified())

const one = async () => (await world.parcels())[0]!
const openCases = () =>
  world.database.db.query<{ kind: string; subject: string; data: Record<string, string> }>(
    `select kind, subject, data from cases where state = 'open' order by id`,
  )
/** Relays, and takes the groups of one kind out of the queue without running them. */
async function groupsOf(kind: string): Promise<GroupRef[]> {
  await relayDue(world.hub)
  return world.queues.added.splice(0).flatMap(({ name, data }) => (name === kind ? (data as GroupRef) : []))
}
async function ratesDone(): Promise<void> {
  const [rates] = await groupsOf('label.rates')
  await world.run(rates!)
}

test('work leaves with its label: rates, the cheapest, bought once, told to the warehouse, given to its shipment', async () => {
  await world.apply('shop', labelOrder({ TEA: 2, MUG: 1 }))
  await world.drive()
  const parcel = await one()
  // Two of 120 g, one that says nothing (400 g), 100 g of packaging.
  expect(parcel).toMatchObject({
    state: 'bought',
    weight_g: 740,
    carrier: 'GLS',
    service: 'BusinessParcel',
    fault: null,
  })
  const [sold, ...more] = world.carrier.ledger()
  expect(more).toEqual([])
  expect(sold).toMatchObject({ reference: parcel.reference, tracking_code: parcel.tracking_number, refunded: false })
  expect(parcel.amount_minor).toBe(Number(sold!.rate.replace('.', '')))
  expect(world.told).toHaveLength(1)
  expect(world.told[0]).toMatchObject({
    fulfillment_order: parcel.number,
    label: { carrier: 'GLS', tracking_number: parcel.tracking_number },
    label_files: [{ name: `${parcel.reference}.pdf`, content_type: 'application/pdf' }],
  })
  expect(world.told[0]!.label_files[0]!.bytes.toString('latin1')).toMatch(/^%PDF-1\.4[^]*Ada Example/)

  const shipment = {
    external_id: 'S-1',
    fulfillment_order: parcel.number,
    shipped_at: world.clock.now().toISOString(),
    carrier: null,
    tracking_number: null,
    tracking_url: null,
    lines: [
      { sku: 'TEA', quantity: 2, line_reference: null, lot: null },
      { sku: 'MUG', quantity: 1, line_reference: null, lot: null },
    ],
  }
  await world.apply('depot', { kind: 'shipment', document: shipment })
  const shipments = await world.database.db.query('select carrier, tracking_number, tracking_url from shipments')
  expect(shipments).toEqual([
    {
      carrier: 'GLS',
      tracking_number: parcel.tracking_number,
      tracking_url: expect.stringContaining('trk_') as string,
    },
  ])
})

test('an answer that is cut off after the purchase is read back: bought once, paid once, and the work leaves', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await ratesDone()
  const [buy] = await groupsOf('label.buy')
  world.carrier.setFaults({ ...KIND, cut_share: 1 })
  expect(await world.run(buy!)).toContain('to be tried again (outcome_unknown)')
  expect(world.carrier.ledger()).toHaveLength(1)
  expect(await one()).toMatchObject({ state: 'buying', tracking_number: null })
  expect(world.told).toEqual([])
  world.carrier.setFaults(KIND)
  world.clock.forward(3_600_000)
  await world.drive()
  expect(await one()).toMatchObject({ state: 'bought', tracking_number: world.carrier.ledger()[0]!.tracking_code })
  expect(world.carrier.ledger()).toHaveLength(1)
  expect(world.carrier.bought_again()).toBe(0)
  expect(world.told).toHaveLength(1)
  expect(world.told[0]!.label_files).toHaveLength(1)
})

test('a label that is bought but whose file is lost on the way is not bought again', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await ratesDone()
  const [buy] = await groupsOf('label.buy')
  // The purchase is answered; the file, its repeats, and the next look are not.
  let calls = 0
  world.carrier.setFaults({
    ...KIND,
    get fail_share() {
      calls += 1
      return calls > 1 && calls < 6 ? 1 : 0
    },
  })
  expect(await world.run(buy!)).toContain('to be tried again (outcome_unknown)')
  world.carrier.setFaults(KIND)
  await world.drive()
  expect(await one()).toMatchObject({ state: 'bought' })
  expect(world.carrier.ledger()).toHaveLength(1)
  expect(world.carrier.bought_again()).toBe(0)
})

test('a cut that comes before anything was bought is bought in the next attempt', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await ratesDone()
  const [buy] = await groupsOf('label.buy')
  world.carrier.setFaults({ ...KIND, fail_share: 1 })
  await world.run(buy!)
  expect(world.carrier.ledger()).toEqual([])
  world.carrier.setFaults(KIND)
  await world.drive()
  expect(world.carrier.ledger()).toHaveLength(1)
  expect(await one()).toMatchObject({ state: 'bought' })
})

test('two workers at the same purchase: one buys, the other finds nothing to do', async () => {
  for (let round = 0; round < 5; round += 1) {
    await world.apply('shop', labelOrder({ TEA: 1 }))
    await ratesDone()
    const [buy] = await groupsOf('label.buy')
    const said = await Promise.all([world.run(buy!), world.run(buy!), world.run(buy!)])
    expect(said.filter((sentence) => sentence.endsWith('1 done'))).toHaveLength(1)
  }
  expect(world.carrier.ledger()).toHaveLength(5)
  expect(world.carrier.bought_again()).toBe(0)
  expect((await world.parcels()).map(({ state }) => state)).toEqual(Array.from({ length: 5 }, () => 'bought'))
})

test('a worker that lost its lease in the middle of a purchase buys nothing twice and writes nothing over', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await ratesDone()
  const [buy] = await groupsOf('label.buy')
  // Its claim is committed, its call goes out, and then it is not heard of: another takes over after the lease.
  const slow = world.hub.connections.get('post')!.port.http
  const request = slow.request.bind(slow)
  let release: (() => void) | undefined
  const gate = new Promise<void>((resolve) => (release = resolve))
  slow.request = async (call) => {
    if (call.operation === 'buyShipment') await gate
    return request(call)
  }
  const late = world.run(buy!)
  await expect.poll(() => world.database.db.query(`select 1 from outbox where state = 'sending'`)).toHaveLength(1)
  slow.request = request
  world.clock.forward(200_000)
  await sweepOnce(world.hub, newSweep())
  await world.drive()
  expect(world.carrier.ledger()).toHaveLength(1)
  release?.()
  expect(await late).toContain('late')
  expect(world.carrier.ledger()).toHaveLength(1)
  // The vendor refused the second purchase of the one shipment.
  expect(world.carrier.bought_again()).toBe(1)
  expect(await one()).toMatchObject({ state: 'bought' })
  expect(await openCases()).toEqual([])
})

test('no second living parcel fits beside the first, whoever writes it', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await expect(
    world.database.db.query(
      `insert into parcels (id, connection_id, fulfillment_order_id, order_id, reference, weight_g, state, created_at)
       select gen_random_uuid(), connection_id, fulfillment_order_id, order_id, reference || 'x', 1, 'wanted', now() from parcels`,
    ),
  ).rejects.toThrow('parcels_one_living')
})

test('an order that is cancelled before its label is bought costs nothing', async () => {
  const order = labelOrder({ TEA: 1 }, { external_id: 'gone-early' })
  await world.apply('shop', order)
  await world.apply(
    'shop',
    labelOrder({ TEA: 1 }, { external_id: 'gone-early', lifecycle: 'cancelled', cancelled_at: '2026-11-20T10:00:00Z' }),
  )
  await world.drive()
  expect(await world.parcels()).toMatchObject([{ state: 'dropped' }])
  expect(world.carrier.ledger()).toEqual([])
  expect(world.told).toEqual([])
})

test('work that is called back before it ships gives its label back', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'gone-late' }))
  await world.drive()
  const parcel = await one()
  await world.apply(
    'shop',
    labelOrder({ TEA: 1 }, { external_id: 'gone-late', lifecycle: 'cancelled', cancelled_at: '2026-11-20T10:00:00Z' }),
  )
  // The warehouse may still ship it: the label stays until it says that it will not.
  expect(await one()).toMatchObject({ state: 'bought' })
  const answer = {
    fulfillment_order: parcel.number,
    verdict: 'cancelled',
    reason: null,
    at: world.clock.now().toISOString(),
  } as const
  await world.apply('depot', { kind: 'acknowledgement', document: answer })
  await world.drive()
  expect(await one()).toMatchObject({ state: 'voided' })
  expect(world.carrier.ledger()).toMatchObject([{ refunded: true }])
})

test('a cancellation that crosses the purchase gives back what it brought, at once', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'crossed' }))
  await ratesDone()
  const [buy] = await groupsOf('label.buy')
  world.carrier.setFaults({ ...KIND, cut_share: 1 })
  await world.run(buy!)
  world.carrier.setFaults(KIND)
  await world.apply(
    'shop',
    labelOrder({ TEA: 1 }, { external_id: 'crossed', lifecycle: 'cancelled', cancelled_at: '2026-11-20T10:00:00Z' }),
  )
  expect(await one()).toMatchObject({ state: 'buying', unwanted: true })
  await world.drive()
  expect(await one()).toMatchObject({ state: 'voided' })
  expect(world.carrier.ledger()).toMatchObject([{ refunded: true }])
  expect(world.told).toEqual([])
})

test('a cancellation that crosses a purchase which never took place buys nothing afterwards', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'crossed-2' }))
  await ratesDone()
  const [buy] = await groupsOf('label.buy')
  world.carrier.setFaults({ ...KIND, fail_share: 1 })
  await world.run(buy!)
  world.carrier.setFaults(KIND)
  await world.apply(
    'shop',
    labelOrder({ TEA: 1 }, { external_id: 'crossed-2', lifecycle: 'cancelled', cancelled_at: '2026-11-20T10:00:00Z' }),
  )
  await world.drive()
  expect(await one()).toMatchObject({ state: 'dropped' })
  expect(world.carrier.ledger()).toEqual([])
})

test('a short pick keeps the label', async () => {
  await world.apply('shop', labelOrder({ TEA: 3 }))
  await world.drive()
  const { number } = await one()
  const at = world.clock.now().toISOString()
  await world.apply('depot', {
    kind: 'acknowledgement',
    document: {
      fulfillment_order: number,
      verdict: 'short',
      reason: null,
      at,
      lines: [{ sku: 'TEA', quantity: 1 }],
      reference: 'r1',
    },
  })
  await world.drive()
  expect((await world.parcels())[0]).toMatchObject({ state: 'bought' })
  expect(world.carrier.ledger()[0]).toMatchObject({ refunded: false })
})

test('units that come after the parcel was weighed leave as work of their own', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'grows' }))
  await ratesDone()
  await world.apply('shop', labelOrder({ TEA: 3 }, { external_id: 'grows' }))
  await world.drive()
  const parcels = await world.parcels()
  expect(parcels.map(({ state }) => state)).toEqual(['bought', 'bought'])
  expect(new Set(parcels.map(({ number }) => number)).size).toBe(2)
  expect(parcels.map(({ weight_g }) => weight_g)).toEqual([220, 340])
  expect(world.told.map(({ lines }) => lines.map(({ quantity }) => quantity))).toEqual([[1], [2]])
})

test('an address that nobody serves is a case that says what to do; another address by hand brings the label', async () => {
  world.carrier.closeTo(['04109'])
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await world.drive()
  const parcel = await one()
  expect(parcel).toMatchObject({
    state: 'wanted',
    fault: expect.stringContaining('no carrier offers a rate') as string,
  })
  expect(await openCases()).toMatchObject([
    {
      kind: 'label_missing',
      subject: `fulfillment_order:${parcel.number}`,
      data: { location_id: 'berlin', todo: expect.stringContaining('labels rates') as string },
    },
  ])
  expect(JSON.stringify(await openCases())).not.toMatch(/Ada|Hidden Lane|04109/)
  world.carrier.closeTo([])
  const { label } = await ratesByHand(world.hub, { number: parcel.number, offers: 'known', actor: 'user:anna' })
  // The rules still choose: only the cause was seen to.
  expect(label).toMatchObject({ state: 'bought', fault: null, choice: { by: 'rules' } })
  await world.drive()
  expect(await openCases()).toEqual([])
  expect(world.told).toHaveLength(1)
})

test('a rule that nothing fits is a case; a person takes another offer', async () => {
  await world.database.db.query(`update locations set labels = $1`, [
    JSON.stringify({ ...LABELS, rules: [{ name: 'next day for a song', days_max: 1, amount_minor_max: 500 }] }),
  ])
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await world.drive()
  const parcel = await one()
  expect(parcel).toMatchObject({ state: 'rated', fault: expect.stringContaining('next day for a song') as string })
  const { label } = await ratesByHand(world.hub, { number: parcel.number, offers: 'known', actor: 'user:anna' })
  const express = label!.choice!.offered.find(({ service }) => service === 'Express')!
  expect(express.out).toBe('too dear')
  await expect(
    purchaseByHand(world.hub, { name: parcel.reference, rate: null, actor: 'user:anna' }),
  ).rejects.toMatchObject({ code: 'not_found' })
  const bought = await purchaseByHand(world.hub, { name: parcel.number, rate: express.external_id, actor: 'user:anna' })
  expect(bought).toMatchObject({
    outcome: 'applied',
    label: { state: 'bought', service: 'Express', choice: { by: 'hand' } },
  })
  expect(
    await purchaseByHand(world.hub, { name: parcel.number, rate: express.external_id, actor: 'user:anna' }),
  ).toMatchObject({ outcome: 'unchanged' })
  await world.drive()
  expect(world.told).toHaveLength(1)
  expect(await openCases()).toEqual([])
})

test('work can go without a label, and a label can be given back and replaced', async () => {
  world.carrier.closeTo(['04109'])
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await world.drive()
  const { number } = await one()
  await goWithoutLabel(world.hub, { number, actor: 'user:anna' })
  await world.drive()
  expect(world.told).toMatchObject([{ fulfillment_order: number }])
  expect(world.told[0]!.label).toBeUndefined()
  expect(await openCases()).toEqual([])

  world.carrier.closeTo([])
  await world.apply('shop', labelOrder({ MUG: 1 }))
  await world.drive()
  const [, second] = await world.parcels()
  expect(await giveBackByHand(world.hub, { name: second!.number, actor: 'user:anna' })).toMatchObject({
    label: { state: 'voided' },
  })
  const { label } = await ratesByHand(world.hub, { number: second!.number, offers: 'known', actor: 'user:anna' })
  expect(label).toMatchObject({ state: 'rated', reference: `${second!.number}-2` })
  const again = await purchaseByHand(world.hub, { name: label!.reference, rate: null, actor: 'user:anna' })
  expect(again.label).toMatchObject({ state: 'bought', carrier: 'GLS' })
  const audited = await world.database.db.query<{ action: string }>(`select action from audit_log order by id`)
  expect(audited.map(({ action }) => action)).toEqual(['label.skip', 'label.void', 'label.rates', 'label.buy'])
})

test('nothing personal is in parcels, cases, attempts or the outbox, and an erased person takes the file along', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'private' }))
  await world.drive()
  for (const table of ['parcels', 'cases', 'attempts', 'outbox', 'order_facts', 'audit_log']) {
    const rows = await world.database.db.query(`select t::text as text from ${table} t`)
    expect(JSON.stringify(rows), table).not.toMatch(/Ada Example|Hidden Lane|example\.test/)
  }
  const documents = () => world.database.db.query<{ sealed: Buffer }>('select sealed from documents')
  expect((await documents())[0]!.sealed.toString('latin1')).not.toContain('%PDF')
  await world.apply('shop', {
    kind: 'privacy',
    document: {
      external_id: 'e1',
      action: 'redact_person',
      buyer_external_id: 'c-private',
      buyer_email: null,
      order_external_ids: [],
    },
  })
  expect(await documents()).toEqual([])
  expect(await one()).toMatchObject({ state: 'bought' })
})

test('an order without an address waits for a person, not for a carrier', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { ship_to: null, buyer: null }))
  await world.drive()
  expect(await openCases()).toMatchObject([
    { kind: 'label_missing', data: { reason: expect.stringContaining('no address') as string } },
  ])
  expect(world.told).toEqual([])
})
