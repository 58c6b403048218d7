import { createServer, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { parentPort } from 'node:worker_threads'

/** Runs in a thread of its own, so that a busy hub does not slow its own clock. Both ends of a latency are read from one clock here. */
export type Command =
  | { kind: 'listen'; channels: readonly string[] }
  | { kind: 'post'; port: number; requests: readonly Uint8Array[]; connections: number; per_second: number | undefined }
  | {
      kind: 'sell'
      port: number
      requests: readonly Uint8Array[]
      items: readonly string[]
      channel: string
      per_second: number | undefined
    }
  | { kind: 'rush'; port: number; requests: readonly Uint8Array[] }
  | { kind: 'tally' }

export type Answer = { kind: 'listening'; urls: Record<string, string> } | Loaded | Sold | Rushed | Tally

export interface Rushed {
  kind: 'rushed'
  ms: number
  /** Status and time of every answer. */
  answers: { status: number; ms: number }[]
}

/** What the storefronts were told since the last tally. */
export interface Tally {
  kind: 'tally'
  requests: number
  numbers: number
  /** The number that was told last, by storefront and inventory item. */
  last: Record<string, Record<string, number>>
}

export interface Loaded {
  kind: 'posted'
  seconds: number
  failed: number
  /** From the moment a webhook was due to leave until its answer was there. */
  latencies_ms: number[]
}

export interface Sold {
  kind: 'sold'
  /** From the moment a webhook was due to leave until the other storefront was told of the sale; without those that never were. */
  latencies_ms: number[]
  missing: number
}

const SELL_TIMEOUT_MS = 15_000
const SELLERS = 64

// ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Line {
  /** Sends one request and resolves with the status of its answer; 0 when the connection broke. */
  send: (request: Uint8Array) => Promise<number>
  close: () => void
}

/** The least HTTP/1.1 that a sender needs: it shares the machine with the hub, so it must not be what is measured. */
function openLine(port: number): Promise<Line> {
  const { promise, resolve, reject } = Promise.withResolvers<Line>()
  const socket: Socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let answered: ((status: number) => void) | undefined
  let text = ''
  const settle = (status: number): void => {
    const tell = answered
    answered = undefined
    text = ''
    tell?.(status)
  }
  socket.setEncoding('latin1')
  socket.on('data', (part) => {
    text += String(part)
    const end = text.indexOf('\r\n\r\n')
    if (end === -1) return
    const length = /content-length: (\d+)/i.exec(text)?.[1]
    if (text.length >= end + 4 + Number(length ?? 0)) settle(Number(text.slice(9, 12)))
  })
  socket.on('close', () => settle(0))
  socket.on('error', (error) => {
    reject(error)
    settle(0)
  })
  socket.on('connect', () =>
    resolve({
      send: (request) => {
        const answer = Promise.withResolvers<number>()
        answered = answer.resolve
        socket.write(request)
        return answer.promise
      },
      close: () => socket.destroy(),
    }),
  )
  return promise
}

async function post({ port, requests, connections, per_second }: Extract<Command, { kind: 'post' }>): Promise<Loaded> {
  const lines = await Promise.all(Array.from({ length: connections }, () => openLine(port)))
  const latencies_ms: number[] = []
  let failed = 0
  let next = 0
  const started = performance.now()
  const dueAt = (index: number): number => started + (per_second === undefined ? 0 : (index * 1_000) / per_second)
  const work = async (line: Line): Promise<void> => {
    for (let index = next++; index < requests.length; index = next++) {
      await until(dueAt(index))
      // With a pace, a webhook that found no free connection has been waiting since it was due, and that counts.
      const from = per_second === undefined ? performance.now() : dueAt(index)
      const status = await line.send(requests[index] ?? new Uint8Array())
      if (status !== 200) failed += 1
      latencies_ms.push(performance.now() - from)
    }
  }
  await Promise.all(lines.map(work))
  const seconds = (performance.now() - started) / 1_000
  for (const line of lines) line.close()
  return { kind: 'posted', seconds, failed, latencies_ms }
}

async function until(at: number): Promise<void> {
  const wait = at - performance.now()
  if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
}

