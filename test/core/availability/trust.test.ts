import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { judgeSources } from '../../../src/core/availability/distrust.ts'
import { computeAvailability } from '../../../src/core/availability/load.ts'
import { measureRisk } from '../../../src/core/availability/measure.ts'
import { setPeakMode } from '../../../src/core/availability/peak.ts'
import { proofsToCheck, reassertStale, recordReadBack } from '../../../src/core/availability/proofs.ts'
import { claimDue, dueConnections, recordResults, type ClaimedLine } from '../../../src/core/availability/push.ts'
import { listCases } from '../../../src/core/cases/cases.ts'
import { explainSku } from '../../../src/core/inventory/read.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { OPEN_SHELF } from '../../kit/orders.ts'
import { CATALOG, countFact, createWorld, orderFact, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.apply('shop', listing('TEA'), listing('MUG'))
  await world.apply('mall', listing('TEA'))
  await world.apply(
    'wms',
    countFact(world, 'N1', 0, { TEA: 21, MUG: 4 }),
    countFact(world, 'S1', 0, { TEA: 3, MUG: 9 }),
  )
  for (const channel of ['shop', 'mall']) await tell(channel)
})
afterEach(() => world.drop())

const listing = (channel_sku: string): Fact => ({
  kind: 'listing',
  document: { channel_sku, title: channel_sku, external: {}, quantity: null },
})
const claim = (connection_id: string): Promise<ClaimedLine[]> =>
  claimDue(world.db, world.ctx, { connection_id, limit: 50, lease_ms: 60_000 })
const answer = (lines: ClaimedLine[]) =>
  inTransaction(world.db, (tx) =>
    recordResults(
      tx,
      world.ctx,
      lines,
      lines.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const })),
    ),
  )
async function tell(connection_id: string): Promise<string[]> {
  const lines = await claim(connection_id)
  await answer(lines)
  return lines.map(({ channel_sku, quantity }) => `${channel_sku} ${quantity}`).toSorted()
}
const order = (channel: string, id: string, units: number) =>
  world.apply(channel, orderFact(world, id, [{ sku: 'TEA', quantity: units }]))
const openCases = async () => (await listCases(world.db, { state: 'open' })).rows

describe('a place that falls silent', () => {
  const judge = () => inTransaction(world.db, (tx) => judgeSources(tx, world.ctx.now))
  const bear = (minutes: number | null) =>
    world.sync({ locations: CATALOG.locations.map((place) => ({ ...place, stale_after_minutes: minutes })) })

  it('is shown with a margin, never as nothing, is a case once, and heals with the next count', async () => {
    await bear(60)
    world.moveTo(60)
    expect(await judge()).toEqual({ distrusted: 0, healed: 0 })
    world.moveTo(61)
    expect(await judge()).toEqual({ distrusted: 2, healed: 0 })
    world.moveTo(62)
    expect(await judge()).toEqual({ distrusted: 0, healed: 0 })
    expect(await openCases()).toMatchObject([
      {
        kind: 'source_stale',
        subject: 'location:south',
        connection_id: 'wms',
        times: 1,
        data: { because: 'no_count' },
      },
      { kind: 'source_stale', subject: 'location:north' },
    ])
    expect(await tell('mall')).toEqual(['TEA 11'])
    expect((await explainSku(world.db, world.ctx, 'TEA')).distrusted).toMatchObject([
      { location_id: 'north', because: 'no_count', since: world.at(61).toISOString() },
      { location_id: 'south' },
    ])
    // It falls with every sale and does not rise by time.
    await order('mall', 'A', 11)
    expect(await tell('mall')).toEqual(['TEA 5'])
    world.moveTo(600)
    await judge()
    expect(await dueConnections(world.db, ['mall'], world.ctx.now)).toEqual([])
    await world.apply('wms', countFact(world, 'N1', 599, { TEA: 21 }))
    expect(await judge()).toEqual({ distrusted: 0, healed: 1 })
    expect(await openCases()).toMatchObject([{ subject: 'location:south' }])
    expect(await tell('mall')).toEqual(['TEA 10'])
  })

  it('is distrusted, too, when its connection is down for so long, and not at all where nobody has set a bound', async () => {
    await bear(60)
    await world.db.query(`update connections set state = 'failing', state_at = $1 where id = 'wms'`, [world.at(0)])
    world.moveTo(50)
    await world.apply('wms', countFact(world, 'N1', 50, { TEA: 21 }))
    world.moveTo(61)
    expect(await judge()).toEqual({ distrusted: 2, healed: 0 })
    expect(await world.db.query('select id, distrusted_because as because from locations order by id')).toEqual([
      { id: 'north', because: 'connection_down' },
      { id: 'south', because: 'no_count' },
    ])
    await bear(null)
    expect(await judge()).toEqual({ distrusted: 0, healed: 2 })
  })
})

