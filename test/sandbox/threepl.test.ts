import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { filedrop } from '../../src/connectors/filedrop/index.ts'
import type { FileStore, FulfillmentRequest, Port } from '../../src/connectors/_kit/define.ts'
import { openFileStore } from '../../src/connectors/_kit/files.ts'
import type { Fact, FactOf } from '../../src/core/model/fact.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { startThreePl, type ThreePl, type ThreePlOptions } from '../../src/sandbox/threepl.ts'
import { portOf } from '../kit/vendorPort.ts'

/** A hub's half of the drop: sends work, reads files, keeps the facts. */
interface Hub {
  send: (key: string, requests: FulfillmentRequest[]) => Promise<void>
  read: () => Promise<Fact[]>
  facts: Fact[]
  close: () => Promise<void>
}

const definition = filedrop.files
const effect = filedrop.fulfillment

function openHub(settings: Readonly<Record<string, unknown>>): Hub {
  if (definition === undefined || effect === undefined) return expect.fail('the connector has no files')
  const store: FileStore = openFileStore(definition.store(settings))
  const port: Port = portOf<unknown>({ files: store, settings })
  const facts: Fact[] = []
  const read = async (): Promise<Fact[]> => {
    for (const { name } of await store.list('incoming')) {
      if (
        definition.accepts(name, settings) === undefined ||
        !(await store.rename(`incoming/${name}`, `processed/${name}`))
      )
        continue
      const parsed = definition.parse(
        { name, bytes: await store.read(`processed/${name}`, 1_000_000), modified_at_ms: 0 },
        settings,
      )
      const sound = parsed.rows.filter(({ fault }) => fault === undefined)
      for (const row of sound)
        facts.push(
          ...(filedrop.inbound[row.topic]?.map(row.payload, { observed_at: parsed.as_of, settings: {} }).facts ?? []),
        )
      const ack = definition.acknowledgement?.(parsed, {
        name,
        accepted: sound.length,
        rejected: [],
        received_at: parsed.as_of,
        envelopes: new Map(),
      })
      if (ack !== undefined) await store.write(`acks/${ack.name}`, ack.bytes)
    }
    return facts
  }
  return {
    send: async (key, requests) => void (await effect.send(port, requests, key, new Date())),
    read,
    facts,
    close: () => store.close(),
  }
}

const work = (number: string, units: Record<string, number>, action: 'new' | 'cancel' = 'new'): FulfillmentRequest => ({
  outbox_id: 1, action, fulfillment_order: number, order_number: `#${number}`, location_code: 'B1', placed_at: '2026-11-21T09:00:00.000Z', shipping_method: null,
  ship_to: null, lines: Object.entries(units).map(([sku, quantity], i) => ({ sku, quantity, line_reference: `L${i}`, title: null })),
}) // prettier-ignore

const documents = <K extends Fact['kind']>(facts: readonly Fact[], kind: K): FactOf<K>['document'][] =>
  facts.flatMap((fact) => (fact.kind === kind ? [fact.document as FactOf<K>['document']] : []))

let root: string
let threePl: ThreePl | undefined
let hub: Hub | undefined
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'crossdock-3pl-'))
})
afterEach(async () => {
  await hub?.close()
  await threePl?.stop()
  rmSync(root, { recursive: true, force: true })
})

function optionsWith(changes: Partial<ThreePlOptions> = {}): ThreePlOptions {
  return {
    journal_path: join(root, 'journal.jsonl'), port: 0, random: () => 0.5, now: () => new Date(), faults: KIND, webhook_url: null, root: join(root, 'drop'),
    stock: { A: 10, B: 5 }, poll_ms: 10, pick_ms: 30, snapshot_every_ms: 60_000, location_code: 'B1', partner: 'acme', ...changes,
  } // prettier-ignore
}

