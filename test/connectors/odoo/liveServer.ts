import type { Connector } from '../../../src/connectors/_kit/define.ts'
import { odoo } from '../../../src/connectors/odoo/index.ts'
import type { EffectResult, ErpRequest } from '../../../src/core/model/effects.ts'
import { HubError } from '../../../src/core/errors.ts'
import { vendorPort } from '../../kit/vendorPort.ts'
import type { Cut, Cutter } from './cutter.ts'

export interface LiveServer {
  url: string
  database: string
  api_key: string
}

/** A server to run against, or undefined when the environment names none. */
export function liveServer(): LiveServer | undefined {
  const { ODOO_URL: url, ODOO_DB: database, ODOO_API_KEY: api_key } = process.env
  return url === undefined || database === undefined || api_key === undefined ? undefined : { url, database, api_key }
}

/** The tests' own view of the server, which goes past the proxy and past the connector. */
export async function call<T>(server: LiveServer, path: string, body: Record<string, unknown>): Promise<T> {
  const answer = await fetch(`${server.url}/json/2/${path}`, {
    method: 'POST',
    headers: { authorization: `bearer ${server.api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ context: { lang: 'en_US', tz: 'UTC', active_test: false }, ...body }),
  })
  const json = (await answer.json()) as T & { message?: string }
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${json.message ?? ''}`)
  return json
}

export type Row = Record<string, unknown> & { id: number }

export const find = (server: LiveServer, model: string, domain: unknown[], fields: string[]): Promise<Row[]> =>
  call(server, `${model}/search_read`, { domain, fields, order: 'id' })

const RUNS_MAX = 60

/**
 * Sends one document again and again as the hub would after every fault, with every changing call cut once in each of these ways, until it
 * is done. Every run has a port of its own, as after a restart: nothing but Odoo remembers what was done.
 */
export async function sendThrough(
  cutter: Cutter,
  settings: Record<string, unknown>,
  request: ErpRequest,
  ways: readonly Cut[],
): Promise<{ result: EffectResult; runs: number }> {
  cutter.cutBy(ways)
  try {
    for (let runs = 1; runs <= RUNS_MAX; runs += 1) {
      try {
        const [result] = await send(settings, request)
        if (result !== undefined) return { result, runs }
      } catch (thrown) {
        if (!(thrown instanceof HubError) || thrown.next !== 'retry') throw thrown
      }
    }
    throw new Error(`${request.kind} was not done after ${RUNS_MAX} runs`)
  } finally {
    cutter.cutBy([])
  }
}

export async function send(settings: Record<string, unknown>, request: ErpRequest): Promise<EffectResult[]> {
  const connector: Connector = odoo
  const { port } = vendorPort(connector, settings)
  if (connector.erp === undefined) throw new Error('no ERP')
  return await connector.erp.send(port, [request], request.key, new Date())
}
