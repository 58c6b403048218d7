import type { Hub } from '../hub.ts'

/** A run says that it is alive this often; one that was silent for the whole lease took its process down with it. */
const ALIVE_EVERY_MS = 1_000
const LEASE_MS = 6_000

/** The one run that drains a connection now. */
export interface DrainRun {
  readonly connection_id: string
  readonly run_id: string
  /** Runs before this one that died with their process, one after the other. */
  readonly deaths: number
  readonly alive: NodeJS.Timeout
  lastReceivedAt: Date | undefined
}

/**
 * Claims the connection for one run at a time: lanes inside a run overlap usefully, runs do not. Undefined while another run is alive.
 * Nothing depends on the lease for correctness (rows are locked); it keeps runs apart and counts those that died.
 */
export async function beginRun(hub: Hub, connectionId: string): Promise<DrainRun | undefined> {
  const now = hub.clock.now()
  const runId = hub.ids.uuid()
  const [row] = await hub.db.query<{ deaths: number }>(
    `insert into drain_runs as r (connection_id, run_id, started_at, alive_at) values ($1, $2, $3, $3)
     on conflict (connection_id) do update
       set run_id = excluded.run_id, started_at = excluded.started_at, alive_at = excluded.alive_at,
           deaths = case when r.run_id is null then r.deaths else r.deaths + 1 end
       where r.run_id is null or r.alive_at < $4
     returning deaths`,
    [connectionId, runId, now, new Date(now.getTime() - LEASE_MS)],
  )
  if (row === undefined) return undefined
  const alive = setInterval(() => {
    hub.db
      .query('update drain_runs set alive_at = $3 where connection_id = $1 and run_id = $2', [
        connectionId,
        runId,
        hub.clock.now(),
      ])
      .catch((thrown: unknown) =>
        hub.log.warn({ connection: connectionId, reason: String(thrown) }, 'a drain could not say that it is alive'),
      )
  }, ALIVE_EVERY_MS)
  return { connection_id: connectionId, run_id: runId, deaths: row.deaths, alive, lastReceivedAt: undefined }
}

/** A run that ended, well or by a fault it survived, forgets the deaths before it. */
export async function endRun(hub: Hub, run: DrainRun): Promise<void> {
  clearInterval(run.alive)
  await hub.db.query('update drain_runs set run_id = null, deaths = 0 where connection_id = $1 and run_id = $2', [
    run.connection_id,
    run.run_id,
  ])
  if (run.lastReceivedAt === undefined) return
  await hub.db.query('update connections set last_received_at = greatest(last_received_at, $2) where id = $1', [
    run.connection_id,
    run.lastReceivedAt,
  ])
}

/** `suspect`: a process has died before with this row alone in its hands. */
export type CarefulRows = 'fresh' | 'suspect'

const CHOICES: Record<CarefulRows, string> = {
  fresh: 'deaths = 0 order by id',
  suspect: 'deaths > 0 order by deaths, id',
}

/** Takes a due row into account as a possible killer, committed before anything is done with it. Success clears it again. */
export async function countRowDeath(
  hub: Hub,
  connectionId: string,
  which: CarefulRows,
): Promise<{ id: number; deaths: number } | undefined> {
  const [row] = await hub.db.query<{ id: number; deaths: number }>(
    `update inbox set deaths = deaths + 1
     where id = (select id from inbox where connection_id = $1 and state = 'pending' and next_attempt_at <= $2 and ${CHOICES[which]}
                 limit 1 for update skip locked)
     returning id, deaths`,
    [connectionId, hub.clock.now()],
  )
  return row
}
