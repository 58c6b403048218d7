import { afterAll, beforeAll, expect, it } from 'vitest'
import { crossdockEach, type Ran } from '../../kit/commandLine.ts'
import { createTestDatabase, type TestDatabase } from '../../kit/database.ts'
import { makeDataFolder } from '../../kit/program.ts'

let database: TestDatabase
let folder: Awaited<ReturnType<typeof makeDataFolder>>
beforeAll(async () => {
  database = await createTestDatabase()
  folder = await makeDataFolder()
})
afterAll(async () => {
  await database.drop()
  folder.remove()
})

const run = (lines: readonly (readonly string[])[], input: string): Promise<Ran[]> =>
  crossdockEach(lines, {
    env: { DATABASE_URL: database.url, CROSSDOCK_DATA_DIR: folder.path, PORT: '0', SANDBOX_PORT_BASE: '0' },
    input,
  })

it('the commands of a simulation and of work by hand answer as documents, also when there is nothing', async () => {
  const [simulated, listed, shipped, wrong] = await run(
    [
      ['routing', 'simulate', '--rules', '-', '--days', '3', '--json'],
      ['fulfillment', 'list', '--json'],
      ['fulfillment', 'ship', 'FO-NONE', '--key', 'p-1', '--line', 'TEA=2', '--json'],
      ['fulfillment', 'short', 'FO-NONE', '--line', 'TEA', '--reason', 'empty', '--json'],
    ],
    '- name: by rank\n',
  )
  expect(simulated).toMatchObject({ code: 2 })
  expect(simulated?.json()).toMatchObject({ ok: false, error: { code: 'not_found' } })
  expect(JSON.stringify(simulated?.json())).toContain('no orders of the last 3 days')
  expect(listed?.json()).toEqual({ ok: true, rows: [], next_cursor: null })
  expect(shipped?.json()).toMatchObject({ ok: false, error: { code: 'not_found' } })
  expect(wrong).toMatchObject({ code: 2 })
  expect(wrong?.json()).toMatchObject({ ok: false, error: { code: 'bad_request' } })
})
