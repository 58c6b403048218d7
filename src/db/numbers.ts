import { HubError } from '../core/errors.ts'
import type { Db } from './pool.ts'
import { inTransaction } from './transaction.ts'

const GIVEN = 'select number from numbers where connection_id = $1 and sequence = $2 and key = $3'
const GIVE = `
  insert into numbers (connection_id, sequence, key, number)
  select $1, $2, $3, coalesce(max(number), 0) + 1 from numbers where connection_id = $1 and sequence = $2
  returning number`

/**
 * The next number of a sequence, from 1 and without a gap: the number belongs to `key` for good, so whoever asks again with the same
 * key is given the same one. Those who ask at once stand in line by an advisory lock, because a sequence of the database leaves gaps.
 */
export async function nextNumber(db: Db, connection_id: string, sequence: string, key: string): Promise<number> {
  const params = [connection_id, sequence, key]
  const given = await db.query<{ number: number }>(GIVEN, params)
  if (given[0] !== undefined) return given[0].number
  return await inTransaction(db, async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [`numbers:${connection_id}:${sequence}`])
    // A statement of its own: only what begins after the lock was granted sees what the one before us has given.
    const rows = [...(await tx.query<{ number: number }>(GIVEN, params))]
    if (rows.length === 0) rows.push(...(await tx.query<{ number: number }>(GIVE, params)))
    const [row] = rows
    if (row === undefined) throw new HubError('internal', 'an insert did not say what it inserted')
    return row.number
  })
}
