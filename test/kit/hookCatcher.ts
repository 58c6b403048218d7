import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WebhookRequest } from '../../src/connectors/_kit/define.ts'

export interface HookCatcher {
  url: string
  /** Everything that arrived, oldest first, in the shape a connector verifies. */
  requests: WebhookRequest[]
  /** What the catcher answers from now on. */
  answerWith: (status: number) => void
  stop: () => Promise<void>
}

/** A webhook address on this machine that keeps what it is sent. */
export async function startHookCatcher(): Promise<HookCatcher> {
  const requests: WebhookRequest[] = []
  let status = 200
  const server = createServer((incoming, outgoing) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const headers = Object.fromEntries(
        Object.entries(incoming.headers).map(([name, value]) => [
          name,
          Array.isArray(value) ? value.join(', ') : value,
        ]),
      )
      requests.push({ body: Buffer.concat(parts), headers, received_at_ms: Date.now() })
      outgoing.writeHead(status).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/test`,
    requests,
    answerWith: (next) => void (status = next),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

export async function waitUntil(condition: () => boolean, timeout_ms = 10_000): Promise<void> {
  const end = Date.now() + timeout_ms
  while (!condition()) {
    if (Date.now() > end) throw new Error('the condition did not come true in time')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
