import { beforeEach, describe, expect, test } from 'vitest'
import type { Connector, Port } from '../../../src/connectors/_kit/define.ts'
import type { HttpAttempt } from '../../../src/connectors/_kit/http.ts'
import { easypost } from '../../../src/connectors/easypost/index.ts'
import type { BoughtLabel, EffectResult, LabelRequest, Rate, RateRequest } from '../../../src/core/model/effects.ts'
import { startEasyPostSimulator, type EasyPostSimulator } from '../../../src/sandbox/easypost.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'

const address = (changes: Partial<RateRequest['ship_to']> = {}): RateRequest['ship_to'] => ({
  name: 'Ada Example',
  company: null,
  line1: 'Hidden Lane 7',
  line2: null,
  city: 'Leipzig',
  region: null,
  postcode: '04109',
  country: 'DE',
  phone: '+49341123456',
  ...changes,
})
const request = (reference: string, changes: Partial<RateRequest> = {}): RateRequest => ({
  outbox_id: 1,
  reference,
  ship_from: address({ name: null, company: 'Acme', line1: 'Depot Street 1', city: 'Berlin', postcode: '10115' }),
  ship_to: address(),
  parcel: { weight_g: 740, size_mm: [300, 200, 100] },
  currency: 'EUR',
  lines: [{ sku: 'TEA', title: 'Green tea', quantity: 2, value_minor: 790, origin_country: null }],
  ...changes,
})

let simulator: EasyPostSimulator
let port: Port
let attempts: HttpAttempt[]
let settings: Record<string, unknown>
beforeEach(async () => {
  simulator = await startEasyPostSimulator({
    connection_id: 'post',
    currency: 'EUR',
    leg_ms: 20,
    journal_path: null,
    port: 0,
    random: () => 0.5,
    now: () => new Date(),
    faults: KIND,
    webhook_url: null,
  })
  settings = { ...simulator.settings }
  use(settings)
  return () => simulator.stop()
})
function use(wanted: Record<string, unknown>): void {
  const opened = vendorPort(easypost, wanted)
  port = opened.port
  attempts = opened.attempts
}

const { rates, labels } = easypost as Required<Connector>
const done = (results: readonly EffectResult[]) => {
  const [result] = results
  if (result?.outcome !== 'done') throw new Error(JSON.stringify(result))
  return result
}
async function offers(reference: string, changes: Partial<RateRequest> = {}): Promise<{ id: string; offered: Rate[] }> {
  const { answer } = done(await rates.send(port, [request(reference, changes)], reference, new Date()))
  if (answer?.kind !== 'rates') throw new Error('no offers')
  return { id: answer.parcel_external_id, offered: answer.rates }
}
const purchase = (
  reference: string,
  id: string,
  rate: Rate | undefined,
  changes: Partial<LabelRequest> = {},
): LabelRequest => ({
  outbox_id: 2,
  action: 'buy',
  reference,
  parcel_external_id: id,
  rate_external_id: rate?.external_id ?? 'rate_none',
  tracking_number: null,
  ...changes,
})
const send = (what: LabelRequest) => labels.send(port, [what], what.reference, new Date())
const labelOf = (results: readonly EffectResult[]): BoughtLabel => {
  const { answer } = done(results)
  if (answer?.kind !== 'label') throw new Error('no label')
  return answer.label
}

