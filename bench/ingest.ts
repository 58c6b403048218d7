import { insertInbox, sealRow, type Intake } from '../src/db/inbox.ts'
import { openDb } from '../src/db/pool.ts'
import { startServer } from '../src/http/server.ts'
import { startClient, type Client } from './kit/client.ts'
import { inRounds, quantile, rowOf, type Bench } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import { zipfOrders, type BenchOrder } from './kit/orders.ts'

const ORDERS = 6_000
const CONNECTIONS = 64
/** More than the product's own pool, so that the peer is not held back by it. */
const PEER_POOL = 16
/** Goal G6. */
const TARGET = { ratio: 1.2, ack_p99_ms: 50 }

interface Posted {
  per_second: number
  p99_ms: number
}

const place = { release_after_seconds: 3_600 }

/** The product as it runs with `--role api`: verified, sealed, committed together with whatever else is waiting, then answered. */
async function postToProduct(
  ground: Ground,
  client: Client,
  orders: readonly BenchOrder[],
): Promise<{ full: Posted; half: Posted }> {
  const { hub, url, close } = await ground.startApi(place)
  if (url === undefined) throw new Error('the hub has no address')
  try {
    const first = orders.slice(0, ORDERS)
    const full = await measure(client, url, first)
    const half = await measure(client, url, orders.slice(ORDERS), full.per_second / 2)
    await assertStored(hub.db, orders.length)
    return { full, half }
  } finally {
    await close()
  }
}

/** The same route, verification and sealing, but every request makes its own insert and its own commit. It wakes nobody. */
async function postToPeer(ground: Ground, client: Client, orders: readonly BenchOrder[]): Promise<Posted> {
  const { hub, close } = await ground.open(place)
  const db = openDb({ url: hub.db.url, pool_max: PEER_POOL, application_name: 'bench-peer' })
  const intake: Pick<Intake, 'accept'> = {
    accept: async (row) => {
      const [stored] = await insertInbox(db, [sealRow(hub.vault, row)])
      if (stored === undefined) throw new Error('the insert said nothing')
      return stored
    },
  }
  const server = await startServer(hub, { intake, boards: new Map(), role: 'api' })
  try {
    const posted = await measure(client, server.url, orders)
    await assertStored(hub.db, orders.length)
    return posted
  } finally {
    await server.close()
    await db.close()
    await close()
  }
}

async function measure(
  client: Client,
  url: string,
  orders: readonly BenchOrder[],
  per_second?: number,
): Promise<Posted> {
  const { seconds, latencies_ms } = await client.post(url, orders, {
    connections: CONNECTIONS,
    ...(per_second === undefined ? {} : { per_second }),
  })
  return { per_second: orders.length / seconds, p99_ms: quantile(latencies_ms, 0.99) }
}

async function assertStored(db: { query: (sql: string) => Promise<object[]> }, count: number): Promise<void> {
  const [row] = (await db.query('select count(*) as count from inbox')) as { count: number }[]
  if (row?.count !== count) throw new Error(`${row?.count} of ${count} webhooks were stored`)
}

export const ingest: Bench = {
  name: 'ingest',
  what: 'signed webhook → committed',
  run: async (options) => {
    const client = await startClient()
    try {
      const { rounds, control } = await inRounds(options, async (index) => {
        const orders = zipfOrders(ORDERS * 1.5, index * ORDERS * 2)
        const peer = await postToPeer(options.ground, client, orders.slice(0, ORDERS))
        return { peer, ...(await postToProduct(options.ground, client, orders)) }
      })
      const samplesOf = (pick: (round: (typeof rounds)[number]) => number): number[] => rounds.map(pick)
      const rows = [
        rowOf({
          figure: 'ingest_vs_one_insert',
          unit: 'webhooks/s',
          samples: samplesOf(({ full }) => full.per_second),
          baseline: samplesOf(({ peer }) => peer.per_second),
          target: TARGET.ratio,
          note: `${CONNECTIONS} connections at full speed; against one insert and one commit per request on ${PEER_POOL} connections`,
        }),
        rowOf({
          figure: 'ingest_ack_p99_at_half_rate',
          unit: 'ms',
          samples: samplesOf(({ half }) => half.p99_ms),
          target: TARGET.ack_p99_ms,
          better: 'less',
          note: 'webhooks leave at half of the rate above whatever the answers do; waiting for a connection counts',
        }),
        rowOf({
          figure: 'ingest_ack_p99_at_full_rate',
          unit: 'ms',
          samples: samplesOf(({ full }) => full.p99_ms),
          note: 'the peer: ' + samplesOf(({ peer }) => Math.round(peer.p99_ms)).join(', ') + ' ms',
        }),
      ]
      return { rows, rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}
