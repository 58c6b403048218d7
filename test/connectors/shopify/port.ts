import type { Port } from '../../../src/connectors/_kit/define.ts'
import { createHttp, type HttpAttempt } from '../../../src/connectors/_kit/http.ts'
import { createBreaker, createLimiter } from '../../../src/connectors/_kit/limits.ts'
import { http, type Settings } from '../../../src/connectors/shopify/client.ts'
import { portOf } from '../../kit/vendorPort.ts'
import { KIND, type SimulatorOptions } from '../../../src/sandbox/simulator.ts'

/** A port as the hub makes one, over real HTTP to a simulator on this machine. */
export function portTo(settings: Readonly<Record<string, unknown>>): { port: Port<Settings>; attempts: HttpAttempt[] } {
  const attempts: HttpAttempt[] = []
  const checked = settings as unknown as Settings
  const now = () => new Date()
  return {
    attempts,
    port: portOf({
      settings: checked,
      http: createHttp({
        connection_id: 'shop',
        definition: http,
        settings: checked,
        allow_private: true,
        limiter: createLimiter({
          connection_id: 'shop',
          limit: { calls: 1_000, per_ms: 1_000 },
          store: { kind: 'memory' },
        }),
        breaker: createBreaker({ connection_id: 'shop', now, mirror: () => undefined }),
        observe: (attempt) => void attempts.push(attempt),
        random: () => 0.5,
        now,
      }),
    }),
  }
}

/** Deterministic and kind, unless told otherwise. */
export const simulatorOptions = (more: Partial<SimulatorOptions> = {}): SimulatorOptions => ({
  journal_path: null,
  port: 0,
  random: () => 0.5,
  now: () => new Date(),
  faults: KIND,
  webhook_url: null,
  ...more,
})

export const PRODUCTS = [
  { sku: 'TEA', title: 'Green tea', price_minor: 790, quantity: 50 },
  { sku: 'MUG', title: 'Mug', price_minor: 1_290, quantity: 20 },
  { sku: 'POT', title: 'Teapot', price_minor: 3_490, quantity: 5 },
]
export const BUYER = { name: 'Ada Example', email: 'ada@sandbox.example', country: 'DE' }
