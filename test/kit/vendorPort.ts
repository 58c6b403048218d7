import type {
  Connector,
  FileStore,
  Http,
  MessageQueue,
  Numbers,
  Port,
  PulledItem,
  PulledPage,
} from '../../src/connectors/_kit/define.ts'
import { createHttp, type HttpAttempt } from '../../src/connectors/_kit/http.ts'
import { createMessageQueue } from '../../src/connectors/_kit/messages.ts'
import type { KeptToken, TokenStore } from '../../src/connectors/_kit/tokens.ts'

export interface VendorPort {
  port: Port
  attempts: HttpAttempt[]
}

const refuse = (what: string) => (): Promise<never> => Promise.reject(new Error(`this connection has no ${what}`))
const NO_FILES: FileStore = {
  list: refuse('files'),
  read: refuse('files'),
  write: refuse('files'),
  rename: refuse('files'),
  exists: refuse('files'),
  close: refuse('files'),
}
const NO_HTTP: Http = { request: refuse('HTTP'), transfer: refuse('HTTP') }
const NO_MESSAGES: MessageQueue = { receive: refuse('queue'), remove: refuse('queue') }

/** Counts from 1 in each sequence and gives a key the same number again, as the database does. */
function countingNumbers(): Numbers {
  const given = new Map<string, number>()
  const last = new Map<string, number>()
  return {
    next: (sequence, key) => {
      const known = given.get(`${sequence}/${key}`)
      const number = known ?? (last.get(sequence) ?? 0) + 1
      given.set(`${sequence}/${key}`, number)
      if (known === undefined) last.set(sequence, number)
      return Promise.resolve(number)
    },
  }
}

/** Keeps a token in this process alone. */
function memoryTokens(): TokenStore {
  let kept: { token: Omit<KeptToken, 'remaining_ms'>; until_ms: number } | undefined
  let held = false
  const read: TokenStore['read'] = () =>
    Promise.resolve(kept === undefined ? undefined : { ...kept.token, remaining_ms: kept.until_ms - Date.now() })
  return {
    read,
    exclusively: async (work) => {
      if (held) return false
      held = true
      try {
        await work({
          read,
          write: (token) => Promise.resolve(void (kept = { token, until_ms: Date.now() + token.lifetime_ms })),
        })
      } finally {
        held = false
      }
      return true
    },
  }
}

/** A port of which nothing works but what is given: for connectors without an HTTP API, and for what stands in between. */
export const portOf = <S>(parts: Partial<Port<S>> & { settings: S }): Port<S> => ({
  http: NO_HTTP,
  files: NO_FILES,
  numbers: countingNumbers(),
  messages: NO_MESSAGES,
  ...parts,
})

/** What a connector is handed in production, over real HTTP, to a server on this machine. Calls are not limited in time. */
export function vendorPort(connector: Connector, settings: Readonly<Record<string, unknown>>): VendorPort {
  if (connector.http === undefined) throw new Error(`${connector.id} speaks no HTTP`)
  const attempts: HttpAttempt[] = []
  const observe = (attempt: HttpAttempt): void => void attempts.push(attempt)
  const http = createHttp<unknown>({
    connection_id: `test-${connector.id}`,
    definition: connector.http,
    settings,
    allow_private: true,
    limiter: { take: () => Promise.resolve(), learn: () => undefined },
    // Its patience is counted in real seconds, and the tests' own clock may be far from them.
    breaker: { check: () => undefined, run: (work) => work() },
    tokens: memoryTokens(),
    observe,
    random: () => 0,
    now: () => new Date(),
  })
  const queue = connector.messages?.(settings)
  const messages = queue === undefined ? NO_MESSAGES : createMessageQueue({ settings: queue, allow_private: true, observe }) // prettier-ignore
  return { port: portOf({ http, messages, settings }), attempts }
}

/** Drains a pull as the hub would: every page's items, and the cursor it ends with. */
export async function drainPull(
  pages: AsyncGenerator<PulledPage>,
): Promise<{ items: PulledItem[]; cursor: string | null; pages: number }> {
  const items: PulledItem[] = []
  let cursor: string | null = null
  let count = 0
  for await (const page of pages) {
    items.push(...page.items)
    cursor = page.cursor
    count += 1
  }
  return { items, cursor, pages: count }
}
