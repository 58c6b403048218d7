import { openJournal, type Faults, type Simulator, type SimulatorOptions } from '../simulator.ts'
import { startVendorServer, type VendorAnswer } from '../vendorServer.ts'
import { ledgerOf, type ErpLedger } from './ledger.ts'
import { MODELS } from './models.ts'
import { indexedFields, openEnv } from './orm.ts'
import { answerRpc } from './rpc.ts'
import { sow, type Seed } from './seed.ts'
import { openStore, type Committed } from './store.ts'

export interface OdooSimulatorOptions extends SimulatorOptions {
  connection_id: string
  seed: Seed
  api_key?: string
  database?: string
  /** How many calls one document takes: faults strike documents, so each call gets its part of them. Default 1. */
  calls_per_document?: number
}

/** An ERP on 127.0.0.1 that speaks JSON-2 and JSON-RPC, with a database of its own that outlives a kill -9. */
export interface OdooSimulator extends Simulator {
  readonly connection_id: string
  ledger: () => ErpLedger
  /** What people do in it by themselves: any call of the API, in this process. */
  call: (model: string, method: string, body: Readonly<Record<string, unknown>>) => unknown
}

const LOGIN = 'hub'
const HUB_USER = 2
const API_KEY = '0123456789abcdef0123456789abcdef01234567'
const NOT_NOW = '<html><body><h1>503 Service Unavailable</h1></body></html>'
const TOO_MANY: VendorAnswer = { status: 429, headers: { 'retry-after': '1', 'content-type': 'text/html' }, body: '<html><h1>Too Many Requests</h1></html>' } // prettier-ignore

export async function startOdooSimulator(options: OdooSimulatorOptions): Promise<OdooSimulator> {
  const {
    now,
    random,
    port,
    api_key = API_KEY,
    database = 'sandbox',
    seed,
    connection_id,
    calls_per_document = 1,
  } = options
  const journal = openJournal<Committed>(options.journal_path)
  const store = openStore(journal, indexedFields(MODELS))
  const env = openEnv({ models: MODELS, store, now, context: { active_test: false } })
  store.transaction('sow', now(), () => sow(env, seed))
  let faults = shared(options.faults, calls_per_document)
  const rpc = { models: MODELS, store, now, api_key, database, login: LOGIN, uid: HUB_USER }
  const server = await startVendorServer({
    port,
    random,
    faults: () => faults,
    answer: (request) => answerRpc(rpc, request),
    throttled: TOO_MANY,
    // A proxy before the server answers in its own way.
    failed: { status: 503, headers: { 'content-type': 'text/html' }, body: NOT_NOW },
  })
  return {
    connection_id,
    url: server.url,
    settings: { url: server.url, database, login: LOGIN, api_key },
    ledger: () => ledgerOf(env),
    call: (model, method, body) => {
      const answer = answerRpc(rpc, {
        method: 'POST',
        path: `/json/2/${model}/${method}`,
        query: new URLSearchParams(),
        headers: { authorization: `bearer ${api_key}` },
        body: JSON.stringify(body),
      })
      const read = JSON.parse(String(answer.body)) as unknown
      if (answer.status !== 200) throw new Error(`${answer.status} ${(read as { message: string }).message}`)
      return read
    },
    setWebhookUrl: () => undefined,
    setFaults: (changed) => {
      faults = shared(changed, calls_per_document)
    },
    busy: () => false,
    stop: async () => {
      await server.stop()
      journal.close()
    },
  }
}

const shared = (faults: Faults, calls: number): Faults => ({
  ...faults,
  throttle_share: faults.throttle_share / calls,
  fail_share: faults.fail_share / calls,
  cut_share: faults.cut_share / calls,
})
