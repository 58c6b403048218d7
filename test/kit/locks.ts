import { expect } from 'vitest'
import type { TestDatabase } from './database.ts'

/** A circle of waiting transactions is found after some milliseconds instead of a second; connections opened from now on obey. */
export async function hastenDeadlocks(database: TestDatabase): Promise<void> {
  const [row] = await database.db.query<{ name: string }>('select current_database() as name')
  await database.db.query(`alter database ${row!.name} set deadlock_timeout = '25ms'`)
}

/** Circles that PostgreSQL had to break since the database was made, those that a retry hid included. */
export async function deadlocksOf(database: TestDatabase): Promise<number> {
  let deadlocks = 0
  await expect
    .poll(async () => {
      await database.db.query('select pg_stat_force_next_flush()')
      const [row] = await database.db.query<{ deadlocks: number; commits: number }>(
        'select deadlocks::int, xact_commit::int as commits from pg_stat_database where datname = current_database()',
      )
      deadlocks = row!.deadlocks
      return row!.commits
    })
    .toBeGreaterThan(0)
  return deadlocks
}
