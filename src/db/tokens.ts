import { HubError } from '../core/errors.ts'
import type { Sealer } from './inbox.ts'
import type { Db, Queryable } from './pool.ts'

/** A vendor's token as it is kept. Times are spans by the database's clock, so that no process's own clock matters. */
export interface TokenRow {
  access_token: string
  refresh_token: string | null
  grant_hash: string
  /** From when it was fetched until it ends. */
  lifetime_ms: number
  /** From now until it ends; negative once it has. */
  remaining_ms: number
}

export interface TokenRows {
  read: () => Promise<TokenRow | undefined>
  /** Committed when the promise resolves. */
  write: (row: Omit<TokenRow, 'remaining_ms'>) => Promise<void>
}

export interface TokenTable extends Pick<TokenRows, 'read'> {
  /**
   * Runs `work` while no other process does so for this connection; `false` at once when one is at it. The lock is the session's, not
   * a transaction's: nothing stays open in the database while the vendor is asked, and it ends with the process.
   */
  exclusively: (work: (rows: TokenRows) => Promise<void>) => Promise<boolean>
}

interface Sealed {
  sealed_token: Buffer
  sealed_refresh_token: Buffer | null
  grant_hash: string
  lifetime_ms: number
  remaining_ms: number
}

/** The token of one connection, sealed with the hub's key. */
export function openTokens(db: Db, vault: Sealer, connection_id: string): TokenTable {
  const lock = `access_token:${connection_id}`
  return {
    read: rowsOf(db, vault, connection_id).read,
    exclusively: (work) =>
      db.withClient(async (client) => {
        const [row] = await client.query<{ held: boolean }>('select pg_try_advisory_lock(hashtextextended($1, 0)) as held', [lock]) // prettier-ignore
        if (row?.held !== true) return false
        const held = rowsOf(client, vault, connection_id)
        try {
          await work({ read: held.read, write: (token) => written(held, rowsOf(db, vault, connection_id), token) })
        } finally {
          await unlock(client, lock)
        }
        return true
      }),
  }
}

/** A refresh token that took the place of another is lost with this write, so a session that broke meanwhile is not the end of it. */
async function written(held: TokenRows, anew: TokenRows, token: Parameters<TokenRows['write']>[0]): Promise<void> {
  try {
    await held.write(token)
  } catch (thrown) {
    if (!(thrown instanceof HubError && thrown.code === 'database_unavailable')) throw thrown
    await anew.write(token)
  }
}

/** A session that may still hold the lock must not go back to the pool; this code makes the pool end it. */
async function unlock(client: Queryable, lock: string): Promise<void> {
  const rows = await client
    .query<{ freed: boolean }>('select pg_advisory_unlock(hashtextextended($1, 0)) as freed', [lock])
    .catch((thrown: unknown) => {
      throw new HubError('database_unavailable', 'the lock of a token could not be given back', { cause: thrown })
    })
  if (rows[0]?.freed !== true) throw new HubError('database_unavailable', 'the lock of a token was lost')
}

function rowsOf(db: Queryable, vault: Sealer, connection_id: string): TokenRows {
  const aad = (part: string): string => `access_tokens:${connection_id}:${part}`
  return {
    read: async () => {
      const [row] = await db.query<Sealed>(
        `select sealed_token, sealed_refresh_token, grant_hash,
           (extract(epoch from expires_at - refreshed_at) * 1000)::bigint as lifetime_ms,
           (extract(epoch from expires_at - clock_timestamp()) * 1000)::bigint as remaining_ms
         from access_tokens where connection_id = $1`,
        [connection_id],
      )
      if (row === undefined) return undefined
      const { sealed_token, sealed_refresh_token, ...rest } = row
      return {
        ...rest,
        access_token: vault.open(sealed_token, aad('token')).toString(),
        refresh_token:
          sealed_refresh_token === null ? null : vault.open(sealed_refresh_token, aad('refresh')).toString(),
      }
    },
    write: async ({ access_token, refresh_token, grant_hash, lifetime_ms }) => {
      await db.query(
        `insert into access_tokens (connection_id, sealed_token, sealed_refresh_token, grant_hash, expires_at, refreshed_at)
         values ($1, $2, $3, $4, clock_timestamp() + $5 * interval '1 millisecond', clock_timestamp())
         on conflict (connection_id) do update set sealed_token = excluded.sealed_token,
           sealed_refresh_token = excluded.sealed_refresh_token, grant_hash = excluded.grant_hash,
           expires_at = excluded.expires_at, refreshed_at = excluded.refreshed_at`,
        [
          connection_id,
          vault.seal(Buffer.from(access_token), aad('token')),
          refresh_token === null ? null : vault.seal(Buffer.from(refresh_token), aad('refresh')),
          grant_hash,
          lifetime_ms,
        ],
      )
    },
  }
}
