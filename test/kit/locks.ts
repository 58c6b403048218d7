import type { TestDatabase } from './database.ts'

/** A circle of waiting transactions is found after some milliseconds instead of a second; connections opened from now on obey. */
export async function hastenDeadlocks(database: TestDatabase): Promise<void> {
  const [row] = await database.db.query<{ name: string }>('select current_database() as name')
  await database.db.query(`alter database ${row!.name} set deadlock_timeout = '25ms'`)
}

/**
 * Circles that PostgreSQL had to break since the database was made, those that a retry hid included. Every connection of the pool keeps
 * its own count for a while, so each is asked to hand it over first.
 */
export async function deadlocksOf(database: TestDatabase, pool_max: number): Promise<number> {
  const handOver = () => database.db.query('select pg_stat_force_next_flush(), pg_sleep(0.2)')
  await Promise.all(Array.from({ length: pool_max }, handOver))
  const [row] = await database.db.query<{ deadlocks: number }>(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  )
  return row!.deadlocks
}
