import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openFileStore } from '../../../src/connectors/_kit/files.ts'
import type { EffectResult, FileStore, FulfillmentRequest, Port } from '../../../src/connectors/_kit/define.ts'
import { x12 } from '../../../src/connectors/x12/index.ts'
import type { Fact, FactOf } from '../../../src/core/model/fact.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import type { ThreePl } from '../../../src/sandbox/threepl.ts'
import { startEdiHouse, type EdiHouseOptions } from '../../../src/sandbox/x12/house.ts'

const PARTIES = { us: { qualifier: 'ZZ', id: 'EDIHOUSE' }, them: { qualifier: 'ZZ', id: 'ACMETRADING' } }

let root: string
let house: ThreePl | undefined
let store: FileStore | undefined
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'crossdock-edi-'))
})
afterEach(async () => {
  await store?.close()
  await house?.stop()
  rmSync(root, { recursive: true, force: true })
})

interface Desk {
  facts: Fact[]
  refused: string[]
  /** One order file for the house. */
  send: (key: string, requests: FulfillmentRequest[]) => Promise<EffectResult[]>
  announce: (key: string) => Promise<void>
  read: () => Promise<void>
}

/** The depositor's side: our own connector over the transport that the house names. */
function openDesk(settings: Readonly<Record<string, unknown>>): Desk {
  store = openFileStore(x12.files!.store(settings))
  const numbers = new Map<string, number>()
  const next = (sequence: string, key: string): Promise<number> => {
    const name = `${sequence} ${key}`
    const given = numbers.get(name) ?? numbers.size + 1
    numbers.set(name, given)
    return Promise.resolve(given)
  }
  const port = { files: store, numbers: { next }, settings } as unknown as Port
  const desk: Desk = {
    facts: [],
    refused: [],
    send: (key, requests) => x12.fulfillment!.send(port, requests, key, new Date()),
    announce: async (key) => {
      const lines = [{ sku: 'A', quantity: 7, lot: null }]
      const one = { outbox_id: 9, supply_id: 'u', reference: 'PO-7', location_code: 'RTM1', expected_at: null, announced_at: '2026-03-01T09:00:00.000Z', action: 'announce' as const, lines } // prettier-ignore
      await x12.announcements!.send(port, [one], key, new Date())
    },
    read: async () => {
      for (const { name } of await port.files.list('incoming')) {
        const bytes = await port.files.read(`incoming/${name}`, 1_000_000)
        const parsed = x12.files!.parse({ name, bytes, modified_at_ms: Date.now() }, settings)
        for (const { topic, payload, fault } of parsed.rows) {
          if (fault !== undefined) desk.refused.push(fault.code)
          else desk.facts.push(...x12.inbound[topic]!.map(payload, { observed_at: parsed.as_of, settings }).facts)
        }
        const result = {
          name,
          accepted: 0,
          rejected: [],
          received_at: '2026-03-01T10:00:00.000Z',
          envelopes: new Map(),
        }
        for (const answer of await x12.files!.answers!(port, parsed, result))
          await port.files.write(`outgoing/${answer.name}`, answer.bytes)
        await port.files.rename(`incoming/${name}`, `processed/${name}`)
      }
    },
  }
  return desk
}

const documents = <K extends Fact['kind']>(facts: readonly Fact[], kind: K): FactOf<K>['document'][] =>
  facts.flatMap((fact) => (fact.kind === kind ? [fact.document as FactOf<K>['document']] : []))
const work = (number: string, units: Record<string, number>, action: 'new' | 'cancel' = 'new'): FulfillmentRequest => ({
  outbox_id: Number(number.replace(/\D/g, '')), action, fulfillment_order: number, order_number: `#${number}`, location_code: 'RTM1', placed_at: '2026-03-01T09:00:00.000Z', shipping_method: null, ship_to: null,
  lines: Object.entries(units).map(([sku, quantity], index) => ({ sku, quantity, line_reference: `L${index}`, title: null })),
}) // prettier-ignore

