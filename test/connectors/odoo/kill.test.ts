import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { asHubError } from '../../../src/core/errors.ts'
import { startOdooSimulator, type OdooSimulator } from '../../../src/sandbox/odoo/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { DOCUMENT_KINDS, tellFirst, type DocumentKind } from './killDocuments.ts'
import { addedBetween, countAll, type KillWorld } from './killSeen.ts'
import { startKillerProxy, type KillerProxy, type Moment } from './killerProxy.ts'
import { makeCatalogue, NOW, RUN } from './liveDocuments.ts'
import { liveServer, send, type LiveServer } from './liveServer.ts'
import { openWriters, type Writers } from './writers.ts'

/**
 * kill -9 in the middle of each call: a process that writes a document is killed at a call that changes something, before the call is passed
 * on, while Odoo works on it, after its answer, or with the call arriving together with the next one's; then another process writes the same
 * document, and the ERP is asked for everything that is there. Every call of every kind of document at each of these moments against a
 * real server (ODOO_URL, ODOO_DB, ODOO_API_KEY, see live.test.ts; about ten minutes a protocol) and, with ODOO_KILLS=all, against the
 * simulator; otherwise one call a kind against the simulator.
 */
const ALL: readonly Moment[] = ['before', 'during', 'after', 'together']
const ACCOUNTS = { 'clearing:*': '101701', 'fees:*': '620000', bank: '101404' }
const AGAIN_MAX = 10
const TIMEOUT_MS = 600_000

interface Place {
  name: string
  protocol: 'json2' | 'jsonrpc'
  /** In short: one death a kind of document. */
  short: boolean
  open: () => Promise<{ server: LiveServer; login: string; close: () => Promise<void> }>
}

async function openSimulator(): Promise<{ server: LiveServer; login: string; close: () => Promise<void> }> {
  const simulator: OdooSimulator = await startOdooSimulator({
    connection_id: 'erp', journal_path: null, port: 0, random: () => 0.5, now: () => NOW, faults: KIND, webhook_url: null, api_key: 'key',
    seed: {
      currency: 'USD',
      warehouses: [{ code: 'WH', name: 'Main' }],
      taxes: [{ name: '15%', percent: 15, included: false }],
      products: [],
      accounts: [
        { code: '101701', name: 'Clearing', type: 'asset_current' },
        { code: '620000', name: 'Fees', type: 'expense' },
        { code: '101404', name: 'Bank', type: 'asset_cash' },
      ],
    },
  }) // prettier-ignore
  const server = { url: simulator.url, database: 'sandbox', api_key: 'key' }
  return { server, login: 'hub', close: () => simulator.stop() }
}

const live = liveServer()
const openLive = () => Promise.resolve({ server: live as LiveServer, login: 'admin', close: () => Promise.resolve() })
const PLACES: readonly Place[] =
  live === undefined
    ? [{ name: 'the simulator', protocol: 'json2', short: process.env['ODOO_KILLS'] !== 'all', open: openSimulator }]
    : (['json2', 'jsonrpc'] as const).map((protocol) => ({ name: 'a real server', protocol, short: false, open: openLive })) // prettier-ignore

/** A run against a real server takes minutes: all that went wrong in it is told, each with what was there instead. */
const detailOf = (thrown: unknown): string =>
  thrown instanceof Error && 'actual' in thrown
    ? `${thrown.message} ${JSON.stringify(thrown.actual)}`
    : asHubError(thrown).message

describe.each(PLACES)('$name over $protocol, with kill -9 of who writes', ({ protocol, short, open }) => {
  let place: Awaited<ReturnType<Place['open']>>
  let proxy: KillerProxy
  let writers: Writers
  let world: KillWorld
  let documents = 0
  const numberOf = (kind: DocumentKind): string => `${RUN}-${protocol}-${kind.name.replace(/\W/g, '')}-${(documents += 1)}`.toLowerCase() // prettier-ignore

  beforeAll(async () => {
    writers = openWriters()
    place = await open()
    const { server, login } = place
    proxy = await startKillerProxy(server.url)
    const sku = (name: string): string => `CK-${RUN}-${protocol}-${name}`
    const return_locations = { damaged: `WH/Stock/Damaged ${RUN}` }
    const settings = { url: server.url, database: server.database, login, api_key: server.api_key, protocol, external_id_module: `kill_${RUN}_${protocol}`, accounts: ACCOUNTS, return_locations } // prettier-ignore
    world = { server, settings, sku }
    await makeCatalogue(server, sku)
    await tellFirst(world, `${RUN}-${protocol}-first`)
  }, TIMEOUT_MS)
  afterAll(async () => {
    await writers.stop()
    await proxy.stop()
    await place.close()
  })

  /** Undisturbed: which calls change something, and what there is then. */
  const learn = async (kind: DocumentKind) => {
    const { request, settings, seen, wanted } = await kind.prepare(world, numberOf(kind))
    const before = await countAll(world)
    proxy.arm(undefined)
    const [result] = await send({ ...world.settings, ...settings, url: proxy.url }, request)
    expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'done' })
    const calls = [...proxy.told()]
    expect(await seen()).toEqual(wanted)
    return { calls, added: addedBetween(before, await countAll(world)) }
  }

  const killAt = async (kind: DocumentKind, moment: Moment, call: number, added: Record<string, number>) => {
    const { request, settings, seen, wanted } = await kind.prepare(world, numberOf(kind))
    const before = await countAll(world)
    const work = { settings: { ...world.settings, ...settings, url: proxy.url }, request }
    const victim = await writers.living()
    proxy.arm({ call, moment, kill: victim.kill })
    expect(await victim.write(work)).toEqual({ end: 'killed' })
    proxy.arm(undefined)
    const heir = await writers.living()
    let end = await heir.write(work)
    for (let times = 0; end.end === 'again' && times < AGAIN_MAX; times += 1) end = await heir.write(work)
    expect(end, JSON.stringify(end)).toMatchObject({ end: 'told', result: { outcome: 'done' } })
    await proxy.settled()
    expect(await seen()).toEqual(wanted)
    expect(addedBetween(before, await countAll(world))).toEqual(added)
  }

  it.each(DOCUMENT_KINDS)(
    '$name',
    async (kind) => {
      const { calls, added } = await learn(kind)
      expect(calls).toContain(kind.sampled)
      const points = short
        ? [{ moment: 'during' as const, call: calls.indexOf(kind.sampled) }]
        : ALL.flatMap((moment) => calls.map((_, call) => ({ moment, call })))
      const faults: string[] = []
      for (const { moment, call } of points) {
        try {
          await killAt(kind, moment, call, added)
        } catch (thrown) {
          faults.push(`${moment} call ${call}, ${calls[call]}: ${detailOf(thrown)}`)
        }
      }
      expect(faults).toEqual([])
    },
    TIMEOUT_MS,
  )

  it('has really killed', () => {
    console.info(`${protocol}: ${writers.deaths()} killed, ${documents} documents`)
    // Of every kind one document was left in peace.
    expect(writers.deaths()).toBe(documents - DOCUMENT_KINDS.length)
    expect(writers.deaths()).toBeGreaterThanOrEqual(DOCUMENT_KINDS.length)
  })
})
