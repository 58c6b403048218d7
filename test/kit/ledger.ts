import { createServer, type IncomingMessage, type Server } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** How the vendor behaves from now on. */
export interface VendorMood {
  /** Whether a second call with the same key is answered with the first one's answer instead of being done again. */
  honours_keys: boolean
  /** Pause between doing a thing and answering. */
  answer_after_ms: number
  /** Does what it is told and then cuts the connection: the caller cannot know. */
  cuts_after_doing: number
  /** Cuts the connection before doing anything. */
  cuts_before_doing: number
  /** Answers with these statuses, one call after the other, without doing anything. */
  answers: { status: number; retry_after_s?: number }[]
}

/** A vendor that keeps its own books: they, and not our tables, say what was done twice. */
export interface LedgerVendor {
  url: string
  mood: VendorMood
  /** Everything that was done, in order. */
  done: { key: string; entries: string[] }[]
  /** Every call that arrived, done or not. */
  calls: number
  stop: () => Promise<void>
}

/** `POST /things` with `idempotency-key` and `{entries}` does something; `GET /things?key=` tells whether it was done. */
export async function startLedgerVendor(): Promise<LedgerVendor> {
  const mood: VendorMood = {
    honours_keys: true,
    answer_after_ms: 0,
    cuts_after_doing: 0,
    cuts_before_doing: 0,
    answers: [],
  }
  const done: LedgerVendor['done'] = []
  const vendor = { mood, done, calls: 0 }
  const server = createServer((request, response) => {
    void answer(request).then(
      (reply) => {
        if (reply === 'cut') return response.destroy()
        response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers })
        return response.end(JSON.stringify(reply.body))
      },
      () => response.destroy(),
    )
  })
  const answer = async (
    request: IncomingMessage,
  ): Promise<'cut' | { status: number; headers?: Record<string, string>; body: object }> => {
    const url = new URL(request.url ?? '/', 'http://vendor')
    if (request.method === 'GET')
      return { status: 200, body: { done: done.some((entry) => entry.key === url.searchParams.get('key')) } }
    const { entries } = JSON.parse(await textOf(request)) as { entries: string[] }
    const key = String(request.headers['idempotency-key'])
    vendor.calls += 1
    if (mood.cuts_before_doing > 0) {
      mood.cuts_before_doing -= 1
      return 'cut'
    }
    const refusal = mood.answers.shift()
    if (refusal !== undefined) {
      const headers = refusal.retry_after_s === undefined ? {} : { 'retry-after': String(refusal.retry_after_s) }
      return { status: refusal.status, headers, body: {} }
    }
    const before = mood.honours_keys && done.some((entry) => entry.key === key)
    if (!before) done.push({ key, entries })
    if (mood.answer_after_ms > 0) await sleep(mood.answer_after_ms)
    if (mood.cuts_after_doing > 0) {
      mood.cuts_after_doing -= 1
      return 'cut'
    }
    return { status: 200, body: { accepted: entries } }
  }
  const url = await listen(server)
  return Object.assign(vendor, {
    url,
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk as Buffer))
  return Buffer.concat(chunks).toString('utf8')
}

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(`http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`)
    })
  })
}