describe('the buffer by measured risk', () => {
  const measure = () => inTransaction(world.db, (tx) => measureRisk(tx, world.ctx, 60))
  const peak = (mode: 'on' | 'off') =>
    inTransaction(world.db, (tx) => setPeakMode(tx, world.ctx, { company_id: 'acme', mode, by: 'user:anna' }))
  const lagIs = (ms: number) =>
    world.db.query(
      `update push_lag set lag_ms_p95 = $1, samples = array_fill($1::int, array[200]) where connection_id = 'mall'`,
      [ms],
    )
  const bufferOf = async (connection_id: string): Promise<(string | number)[][]> => {
    const computed = await computeAvailability(world.db, world.ctx, { connection_id })
    const terms = computed.find((row) => row.terms.some(({ sku }) => sku === 'TEA'))?.terms ?? []
    return terms.flatMap(({ name, value }) => (/^(adaptive|peak)_/.test(name) ? [[name, value]] : []))
  }
  const withRisk = (units_max = 50) =>
    world.policy('mall', { availability: { ...OPEN_SHELF, adaptive: { oversell_weight: 2, units_max } } })

  it('does nothing while no channel wants one', async () => {
    await order('shop', 'A', 6)
    expect(await measure()).toEqual({ items: 0, listings: 0 })
  })

  it('follows what the others sell and how long the channel takes, and makes due what moved', async () => {
    withRisk()
    await order('shop', 'A', 6)
    await tell('mall')
    world.moveTo(2)
    // Told within two minutes: 6 an hour × 1/30 h × 2 is less than a unit, which is one.
    await lagIs(120_000)
    expect(await measure()).toEqual({ items: 1, listings: 1 })
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -1]])
    expect(await tell('mall')).toHaveLength(1)
    expect(await measure()).toEqual({ items: 1, listings: 0 })
    // What the channel sells itself is no risk to it.
    await order('mall', 'B', 9)
    await measure()
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -1]])
    await lagIs(1_200_000)
    expect(await measure()).toMatchObject({ listings: 1 })
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -4]])
    withRisk(3)
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -3]])
    world.moveTo(90)
    expect(await measure()).toMatchObject({ listings: 1 })
    expect(await bufferOf('mall')).toEqual([])
    expect(await world.db.query('select 1 from sales_velocity')).toEqual([])
  })

  it('grows while the channel is down, its breaker is open or a place behind it is silent', async () => {
    withRisk()
    await lagIs(120_000)
    await order('shop', 'A', 6)
    await world.db.query(`update connections set last_pushed_at = $1 where id = 'mall'`, [world.at(0)])
    world.moveTo(30)
    await measure()
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -1]])
    await world.db.query(`update connections set state = 'paused' where id = 'mall'`)
    await measure()
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -6]])
    await world.db.query(`update connections set state = 'active'`)
    await world.db.query(`insert into breakers (connection_id, open_until, changed_at) values ('mall', $1, $1)`, [
      world.at(31),
    ])
    await measure()
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -6]])
    world.moveTo(40)
    await measure()
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -1]])
    await world.db.query(`update locations set distrusted_since = $1, distrusted_because = 'no_count' where id = 'north'`, [world.at(20)]) // prettier-ignore
    await measure()
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -4]])
  })

  it('counts three times in peak mode, by one switch that says who threw it', async () => {
    withRisk()
    await lagIs(60_000)
    await order('shop', 'A', 20)
    await measure()
    await tell('mall')
    const on = await peak('on')
    expect(on).toMatchObject({ peak_mode: true, changed_by: 'user:anna', connections: ['mall'] })
    expect(await dueConnections(world.db, ['mall'], world.ctx.now)).toEqual(['mall'])
    expect(await bufferOf('mall')).toEqual([
      ['adaptive_buffer', -1],
      ['peak_buffer', -2],
    ])
    world.moveTo(1)
    expect(await peak('on')).toEqual(on)
    await peak('off')
    expect(await bufferOf('mall')).toEqual([['adaptive_buffer', -1]])
    expect(await world.db.query('select action from audit_log')).toEqual([
      { action: 'peak.on' },
      { action: 'peak.off' },
    ])
    const nobody = { company_id: 'nobody', mode: 'on', by: 'user:anna' } as const
    await expect(inTransaction(world.db, (tx) => setPeakMode(tx, world.ctx, nobody))).rejects.toMatchObject({
      code: 'not_found',
    })
  })

  it('remembers the newest lags of each channel, from the change to the proof', async () => {
    const lags = () =>
      world.db.query(`select cardinality(samples) as n, lag_ms_p95 as p95 from push_lag where connection_id = 'mall'`)
    expect(await lags()).toEqual([{ n: 1, p95: 0 }])
    world.moveTo(10)
    await order('mall', 'A', 1)
    world.moveTo(11)
    const claimed = await claim('mall')
    world.moveTo(12)
    await order('mall', 'B', 1)
    world.moveTo(13)
    await answer(claimed)
    expect(await lags()).toEqual([{ n: 2, p95: 180_000 }])
    // The second order became due during the call: its own wait is measured from the claim, not from the first.
    world.moveTo(14)
    await tell('mall')
    expect(await lags()).toEqual([{ n: 3, p95: 180_000 }])
    await world.db.query(`update push_lag set samples = array_fill(5, array[200]) where connection_id = 'mall'`)
    await order('mall', 'C', 1)
    await tell('mall')
    expect(await lags()).toEqual([{ n: 200, p95: 5 }])
  })
})