async function open(changes: Partial<EdiHouseOptions> = {}): Promise<{ house: ThreePl; desk: Desk }> {
  house = await startEdiHouse({
    journal_path: join(root, 'journal.jsonl'), port: 0, random: () => 0.5, now: () => new Date(), faults: KIND, webhook_url: null, root: join(root, 'drop'),
    stock: { A: 10, B: 5 }, poll_ms: 10, pick_ms: 30, snapshot_every_ms: 60_000, location_code: 'RTM1', parties: PARTIES, short_share: 0, ...changes,
  }) // prettier-ignore
  return { house, desk: openDesk(house.settings) }
}

async function untilQuiet(): Promise<void> {
  await expect.poll(() => house?.busy(), { timeout: 10_000, interval: 10 }).toBe(false)
}

describe.each([
  ['a folder', {}],
  ['SFTP', { sftp: { username: 'hub', password: 'pass' } }],
])('an EDI warehouse over %s', (_name, transport) => {
  it('takes orders, acknowledges, ships and counts, each side reading what the other wrote', async () => {
    const { house, desk } = await open(transport)
    const done = await desk.send('b1', [work('FO-1', { A: 2, B: 1 }), work('FO-2', { A: 99 })])
    expect(done.map((one) => (one.outcome === 'done' ? one.awaits?.[0]?.reference : one.outcome))).toEqual([
      '1/0001',
      '1/0002',
    ])
    // The same again writes nothing, whether it lies there or was taken.
    await desk.send('b1', [work('FO-1', { A: 2, B: 1 }), work('FO-2', { A: 99 })])
    await untilQuiet()
    await desk.read()
    expect(documents(desk.facts, 'answer').map(({ reference, verdict }) => `${reference} ${verdict}`)).toEqual([
      '1/0001 accepted',
      '1/0002 accepted',
      '1 accepted',
    ])
    expect(documents(desk.facts, 'shipment')).toMatchObject([
      {
        fulfillment_order: 'FO-1',
        carrier: 'PARCEL POST',
        lines: [
          { sku: 'A', quantity: 2, line_reference: 'L0' },
          { sku: 'B', quantity: 1 },
        ],
      },
    ])
    expect(documents(desk.facts, 'acknowledgement')).toMatchObject([{ fulfillment_order: 'FO-2', verdict: 'rejected' }])
    expect(documents(desk.facts, 'stock_count')[0]?.lines).toMatchObject([
      { sku: 'A', on_hand: 10 },
      { sku: 'B', on_hand: 5 },
    ])
    expect(house.ledger()).toMatchObject({
      on_hand: { A: 8, B: 4 },
      rejected: ['FO-2'],
      refused_units: 91,
      refused_files: [],
    })
    expect(house.ledger().received.map(({ times }) => times)).toEqual([1, 1])
    await expect.poll(() => house.ledger().acks_read.length, { timeout: 5_000 }).toBe(3)
    expect(house.ledger().acks_read.every(({ rejected }) => rejected === 0)).toBe(true)
  })
})

