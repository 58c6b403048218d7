import { setTimeout as sleep } from 'node:timers/promises'
import Type from 'typebox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openQueues, type OpenQueues } from '../../src/queues/bull.ts'
import { defineJob, type Job } from '../../src/queues/define.ts'
import { BACKENDS, startBackend, type TestBackend } from '../kit/backends.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { testHub } from '../kit/testHub.ts'

interface BoardJob {
  name: string
  data: unknown
  returnvalue: unknown
  failedReason?: string
  progress: unknown
  id: string
}
interface BoardQueue {
  getJobs: (states: string[]) => Promise<BoardJob[]>
  getJobLogs: (id: string) => Promise<{ logs: string[] }>
  getJobSchedulers: () => Promise<{ key: string; name: string; every?: number; next?: number }[]>
}

describe.each(BACKENDS)('queues on %s', (kind) => {
  let database: TestDatabase
  let backend: TestBackend
  let queues: OpenQueues
  const ran: string[] = []
  const after: string[] = []
  const hold = new Map<string, Promise<void>>()
  const board = (name: Parameters<OpenQueues['bullQueues']['get']>[0]): BoardQueue =>
    queues.bullQueues.get(name) as BoardQueue

  const jobs: readonly Job[] = [
    defineJob({
      name: 'note',
      queue: 'notify',
      data: Type.Object({ text: Type.String() }),
      timeout_ms: 5_000,
      concurrency: 4,
      run: async (_hub, { text }, reporter) => {
        reporter.log(`noting ${text}`)
        reporter.progress(50)
        await hold.get(text)
        ran.push(text)
        if (text === 'broken') throw new Error('the note broke')
        return `noted ${text}`
      },
      after: async (_hub, { text }) => void after.push(text),
    }),
    defineJob({
      name: 'slow',
      queue: 'notify',
      data: Type.Object({}),
      timeout_ms: 100,
      concurrency: 1,
      run: (_hub, _data, reporter) =>
        new Promise((resolve) => {
          reporter.signal.addEventListener('abort', () =>
            resolve(`stopped: ${String((reporter.signal.reason as Error).message)}`),
          )
        }),
    }),
  ]

  beforeAll(async () => {
    database = await createTestDatabase({ pool_max: 4 })
    backend = await startBackend(kind, database)
    queues = await backend.open()
    await queues.startWorkers(testHub({ db: database.db, queues, connections: [] }), jobs)
  })
  afterAll(async () => {
    await queues.close()
    await backend.stop()
    await database.drop()
  })

  test('run a job and show its sentence, its lines and its progress on the board', async () => {
    expect(queues.backend).toBe(kind)
    await queues.add('notify', 'note', { text: 'hello' })
    await expect.poll(() => ran).toContain('hello')
    await expect.poll(() => after).toContain('hello')
    const done = (await board('notify').getJobs(['completed'])).find((job) =>
      JSON.stringify(job.data).includes('hello'),
    )
    expect(done).toMatchObject({ returnvalue: 'noted hello', progress: 50 })
    expect((await board('notify').getJobLogs(done!.id)).logs).toEqual(['noting hello'])
  })

  test('keep a failed job with its reason, run it once, and look after none of it', async () => {
    await queues.add('notify', 'note', { text: 'broken' })
    await expect
      .poll(async () => (await board('notify').getJobs(['failed'])).map((job) => job.failedReason))
      .toEqual(['the note broke'])
    expect(ran.filter((text) => text === 'broken')).toHaveLength(1)
    expect(after).not.toContain('broken')
  })

  test('refuse data that does not fit the job, and a job that nobody knows', async () => {
    await queues.add('notify', 'note', { text: 7 })
    await queues.add('notify', 'nothing', {})
    await expect
      .poll(async () => (await board('notify').getJobs(['failed'])).map((job) => job.failedReason))
      .toEqual(
        expect.arrayContaining([
          expect.stringContaining('$.text'),
          expect.stringContaining('no job is called nothing'),
        ]),
      )
  })

  test('melt wake-ups with one key into one, until the job has ended', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    hold.set('held', promise)
    for (let round = 0; round < 5; round += 1)
      await queues.add('notify', 'note', { text: 'held' }, { coalesce_key: 'k' })
    await sleep(200)
    await queues.add('notify', 'note', { text: 'held' }, { coalesce_key: 'k' })
    resolve()
    await expect.poll(() => after.filter((text) => text === 'held')).toHaveLength(1)
    await sleep(100)
    expect(ran.filter((text) => text === 'held')).toHaveLength(1)
    await queues.add('notify', 'note', { text: 'held' }, { coalesce_key: 'k' })
    await expect.poll(() => ran.filter((text) => text === 'held')).toHaveLength(2)
  })

  test('keep a job id once, and take it off again', async () => {
    await queues.addMany(
      'dead-letter',
      [1, 2, 1].map((id) => ({ name: 'poison', data: { dead_letter_id: id }, options: { job_id: `dead-${id}` } })),
    )
    expect((await queues.counts())['dead-letter']['waiting']).toBe(2)
    await queues.remove('dead-letter', ['dead-1', 'dead-9'])
    expect((await board('dead-letter').getJobs(['waiting'])).map((job) => job.id)).toEqual(['dead-2'])
  })

  test('tell a job that is too slow to stop', async () => {
    await queues.add('notify', 'slow', {})
    await expect
      .poll(async () => (await board('notify').getJobs(['completed'])).map((job) => job.returnvalue))
      .toContain('stopped: slow took longer than 100 ms')
  })

  test('delay a job', async () => {
    const started = performance.now()
    await queues.add('notify', 'note', { text: 'later' }, { delay_ms: 300 })
    await expect.poll(() => ran, { interval: 10 }).toContain('later')
    expect(performance.now() - started).toBeGreaterThan(290)
  })

  test('keep one schedule however often it is asked for, correct it, and bring it back after a wipe', async () => {
    const schedules = (): ReturnType<BoardQueue['getJobSchedulers']> => board('settlement').getJobSchedulers()
    for (let round = 0; round < 3; round += 1)
      await queues.schedule('settlement', 'match', 'settlement-match', 60_000, { a: 1 })
    const [first] = await schedules()
    expect(await schedules()).toMatchObject([{ key: 'settlement-match', name: 'match', every: 60_000 }])
    await queues.schedule('settlement', 'match', 'settlement-match', 60_000, { a: 1 })
    expect((await schedules())[0]!.next).toBe(first!.next)
    await queues.schedule('settlement', 'match', 'settlement-match', 30_000, { a: 1 })
    expect(await schedules()).toMatchObject([{ every: 30_000 }])
    await backend.wipe()
    expect(await schedules()).toEqual([])
    await queues.schedule('settlement', 'match', 'settlement-match', 30_000, { a: 1 })
    expect(await schedules()).toMatchObject([{ every: 30_000 }])
  })

  test('go on working after a wipe', async () => {
    await backend.wipe()
    await queues.add('notify', 'note', { text: 'after the wipe' }, { coalesce_key: 'k' })
    await expect.poll(() => ran, { timeout: 12_000 }).toContain('after the wipe')
  })

  test('are brought up by many processes at once', async () => {
    const opened = await Promise.all([backend.open(), backend.open(), backend.open()])
    await Promise.all(opened.map((one) => one.close()))
    expect(opened.map((one) => one.backend)).toEqual([kind, kind, kind])
  })
})

test('a queue that cannot be reached is a coded fault and not a hang', async () => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const nowhere = 'postgres://u:p@127.0.0.1:1/none'
  await expect(openQueues({ database_url: nowhere, redis_url: '', log })).rejects.toMatchObject({
    code: 'queue_unavailable',
  })
  await expect(openQueues({ database_url: nowhere, redis_url: 'redis://127.0.0.1:1', log })).rejects.toMatchObject({
    code: 'queue_unavailable',
  })
})