async function sell({ port, requests, items, channel, per_second }: Extract<Command, { kind: 'sell' }>): Promise<Sold> {
  const lines = await Promise.all(Array.from({ length: per_second === undefined ? 1 : SELLERS }, () => openLine(port)))
  // A line takes one sale at a time; one that finds its line busy waits, and that counts.
  const busy = lines.map((): Promise<unknown> => Promise.resolve())
  const latencies_ms: number[] = []
  const started = performance.now()
  let missing = 0
  const sellOne = async (index: number): Promise<void> => {
    const at = per_second === undefined ? performance.now() : started + (index * 1_000) / per_second
    await until(at)
    const told = tellWhenPushed(channel, items[index] ?? '')
    const place = index % lines.length
    const sent = busy[place]?.then(() => lines[place]?.send(requests[index] ?? new Uint8Array()))
    busy[place] = sent ?? Promise.resolve()
    if ((await sent) !== 200) throw new Error('a sale was refused')
    const then = await told
    if (then === undefined) missing += 1
    else latencies_ms.push(then - at)
  }
  if (per_second === undefined) for (const index of requests.keys()) await sellOne(index)
  else await Promise.all([...requests.keys()].map(sellOne))
  for (const line of lines) line.close()
  return { kind: 'sold', latencies_ms, missing }
}

/** Everybody at once, each on a connection of their own that was open before. */
async function rush({ port, requests }: Extract<Command, { kind: 'rush' }>): Promise<Rushed> {
  const lines = await Promise.all(requests.map(() => openLine(port)))
  const started = performance.now()
  const answers = await Promise.all(
    lines.map(async (line, index) => {
      const status = await line.send(requests[index] ?? new Uint8Array())
      return { status, ms: performance.now() - started }
    }),
  )
  const ms = performance.now() - started
  for (const line of lines) line.close()
  return { kind: 'rushed', ms, answers }
}

// ── the storefronts ───────────────────────────────────────────────────────────────────────────────────────────────────────

const awaited = new Map<string, (at: number) => void>()
const pushKey = (channel: string, item: string): string => `${channel} ${item}`

function tellWhenPushed(channel: string, item: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  const timer = setTimeout(() => resolve(undefined), SELL_TIMEOUT_MS)
  awaited.set(pushKey(channel, item), (at) => {
    clearTimeout(timer)
    resolve(at)
  })
  return promise
}

let told: Tally = newTally()
function newTally(): Tally {
  return { kind: 'tally', requests: 0, numbers: 0, last: {} }
}

function tellTally(): Tally {
  const tally = told
  told = newTally()
  return tally
}

function count(channel: string, quantities: readonly Quantity[]): void {
  if (quantities.length === 0) return
  told.requests += 1
  told.numbers += quantities.length
  const last = (told.last[channel] ??= {})
  for (const { inventoryItemId, quantity } of quantities) last[inventoryItemId] = quantity
}

const EMPTY_PAGE = { pageInfo: { hasNextPage: false, endCursor: null }, nodes: [] }
/** What each document of the hub is answered: numbers are always taken, and there is never anything new to pull. */
const ANSWERS: readonly [begin: string, data: object][] = [
  ['mutation inventorySetQuantities', { inventorySetQuantities: { userErrors: [] } }],
  ['query orders', { orders: EMPTY_PAGE }],
  ['query productVariants', { productVariants: EMPTY_PAGE }],
]

interface Quantity {
  inventoryItemId: string
  quantity: number
}

interface GraphCall {
  query: string
  variables: { input?: { quantities?: Quantity[] } }
}

async function openChannel(channel: string): Promise<string> {
  const server = createServer((request, response) => {
    const at = performance.now()
    bodyOf(request).then(
      (body) => {
        const call = JSON.parse(body) as GraphCall
        const quantities = call.variables.input?.quantities ?? []
        count(channel, quantities)
        for (const { inventoryItemId } of quantities) {
          awaited.get(pushKey(channel, inventoryItemId))?.(at)
          awaited.delete(pushKey(channel, inventoryItemId))
        }
        const data = ANSWERS.find(([begin]) => call.query.startsWith(begin))?.[1]
        response
          .writeHead(data === undefined ? 404 : 200, { 'content-type': 'application/json' })
          .end(JSON.stringify({ data }))
      },
      () => response.destroy(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString('utf8')
}

async function listen(channels: readonly string[]): Promise<Answer> {
  const urls: Record<string, string> = {}
  for (const channel of channels) urls[channel] = await openChannel(channel)
  return { kind: 'listening', urls }
}

const run = (command: Command): Promise<Answer> => {
  switch (command.kind) {
    case 'listen':
      return listen(command.channels)
    case 'post':
      return post(command)
    case 'sell':
      return sell(command)
    case 'rush':
      return rush(command)
    case 'tally':
      return Promise.resolve(tellTally())
  }
}

parentPort?.on('message', (command: Command) => {
  run(command).then(
    (answer) => parentPort?.postMessage(answer),
    (thrown: unknown) =>
      // An uncaught throw ends the thread and reaches the one who asked as its error.
      setImmediate(() => {
        throw thrown
      }),
  )
})
