import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { HubError } from '../core/errors.ts'
import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../db/page.ts'
import type { Db, Queryable } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { hashPassword } from './passwords.ts'
import type { Role } from './policies.ts'

// ── users ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface User {
  name: string
  role: Role
}

const FIRST_USER = 'admin'
const PASSWORD_BYTES = 18
/** Any number that no other advisory lock of the hub uses. */
const LOCK_KEY = 7_301_011

/** Made once, because there was nobody; the password is known only now. */
export interface FirstUser {
  name: string
  password: string
}

/**
 * Brings the users of the configuration into the table (one that left the configuration can no longer log in). When there is nobody at
 * all, makes `admin` with a random password and returns it, to be printed once; otherwise undefined.
 */
export async function ensureFirstUser(hub: Hub): Promise<FirstUser | undefined> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  const password_hash = await hashPassword(password)
  const now = hub.clock.now()
  return inTransaction(hub.db, async (tx) => {
    // Two processes that start at once must not both believe that they made the first user.
    await tx.query('select pg_advisory_xact_lock($1)', [LOCK_KEY])
    await tx.query(`delete from users where source = 'config' and name <> all($1::text[])`, [
      hub.config.users.map((user) => user.name),
    ])
    await tx.query(
      `insert into users (name, role, password_hash, source, created_at)
       select name, role, password_hash, 'config', $2
       from jsonb_to_recordset($1::jsonb) as u (name text, role text, password_hash text)
       on conflict (name) do update set role = excluded.role, password_hash = excluded.password_hash, source = 'config'`,
      [JSON.stringify(hub.config.users), now],
    )
    const made = await tx.query(
      `insert into users (name, role, password_hash, source, created_at)
       select $1, 'admin', $2, 'first_start', $3 where not exists (select 1 from users) returning name`,
      [FIRST_USER, password_hash, now],
    )
    return made.length === 0 ? undefined : { name: FIRST_USER, password }
  })
}

/**
 * Gives a user of the first start a new random password and ends the user's sessions. Faults: `not_found`; `conflict` for a user of the
 * configuration, whose password is changed there.
 */
export async function resetPassword(db: Db, name: string): Promise<FirstUser> {
  const password = randomBytes(PASSWORD_BYTES).toString('base64url')
  const password_hash = await hashPassword(password)
  return inTransaction(db, async (tx) => {
    const [user] = await tx.query<{ source: string }>('select source from users where name = $1 for update', [name])
    if (user === undefined) throw new HubError('not_found', `there is no user "${name}"`)
    if (user.source === 'config')
      throw new HubError('conflict', `${name} is a user of the configuration`, { hint: 'change password_hash there' })
    await tx.query('update users set password_hash = $2 where name = $1', [name, password_hash])
    await tx.query(`delete from sessions where data ->> 'user' = $1`, [name])
    return { name, password }
  })
}

/** Read for every request of a session, so that a changed role or a removed user counts at once. */
export async function findUser(db: Queryable, name: string): Promise<(User & { password_hash: string }) | undefined> {
  const [row] = await db.query<User & { password_hash: string }>(
    'select name, role, password_hash from users where name = $1',
    [name],
  )
  return row
}

// ── API keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const KEY = /^cdk_([a-z0-9]{12})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32
/** Writing the time of every use would be a write for every read. */
const LAST_USED_EVERY_MS = 60_000

export interface ApiKeyRow {
  id: string
  name: string
  role: Role
  created_at: string
  created_by: string
  /** How many units it may keep in cart holds at once; null: only the channel's own limit counts. */
  hold_units_max: number | null
  last_used_at: string | null
  revoked_at: string | null
}

export interface NewApiKey {
  name: string
  role: Role
  created_by: string
  hold_units_max?: number | null
  now: Date
}

/** Makes a key. `secret` (`cdk_<id>_<43 characters>`, 256 random bits) is returned this once; only its SHA-256 is kept. */
export async function createApiKey(db: Queryable, key: NewApiKey): Promise<{ id: string; secret: string }> {
  const id = randomBytes(6).toString('hex')
  const secret = `cdk_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`
  await db.query(
    'insert into api_keys (id, name, role, key_sha256, created_at, created_by, hold_units_max) values ($1, $2, $3, $4, $5, $6, $7)',
    [id, key.name, key.role, sha256(secret), key.now, key.created_by, key.hold_units_max ?? null],
  )
  return { id, secret }
}

/** Takes effect at once in every process, because every request asks the table. Faults: `not_found`. */
export async function revokeApiKey(db: Queryable, id: string, now: Date): Promise<void> {
  const rows = await db.query('update api_keys set revoked_at = coalesce(revoked_at, $2) where id = $1 returning id', [
    id,
    now,
  ])
  if (rows.length === 0) throw new HubError('not_found', 'there is no such API key')
}

/** The holder of a key, or undefined when it is malformed, unknown, wrong or revoked; which of them is nobody's business. */
export async function findApiKey(
  db: Queryable,
  secret: string,
  now: Date,
): Promise<{ id: string; name: string; role: Role; hold_units_max: number | null } | undefined> {
  const id = KEY.exec(secret)?.[1]
  if (id === undefined) return undefined
  const [row] = await db.query<{
    id: string
    name: string
    role: Role
    key_sha256: Buffer
    hold_units_max: number | null
    last_used_at: Date | null
  }>(
    'select id, name, role, key_sha256, hold_units_max, last_used_at from api_keys where id = $1 and revoked_at is null',
    [id],
  )
  if (row === undefined || !timingSafeEqual(row.key_sha256, sha256(secret))) return undefined
  if (row.last_used_at === null || now.getTime() - row.last_used_at.getTime() >= LAST_USED_EVERY_MS) {
    await db.query('update api_keys set last_used_at = $2 where id = $1', [id, now])
  }
  return { id: row.id, name: row.name, role: row.role, hold_units_max: row.hold_units_max }
}

const KEYSET: Keyset<ApiKeyRow> = { kinds: ['text'], after: 'id > ?', keyOf: (row) => [row.id] }

/** Keys without their secrets, revoked ones included. */
export async function listApiKeys(db: Queryable, request: PageRequest): Promise<Page<ApiKeyRow>> {
  const { where, params, fetch } = pageQuery(request, KEYSET, [])
  const rows = await db.query<ApiKeyRow>(
    `select id, name, role, created_at, created_by, hold_units_max, last_used_at, revoked_at from api_keys${where} order by id limit ${fetch}`,
    params,
  )
  return pageOf(request, KEYSET, rows)
}

/** A hash of 256 random bits needs neither salt nor stretching. */
const sha256 = (secret: string): Buffer => createHash('sha256').update(secret).digest()
