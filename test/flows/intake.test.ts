import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { loadConfig, type Config } from '../../src/config.ts'
import { connectors } from '../../src/connectors/index.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openDb, type Db } from '../../src/db/pool.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { createTestDatabase } from '../kit/database.ts'
import { killDatabase } from '../kit/faults.ts'
import { postShopifyOrder, settingsOf, type Answer } from '../kit/flowHub.ts'
import {
  freePorts,
  makeDataFolder,
  SANDBOX_CONFIG,
  startProgram,
  type Program,
  type Variables,
} from '../kit/program.ts'
import { OLD, type Json } from '../mappings/shopify/orders.ts'

/** CROSSDOCK_INTAKE_KILLS=1000 for a long run. */
const KILLS = Number(process.env['CROSSDOCK_INTAKE_KILLS'] ?? 5)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const SHOP = 'shopify-eu'
const POSTERS = 6
const POSTER_PAUSE_MS = 25
const AFTER_FAILURE_MS = 100
const WAIT = { timeout: 60_000, interval: 200 }

interface Posters {
  /** Every answer ever given, by the delivery it was given to. */
  answers: { webhook_id: string; answer: Answer }[]
  /** Each finishes its delivery and posts no further ones. */
  stop: () => Promise<void>
}

/** A vendor's side: some deliveries at once, each repeated under its id until it is answered 2xx. Nothing is to be shipped. */
function startPosters(url: string, settings: Readonly<Record<string, unknown>>): Posters {
  const answers: Posters['answers'] = []
  let over = false
  let deliveries = 0
  const post = async (): Promise<void> => {
    while (!over) {
      const id = (deliveries += 1)
      const lines = (OLD['line_items'] as Json[]).map((line) => ({
        ...line,
        sku: 'TEA-GREEN-100',
        requires_shipping: false,
      }))
      const body = JSON.stringify({ ...OLD, id: 800_000 + id, name: `#${800_000 + id}`, line_items: lines })
      for (;;) {
        const answer = await postShopifyOrder({ url, connection_id: SHOP, settings, webhook_id: `intake-${id}`, body })
        answers.push({ webhook_id: `intake-${id}`, answer })
        if (isTaken(answer)) break
        await sleep(AFTER_FAILURE_MS)
      }
      await sleep(POSTER_PAUSE_MS)
    }
  }
  const running = Array.from({ length: POSTERS }, post)
  return {
    answers,
    stop: async () => {
      over = true
      await Promise.all(running)
    },
  }
}

const isTaken = ({ status }: Answer): boolean => status >= 200 && status < 300

/** Every delivery that was ever answered 2xx is in the inbox, once. Returns how many these are. */
async function expectAllStored(db: Db, answers: Posters['answers']): Promise<number> {
  const taken = new Set(answers.filter(({ answer }) => isTaken(answer)).map(({ webhook_id }) => webhook_id))
  const stored = await db.query<{ dedupe_key: string }>(`select dedupe_key from inbox where dedupe_key like 'intake-%'`)
  const keys = stored.map((row) => row.dedupe_key)
  expect([...taken].filter((webhook_id) => !keys.includes(webhook_id))).toEqual([])
  expect(new Set(keys).size).toBe(keys.length)
  return taken.size
}

/** What the program is started with: its own vendors run beside it in its data folder, and nobody buys there. */
const variablesOf = (data_dir: string, database_url: string, port: number): Variables => ({
  CROSSDOCK_DATA_DIR: data_dir,
  DATABASE_URL: database_url,
  PORT: String(port),
  SANDBOX_PORT_BASE: '0',
  SANDBOX_ORDERS_PER_SECOND: '0',
  LOG_LEVEL: 'fatal',
})

const configOf = (variables: Variables): Config => loadConfig(SANDBOX_CONFIG, { connectors, variables })

test(
  `${KILLS} kills of the hub during intake: whatever was answered 2xx is stored, and becomes an order (SEED=${SEED})`,
  { timeout: 120_000 + KILLS * 30_000 },
  async () => {
    const random = seededRandom(SEED)
    const database = await createTestDatabase()
    const folder = await makeDataFolder()
    const port = await freePorts()
    const variables = variablesOf(folder.path, database.url, port)
    let program: Program = startProgram(variables)
    const posters = startPosters(`http://127.0.0.1:${port}`, settingsOf(configOf(variables), SHOP))
    try {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await program.ready
        await sleep(200 + random() * 1_000)
        await program.killGroup()
        program = startProgram(variables)
      }
      await program.ready
      await sleep(300)
      await posters.stop()
      const taken = await expectAllStored(database.db, posters.answers)
      expect(taken).toBeGreaterThan(KILLS * 5)
      const applied = () =>
        database.db.query(
          `select (select count(*)::int from inbox where dedupe_key like 'intake-%' and state <> 'done') as open,
                (select count(*)::int from orders where external_id like '8%') as orders`,
        )
      await expect.poll(applied, WAIT).toEqual([{ open: 0, orders: taken }])
    } finally {
      await posters.stop()
      await program.killGroup()
      await database.drop()
      folder.remove()
    }
  },
)

test(
  'while the database is dead a delivery is answered 503 with Retry-After, and nothing that was taken is lost',
  { timeout: 180_000 },
  async () => {
    const folder = await makeDataFolder()
    const data_dir = join(folder.path, 'postgres')
    const port = await freePorts()
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
    let server = await startEmbedded({ data_dir, port: port + 5, log })
    await migrate(server.url)
    const variables = variablesOf(folder.path, server.url, port)
    const program = startProgram(variables)
    await program.ready
    const posters = startPosters(`http://127.0.0.1:${port}`, settingsOf(configOf(variables), SHOP))
    try {
      for (let kill = 0; kill < 2; kill += 1) {
        await sleep(700)
        expect(killDatabase(folder.path)).toBe(1)
        const from = posters.answers.length
        await sleep(1_500)
        const during = posters.answers.slice(from).map(({ answer }) => answer)
        expect(during.filter(({ status }) => status === 503).length).toBeGreaterThan(POSTERS)
        server = await startEmbedded({ data_dir, port: port + 5, log })
        const back = posters.answers.length
        await expect
          .poll(() => posters.answers.slice(back).filter(({ answer }) => isTaken(answer)).length, WAIT)
          .toBeGreaterThan(POSTERS)
      }
      await posters.stop()
      expect(program.ended(), program.said()).toBe(false)
      const refused = posters.answers.map(({ answer }) => answer).filter((answer) => !isTaken(answer))
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]))
      expect(refused.filter(({ retry_after }) => !(Number(retry_after) >= 1))).toEqual([])
      const db = openDb({ url: server.url, pool_max: 2, application_name: 'test' })
      const taken = await expectAllStored(db, posters.answers)
      const applied = () => db.query(`select count(*)::int as orders from orders where external_id like '8%'`)
      await expect.poll(applied, WAIT).toEqual([{ orders: taken }])
      await db.close()
    } finally {
      await posters.stop()
      await program.killGroup()
      await server.stop()
      folder.remove()
    }
  },
)
