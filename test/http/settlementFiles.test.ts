import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { amazon } from '../../src/connectors/amazon/index.ts'
import type { Connection } from '../../src/hub.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'
import { seedConnections, testHub } from '../kit/testHub.ts'
import { amazonReport } from '../mappings/amazon/report.ts'
import type { Movement } from '../mappings/movements.ts'

let kit: HttpHub
beforeAll(async () => {
  kit = await openHttpHub()
  const own = [{ id: 'amz', connector: amazon, settings: { settlement_files: { decimal: '.' } } }]
  await seedConnections(kit.hub.db, own)
  const { connections } = testHub({ db: kit.hub.db, queues: kit.hub.queues, connections: own })
  const known = kit.hub.connections as Map<string, Connection>
  for (const [id, connection] of connections) known.set(id, connection)
})
afterAll(() => kit.close())

const MOVES: readonly Movement[] = [
  { what: 'sale', order: 'A', net_minor: 20_00 },
  { what: 'commission', order: 'A', net_minor: -3_00 },
]

async function send(path: string, payload: string | Buffer, options: { key?: string; type?: string } = {}) {
  const { key = kit.keys.finance, type = 'text/tab-separated-values; charset=utf-8' } = options
  const headers = { authorization: `Bearer ${key}`, 'content-type': type }
  const answer = await kit.app.inject({ method: 'POST', url: `/api/v1/settlements/${path}`, headers, payload })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

it('finance checks and imports files; the same file again changes nothing', async () => {
  const text = amazonReport(MOVES)
  const packed = { type: 'application/gzip' }
  expect(await send('check?connector=amazon', text)).toMatchObject({
    status: 200,
    body: { ok: true, settlements: 1, lines: 2, difference_minor: 0, by_kind: { sale: 20_00, commission: -3_00 } },
  })
  expect(await send('check?connection=amz', gzipSync(text), packed)).toMatchObject({ status: 200, body: { ok: true } })
  const wrong = amazonReport(MOVES, { payout_minor: 17_01 })
  expect(await send('check?connector=amazon', wrong)).toMatchObject({
    status: 200,
    body: { ok: false, difference_minor: 1 },
  })
  expect(await kit.hub.db.query('select 1 from settlements')).toEqual([])
  const first = await send('import?connection=amz&name=september.tsv', text)
  expect(first).toMatchObject({
    status: 200,
    body: { ok: true, outcome: 'imported', settlements: [{ change: 'new', lines: 2 }] },
  })
  expect(await send('import?connection=amz', gzipSync(text), packed)).toMatchObject({
    body: { outcome: 'same', settlements: [{ change: 'same', lines_moved: 0 }] },
  })
  expect(await send('import?connection=amz', text)).toMatchObject({
    body: { outcome: 'same', settlements: [{ change: 'same', lines_moved: 0, proof: 'proven' }] },
  })
  expect(await kit.hub.db.query('select external_id, version, proof from settlements')).toEqual([
    { external_id: '20000000777', version: 1, proof: 'proven' },
  ])
})

it('refuses who may not, what it does not know, and what is too large', async () => {
  const text = amazonReport(MOVES)
  for (const key of [kit.keys.viewer, kit.keys.operator])
    expect(await send('import?connection=amz', text, { key })).toMatchObject({ status: 403 })
  expect(await send('check', text)).toMatchObject({ status: 400, body: { code: 'bad_request' } })
  expect(await send('import?connection=nobody', text)).toMatchObject({ status: 404 })
  expect(await send('import?connection=mute-eu', text)).toMatchObject({ status: 422, body: { code: 'unsupported' } })
  expect(await send('check?connector=amazon', 'name,price\n1,2\n')).toMatchObject({
    status: 422,
    body: { code: 'file_invalid' },
  })
  expect(await send('check?connector=amazon', text, { type: 'image/png' })).toMatchObject({ status: 415 })
  const limit = kit.hub.config.finance.file_bytes_max
  expect(await send('check?connector=amazon', Buffer.alloc(limit + 1, 'x'))).toMatchObject({ status: 413 })
})
