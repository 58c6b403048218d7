import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Faults } from './simulator.ts'

export interface VendorRequest {
  method: string
  /** Without the query, as sent. */
  path: string
  query: URLSearchParams
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: string
}

export interface VendorAnswer {
  status: number
  headers?: Readonly<Record<string, string>>
  body: string
  /** Instead of the text, for what is none. */
  bytes?: Buffer
}

export interface VendorServerOptions {
  port: number
  random: () => number
  faults: () => Faults
  answer: (request: VendorRequest) => VendorAnswer
  /** How this vendor says "too many calls" and "not now". */
  throttled: VendorAnswer
  failed: VendorAnswer
}

export interface VendorServer {
  url: string
  stop: () => Promise<void>
}

const DELIVERY_TIMEOUT_MS = 10_000

/** An API on 127.0.0.1 with a vendor's bad days: throttled and failed calls have no effect, a cut one has had it. */
export async function startVendorServer(options: VendorServerOptions): Promise<VendorServer> {
  const server = createServer((incoming, outgoing) => {
    readRequest(incoming).then(
      (request) => {
        const { throttle_share, fail_share, cut_share } = options.faults()
        const roll = options.random()
        const answer =
          roll < throttle_share
            ? options.throttled
            : roll < throttle_share + fail_share
              ? options.failed
              : options.answer(request)
        if (answer.status < 400 && options.random() < cut_share) return incoming.socket.destroy()
        outgoing.writeHead(answer.status, { 'content-type': 'application/json; charset=UTF-8', ...answer.headers })
        return outgoing.end(answer.bytes ?? answer.body)
      },
      () => incoming.socket.destroy(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function readRequest(incoming: IncomingMessage): Promise<VendorRequest> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1')
  const { method = 'GET', headers } = incoming
  return { method, path: url.pathname, query: url.searchParams, headers, body: Buffer.concat(parts).toString('utf8') }
}

/** Posts a webhook. The answer's status, or undefined when nobody answered in time. Redirects are not followed. */
export async function postWebhook(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<number | undefined> {
  try {
    const signal = AbortSignal.timeout(DELIVERY_TIMEOUT_MS)
    const answer = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal })
    await answer.arrayBuffer()
    return answer.status
  } catch {
    return undefined
  }
}
