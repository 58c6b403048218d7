import type { Tx } from '../../db/pool.ts'
import { LAG_SAMPLES_MAX } from './rulesAdaptive.ts'

interface Told {
  listing_id: number
  connection_id: string
}

/** Samples of one batch: a full batch says no more about the lag than its slowest rows and a few others. */
const SAMPLES_OF_BATCH = 20
const LAG_MS_MAX = 2_000_000_000

/**
 * Adds to the sample of how long a channel takes to be told: from the moment in which a number became due to the proof that the
 * channel has it. The sample is bounded, the newest values stay. Called with the availability rows locked; nobody takes these rows in
 * the other order.
 */
export async function recordLags(
  tx: Tx,
  told: readonly Told[],
  rows: ReadonlyMap<number, { dirty_at: Date }>,
  now: Date,
): Promise<void> {
  for (const [connection_id, group] of Map.groupBy(told, (line) => line.connection_id)) {
    const lags = group
      .map(({ listing_id }) => now.getTime() - (rows.get(listing_id)?.dirty_at.getTime() ?? now.getTime()))
      .map((ms) => Math.min(LAG_MS_MAX, Math.max(0, ms)))
      .toSorted((a, b) => b - a)
    const step = Math.max(1, Math.ceil(lags.length / SAMPLES_OF_BATCH))
    await tx.query(
      `insert into push_lag as p (connection_id, samples, lag_ms_p95, measured_at)
       select $1, $2::int[], (select percentile_disc(0.95) within group (order by s) from unnest($2::int[]) s), $3
       on conflict (connection_id) do update set
         samples = (p.samples || excluded.samples)[greatest(1, cardinality(p.samples) + cardinality(excluded.samples) - $4 + 1):],
         measured_at = excluded.measured_at,
         lag_ms_p95 = (
           select percentile_disc(0.95) within group (order by s)
           from unnest((p.samples || excluded.samples)[greatest(1, cardinality(p.samples) + cardinality(excluded.samples) - $4 + 1):]) s)`,
      [connection_id, lags.filter((_, index) => index % step === 0), now, LAG_SAMPLES_MAX],
    )
  }
}