describe('proofs', () => {
  const readBack = async (shows: Record<string, number>, between: () => Promise<unknown> = async () => undefined) => {
    const proofs = await proofsToCheck(world.db, 'mall', 20)
    await between()
    const shown = proofs.map(({ listing_id, channel_sku }) => ({ listing_id, quantity: shows[channel_sku] ?? 0 }))
    const verdicts = await inTransaction(world.db, (tx) => recordReadBack(tx, 'mall', proofs, shown, world.ctx.now))
    return Object.fromEntries(Object.entries(verdicts).map(([verdict, ids]) => [verdict, ids.length]))
  }
  const provenAt = async (): Promise<Date> =>
    (await world.db.query<{ proven_at: Date }>(`select proven_at from availability where connection_id = 'mall'`))[0]!
      .proven_at

  it('are refreshed by agreement, also when an order came during the question', async () => {
    world.moveTo(10)
    expect(await readBack({ TEA: 21 })).toEqual({ agrees: 1, may_be_sold: 0, drifted: 0 })
    expect(await provenAt()).toEqual(world.at(10))
    world.moveTo(20)
    // The order makes the row due: the push will prove it.
    expect(await readBack({ TEA: 21 }, () => order('mall', 'A', 2))).toEqual({ agrees: 0, may_be_sold: 0, drifted: 0 })
    expect(await provenAt()).toEqual(world.at(10))
  })

  it('that show more than was proven are a case with both numbers, and are pushed by comparison', async () => {
    world.moveTo(10)
    expect(await readBack({ TEA: 30 })).toMatchObject({ drifted: 1 })
    expect(await openCases()).toMatchObject([
      { kind: 'channel_drift', connection_id: 'mall', times: 1, data: { channel_sku: 'TEA', expected: 21, shown: 30 } },
    ])
    const [line] = await claim('mall')
    expect(line).toMatchObject({ quantity: 21, expected: 21 })
    await inTransaction(world.db, (tx) =>
      recordResults(tx, world.ctx, [line!], [{ listing_id: line!.listing_id, outcome: 'stale', actual: 30 }]),
    )
    expect(await claim('mall')).toMatchObject([{ quantity: 21, expected: 30 }])
    expect(await readBack({ TEA: 30 })).toEqual({ agrees: 0, may_be_sold: 0, drifted: 0 })
  })

  it('that show less have time to be explained by an order, and are a case when none comes', async () => {
    world.moveTo(10)
    expect(await readBack({ TEA: 18 })).toMatchObject({ may_be_sold: 1 })
    expect(await openCases()).toEqual([])
    await order('mall', 'A', 3)
    expect(await tell('mall')).toEqual(['TEA 18'])
    expect(await readBack({ TEA: 18 })).toMatchObject({ agrees: 1 })
    expect(await readBack({ TEA: 17 })).toMatchObject({ may_be_sold: 1 })
    world.moveTo(11)
    expect(await readBack({ TEA: 17 })).toMatchObject({ may_be_sold: 1 })
    await world.db.query(
      `insert into cursors (connection_id, stream, updated_at, pulled_at) values ('mall', 'orders', $1, $1)`,
      [world.at(11)],
    )
    expect(await readBack({ TEA: 17 })).toMatchObject({ drifted: 1 })
    expect(await openCases()).toMatchObject([{ data: { expected: 18, shown: 17 } }])
  })

  it('older than a day are made due, the oldest first', async () => {
    const reassert = () => inTransaction(world.db, (tx) => reassertStale(tx, ['mall', 'shop'], world.ctx.now))
    world.moveTo(24 * 60)
    expect(await reassert()).toBe(0)
    world.moveTo(24 * 60 + 1)
    await world.db.query(`update availability set proven_at = $1 where connection_id = 'shop'`, [world.at(24 * 60)])
    expect(await reassert()).toBe(1)
    expect(await dueConnections(world.db, ['mall', 'shop'], world.ctx.now)).toEqual(['mall'])
    expect(await tell('mall')).toEqual(['TEA 21'])
    expect(await reassert()).toBe(0)
  })

  it('are not asked for of a listing that is off sale or has nothing behind it', async () => {
    await world.db.query('update availability set dirty_seq = dirty_seq + 1')
    expect(await dueConnections(world.db, ['mall', 'shop'], world.ctx.now)).toEqual(['mall', 'shop'])
    await world.db.query(`update listings set active = false where connection_id = 'mall'`)
    await world.db.query(`delete from listing_items`)
    expect(await dueConnections(world.db, ['mall', 'shop'], world.ctx.now)).toEqual([])
  })
})