describe('an EDI warehouse', () => {
  it('ships in parts, says what is short, and is called back in time', async () => {
    const { desk } = await open({ split_share: 1, pick_ms: 80 })
    await desk.send('b1', [work('FO-1', { A: 3 }), work('FO-2', { B: 1 })])
    await desk.send('c1', [work('FO-2', { B: 1 }, 'cancel')])
    await untilQuiet()
    await desk.read()
    const shipped = documents(desk.facts, 'shipment')
    expect(shipped.map(({ lines }) => lines.map(({ sku, quantity }) => `${quantity} ${sku}`))).toEqual([
      ['2 A'],
      ['1 A'],
    ])
    expect(new Set(shipped.map(({ external_id }) => external_id)).size).toBe(2)
    expect(documents(desk.facts, 'acknowledgement')).toMatchObject([
      { fulfillment_order: 'FO-2', verdict: 'cancelled' },
    ])
  })

  it('comes up short of a unit that nobody knew was gone', async () => {
    const { house, desk } = await open({ split_share: 0, short_share: 1 })
    await desk.send('b1', [work('FO-1', { A: 3 })])
    await untilQuiet()
    await desk.read()
    expect(documents(desk.facts, 'acknowledgement')).toMatchObject([
      { verdict: 'short', lines: [{ sku: 'A', quantity: 1 }] },
    ])
    expect(documents(desk.facts, 'shipment')).toMatchObject([{ lines: [{ sku: 'A', quantity: 2 }] }])
    expect(house.ledger().on_hand).toEqual({ A: 7, B: 5 })
  })

  it('reports goods received and corrections, and counts what changed', async () => {
    const { house, desk } = await open({
      stock: { A: 100, B: 5 },
      snapshot_every_ms: 40,
      adjust_share: 1,
      random: () => 0.25,
    })
    await desk.announce('s1')
    house.receive([{ sku: 'B', quantity: 7 }], 'PO-7')
    await expect.poll(() => house.ledger().on_hand['A'], { timeout: 5_000 }).toBeLessThan(100)
    await untilQuiet()
    await desk.read()
    expect(documents(desk.facts, 'receipt')).toMatchObject([
      { reference: 'PO-7', lines: [{ sku: 'B', quantity: 7, to: 'available' }] },
    ])
    expect(documents(desk.facts, 'stock_change')[0]).toMatchObject({ sku: 'A', delta: -1, reason: 'lost' })
    const counts = documents(desk.facts, 'stock_count')
    expect(counts[0]?.lines).toHaveLength(2)
    expect(counts.slice(1).flatMap(({ lines }) => lines)).toContainEqual({
      sku: 'B',
      on_hand: 12,
      damaged: 0,
      quality_control: 0,
    })
    expect(house.ledger().refused_files).toEqual([])
    expect(readdirSync(join(root, 'drop/archive')).filter((name) => name.startsWith('943'))).toHaveLength(1)
  })

  it('makes the mistakes that are made, and what it meant is heard once', async () => {
    let draw = 0
    const { house, desk } = await open({
      faults: { ...KIND, fail_share: 0.4, webhook_duplicate_share: 0.6, webhook_delay_ms_max: 20 },
      random: () => ((draw += 37) % 100) / 100,
    })
    for (let index = 1; index <= 8; index += 1) await desk.send(`b${index}`, [work(`FO-${index}`, { A: 1 })])
    await untilQuiet()
    await desk.read()
    expect(desk.refused).toContain('control_total_mismatch')
    const refused = readdirSync(join(root, 'drop', 'processed')).filter((name) => {
      const file = { name, bytes: readFileSync(join(root, 'drop', 'processed', name)), modified_at_ms: 0 }
      return x12.files!.parse(file, house.settings).rows.some(({ fault }) => fault !== undefined)
    })
    expect(refused.length).toBeGreaterThan(0)
    expect(house.ledger().wrong_files).toEqual(expect.arrayContaining(refused))
    const shipped = documents(desk.facts, 'shipment').map(({ external_id }) => external_id)
    expect(new Set(shipped).size).toBe(8)
    expect(house.ledger().shipped).toHaveLength(8)
    await expect
      .poll(() => house.ledger().acks_read.some(({ rejected }) => rejected > 0), { timeout: 5_000 })
      .toBe(true)
  })

  it('goes on where it stopped, with numbers of its own', async () => {
    const first = await open({ pick_ms: 100 })
    await first.desk.send('b1', [work('FO-1', { A: 3 })])
    await expect.poll(() => first.house.ledger().received.length).toBe(1)
    await first.house.stop()
    const { house } = await open({ stock: { A: 999 } })
    await untilQuiet()
    expect(house.ledger()).toMatchObject({ on_hand: { A: 7, B: 5 }, shipped: [{ fulfillment_order: 'FO-1' }] })
    const names = readFileSync(join(root, 'journal.jsonl'), 'utf8').match(/edi_\d{9}/g) ?? []
    const written = new Set(readdirSync(join(root, 'drop/incoming')).map((name) => name.slice(0, 13)))
    expect(written.size).toBeGreaterThan(2)
    expect(names.length).toBeGreaterThan(written.size - 1)
  })
})
