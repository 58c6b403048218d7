import { afterEach, beforeEach, expect, test } from 'vitest'
import { awaitAnswers, listAwaited, watchAnswers } from '../../../src/core/answers/answers.ts'
import type { Answer } from '../../../src/core/model/answer.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, timelineOf, workOf, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.drop())

const HOUR_MS = 60 * 60_000
const await_ = (outbox_id: number, ...references: string[]): Promise<void> =>
  inTransaction(world.db, (tx) =>
    awaitAnswers(tx, references.map((reference) => ({ connection_id: 'wms', reference, what: '997 to 940', outbox_id, within_ms: HOUR_MS })), world.ctx.now),
  ) // prettier-ignore
const answer = (reference: string, verdict: Answer['verdict'] = 'accepted', change: Partial<Answer> = {}) =>
  world.apply('wms', {
    kind: 'answer',
    document: {
      reference,
      verdict,
      at: world.ctx.now.toISOString(),
      extent: reference.includes('/') ? 'document' : 'message',
      faults: [],
      ...change,
    },
  })
const shown = async (): Promise<[string, string][]> =>
  (await listAwaited(world.db, {}, world.ctx.now)).rows.toReversed().map(({ reference, state }) => [reference, state])
const cases = (): Promise<{ kind: string; subject: string; state: string }[]> =>
  world.db.query('select kind, subject, state from cases order by id')
const FAULTS = [{ code: '6', place: 'W01 at position 5, element 1', text: 'forbidden character' }]

test('close what is waited for, one by one and then the rest', async () => {
  await await_(1, '27/0001', '27/0002', '27/0003', '270/0001')
  await answer('27/0002', 'accepted_with_faults', { faults: FAULTS })
  expect(await shown()).toEqual([['27/0001', 'open'], ['27/0002', 'accepted_with_faults'], ['27/0003', 'open'], ['270/0001', 'open']]) // prettier-ignore
  await answer('27')
  expect(await shown()).toEqual([['27/0001', 'accepted'], ['27/0002', 'accepted_with_faults'], ['27/0003', 'accepted'], ['270/0001', 'open']]) // prettier-ignore
  expect(await answer('27')).toMatchObject([{ kind: 'ignored', reason: 'same' }])
  // A receipt closes nothing.
  expect(await answer('270', 'accepted', { extent: 'receipt' })).toMatchObject([{ kind: 'ignored' }])
  expect((await listAwaited(world.db, { state: 'open' }, world.ctx.now)).rows).toMatchObject([
    { reference: '270/0001', faults: [] },
  ])
})

test('that are overdue become cases, once, and the case is over when they come', async () => {
  await await_(1, '28/0001')
  world.moveTo(59)
  expect(await inTransaction(world.db, (tx) => watchAnswers(tx, world.ctx.now, 10))).toBe(0)
  world.moveTo(61)
  expect(await inTransaction(world.db, (tx) => watchAnswers(tx, world.ctx.now, 10))).toBe(1)
  expect(await inTransaction(world.db, (tx) => watchAnswers(tx, world.ctx.now, 10))).toBe(0)
  expect(await shown()).toEqual([['28/0001', 'overdue']])
  await answer('28')
  expect(await cases()).toEqual([{ kind: 'answer_overdue', subject: 'message:wms:28/0001', state: 'resolved' }])
})

test('that refuse are cases, and are written to the work that was not read', async () => {
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 5 }))
  await world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 1 }]))
  const [effect] = await world.db.query<{ id: number }>('select id from outbox')
  await await_(effect?.id ?? 0, '29/0001')
  await answer('29/0001', 'rejected', { faults: FAULTS })
  expect(await cases()).toMatchObject([{ kind: 'answer_rejected', subject: 'message:wms:29/0001', state: 'open' }])
  const [work] = await workOf(world, 'A')
  expect(
    await world.db.query('select reasons from fulfillment_orders where number = $1', [work?.number]),
  ).toMatchObject([
    {
      reasons: [
        { kind: 'fulfillment_order.not_read', text: expect.stringContaining('forbidden character at W01') as string },
      ],
    },
  ])
  expect(await world.db.query(`select result ->> 'answer' as answer from outbox`)).toEqual([{ answer: 'rejected' }])
  expect(await timelineOf(world, 'A')).toContain('message.refused')
})

test('that are faster than what they answer wait for it', async () => {
  const [early] = await answer('30/0001')
  expect(early).toMatchObject({ kind: 'parked', error: { code: 'unknown_message', wake_key: 'message:wms:30/0001' } })
  await world.db.query(
    `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, state, next_attempt_at, wake_key)
     values ('wms', 'file', 'acknowledgement', 'k', '', $1, $1, 'parked', $1, 'message:wms:30/0001')`,
    [world.ctx.now],
  )
  await await_(1, '30/0001')
  expect(await world.db.query('select state from inbox')).toEqual([{ state: 'pending' }])
})
