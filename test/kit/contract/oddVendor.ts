import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ConnectorContract, OddRequest } from './contract.ts'

/** What the odd vendor is up to with every request that is not answered by the contract. */
export type OddMood =
  | { kind: 'status'; status: number; headers?: Record<string, string> }
  | { kind: 'html' }
  | { kind: 'empty' }
  | { kind: 'cut' }
  | { kind: 'silent' }
  | { kind: 'endless'; answer: (request: OddRequest, page: number) => unknown }

export interface OddVendor {
  url: string
  requests: OddRequest[]
  mood: OddMood
  close: () => Promise<void>
}

/** A vendor on a real socket that answers everything wrongly in one way. What it answers quotes what it was sent. */
export async function openOddVendor(contract: Pick<ConnectorContract, 'answers'>): Promise<OddVendor> {
  const vendor: OddVendor = { url: '', requests: [], mood: { kind: 'empty' }, close: () => Promise.resolve() }
  let page = 0
  const server = createServer((incoming, response) => {
    void readRequest(incoming).then((request) => {
      const known = contract.answers?.(request)
      if (known !== undefined) return sendJson(response, known.status, known.body)
      vendor.requests.push(request)
      page += 1
      return answer(vendor.mood, request, response, page)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  vendor.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  vendor.close = () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return vendor
}

function answer(mood: OddMood, request: OddRequest, response: ServerResponse, page: number): void {
  switch (mood.kind) {
    case 'status': {
      // Vendors quote the request in their complaints, credentials and addresses included.
      const quoted = { code: 'odd_answer', message: `no: ${JSON.stringify(request.headers)} ${request.body}` }
      for (const [name, value] of Object.entries(mood.headers ?? {})) response.setHeader(name, value)
      return sendJson(response, mood.status, { error: quoted, errors: [quoted] })
    }
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end('<!doctype html><title>Maintenance</title><p>We will be right back</p>')
      return
    case 'empty':
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{}')
      return
    case 'cut':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
      response.write('{"')
      setTimeout(() => response.socket?.destroy(), 5)
      return
    case 'silent':
      return
    case 'endless':
      return sendJson(response, 200, mood.answer(request, page))
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

async function readRequest(incoming: IncomingMessage): Promise<OddRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  return {
    method: incoming.method ?? '',
    path: incoming.url ?? '',
    headers: incoming.headers as Record<string, string>,
    body: Buffer.concat(chunks).toString('utf8'),
  }
}
