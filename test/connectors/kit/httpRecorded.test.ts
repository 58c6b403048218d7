import nock from 'nock'
import { afterEach, expect, it } from 'vitest'
import { createHttp } from '../../../src/connectors/_kit/http.ts'
import { createBreaker, createLimiter } from '../../../src/connectors/_kit/limits.ts'

/** Apart from the tests with a real server, because nock takes the place of every socket of the process. */
afterEach(() => nock.cleanAll())

it('works with recorded answers of a vendor, over HTTPS and by name', async () => {
  const limit = { calls: 10, per_ms: 1000 }
  const http = createHttp({
    connection_id: 'shop',
    definition: {
      baseUrl: () => 'https://vendor.example/v1',
      headers: () => ({ authorization: 'Bearer secret' }),
      limit: () => limit,
    },
    settings: {},
    allow_private: false,
    limiter: createLimiter({ connection_id: 'shop', limit, store: { kind: 'memory' } }),
    breaker: createBreaker({ connection_id: 'shop', now: () => new Date(), mirror: () => undefined }),
    observe: () => undefined,
    random: () => 0,
    now: () => new Date(),
  })
  nock('https://vendor.example', { reqheaders: { authorization: 'Bearer secret' } })
    .get('/v1/things')
    .query({ page: 2 })
    .reply(200, { id: 'x' })
  const answer = await http.request({
    operation: 'readThings',
    method: 'GET',
    path: '/things',
    query: { page: 2 },
    repeat: 'safe',
  })
  expect(answer.body).toEqual({ id: 'x' })
})
