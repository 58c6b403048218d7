import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { logIn, openHttpHub, SAME_SITE, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
let cookies: Record<string, string>

beforeAll(async () => {
  kit = await openHttpHub({ queues: 'real' })
  const names = ['viewer', 'operator', 'finance', 'admin']
  cookies = Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await logIn(kit.app, name)] as const)),
  )
  await kit.hub.queues.add('dead-letter', 'vendor_timeout', { dead_letter_id: 7 })
})
afterAll(() => kit.close())

const read = (url: string, headers: Record<string, string> = {}) => kit.app.inject({ url, headers })

/** Every change that the board knows, on the one queue that holds a job. */
const CHANGES = [
  ['PUT', '/queues/api/queues/pause'],
  ['PUT', '/queues/api/queues/resume'],
  ['PUT', '/queues/api/queues/dead-letter/pause'],
  ['PUT', '/queues/api/queues/dead-letter/resume'],
  ['PUT', '/queues/api/queues/dead-letter/empty'],
  ['PUT', '/queues/api/queues/dead-letter/retry/failed'],
  ['PUT', '/queues/api/queues/dead-letter/promote'],
  ['PUT', '/queues/api/queues/dead-letter/clean/completed'],
  ['PUT', '/queues/api/queues/dead-letter/obliterate'],
  ['POST', '/queues/api/queues/dead-letter/add'],
] as const

describe('the board', () => {
  it('leads strangers to the login and gives programs a status', async () => {
    const page = await read('/queues/queue/intake?status=failed', { accept: 'text/html' })
    expect([page.statusCode, page.headers.location]).toEqual([
      302,
      '/login?next=%2Fqueues%2Fqueue%2Fintake%3Fstatus%3Dfailed',
    ])
    for (const url of ['/queues/api/queues', '/queues/static/favicon.ico', '/queues/api/redis/stats']) {
      expect([url, (await read(url)).statusCode]).toEqual([url, 401])
    }
    expect((await read('/queues', { authorization: `Bearer ${kit.keys.admin}` })).statusCode).toBe(401)
  })

  it('shows every queue, with the environment and our title', async () => {
    const page = await read('/queues', { cookie: cookies['viewer']! })
    expect(page.statusCode).toBe(200)
    expect(page.body).toContain('Crossdock queues')
    expect(page.body).toContain('"label":"sandbox"')
    expect(page.headers['content-security-policy']).toContain("script-src 'self';")
    const script = /static\/js\/main\.[0-9a-f]+\.js/.exec(page.body)?.[0]
    expect((await read(`/queues/${script}`, { cookie: cookies['viewer']! })).statusCode).toBe(200)
    const { queues } = (await read('/queues/api/queues', { cookie: cookies['operator']! })).json<{
      queues: { name: string; readOnlyMode: boolean }[]
    }>()
    expect(queues.map(({ name }) => name)).toContain('intake')
    expect(queues.every(({ readOnlyMode }) => !readOnlyMode)).toBe(true)
  })

  it.each(['viewer', 'finance'])('lets a %s look and change nothing', async (name) => {
    const cookie = cookies[name]!
    const { queues } = (await read('/queues/api/queues', { cookie, 'x-board-read-only': 'no' })).json<{
      queues: { readOnlyMode: boolean }[]
    }>()
    expect(queues.every(({ readOnlyMode }) => readOnlyMode)).toBe(true)
    for (const [method, url] of CHANGES) {
      const answer = await kit.app.inject({
        method,
        url,
        headers: { cookie, ...SAME_SITE, 'x-board-read-only': 'no' },
        payload: {},
      })
      expect([method, url, answer.statusCode]).toEqual([method, url, 403])
    }
    expect((await kit.hub.queues.counts())['dead-letter']['waiting']).toBe(1)
  })

  it('lets an operator act from our own pages only, and writes it down', async () => {
    const cookie = cookies['operator']!
    for (const [method, url] of CHANGES) {
      const answer = await kit.app.inject({ method, url, headers: { cookie, host: 'localhost:3000' }, payload: {} })
      expect([method, url, answer.statusCode]).toEqual([method, url, 403])
    }
    const paused = await kit.app.inject({
      method: 'PUT',
      url: '/queues/api/queues/dead-letter/pause',
      headers: { cookie, ...SAME_SITE },
      payload: {},
    })
    expect(paused.statusCode).toBe(200)
    expect(await kit.hub.db.query(`select actor, action, subject from audit_log where action like 'board.%'`)).toEqual([
      { actor: 'user:operator', action: 'board.put queues/:queueName/pause', subject: 'queue:dead-letter' },
    ])
  })
})

describe('the start page', () => {
  it('shows the connections and links to the rest', async () => {
    const page = await read('/', { cookie: cookies['admin']! })
    expect(page.statusCode).toBe(200)
    for (const text of ['corner-eu', 'mute-eu', 'href="/queues"', 'href="/docs"', 'dead letters', 'admin'])
      expect(page.body).toContain(text)
    expect(page.body).not.toContain('<script')
    expect((await read('/assets/crossdock.css')).headers['content-type']).toBe('text/css; charset=utf-8')
  })
})
