import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, vi } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { connectors } from '../../src/connectors/index.ts'
import { summariseSettlement, type SettlementSummary } from '../../src/core/settlement/read.ts'
import { startHub, type RunningHub } from '../../src/main.ts'
import type { Simulator } from '../../src/sandbox/simulator.ts'
import { createTestDatabase } from './database.ts'
import { makeDataFolder } from './program.ts'

const WAIT = { timeout: 90_000, interval: 200 }

export interface GatewayFlow {
  running: RunningHub
  /** Waits until the payout is there in this state, with every line that needs an order matched and not a cent left over. */
  settled: (external_id: string, wanted?: Partial<SettlementSummary>) => Promise<SettlementSummary>
  /** Waits until a query answers so. */
  shows: (sql: string, rows: unknown) => Promise<void>
  close: () => Promise<void>
}

/** A whole hub over its own database, connected to simulators that a test drives; it asks them for payouts every second. */
export async function openGatewayFlow(
  simulators: readonly (Simulator & { connector: string; id: string })[],
): Promise<GatewayFlow> {
  const database = await createTestDatabase()
  const folder = await makeDataFolder()
  const file = join(folder.path, 'crossdock.yaml')
  const pull = { orders_every_seconds: 2, settlements_every_seconds: 1, reports_every_seconds: 1 }
  const document = {
    hub: { host: '127.0.0.1', port: 0, log_level: 'silent' },
    database: { url: database.url, data_dir: join(folder.path, 'postgres') },
    companies: [{ id: 'acme', name: 'Acme' }],
    locations: [{ id: 'berlin', company: 'acme', name: 'Berlin', kind: 'warehouse', country: 'DE' }],
    items: [{ sku: 'TEA', company: 'acme' }],
    connections: simulators.map(({ id, connector, settings }) => ({
      id,
      connector,
      company: 'acme',
      serves_from: ['berlin'],
      local: true,
      availability: { push: false },
      pull,
      settings,
    })),
  }
  writeFileSync(file, JSON.stringify(document))
  const config = loadConfig(file, { connectors, variables: {} })
  const running = await startHub({ config, log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }), role: 'all' })
  for (const { id, setWebhookUrl } of simulators) setWebhookUrl(`${running.url ?? ''}/webhooks/${id}`)
  const { db } = running.hub
  return {
    running,
    settled: async (external_id, wanted = {}) =>
      vi.waitFor(async () => {
        const found = await summariseSettlement(db, external_id)
        expect(found).toMatchObject({ proof: 'proven', difference_minor: 0, unmatched: 0, ...wanted })
        return found
      }, WAIT),
    shows: async (sql, rows) => vi.waitFor(async () => expect(await db.query(sql)).toEqual(rows), WAIT),
    close: async () => {
      await running.close()
      await database.drop()
      folder.remove()
    },
  }
}
