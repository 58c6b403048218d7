import { startOdooSimulator, type OdooSimulator, type OdooSimulatorOptions } from '../../../src/sandbox/odoo/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'

export const KEY = 'a-key-that-only-this-test-knows'

const SEED: OdooSimulatorOptions['seed'] = {
  currency: 'EUR',
  warehouses: [
    { code: 'ONE', name: 'First' },
    { code: 'TWO', name: 'Second' },
  ],
  taxes: [
    { name: '19% on top', percent: 19, included: false },
    { name: '7% inside', percent: 7, included: true },
  ],
  products: [
    { sku: 'CUP', name: 'Cup', price: 9.5 },
    { sku: 'LID', name: 'Lid', price: 2 },
    {
      sku: 'SET',
      name: 'Cup with lids',
      price: 12,
      kit: [
        { sku: 'CUP', quantity: 1 },
        { sku: 'LID', quantity: 2 },
      ],
    },
  ],
  accounts: [],
}

let minutes = 0

export const openSimulator = (changes: Partial<OdooSimulatorOptions> = {}): Promise<OdooSimulator> =>
  startOdooSimulator({
    connection_id: 'erp',
    journal_path: null,
    port: 0,
    random: () => 0.5,
    now: () => new Date(Date.UTC(2026, 10, 21, 10, 0, 0, 250) + (minutes += 1) * 60_000),
    faults: KIND,
    webhook_url: null,
    api_key: KEY,
    seed: SEED,
    ...changes,
  })

export interface Answer {
  status: number
  body: unknown
}

/** One call as a client makes it, over HTTP. */
export const caller =
  (simulator: Pick<OdooSimulator, 'url'>, key = KEY) =>
  async (model: string, method: string, body: object = {}): Promise<Answer> => {
    const answer = await fetch(`${simulator.url}/json/2/${model}/${method}`, {
      method: 'POST',
      headers: { authorization: `bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return { status: answer.status, body: await answer.json() }
  }
export type Call = ReturnType<typeof caller>

/** The answer of a call that has to go well. */
export const must =
  (call: Call) =>
  async <T>(model: string, method: string, body: object = {}): Promise<T> => {
    const { status, body: answer } = await call(model, method, body)
    if (status !== 200) throw new Error(`${model}.${method}: ${status} ${JSON.stringify(answer)}`)
    return answer as T
  }
