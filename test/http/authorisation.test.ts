import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createApiKey, revokeApiKey } from '../../src/http/auth.ts'
import { grants, policyOf, ROLES, type Minimum } from '../../src/http/policies.ts'
import { buildServer } from '../../src/http/server.ts'
import { logIn, openHttpHub, SAME_SITE, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub

beforeAll(async () => {
  kit = await openHttpHub()
})
afterAll(() => kit.close())

const call = (method: 'GET' | 'POST' | 'DELETE', path: string, key: string, body?: object) =>
  kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { payload: body }),
  })

describe('authorisation', () => {
  /** Everything that the server answers to, with the policy that it was registered with. */
  async function routes(): Promise<{ method: string; url: string; minimum: Minimum }[]> {
    const found: { method: string; url: string; minimum: Minimum }[] = []
    const app = await buildServer(kit.hub, {
      intake: kit.intake,
      boards: new Map(),
      onRoute: (route) => found.push(route),
    })
    await app.close()
    return found
  }

  it('holds in every cell of route × caller', async () => {
    const all = await routes()
    expect(all.length).toBeGreaterThan(30)
    const revoked = await createApiKey(kit.hub.db, {
      name: 'gone',
      role: 'admin',
      created_by: 'test',
      now: kit.hub.clock.now(),
    })
    await revokeApiKey(kit.hub.db, revoked.id, kit.hub.clock.now())
    const callers: { name: string; key: string | undefined; role: (typeof ROLES)[number] | undefined }[] = [
      { name: 'nobody', key: undefined, role: undefined },
      { name: 'a revoked key', key: revoked.secret, role: undefined },
      { name: 'a forged key', key: `${kit.keys.admin.slice(0, -4)}AAAA`, role: undefined },
      ...ROLES.map((role) => ({ name: role, key: kit.keys[role], role })),
    ]
    const cells: string[] = []
    for (const { method, url, minimum } of all.filter((route) => route.url.startsWith('/api/'))) {
      for (const { name, key, role } of callers) {
        // Ids that exist nowhere: what is let in finds nothing to change.
        const path = url.replace(':id', '999999999').replace(':sku', 'NONE')
        const answer = await kit.app.inject({
          method: method as 'GET',
          url: path,
          headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
        })
        const expected = role === undefined ? 401 : grants(role, minimum) ? 'let in' : 403
        const actual = answer.statusCode === 401 || answer.statusCode === 403 ? answer.statusCode : 'let in'
        if (actual !== expected) cells.push(`${method} ${url} for ${name}: ${actual}, expected ${expected}`)
        if (answer.statusCode >= 500) cells.push(`${method} ${url} for ${name}: ${answer.statusCode}`)
      }
    }
    expect(cells).toEqual([])
  })

  it('says of every route outside the API who may use it', async () => {
    const open = (await routes()).filter(
      (route) => !route.url.startsWith('/api/') && route.method !== 'HEAD' && !route.url.startsWith('/docs'),
    )
    expect(Object.fromEntries(open.map((route) => [`${route.method} ${route.url}`, route.minimum]))).toEqual({
      'GET /healthz': 'public',
      'GET /readyz': 'public',
      'GET /metrics': 'public',
      'POST /webhooks/:connection': 'public',
      'GET /login': 'public',
      'POST /login': 'public',
      'POST /logout': 'public',
      'GET /assets/crossdock.css': 'public',
      'GET /': 'viewer',
    })
  })

  it('does not start with a route that nobody thought about', () => {
    expect(() => policyOf('POST', '/api/v1/orders')).toThrow('has no policy')
    expect(() => policyOf('GET', '/queues-of-others')).toThrow('has no policy')
    expect(() => policyOf('GET', '/docs-of-others')).toThrow('has no policy')
    expect(policyOf('HEAD', '/queues/static/main.js')).toBe('viewer')
  })

  it('takes no key for pages, and lets a wrong key win over a right session', async () => {
    const authorization = `Bearer ${kit.keys.admin}`
    expect((await kit.app.inject({ url: '/', headers: { authorization } })).statusCode).toBe(401)
    const cookie = await logIn(kit.app, 'viewer')
    expect((await kit.app.inject({ url: '/api/v1/orders', headers: { cookie } })).statusCode).toBe(200)
    expect(
      (await kit.app.inject({ url: '/api/v1/orders', headers: { cookie, authorization: 'Bearer nonsense' } }))
        .statusCode,
    ).toBe(401)
    const write = await kit.app.inject({
      method: 'POST',
      url: '/api/v1/inbox/1/replay',
      headers: { cookie, ...SAME_SITE },
    })
    expect(write.statusCode).toBe(403)
  })

  it('makes keys that are shown once, used at most once a minute in the table, and revoked at once', async () => {
    const made = await call('POST', '/api-keys', kit.keys.admin, { name: 'warehouse', role: 'viewer' })
    expect(made.statusCode).toBe(201)
    const { id, secret } = made.json<{ id: string; secret: string }>()
    expect(secret).toMatch(/^cdk_[a-z0-9]{12}_[\w-]{43}$/)
    const stored = await kit.hub.db.query<{ row: string }>('select row_to_json(k)::text as row from api_keys k')
    expect(stored.some(({ row }) => row.includes(secret.slice(17)))).toBe(false)
    expect((await call('GET', '/orders', secret)).statusCode).toBe(200)
    const [used] = await kit.hub.db.query<{ last_used_at: Date }>('select last_used_at from api_keys where id = $1', [
      id,
    ])
    await call('GET', '/orders', secret)
    expect(await kit.hub.db.query('select last_used_at from api_keys where id = $1', [id])).toEqual([used])
    expect((await call('DELETE', `/api-keys/${id}`, kit.keys.admin)).statusCode).toBe(200)
    expect((await call('GET', '/orders', secret)).statusCode).toBe(401)
    expect((await call('GET', '/api-keys', kit.keys.admin)).body).not.toContain(secret.slice(17))
  })
})
