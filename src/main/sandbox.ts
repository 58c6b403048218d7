import type { Config } from '../config.ts'
import type { Faults } from '../sandbox/simulator.ts'
import { startWorld, type World, type WorldOptions } from '../sandbox/world.ts'

/** A vendor's ordinary day: some webhooks twice, some late, some lost; now and then a throttle, an error, a cut line. */
export const ORDINARY_FAULTS: Faults = {
  webhook_duplicate_share: 0.1,
  webhook_drop_share: 0.05,
  webhook_delay_ms_max: 300,
  throttle_share: 0.03,
  fail_share: 0.03,
  cut_share: 0.02,
}

const WAREHOUSE_PACE: WorldOptions['warehouse'] = { poll_ms: 250, pick_ms: 1_500, snapshot_every_ms: 10_000 }

export interface Sandbox {
  world: World
  /** The configuration with every simulated connection pointed at its simulator. */
  config: Config
}

/** Starts the simulated vendors of a sandbox configuration. */
export async function startSandbox(
  config: Config,
  options: { keep: boolean; faults: Faults; now: () => Date },
): Promise<Sandbox> {
  const world = await startWorld({
    connections: config.connections,
    locations: config.locations,
    stock_rules: config.stock_rules,
    data_dir: config.sandbox.data_dir,
    keep: options.keep,
    seed: config.sandbox.seed,
    port_base: config.sandbox.port_base,
    stock_scale: config.sandbox.stock_scale,
    faults: options.faults,
    now: options.now,
    warehouse: WAREHOUSE_PACE,
  })
  const connections = config.connections.map((connection) => ({
    ...connection,
    settings: { ...connection.settings, ...world.settings.get(connection.id) },
  }))
  return { world, config: { ...config, connections } }
}
