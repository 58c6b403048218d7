import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { callOf, collect, isChange } from './cutter.ts'

/**
 * When the writing process is killed: before its call is passed on; after it was passed on and before there is an answer; after it has the
 * answer. `together`: the call of the dead arrives only with the first call of its heir, so that Odoo works on both at once.
 */
export type Moment = 'before' | 'during' | 'after' | 'together'

export interface Trap {
  /** Of the calls that change something, counted from 0. */
  call: number
  moment: Moment
  /** SIGKILL to whoever makes that call. */
  kill: () => void
}

export interface KillerProxy {
  url: string
  /** Counts anew; with a trap, the call that it names is the caller's last one. */
  arm: (trap: Trap | undefined) => void
  /** Calls that changed something since then, as `model.method`. */
  told: () => readonly string[]
  /** When Odoo has ended all that it was given, whoever was to have the answer. */
  settled: () => Promise<void>
  stop: () => Promise<void>
}

interface Passed {
  from: IncomingMessage
  to: ServerResponse
  body: Buffer
}

/** A proxy in front of a server of Odoo that knows which call changes something, and at which of them its caller dies. */
export async function startKillerProxy(target: string): Promise<KillerProxy> {
  let trap: Trap | undefined
  let sprung = false
  let told: string[] = []
  let late: Passed | undefined
  const working = new Set<Promise<void>>()

  const pass = (call: Passed, options: PassOptions = {}): void => {
    const work = passOn(target, call, options).finally(() => working.delete(work))
    working.add(work)
  }
  const strike = (call: Passed, { moment, kill }: Trap): void => {
    sprung = true
    if (moment === 'during') return pass(call, { sent: kill, answered: () => undefined })
    if (moment === 'after') return pass(call, { delivered: kill })
    if (moment === 'together') late = call
    return kill()
  }
  const take = (call: Passed): void => {
    // What the killed one still managed to send was never sent.
    if (sprung) return void call.from.socket.destroy()
    const called = callOf(call.from.url ?? '', call.body)
    if (!isChange(called)) return pass(call)
    told.push(`${called.model}.${called.method}`)
    if (trap?.call === told.length - 1) return strike(call, trap)
    if (late !== undefined) pass(late, { answered: () => undefined })
    late = undefined
    return pass(call)
  }
  const server = createServer((from, to) => void collect(from).then((body) => take({ from, to, body })))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arm: (next) => {
      trap = next
      sprung = false
      told = []
    },
    told: () => told,
    settled: async () => {
      if (late !== undefined) pass(late, { answered: () => undefined })
      late = undefined
      await Promise.all(working)
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface PassOptions {
  /** The whole call is with the server. */
  sent?: () => void
  /** Instead of giving the answer to the caller. */
  answered?: () => void
  /** The whole answer is with the caller. */
  delivered?: () => void
}

/** Resolves when the server has answered, or has hung up. */
const passOn = (
  target: string,
  { from, to, body }: Passed,
  { sent, answered, delivered }: PassOptions,
): Promise<void> =>
  new Promise((resolve) => {
    const url = new URL(from.url ?? '/', target)
    const headers = { ...from.headers, host: url.host }
    const outgoing = send(url, { method: from.method, headers, agent: false }, (answer) => {
      void collect(answer)
        .then((bytes) => {
          if (answered !== undefined) return answered()
          const type = answer.headers['content-type'] ?? 'application/json'
          to.writeHead(answer.statusCode ?? 502, { 'content-type': type })
          return to.end(bytes, () => delivered?.())
        })
        .finally(resolve)
    })
    outgoing.on('error', () => {
      from.socket.destroy()
      resolve()
    })
    outgoing.end(body, () => sent?.())
  })
