import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  approveWriteOff,
  assignBreak,
  commentBreak,
  explainBreak,
  rejectWriteOff,
  reopenBreak,
  resolveBreak,
  writeOffBreak,
} from '../../../src/core/breaks/actions.ts'
import { listBreaks, showBreak, totalBreaks } from '../../../src/core/breaks/read.ts'
import { verify } from '../../../src/core/verify.ts'
import type { Tx } from '../../../src/db/pool.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, type World } from '../world.ts'
import { bankAgrees, breaksOf, line, payout, readBank, refresh } from './planted.ts'

const DAY = 24 * 60
const LIMIT = 500
let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.apply(
    'bank',
    payout('po_a', [line('1', 'adjustment', 400)]),
    payout('po_b', [line('1', 'adjustment', 40_000)]),
    payout('po_c', [line('1', 'other', 900)]),
  )
  await readBank(world, [])
  await bankAgrees(world, 'po_c')
  world.moveTo(20 * DAY)
  await refresh(world)
})
afterAll(() => world.drop())

const act = <T>(work: (tx: Tx) => Promise<T>): Promise<T> => inTransaction(world.db, work)
const idOf = async (type: string, amount: number): Promise<number> =>
  (await breaksOf(world, `type = '${type}' and amount_minor = ${amount}`))[0]?.id ?? 0
const stateOf = async (id: number) => (await showBreak(world.db, id, world.ctx.now)).state
const entries = () =>
  world.db.query<{ account: string; minor: number }>(
    `select account, sum(amount_minor)::bigint as minor from journal_entries group by 1 having sum(amount_minor) <> 0 order by 1`,
  )
const writeOff = (id: number, by: string, limit_minor = LIMIT) =>
  act((tx) => writeOffBreak(tx, world.ctx, { id, by, reason: 'our_error', text: 'lost', limit_minor }))

describe('what people do to a break', () => {
  it('is kept with who and when, and survives every run', async () => {
    const id = await idOf('unknown_type', 900)
    await act((tx) => assignBreak(tx, world.ctx, { id, by: 'user:ann', owner: 'ben' }))
    await act((tx) => assignBreak(tx, world.ctx, { id, by: 'user:ann', owner: 'ben' }))
    await act((tx) =>
      explainBreak(tx, world.ctx, { id, by: 'user:ben', reason: 'timing', text: 'they call it a loyalty credit' }),
    )
    await act((tx) => commentBreak(tx, world.ctx, { id, by: 'user:ann', text: 'fine' }))
    await refresh(world)
    const shown = await showBreak(world.db, id, world.ctx.now)
    expect(shown).toMatchObject({ state: 'explained', owner: 'ben', reason_code: 'timing', age_days: 0, age: '0-2' })
    expect(shown.comments.map(({ by, kind }) => `${by} ${kind}`)).toEqual([
      'user:ann assign',
      'user:ben explain',
      'user:ann comment',
    ])
    const audit = await world.db.query(`select action from audit_log where subject = 'break:${id}' order by id`)
    expect(audit).toEqual([{ action: 'break.assign' }, { action: 'break.explain' }, { action: 'break.comment' }])
  })

  it('opens again when a corrected payout changes it, is gone with it, and comes back with it', async () => {
    const id = await idOf('unknown_type', 900)
    await world.apply('bank', payout('po_c', [line('1', 'other', 950)]))
    await bankAgrees(world, 'po_c')
    expect(await refresh(world)).toMatchObject({ opened: 0, reopened: 1 })
    expect(await showBreak(world.db, id, world.ctx.now)).toMatchObject({
      state: 'assigned',
      owner: 'ben',
      amount_minor: 950,
    })
    await world.apply('bank', payout('po_c', [line('1', 'adjustment', 950)]))
    await bankAgrees(world, 'po_c')
    expect(await refresh(world)).toMatchObject({ resolved: 1 })
    expect(await showBreak(world.db, id, world.ctx.now)).toMatchObject({ state: 'resolved', owner: 'ben' })
    expect((await showBreak(world.db, id, world.ctx.now)).comments.at(-1)).toMatchObject({
      by: 'crossdock',
      kind: 'resolved',
    })
    await world.apply('bank', payout('po_c', [line('1', 'other', 950)]))
    await bankAgrees(world, 'po_c')
    expect(await refresh(world)).toMatchObject({ opened: 0, reopened: 1 })
    expect(await stateOf(id)).toBe('assigned')
  })

  it('may be that it needs no more work: then it rests until something moves', async () => {
    const id = await idOf('unknown_type', 950)
    await act((tx) => resolveBreak(tx, world.ctx, { id, by: 'user:ann', text: 'seen' }))
    await refresh(world)
    expect(await stateOf(id)).toBe('resolved')
    await act((tx) => reopenBreak(tx, world.ctx, { id, by: 'user:ann', text: 'not yet' }))
    expect(await stateOf(id)).toBe('assigned')
  })
})

