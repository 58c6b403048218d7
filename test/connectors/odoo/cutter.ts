import { createHash } from 'node:crypto'
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How a call is cut: before it was sent on, after it was sent on and without waiting, or after it was answered. */
export type Cut = 'unsent' | 'in_flight' | 'answer_lost'

export interface Cutter {
  url: string
  /** Every different call that changes something is cut once in each of these ways; empty: nothing is cut. */
  cutBy: (ways: readonly Cut[]) => void
  /** How many calls were cut, by way. */
  cuts: Record<Cut, number>
  calls: number
  stop: () => Promise<void>
}

const READS = new Set(
  (
    'search_read search read fields_get has_access check_access_rights check_object_reference get_external_id context_get search_count ' +
    'has_group version authenticate read_group'
  ).split(' '),
)

/** A proxy in front of a server of Odoo that drops connections, as a network and kill -9 do. */
export async function startCutter(target: string): Promise<Cutter> {
  let ways: readonly Cut[] = []
  let seen = new Map<string, number>()
  const cuts: Record<Cut, number> = { unsent: 0, in_flight: 0, answer_lost: 0 }
  const state = { calls: 0 }
  const nextCut = (path: string, body: Buffer): Cut | undefined => {
    const called = callOf(path, body)
    if (!isChange(called)) return undefined
    // A wizard is a new record in every run: what is called on it is the same call.
    const what = called.model === WIZARD ? called.method : body
    const key = createHash('sha256').update(path).update(what).digest('hex')
    const times = seen.get(key) ?? 0
    seen.set(key, times + 1)
    return ways[times]
  }
  const server = createServer((from, to) => {
    void collect(from).then((body) => {
      state.calls += 1
      const cut = nextCut(from.url ?? '', body)
      if (cut !== undefined) cuts[cut] += 1
      if (cut === 'unsent') from.socket.destroy()
      else forward(target, from, to, body, cut)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutBy: (next) => {
      ways = next
      seen = new Map()
    },
    cuts,
    get calls() {
      return state.calls
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const WIZARD = 'sale.advance.payment.inv'

export interface Called {
  model: string
  method: string
}

/** Whether a call may leave something behind in Odoo. */
export const isChange = ({ method }: Called): boolean => !READS.has(method)

/** Which method of which model is called, over either protocol. */
export function callOf(path: string, body: Buffer): Called {
  if (!path.startsWith('/jsonrpc')) {
    const [model = '', method = 'version'] = path.startsWith('/json/2/') ? path.split('/').slice(3) : []
    return { model, method }
  }
  const { params } = JSON.parse(body.toString('utf8')) as {
    params: { service: string; method: string; args: unknown[] }
  }
  return params.service === 'object'
    ? { model: String(params.args[3]), method: String(params.args[4]) }
    : { model: '', method: params.method }
}

export async function collect(from: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of from) parts.push(part as Buffer)
  return Buffer.concat(parts)
}

function forward(target: string, from: IncomingMessage, to: ServerResponse, body: Buffer, cut: Cut | undefined): void {
  const url = new URL(from.url ?? '/', target)
  const headers = { ...from.headers, host: url.host }
  const outgoing = send(url, { method: from.method, headers, agent: false }, (answer) => {
    void collect(answer).then((bytes) => {
      if (cut !== undefined) return from.socket.destroy()
      to.writeHead(answer.statusCode ?? 502, { 'content-type': answer.headers['content-type'] ?? 'application/json' })
      return to.end(bytes)
    })
  })
  outgoing.on('error', () => from.socket.destroy())
  outgoing.end(body, () => {
    if (cut === 'in_flight') from.socket.destroy()
  })
}
