import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bank } from '../../src/connectors/bank/index.ts'
import type { Connection } from '../../src/hub.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'
import { seedConnections, testHub } from '../kit/testHub.ts'

let kit: HttpHub
const house = { id: 'house-bank', connector: bank, settings: { account: 'DE1', currency: 'EUR' } }

beforeAll(async () => {
  kit = await openHttpHub()
  await seedConnections(kit.hub.db, [house])
  const made = testHub({ db: kit.hub.db, queues: kit.hub.queues, connections: [house] }).connections.get(house.id)!
  ;(kit.hub.connections as Map<string, Connection>).set(house.id, made)
})
afterAll(() => kit.close())

const statement = (number: string, end: string): string =>
  [':20:X', ':25:DE1', `:28C:${number}`, ':60F:C260301EUR100,', ':61:2603020302C23,45NTRFE2E-77', ':86:Ada Example PAYOUT 7700112233', `:62F:C260302EUR${end}`].join('\n') // prettier-ignore

async function call(method: 'GET' | 'POST', path: string, key: string, payload?: object) {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(payload === undefined ? {} : { payload }),
  })
  return {
    status: answer.statusCode,
    body: answer.json<Record<string, unknown> & { rows: Record<string, unknown>[] }>(),
  }
}
const upload = (text: string, key = kit.keys.finance, connection = 'house-bank') =>
  call('POST', '/bank-statements', key, { connection, content_base64: Buffer.from(text).toString('base64') })

describe('bank statements', () => {
  it('are imported by finance, read by all, and their texts by finance alone', async () => {
    const done = await upload(statement('1', '123,45'))
    expect(done).toMatchObject({
      status: 200,
      body: { format: 'mt940', statements: [{ outcome: 'imported', proof: 'proven', added: 1, difference_minor: 0 }] },
    })
    expect((await upload(statement('1', '123,45'))).body).toMatchObject({ statements: [{ outcome: 'same' }] })
    const list = await call('GET', '/bank-statements?connection=house-bank', kit.keys.viewer)
    expect(list.body.rows).toMatchObject([
      { currency: 'EUR', begin_minor: 10_000, end_minor: 12_345, lines: 1, proof: 'proven' },
    ])
    const path = `/bank-statements/${String(list.body.rows[0]!['id'])}/lines`
    const seen = async (key: string) => (await call('GET', path, key)).body.rows[0]
    const text = 'Ada Example PAYOUT 7700112233'
    expect(await seen(kit.keys.finance)).toMatchObject({ text, amount_minor: 2_345, reference: 'E2E-77' })
    expect(await seen(kit.keys.admin)).toMatchObject({ text })
    for (const key of [kit.keys.viewer, kit.keys.operator])
      expect(await seen(key)).toMatchObject({ text: null, has_text: true })
  })

  it('that fail are held and taken by finance', async () => {
    const held = await upload(statement('2', '123,46'))
    expect(held.body).toMatchObject({ statements: [{ outcome: 'held', difference_minor: 1 }] })
    const [{ id }] = held.body['statements'] as [{ id: string }]
    expect((await call('POST', `/bank-statements/${id}/accept`, kit.keys.operator)).status).toBe(403)
    expect(await call('POST', `/bank-statements/${id}/accept`, kit.keys.finance)).toMatchObject({
      status: 200,
      body: { proof: 'accepted', known: 1 },
    })
  })

  it('of a stranger, of another account, by an operator or as no file are refused', async () => {
    expect(await upload('hello')).toMatchObject({ status: 422, body: { code: 'file_invalid' } })
    expect(await upload(statement('3', '1').replace('DE1', 'DE2'))).toMatchObject({ status: 422 })
    expect(await upload(statement('3', '123,45'), kit.keys.operator)).toMatchObject({ status: 403 })
    expect(await upload(statement('3', '123,45'), kit.keys.finance, 'mute-eu')).toMatchObject({
      status: 422,
      body: { code: 'unsupported' },
    })
    expect(await upload(statement('3', '123,45'), kit.keys.finance, 'nobody')).toMatchObject({ status: 404 })
    const odd = await call('POST', '/bank-statements', kit.keys.finance, {
      connection: 'house-bank',
      content_base64: '§',
    })
    expect(odd).toMatchObject({ status: 400, body: { path: '$.content_base64' } })
  })
})