async function open(changes: Partial<ThreePlOptions> = {}): Promise<{ threePl: ThreePl; hub: Hub }> {
  threePl = await startThreePl(optionsWith(changes))
  hub = openHub(threePl.settings)
  return { threePl, hub }
}

async function untilQuiet(threePl: ThreePl, hub: Hub): Promise<Fact[]> {
  await expect.poll(() => threePl.busy(), { timeout: 10_000, interval: 10 }).toBe(false)
  return await hub.read()
}

describe.each([
  ['a folder', {}],
  ['SFTP', { sftp: { username: 'hub', password: 'pass' } }],
])('a 3PL over %s', (_name, transport) => {
  it('takes work on, ships it, counts, and reads our answers', async () => {
    const { threePl, hub } = await open(transport)
    await hub.send('batch-1', [work('FO-1', { A: 2, B: 1 }), work('FO-2', { A: 1 })])
    const facts = await untilQuiet(threePl, hub)
    expect(
      documents(facts, 'acknowledgement').map(({ fulfillment_order, verdict }) => `${fulfillment_order} ${verdict}`),
    ).toEqual(['FO-1 accepted', 'FO-2 accepted'])
    const shipments = documents(facts, 'shipment')
    expect(
      shipments.map(({ fulfillment_order, lines }) => [
        fulfillment_order,
        lines.map(({ sku, quantity }) => `${quantity} ${sku}`),
      ]),
    ).toEqual([
      ['FO-1', ['2 A', '1 B']],
      ['FO-2', ['1 A']],
    ])
    expect(new Set(shipments.map(({ tracking_number }) => tracking_number)).size).toBe(2)
    expect(documents(facts, 'stock_count')[0]?.lines.map(({ sku, on_hand }) => `${on_hand} ${sku}`)).toEqual([
      '10 A',
      '5 B',
    ])
    threePl.count()
    await untilQuiet(threePl, hub)
    expect(
      documents(hub.facts, 'stock_count')
        .at(-1)
        ?.lines.map(({ sku, on_hand }) => `${on_hand} ${sku}`),
    ).toEqual(['7 A', '4 B'])
    await expect.poll(() => threePl.ledger().acks_read.length, { timeout: 5_000 }).toBe(4)
    expect(threePl.ledger()).toMatchObject({ on_hand: { A: 7, B: 4 }, refused_units: 0, cancelled: [], rejected: [] })
    expect(threePl.ledger().received).toMatchObject([{ fulfillment_order: 'FO-1', order_number: '#FO-1', times: 1 }, { fulfillment_order: 'FO-2', times: 1 }]) // prettier-ignore
    expect(await filedrop.test?.(portOf({ files: openFileStore(definition?.store(threePl.settings) ?? expect.fail()), settings: threePl.settings }))).toContain('incoming/ can be read: 0') // prettier-ignore
  })
})

