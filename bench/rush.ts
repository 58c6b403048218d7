import { verify } from '../src/core/verify.ts'
import { openDb } from '../src/db/pool.ts'
import { createApiKey } from '../src/http/auth.ts'
import { startClient, type Client } from './kit/client.ts'
import { countItem } from './kit/core.ts'
import { inRounds, quantile, rowOf, type Bench } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import { forUpdate, PEER_TABLES } from './kit/peers.ts'
import { skuOf, STORE } from './kit/shop.ts'

const UNITS = 50
const BUYERS = 300
const PEER_CONNECTIONS = 16
/** Everybody has an answer within this. */
const TARGET_MS = 1_000
const HELD = 201
const NOT_ENOUGH = 409

/** Everybody over the public API with a key, as a storefront's own server asks. Everything about HTTP is within the time. */
async function rushAtProduct(ground: Ground, client: Client): Promise<{ ms: number; p99_ms: number }> {
  const { hub, url, close } = await ground.startApi({ release_after_seconds: 3_600 })
  if (url === undefined) throw new Error('the hub has no address')
  try {
    await countItem(hub, skuOf(0), UNITS)
    const key = { name: 'bench', role: 'operator' as const, created_by: 'bench', now: new Date() }
    const { secret } = await createApiKey(hub.db, key)
    const requests = Array.from({ length: BUYERS }, (_, buyer) => requestOf(secret, `cart-${buyer}`, skuOf(0)))
    // A server that has just started compiles its code at the first requests; nobody's rush is its first one.
    await client.rush(
      url,
      requests.slice(0, 20).map((_, buyer) => requestOf(secret, `warm-${buyer}`, skuOf(1 + buyer))),
    )
    const { ms, answers } = await client.rush(url, requests)
    const held = answers.filter(({ status }) => status === HELD).length
    const refused = answers.filter(({ status }) => status === NOT_ENOUGH).length
    const [row] = await hub.db.query<{ units: number; left: number }>(
      `select (select sum(u.units)::int from hold_units u where u.item_id = i.id and u.state = 'held') as units,
         (select available from stock s where s.item_id = i.id) as left from items i where i.sku = $1`,
      [skuOf(0)],
    )
    const { ok } = await verify(hub.db)
    if (!ok || held !== UNITS || refused !== BUYERS - UNITS || row?.units !== UNITS || row.left !== 0)
      throw new Error(`${held} were held, ${refused} refused, ${row?.units} units are kept and ${row?.left} are left`)
    return { ms, p99_ms: quantile(answers.map((answer) => answer.ms), 0.99) } // prettier-ignore
  } finally {
    await close()
  }
}

function requestOf(secret: string, key: string, channel_sku: string): Uint8Array {
  const body = JSON.stringify({ connection: STORE, key, lines: [{ channel_sku, quantity: 1 }] })
  const headers = {
    host: '127.0.0.1',
    authorization: `Bearer ${secret}`,
    'content-type': 'application/json',
    'content-length': String(body.length),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST /api/v1/holds HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** The usual way without HTTP, keys, ledger or limits: look under a lock, decide, write, each buyer in a transaction. */
async function rushAtPeer(ground: Ground): Promise<number> {
  const { url, drop } = await ground.database()
  const db = openDb({ url, pool_max: PEER_CONNECTIONS, application_name: 'bench-peer' })
  try {
    await db.query(PEER_TABLES)
    await Promise.all(Array.from({ length: 20 }, (_, buyer) => forUpdate(db, -1 - buyer, 1 + buyer, 1)))
    await db.query('update peer_stock set available = $1 where item_id = 0', [UNITS])
    const started = performance.now()
    const sold = await Promise.all(Array.from({ length: BUYERS }, (_, buyer) => forUpdate(db, buyer, 0, 1)))
    const ms = performance.now() - started
    if (sold.filter(Boolean).length !== UNITS) throw new Error('the peer sold another number of units')
    return ms
  } finally {
    await db.close()
    await drop()
  }
}

export const rush: Bench = {
  name: 'rush',
  what: `${BUYERS} buyers at once for ${UNITS} units, over the API`,
  run: async (options) => {
    const client = await startClient()
    try {
      const { rounds, control } = await inRounds(options, async () => ({
        peer: await rushAtPeer(options.ground),
        ...(await rushAtProduct(options.ground, client)),
      }))
      const samples = rounds.map(({ ms }) => ms)
      const note = `${BUYERS} requests at the same moment, each on a connection of its own: exactly ${UNITS} are held, ${BUYERS - UNITS} are told how many are missing`
      const rows = [
        rowOf({ figure: 'rush_all_answered', unit: 'ms', samples, target: TARGET_MS, better: 'less', note }),
        rowOf({
          figure: 'rush_vs_for_update',
          unit: 'ms',
          samples,
          baseline: rounds.map(({ peer }) => peer),
          better: 'less',
          note: `against SELECT FOR UPDATE, decide, write on ${PEER_CONNECTIONS} connections, called in the process itself: no HTTP, no key, no ledger`,
        }),
        rowOf({
          figure: 'rush_p99',
          unit: 'ms',
          samples: rounds.map(({ p99_ms }) => p99_ms),
          note: 'what nearly everybody waits',
        }),
      ]
      return { rows, rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}
