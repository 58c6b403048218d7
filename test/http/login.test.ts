import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureFirstUser } from '../../src/http/auth.ts'
import { safeNext } from '../../src/http/guard.ts'
import { hashPassword, verifyPassword } from '../../src/http/passwords.ts'
import { buildServer } from '../../src/http/server.ts'
import { isSameSite } from '../../src/http/sameSite.ts'
import { createTestDatabase } from '../kit/database.ts'
import { logIn, openHttpHub, PASSWORD, SAME_SITE, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub

beforeAll(async () => {
  kit = await openHttpHub()
})
afterAll(() => kit.close())

const form = { 'content-type': 'application/x-www-form-urlencoded' }
const fields = (values: Record<string, string>): string => new URLSearchParams(values).toString()

/** Every login of this file comes from an address of its own, so that the limit of one test is not another's. */
let address = 0
const login = (
  values: Record<string, string>,
  headers: Record<string, string> = SAME_SITE,
  remoteAddress = `10.0.0.${(address += 1)}`,
) =>
  kit.app.inject({
    method: 'POST',
    url: '/login',
    headers: { ...form, ...headers },
    payload: fields(values),
    remoteAddress,
  })

describe('login', () => {
  it('shows a page that needs no script and escapes what it is told', async () => {
    const answer = await kit.app.inject('/login?next=/queues%22%3E%3Cscript%3E')
    expect(answer.statusCode).toBe(200)
    expect(answer.body).not.toContain('<script')
    expect(answer.body).toContain('value="/queues&quot;&gt;&lt;script&gt;"')
    expect(answer.headers['content-security-policy']).toContain("style-src 'self';")
  })

  it('sets a strict, script-proof cookie and leads on', async () => {
    const answer = await login({ name: 'viewer', password: PASSWORD, next: '/queues' })
    expect([answer.statusCode, answer.headers.location]).toEqual([303, '/queues'])
    expect(answer.cookies[0]).toMatchObject({ name: 'crossdock', httpOnly: true, sameSite: 'Strict', path: '/' })
    expect(answer.cookies[0]?.secure).toBeUndefined()
  })

  it('uses a __Host- cookie with Secure when people come by https', async () => {
    const app = await buildServer(kit.hub, {
      intake: kit.intake,
      boards: new Map(),
      public_url: 'https://hub.example.com',
    })
    const headers = { ...form, origin: 'https://hub.example.com' }
    const answer = await app.inject({
      method: 'POST',
      url: '/login',
      headers,
      payload: fields({ name: 'viewer', password: PASSWORD }),
    })
    expect(answer.cookies[0]).toMatchObject({
      name: '__Host-crossdock',
      secure: true,
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
    })
    const cookie = `__Host-crossdock=${answer.cookies[0]?.value}`
    expect((await app.inject({ url: '/', headers: { cookie } })).statusCode).toBe(200)
    expect(answer.headers['strict-transport-security']).toContain('max-age')
    await app.close()
  })

  it.each([
    ['a wrong password', { name: 'viewer', password: 'wrong' }],
    ['an unknown name', { name: 'nobody', password: PASSWORD }],
  ])('refuses %s with the same words', async (_what, values) => {
    const answer = await login(values)
    expect(answer.statusCode).toBe(401)
    expect(answer.body).toContain('Name or password is wrong.')
    expect(answer.cookies).toEqual([])
  })

  it('stops guessing by address and by name', async () => {
    const byAddress = []
    for (let attempt = 0; attempt < 11; attempt += 1)
      byAddress.push((await login({ name: `guess-${attempt}`, password: 'x' }, SAME_SITE, '10.9.9.9')).statusCode)
    expect(byAddress).toEqual([...Array<number>(10).fill(401), 429])
    const byName = []
    for (let attempt = 0; attempt < 11; attempt += 1)
      byName.push((await login({ name: attempt % 2 === 0 ? 'Target' : 'target', password: 'x' })).statusCode)
    expect(byName).toEqual([...Array<number>(10).fill(401), 429])
  })

  it('keeps neither the cookie nor the session id in the table, and ends a session at logout', async () => {
    const cookie = await logIn(kit.app, 'operator')
    const stored = await kit.hub.db.query<{ id: string; data: object }>('select id, data from sessions')
    expect(stored.some(({ id }) => cookie.includes(id))).toBe(false)
    expect((await kit.app.inject({ url: '/', headers: { cookie } })).statusCode).toBe(200)
    const out = await kit.app.inject({ method: 'POST', url: '/logout', headers: { ...SAME_SITE, cookie } })
    expect([out.statusCode, out.headers.location]).toEqual([303, '/login'])
    expect((await kit.app.inject({ url: '/', headers: { cookie, accept: 'text/html' } })).statusCode).toBe(302)
  })

  it('gives a new session id at login and refuses a forged cookie', async () => {
    const first = await logIn(kit.app, 'finance')
    const again = await kit.app.inject({
      method: 'POST',
      url: '/login',
      headers: { ...form, ...SAME_SITE, cookie: first },
      payload: fields({ name: 'finance', password: PASSWORD }),
    })
    expect(again.cookies.find(({ name }) => name === 'crossdock')?.value).not.toBe(first.split('=')[1])
    expect((await kit.app.inject({ url: '/', headers: { cookie: first } })).statusCode).toBe(401)
    expect((await kit.app.inject({ url: '/', headers: { cookie: 'crossdock=abc.def' } })).statusCode).toBe(401)
  })

  it('lets a removed user and an expired session go no further', async () => {
    await kit.hub.db.query(
      `insert into users select 'leaver', role, password_hash, source, created_at from users where name = 'viewer'`,
    )
    const cookie = await logIn(kit.app, 'leaver')
    expect((await kit.app.inject({ url: '/api/v1/orders', headers: { cookie } })).statusCode).toBe(200)
    await kit.hub.db.query(`delete from users where name = 'leaver'`)
    expect((await kit.app.inject({ url: '/api/v1/orders', headers: { cookie } })).statusCode).toBe(401)
    const other = await logIn(kit.app, 'viewer')
    await kit.hub.db.query(`update sessions set expires_at = now() - interval '1 second'`)
    expect((await kit.app.inject({ url: '/api/v1/orders', headers: { cookie: other } })).statusCode).toBe(401)
  })

  it.each<[string, Record<string, string>]>([
    ['no word on where it comes from', {}],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    ['a neighbour', { 'sec-fetch-site': 'same-site', origin: 'http://localhost:3001' }],
    ['a foreign origin', { origin: 'https://evil.example' }],
    ['an origin that hides', { origin: 'null' }],
  ])('refuses a change with %s', async (_what, headers) => {
    expect((await login({ name: 'viewer', password: PASSWORD }, headers)).statusCode).toBe(403)
    const cookie = await logIn(kit.app, 'operator')
    const change = (extra: Record<string, string>) =>
      kit.app.inject({
        method: 'POST',
        url: '/api/v1/connections/corner-eu/resume',
        headers: { cookie, host: 'localhost:3000', ...extra },
      })
    expect((await change(headers)).statusCode).toBe(403)
    expect((await change(SAME_SITE)).statusCode).toBe(200)
  })

  it('judges where a request comes from', () => {
    expect(isSameSite({ origin: 'https://hub.example.com', host: 'internal:3000' }, 'https://hub.example.com')).toBe(
      true,
    )
    expect(isSameSite({ origin: 'https://hub.example.com', host: 'internal:3000' }, undefined)).toBe(false)
    expect(isSameSite({ origin: 'http://LOCALHOST:3000', host: 'LocalHost:3000' }, undefined)).toBe(true)
  })

  it('leads nowhere else after the login', () => {
    for (const next of [
      '//evil.example',
      '/\\evil.example',
      'https://evil.example',
      '/a\\b',
      '/login',
      '/logout',
      '',
      undefined,
      '/a b',
      '/a\r\nset-cookie: x',
    ]) {
      expect(safeNext(next)).toBe('/')
    }
    expect(safeNext('/queues/queue/intake?status=failed')).toBe('/queues/queue/intake?status=failed')
  })
})

describe('passwords', () => {
  it('are hashed with salt, and wrong, unknown or unreadable ones do not verify', async () => {
    const [one, two] = [await hashPassword('pässword'), await hashPassword('pässword')]
    expect(one).toMatch(/^scrypt\$32768\$8\$1\$[\w-]{22}\$[\w-]{43}$/)
    expect(one).not.toBe(two)
    expect(await verifyPassword('pässword', one)).toBe(true)
    expect(await verifyPassword('password', one)).toBe(false)
    expect(await verifyPassword('pässword', undefined)).toBe(false)
    expect(await verifyPassword('pässword', 'scrypt$1$1$1$x$y')).toBe(false)
    expect(await verifyPassword('', `scrypt$3$8$1$${'A'.repeat(22)}$${'A'.repeat(43)}`)).toBe(false)
  })
})

describe('the first user', () => {
  it('is made once, when there is nobody, and configured users come and go', async () => {
    const database = await createTestDatabase()
    const { db } = database
    const hub = { ...kit.hub, db }
    const made = await Promise.all([ensureFirstUser(hub), ensureFirstUser(hub)])
    expect(made.filter((user) => user !== undefined)).toHaveLength(1)
    const first = made.find((user) => user !== undefined)
    const [stored] = await db.query<{ role: string; password_hash: string }>(
      `select role, password_hash from users where name = 'admin'`,
    )
    expect(stored?.role).toBe('admin')
    expect(await verifyPassword(first?.password ?? '', stored?.password_hash)).toBe(true)

    const anna = { name: 'anna', role: 'finance' as const, password_hash: await hashPassword('x') }
    await ensureFirstUser({ ...hub, config: { ...hub.config, users: [anna] } })
    await ensureFirstUser({ ...hub, config: { ...hub.config, users: [{ ...anna, role: 'viewer' }] } })
    expect(await db.query('select name, role, source from users order by name')).toEqual([
      { name: 'admin', role: 'admin', source: 'first_start' },
      { name: 'anna', role: 'viewer', source: 'config' },
    ])
    await ensureFirstUser(hub)
    expect(await db.query(`select 1 from users where name = 'anna'`)).toEqual([])
    await database.drop()
  })
})