describe('a 3PL', () => {
  it('refuses what it does not have and counts it', async () => {
    const { threePl, hub } = await open()
    await hub.send('b1', [work('FO-1', { A: 8 }), work('FO-2', { A: 5 }), work('FO-3', { A: 2 })])
    const facts = await untilQuiet(threePl, hub)
    expect(documents(facts, 'acknowledgement').map(({ verdict }) => verdict)).toEqual([
      'accepted',
      'rejected',
      'accepted',
    ])
    expect(threePl.ledger()).toMatchObject({ refused_units: 3, rejected: ['FO-2'], on_hand: { A: 0 } })
  })

  it('counts work that is sent twice and does it once', async () => {
    const { threePl, hub } = await open()
    await hub.send('b1', [work('FO-1', { A: 1 })])
    await untilQuiet(threePl, hub)
    await hub.send('b2', [work('FO-1', { A: 1 })])
    await untilQuiet(threePl, hub)
    expect(threePl.ledger().received).toMatchObject([{ fulfillment_order: 'FO-1', times: 2 }])
    expect(threePl.ledger()).toMatchObject({ on_hand: { A: 9 }, shipped: [{ fulfillment_order: 'FO-1' }] })
  })

  it('honours a recall before the parcel has left, also one that comes first', async () => {
    const { threePl, hub } = await open({ pick_ms: 300 })
    await hub.send('b1', [work('FO-1', { A: 1 }), work('FO-2', { A: 1 })])
    await hub.send('b0', [work('FO-1', {}, 'cancel'), work('FO-3', {}, 'cancel')])
    await sleep(50)
    await hub.send('b3', [work('FO-3', { A: 1 })])
    const facts = await untilQuiet(threePl, hub)
    const said = documents(facts, 'acknowledgement').map(
      ({ fulfillment_order, verdict }) => `${fulfillment_order} ${verdict}`,
    )
    expect(said).toEqual(expect.arrayContaining(['FO-1 cancelled', 'FO-2 accepted', 'FO-3 cancelled']))
    expect(threePl.ledger()).toMatchObject({ cancelled: expect.arrayContaining(['FO-1', 'FO-3']) as string[], shipped: [{ fulfillment_order: 'FO-2' }], on_hand: { A: 9 } }) // prettier-ignore
    await hub.send('b4', [work('FO-2', {}, 'cancel')])
    await untilQuiet(threePl, hub)
    expect(documents(hub.facts, 'acknowledgement').at(-1)).toMatchObject({
      fulfillment_order: 'FO-2',
      verdict: 'accepted',
      reason: 'too late, already shipped',
    })
  })

  it('splits and comes up short when asked to', async () => {
    const { threePl, hub } = await open({ split_share: 0, short_share: 1 })
    await hub.send('b1', [work('FO-1', { A: 3 })])
    const facts = await untilQuiet(threePl, hub)
    expect(threePl.ledger()).toMatchObject({ on_hand: { A: 7 }, shipped: [{ lines: [{ sku: 'A', quantity: 2 }] }] })
    expect(documents(facts, 'acknowledgement').at(-1)).toMatchObject({ fulfillment_order: 'FO-1', verdict: 'rejected' })
    await threePl.stop()
    await hub.close()
    rmSync(root, { recursive: true })
    const split = await open({ split_share: 1 })
    await split.hub.send('b1', [work('FO-1', { A: 2, B: 3 })])
    const parts = documents(await untilQuiet(split.threePl, split.hub), 'shipment')
    expect(parts.map(({ lines }) => lines.map(({ sku, quantity }) => `${quantity} ${sku}`))).toEqual([
      ['2 A', '1 B'],
      ['2 B'],
    ])
  })

  it('reports late what it counted early, and goods that arrive', async () => {
    const { threePl, hub } = await open({ faults: { ...KIND, webhook_delay_ms_max: 600 } })
    await hub.send('b1', [work('FO-1', { A: 4 })])
    threePl.receive([{ sku: 'B', quantity: 7 }], 'PO-7')
    const facts = await untilQuiet(threePl, hub)
    const [count] = documents(facts, 'stock_count')
    const [shipment] = documents(facts, 'shipment')
    expect(count?.lines).toMatchObject([{ sku: 'A', on_hand: 10 }, { sku: 'B', on_hand: 5 }]) // prettier-ignore
    expect(Date.parse(count?.as_of ?? '')).toBeLessThan(Date.parse(shipment?.shipped_at ?? ''))
    expect(facts.findIndex(({ kind }) => kind === 'stock_count')).toBeGreaterThan(-1)
    expect(documents(facts, 'stock_change')).toMatchObject([
      { sku: 'B', delta: 7, location_code: 'B1', reference: 'PO-7' },
    ])
    expect(threePl.ledger().arrived).toMatchObject([
      { reference: 'PO-7', lines: [{ sku: 'B', quantity: 7 }], before: { B: 5 } },
    ])
    expect(threePl.ledger().on_hand).toEqual({ A: 6, B: 12 })
  })

  it('sends back some work that it cannot pick, and keeps the goods', async () => {
    const { threePl, hub } = await open({ cannot_pick: { share: 0.6, skus: ['A'] } })
    await hub.send('b1', [work('FO-1', { A: 2 }), work('FO-2', { A: 1, B: 1 }), work('FO-3', { B: 1 })])
    const facts = await untilQuiet(threePl, hub)
    expect(
      documents(facts, 'acknowledgement').map(({ fulfillment_order, verdict, reason }) => [
        fulfillment_order,
        verdict,
        reason,
      ]),
    ).toEqual([
      ['FO-1', 'rejected', 'cannot pick'],
      ['FO-2', 'accepted', null],
      ['FO-3', 'accepted', null],
    ])
    expect(threePl.ledger()).toMatchObject({ on_hand: { A: 9, B: 3 }, rejected: ['FO-1'], refused_units: 0 })
    // The same work sent again is the same work.
    await hub.send('b2', [work('FO-1', { A: 2 })])
    await untilQuiet(threePl, hub)
    expect(threePl.ledger()).toMatchObject({ on_hand: { A: 9, B: 3 }, rejected: ['FO-1'] })
  })

  it('puts a broken order file aside, so that it is sent again', async () => {
    const { threePl, hub } = await open()
    writeFileSync(
      join(root, 'drop/outgoing/orders_acme_x.csv'),
      'action,fulfillment_order,sku,quantity\r\nNEW,FO-1,A,1\r\n',
    )
    await expect.poll(() => threePl.ledger().refused_files).toEqual(['orders_acme_x.csv'])
    await hub.send('x', [work('FO-1', { A: 1 })])
    await untilQuiet(threePl, hub)
    expect(threePl.ledger().received).toMatchObject([{ fulfillment_order: 'FO-1', times: 1 }])
  })

  it('goes on where it stopped', async () => {
    const first = await open({ pick_ms: 100 })
    await first.hub.send('b1', [work('FO-1', { A: 3 })])
    await expect.poll(() => first.threePl.ledger().received.length).toBe(1)
    await first.threePl.stop()
    const { threePl, hub: sameHub } = await open({ stock: { A: 999 } })
    const facts = await untilQuiet(threePl, sameHub)
    expect(documents(facts, 'shipment')).toHaveLength(1)
    expect(threePl.ledger()).toMatchObject({ on_hand: { A: 7, B: 5 }, shipped: [{ fulfillment_order: 'FO-1' }] })
    await first.hub.close()
  })
})

