import type { Tx } from '../../db/pool.ts'

/** Facts that wait for one of these keys are due again. Returns how many woke; they are applied by the next drain. */
export async function wakeParked(tx: Tx, wake_keys: readonly string[], now: Date): Promise<number> {
  if (wake_keys.length === 0) return 0
  const rows = await tx.query<{ id: number }>(
    `update inbox set state = 'pending', next_attempt_at = $2, attempts = 0
     where state = 'parked' and wake_key = any($1) returning id`,
    [wake_keys, now],
  )
  return rows.length
}