describe('a write-off', () => {
  it('within the limit is booked at once and only once', async () => {
    const id = await idOf('payout_not_in_bank', -400)
    expect(await writeOff(id, 'user:ann')).toMatchObject({ kind: 'written_off' })
    await expect(writeOff(id, 'user:ann')).rejects.toMatchObject({ code: 'conflict' })
    expect(await entries()).toEqual([
      { account: 'clearing:bank', minor: -400 },
      { account: 'write_offs', minor: 400 },
    ])
    await refresh(world)
    expect(await stateOf(id)).toBe('written_off')
  })

  it('is taken back when it is opened again', async () => {
    const id = await idOf('payout_not_in_bank', -400)
    await act((tx) => reopenBreak(tx, world.ctx, { id, by: 'user:ann', text: 'it came after all' }))
    expect(await entries()).toEqual([])
    expect(await writeOff(id, 'user:ann')).toMatchObject({ kind: 'written_off' })
    expect(await entries()).toHaveLength(2)
  })

  it('above the limit needs a second person, whatever key he holds', async () => {
    const id = await idOf('payout_not_in_bank', -40_000)
    expect(await writeOff(id, 'user:ann')).toEqual({ kind: 'waiting' })
    expect(await writeOff(id, 'user:ann')).toEqual({ kind: 'waiting' })
    await expect(writeOff(id, 'user:ben')).rejects.toMatchObject({ code: 'conflict' })
    await world.db.query(
      `insert into api_keys (id, name, role, key_sha256, created_at, created_by) values ('k', 'ledger', 'finance', '\\x01', $1, 'user:ann')`,
      [world.ctx.now],
    )
    for (const by of ['user:ann', 'cli:ann', 'key:ledger'])
      await expect(act((tx) => approveWriteOff(tx, world.ctx, { id, by }))).rejects.toMatchObject({ code: 'forbidden' })
    expect(await entries()).toHaveLength(2)
    await act((tx) => rejectWriteOff(tx, world.ctx, { id, by: 'user:ben', text: 'look again' }))
    await expect(act((tx) => approveWriteOff(tx, world.ctx, { id, by: 'user:ben' }))).rejects.toMatchObject({
      code: 'conflict',
    })
    // The limit itself is not above the limit.
    expect(await writeOff(id, 'user:ann', 39_999)).toEqual({ kind: 'waiting' })
  })

  it('is booked once however many approve it at the same time', async () => {
    const id = await idOf('payout_not_in_bank', -40_000)
    const racers = ['user:ben', 'user:cleo', 'user:dan', 'user:eve'].map((by) =>
      act((tx) => approveWriteOff(tx, world.ctx, { id, by })),
    )
    const ends = await Promise.allSettled(racers)
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await entries()).toEqual([
      { account: 'clearing:bank', minor: -40_400 },
      { account: 'write_offs', minor: 40_400 },
    ])
    const shown = await showBreak(world.db, id, world.ctx.now)
    expect(shown).toMatchObject({ state: 'written_off', write_off_requested_by: null })
    expect(shown.approved_by).toMatch(/^user:(ben|cleo|dan|eve)$/)
  })

  it('is not approved for another amount than was asked for, and is undone when the amount moves', async () => {
    const id = await idOf('payout_not_in_bank', -40_000)
    await world.apply('bank', payout('po_b', [line('1', 'adjustment', 39_000)]))
    expect(await refresh(world)).toMatchObject({ reopened: 1 })
    expect(await stateOf(id)).toBe('open')
    expect(await entries()).toEqual([
      { account: 'clearing:bank', minor: -400 },
      { account: 'write_offs', minor: 400 },
    ])
    await writeOff(id, 'user:ann')
    await world.apply('bank', payout('po_b', [line('1', 'adjustment', 41_000)]))
    await refresh(world)
    await expect(act((tx) => approveWriteOff(tx, world.ctx, { id, by: 'user:ben' }))).rejects.toMatchObject({
      code: 'conflict',
    })
  })
})

it('lists by state, age and type, page by page, and adds up', async () => {
  world.moveTo(60 * DAY)
  const now = world.ctx.now
  const all = await listBreaks(world.db, {}, now)
  expect(all.rows.map((row) => row.state)).toHaveLength(3)
  const first = await listBreaks(world.db, { limit: 2 }, now)
  const rest = await listBreaks(world.db, { limit: 2, cursor: first.next_cursor ?? '' }, now)
  expect([...first.rows, ...rest.rows]).toEqual(all.rows)
  expect((await listBreaks(world.db, { state: 'unfinished' }, now)).rows).toHaveLength(2)
  expect((await listBreaks(world.db, { age: '31-60', type: 'payout_not_in_bank' }, now)).rows).toHaveLength(2)
  expect((await listBreaks(world.db, { age: '60+' }, now)).rows).toEqual([])
  expect(await totalBreaks(world.db, 'acme', now)).toEqual([
    { type: 'payout_not_in_bank', currency: 'EUR', age: '31-60', breaks: 1, amount_minor: -41_000 },
    { type: 'unknown_type', currency: 'EUR', age: '31-60', breaks: 1, amount_minor: 950 },
  ])
  await expect(showBreak(world.db, 999, now)).rejects.toMatchObject({ code: 'not_found' })
})

it('leaves every invariant whole', async () => {
  await world.db.query('update settlements set bank_group_id = null')
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
})