describe('a 3PL that is killed', () => {
  it('does the same from every point of its journal, with its files moved and written or not', async () => {
    const { threePl: whole, hub: wholeHub } = await open({ split_share: 1 })
    await wholeHub.send('b1', [work('FO-1', { A: 2, B: 3 }), work('FO-2', { A: 99 })])
    await untilQuiet(whole, wholeHub)
    await whole.stop()
    const drop = join(root, 'drop')
    const order = readFileSync(join(drop, 'archive/orders_acme_b1.csv'))
    const lines = readFileSync(join(root, 'journal.jsonl'), 'utf8').split('\n').slice(0, -1)
    expect(lines.length).toBeGreaterThan(8)
    for (let known = 0; known <= lines.length; known += 1) {
      for (const moved of known > lines.findIndex((line) => line.includes('"received"')) ? [true, false] : [false]) {
        rmSync(drop, { recursive: true })
        mkdirSync(join(drop, 'outgoing'), { recursive: true })
        mkdirSync(join(drop, 'archive'))
        writeFileSync(join(drop, moved ? 'archive' : 'outgoing', 'orders_acme_b1.csv'), order)
        // The line that was being written when the process died is torn.
        writeFileSync(
          join(root, 'journal.jsonl'),
          `${lines.slice(0, known).join('\n')}${known > 0 ? '\n' : ''}${(lines[known] ?? '').slice(0, 20)}`,
        )
        const again = await open({ split_share: 1, pick_ms: 5, poll_ms: 2 })
        const facts = await untilQuiet(again.threePl, again.hub)
        expect(again.threePl.ledger(), `after ${known} events`).toMatchObject({
          on_hand: { A: 8, B: 2 },
          refused_units: 91,
          rejected: ['FO-2'],
        })
        expect(again.threePl.ledger().received.map(({ times }) => times)).toEqual([1, 1])
        expect(again.threePl.ledger().shipped).toHaveLength(2)
        // What had been reported before the crash lies in the hub's processed folder, which is gone here; nothing else may be missing.
        const reported = lines.slice(0, known).flatMap((line) => (line.includes('"wrote"') ? [line] : [])).length
        if (reported === 0) expect(documents(facts, 'shipment')).toHaveLength(2)
        await again.hub.close()
        await again.threePl.stop()
      }
    }
  })

  const KILLS = 12
  const ORDERS = 60

  /** A process of its own, because only a process can be killed. */
  const launch = (options: object): ChildProcess => {
    const source = join(import.meta.dirname, '../../src/sandbox/threepl.ts')
    const script = `const { startThreePl } = await import(${JSON.stringify(source)}); await startThreePl({ ...${JSON.stringify(options)}, random: Math.random, now: () => new Date() })`
    return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' })
  }

  it('neither forgets nor ships twice', async () => {
    const {
      random: _random,
      now: _now,
      ...plain
    } = optionsWith({ stock: { A: 40, B: 1_000 }, poll_ms: 2, pick_ms: 5, split_share: 0.3 })
    const mine = (hub = openHub({
      transport: { kind: 'folder', root: plain.root },
      partner: 'acme',
      location_code: 'B1',
    }))
    let process = launch(plain)
    const ended = (child: ChildProcess): Promise<unknown> => new Promise((resolve) => child.once('exit', resolve))
    for (let i = 0; i < ORDERS; i += 1) {
      await mine.send(`batch-${i}`, [work(`FO-${i}`, { A: 1, B: 2 })])
      if (i % (ORDERS / KILLS) === 0) {
        await sleep(200 + (i % 7) * 9)
        const gone = ended(process)
        process.kill('SIGKILL')
        await gone
        process = launch(plain)
      }
      await mine.read()
    }
    await sleep(500)
    const gone = ended(process)
    process.kill('SIGKILL')
    await gone
    threePl = await startThreePl(optionsWith({ stock: {}, poll_ms: 2, pick_ms: 5 }))
    const facts = await untilQuiet(threePl, mine)
    const ledger = threePl.ledger()
    expect(ledger.received).toHaveLength(ORDERS)
    expect(ledger.received.filter(({ times }) => times !== 1)).toEqual([])
    const shippedA = ledger.shipped.flatMap(({ lines }) => lines).filter(({ sku }) => sku === 'A')
    expect([
      shippedA.reduce((sum, { quantity }) => sum + quantity, 0),
      ledger.on_hand['A'],
      ledger.rejected.length,
    ]).toEqual([40, 0, ORDERS - 40])
    const told = new Map(
      documents(facts, 'shipment').map((shipment) => [
        shipment.external_id,
        shipment.lines.reduce((sum, { quantity }) => sum + quantity, 0),
      ]),
    )
    expect([...told.keys()].toSorted()).toEqual(ledger.shipped.map(({ shipment_id }) => shipment_id).toSorted())
    expect([...told.values()].reduce((sum, quantity) => sum + quantity, 0)).toBe(40 * 3)
    const answered = new Set(documents(facts, 'acknowledgement').map(({ fulfillment_order }) => fulfillment_order))
    expect(answered.size).toBe(ORDERS)
    expect(readdirSync(join(root, 'drop/incoming')).filter((name) => !name.startsWith('.'))).toEqual([])
    expect(readFileSync(plain.journal_path ?? '', 'utf8')).not.toContain('Street')
  })
})