describe('rates', () => {
  test('are what every carrier would take, to the cent', async () => {
    const { id, offered } = await offers('FO-1-1')
    expect(id).toMatch(/^shp_/)
    expect(offered).toHaveLength(4)
    expect(offered[0]).toEqual({
      external_id: expect.stringMatching(/^rate_/) as string,
      carrier: 'GLS',
      service: 'BusinessParcel',
      currency: 'EUR',
      amount_minor: 389 + 2 * 27,
      days: 3,
      guaranteed: false,
    })
    expect(simulator.ledger()).toEqual([])
  })

  test('that got lost on the way are found by their reference, also behind a hundred others', async () => {
    const { id, offered } = await offers('FO-1-1')
    for (let index = 0; index < 105; index += 1) await offers(`FO-2-${index}`)
    const found = await rates.confirm!(port, [request('FO-1-1')], 'FO-1-1')
    expect(found).toEqual([
      {
        outbox_id: 1,
        outcome: 'done',
        external_id: id,
        answer: { kind: 'rates', parcel_external_id: id, rates: offered },
      },
    ])
    expect(await rates.confirm!(port, [request('FO-9-1')], 'FO-9-1')).toBe('not_done')
  })

  test('that nobody offers are refused with what carriers say, and without the address', async () => {
    simulator.closeTo(['04109'])
    const [result] = await rates.send(port, [request('FO-1-1')], 'FO-1-1', new Date())
    expect(result).toMatchObject({ outcome: 'refused', code: 'vendor_rejected' })
    expect(result).toMatchObject({
      detail: expect.stringMatching(/GLS: shipment\.to_address\.zip: not served/) as string,
    })
    expect(JSON.stringify([result, attempts])).not.toMatch(/Ada|Hidden|04109/)
  })

  test('for an address that lacks something name the field, in either form of a fault', async () => {
    const asked = rates.send(port, [request('FO-1-1', { ship_to: address({ line1: null }) })], 'FO-1-1', new Date())
    await expect(asked).rejects.toMatchObject({
      code: 'vendor_rejected',
      message: 'createShipment: 422 (PARAMETER.REQUIRED, to_address.street1)',
    })
    const { id } = await offers('FO-2-1')
    await expect(send(purchase('FO-2-1', id, undefined))).rejects.toMatchObject({
      code: 'vendor_rejected',
      message: 'buyShipment: 422 (SHIPMENT.INVALID_PARAMS, rate)',
    })
  })

  test('across a customs border carry a declaration, within the union none', async () => {
    use({ ...settings, customs: { signer: 'Acme Customs', origin_country: 'CN', hs_tariff_number: '0902.10' } })
    await offers('FO-1-1', { ship_to: address({ country: 'CH', postcode: '8001' }) })
    await offers('FO-2-1', { ship_to: address({ country: 'AT', postcode: '1010' }) })
    const bodies = attempts.map(
      ({ request: sent }) => (sent as { body: { shipment: Record<string, unknown> } }).body.shipment,
    )
    expect(bodies[0]).toMatchObject({ customs_info: { customs_items: [{ quantity: 2, weight: 26.2 }] } })
    expect(bodies[1]).not.toHaveProperty('customs_info')
  })
})

describe('labels', () => {
  test('are bought with number, price, address of the parcel and the file itself', async () => {
    const { id, offered } = await offers('FO-1-1')
    const label = labelOf(await send(purchase('FO-1-1', id, offered[1])))
    expect(label).toMatchObject({
      carrier: 'DPDDE',
      service: 'Classic',
      currency: 'EUR',
      amount_minor: offered[1]!.amount_minor,
    })
    expect(label.tracking_url).toMatch(/^https:/)
    expect(label.files).toHaveLength(1)
    expect(label.files[0]).toMatchObject({ name: 'FO-1-1.pdf', content_type: 'application/pdf' })
    expect(simulator.ledger()).toMatchObject([{ tracking_code: label.tracking_number, reference: 'FO-1-1' }])
  })

  test('come as the printer takes them', async () => {
    use({ ...settings, label_format: 'ZPL' })
    const { id, offered } = await offers('FO-1-1')
    const [file] = labelOf(await send(purchase('FO-1-1', id, offered[0]))).files
    expect(file).toMatchObject({ name: 'FO-1-1.zpl', content_type: 'application/zpl' })
    expect(file!.bytes.toString()).toMatch(/^\^XA[^]*\^XZ/)
  })

  test('whose purchase was cut off are read back, and not bought again', async () => {
    const { id, offered } = await offers('FO-1-1')
    const what = purchase('FO-1-1', id, offered[0])
    expect(await labels.confirm!(port, [what], 'FO-1-1')).toBe('not_done')
    simulator.setFaults({ ...KIND, cut_share: 1 })
    await expect(send(what)).rejects.toMatchObject({ code: 'outcome_unknown' })
    simulator.setFaults(KIND)
    const found = await labels.confirm!(port, [what], 'FO-1-1')
    expect(labelOf(found as EffectResult[]).tracking_number).toBe(simulator.ledger()[0]!.tracking_code)
    expect(simulator.bought_again()).toBe(0)
  })

  test('that somebody has bought meanwhile are taken as they are', async () => {
    const { id, offered } = await offers('FO-1-1')
    const first = labelOf(await send(purchase('FO-1-1', id, offered[0])))
    const second = labelOf(await send(purchase('FO-1-1', id, offered[1])))
    expect(second).toMatchObject({ tracking_number: first.tracking_number, amount_minor: first.amount_minor })
    expect(simulator.ledger()).toHaveLength(1)
  })

  test('leave no other fault than doubt once they are bought: not for their file, not for a page of HTML', async () => {
    const { id, offered } = await offers('FO-1-1')
    use({ ...settings, file_hosts: [] })
    await expect(send(purchase('FO-1-1', id, offered[0]))).rejects.toMatchObject({
      code: 'outcome_unknown',
      message: expect.stringContaining('its file could not be fetched') as string,
    })
    expect(simulator.ledger()).toHaveLength(1)
  })

  test('are given back once, and what a carrier has in its hands is not', async () => {
    const { id, offered } = await offers('FO-1-1')
    const label = labelOf(await send(purchase('FO-1-1', id, offered[0])))
    const back = purchase('FO-1-1', id, offered[0], { action: 'void', tracking_number: label.tracking_number })
    expect(await labels.confirm!(port, [back], 'FO-1-1')).toBe('not_done')
    expect(await send(back)).toEqual([{ outbox_id: 2, outcome: 'done', external_id: id }])
    expect(await labels.confirm!(port, [back], 'FO-1-1')).toEqual([{ outbox_id: 2, outcome: 'done', external_id: id }])
    expect(await send(back)).toMatchObject([{ outcome: 'done' }])
    expect(simulator.ledger()).toMatchObject([{ refunded: true }])

    const other = await offers('FO-2-1')
    const used = labelOf(await send(purchase('FO-2-1', other.id, other.offered[0])))
    simulator.handOver(used.tracking_number)
    await expect(send(purchase('FO-2-1', other.id, other.offered[0], { action: 'void' }))).rejects.toMatchObject({
      code: 'vendor_rejected',
    })
  })

  test('a refund that was cut off is read back', async () => {
    const { id, offered } = await offers('FO-1-1')
    await send(purchase('FO-1-1', id, offered[0]))
    const back = purchase('FO-1-1', id, offered[0], { action: 'void' })
    simulator.setFaults({ ...KIND, cut_share: 1 })
    await expect(send(back)).rejects.toMatchObject({ code: 'outcome_unknown' })
    simulator.setFaults(KIND)
    expect(await labels.confirm!(port, [back], 'FO-1-1')).toMatchObject([{ outcome: 'done' }])
  })

  test('nothing of a buyer is in any line of the attempt log', async () => {
    const { id, offered } = await offers('FO-1-1')
    await send(purchase('FO-1-1', id, offered[0]))
    expect(attempts.length).toBeGreaterThan(2)
    expect(JSON.stringify(attempts)).not.toMatch(/Ada Example|Hidden Lane|341123456|EZTK/)
  })
})

