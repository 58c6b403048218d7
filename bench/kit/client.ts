import { Worker } from 'node:worker_threads'
import { headersOf, type BenchOrder } from './orders.ts'
import type { Answer, Command, Loaded, Rushed, Sold, Tally } from './clientWorker.ts'
import { inventoryItemOf, OUTLET, STORE } from './shop.ts'

/** The other side of the wire, in a thread of its own: senders of webhooks and the storefronts that are told about stock. */
export interface Client {
  /** Addresses of two storefronts that take every number at once, without a limit. */
  channels: Readonly<Record<string, string>>
  /** Posts every order once, over so many connections kept alive; at full speed, or at a steady pace whatever the answers do. */
  post: (
    hub_url: string,
    orders: readonly BenchOrder[],
    options: { connections: number; per_second?: number },
  ) => Promise<Loaded>
  /** Posts single-line orders of distinct SKUs and waits until the other storefront was told of each. */
  sell: (hub_url: string, orders: readonly BenchOrder[], options: { per_second?: number }) => Promise<Sold>
  /** Sends all requests at the same moment, each on a connection of its own. */
  rush: (hub_url: string, requests: readonly Uint8Array[]) => Promise<Rushed>
  /** What the storefronts were told since this was asked last. */
  tally: () => Promise<Tally>
  close: () => Promise<void>
}

export async function startClient(): Promise<Client> {
  const worker = new Worker(new URL('./clientWorker.ts', import.meta.url))
  let waiting: { resolve: (answer: Answer) => void; reject: (thrown: unknown) => void } | undefined
  worker.on('message', (answer: Answer) => waiting?.resolve(answer))
  worker.on('error', (thrown) => waiting?.reject(thrown))
  const ask = async (command: Command): Promise<Answer> => {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    waiting = { resolve, reject }
    worker.postMessage(command)
    return await promise
  }
  const channels = await ask({ kind: 'listen', channels: [STORE, OUTLET] })
  if (channels.kind !== 'listening') throw new Error('the storefronts did not open')
  return {
    channels: channels.urls,
    post: async (hub_url, orders, { connections, per_second }) => {
      const answer = await ask({
        kind: 'post',
        port: portOf(hub_url),
        requests: requestsOf(orders),
        connections,
        per_second,
      })
      if (answer.kind !== 'posted') throw new Error('the senders did not answer')
      if (answer.failed > 0) throw new Error(`${answer.failed} of ${orders.length} webhooks were not taken`)
      return answer
    },
    sell: async (hub_url, orders, { per_second }) => {
      const items = orders.map((order) => inventoryItemOf(order.lines[0]?.sku ?? ''))
      const answer = await ask({
        kind: 'sell',
        port: portOf(hub_url),
        requests: requestsOf(orders),
        items,
        channel: OUTLET,
        per_second,
      })
      if (answer.kind !== 'sold') throw new Error('the sellers did not answer')
      return answer
    },
    rush: async (hub_url, requests) => {
      const answer = await ask({ kind: 'rush', port: portOf(hub_url), requests })
      if (answer.kind !== 'rushed') throw new Error('the buyers did not answer')
      return answer
    },
    tally: async () => {
      const answer = await ask({ kind: 'tally' })
      if (answer.kind !== 'tally') throw new Error('the storefronts did not answer')
      return answer
    },
    close: async () => void (await worker.terminate()),
  }
}

const portOf = (url: string): number => Number(new URL(url).port)

/** Whole requests, made and signed before the clock starts: what is measured is the hub, not the sender's arithmetic. */
function requestsOf(orders: readonly BenchOrder[]): Uint8Array[] {
  const at = new Date().toISOString()
  return orders.map((order) => {
    const headers = { host: '127.0.0.1', ...headersOf(order, at), 'content-length': String(order.body.length) }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    return Buffer.concat([Buffer.from(`POST /webhooks/${STORE} HTTP/1.1\r\n${lines.join('')}\r\n`), order.body])
  })
}
