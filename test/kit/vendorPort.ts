import type { Connector, FileStore, Port, PulledItem, PulledPage } from '../../src/connectors/_kit/define.ts'
import { createHttp, type HttpAttempt } from '../../src/connectors/_kit/http.ts'
import { createBreaker } from '../../src/connectors/_kit/limits.ts'

export interface VendorPort {
  port: Port
  attempts: HttpAttempt[]
}

const noFiles = (): Promise<never> => Promise.reject(new Error('this connection has no files'))
const NO_FILES: FileStore = {
  list: noFiles,
  read: noFiles,
  write: noFiles,
  rename: noFiles,
  exists: noFiles,
  close: noFiles,
}

/** What a connector is handed in production, over real HTTP, to a server on this machine. Calls are not limited in time. */
export function vendorPort(connector: Connector, settings: Readonly<Record<string, unknown>>): VendorPort {
  if (connector.http === undefined) throw new Error(`${connector.id} speaks no HTTP`)
  const attempts: HttpAttempt[] = []
  const http = createHttp<unknown>({
    connection_id: `test-${connector.id}`,
    definition: connector.http,
    settings,
    allow_private: true,
    limiter: { take: () => Promise.resolve() },
    breaker: createBreaker({ connection_id: `test-${connector.id}`, now: () => new Date(), mirror: () => undefined }),
    observe: (attempt) => attempts.push(attempt),
    random: () => 0,
    now: () => new Date(),
  })
  return { port: { http, files: NO_FILES, settings }, attempts }
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