describe('tracking', () => {
  test('by polling brings what has changed since the last time, and resumes in the middle', async () => {
    const bought: string[] = []
    for (let index = 0; index < 3; index += 1) {
      const { id, offered } = await offers(`FO-${index}-1`)
      bought.push(labelOf(await send(purchase(`FO-${index}-1`, id, offered[0]))).tracking_number)
    }
    const pull = easypost.pull!.tracking!
    const first = await drainPull(pull(port, { cursor: null, overlap_ms: 0, now: new Date() }))
    expect(first.items.map(({ topic }) => topic)).toEqual(['tracker', 'tracker', 'tracker'])
    await expect.poll(() => simulator.busy()).toBe(false)
    const later = new Date(Date.now() + 2_000)
    expect((await drainPull(pull(port, { cursor: later.toISOString(), overlap_ms: 0, now: later }))).items).toEqual([])
    simulator.handOver(bought[1]!)
    await expect.poll(() => simulator.ledger().filter(({ delivered }) => delivered).length).toBe(1)
    const second = await drainPull(pull(port, { cursor: first.cursor, overlap_ms: 2_000, now: later }))
    const mapped = second.items.map(({ topic, payload }) =>
      easypost.inbound[topic]!.map(payload, { observed_at: later.toISOString(), settings: {} }),
    )
    const delivered = mapped
      .flatMap(({ facts }) => facts)
      .filter((fact) => fact.kind === 'tracking_event' && fact.document.status === 'delivered')
    expect(delivered).toMatchObject([{ document: { tracking_number: bought[1] } }])
    expect(new Set([...first.items, ...second.items].map(({ dedupe_key }) => dedupe_key)).size).toBeGreaterThanOrEqual(
      4,
    )
    // A look that was cut short goes on behind the tracker it had come to.
    const [newest] = second.items
    const id = newest!.dedupe_key.slice(0, newest!.dedupe_key.indexOf(':'))
    const resumed = await drainPull(
      pull(port, {
        cursor: `${new Date(0).toISOString()} ${later.toISOString()} ${id}`,
        overlap_ms: 0,
        now: new Date(),
      }),
    )
    expect(resumed).toMatchObject({ cursor: later.toISOString() })
    expect(resumed.items).toHaveLength(2)
  })

  test('the account shows a record and says whether its webhooks are enabled', async () => {
    expect(await easypost.test!(port)).toContain('no shipments yet')
    await offers('FO-1-1')
    expect(await easypost.selfTest!(port, new Date())).toEqual([{ name: 'webhooks', ok: true, detail: '1 enabled' }])
  })
})
