import { createHash } from 'node:crypto'
import { callbackify } from 'node:util'
import type { FastifySessionOptions } from '@fastify/session'
import type { Session } from 'fastify'
import type { Hub } from '../hub.ts'

declare module 'fastify' {
  interface Session {
    /** Name of the logged-in user; who that is today is read from the users table. */
    user?: string
  }
}

type SessionStore = NonNullable<FastifySessionOptions['store']>

/** How long a login lasts, whatever is done meanwhile. */
export const SESSION_MS = 12 * 60 * 60 * 1_000

/** Whoever reads the table must not be able to continue the sessions in it, so that it holds hashes of the ids. */
const keyOf = (id: string): string => createHash('sha256').update(id).digest('base64url')

/** Sessions in PostgreSQL: they survive a restart, are shared by processes and can be ended. Expired ones are as good as gone. */
export function sessionStore(hub: Hub): SessionStore {
  return {
    get: (id, callback) => {
      answer(readSession(hub, id), callback)
    },
    set: (id, session, callback) => {
      answer(writeSession(hub, id, session), (error: unknown) => callback(error))
    },
    destroy: (id, callback) => {
      answer(hub.db.query('delete from sessions where id = $1', [keyOf(id)]), (error: unknown) => callback(error))
    },
  }
}

async function readSession(hub: Hub, id: string): Promise<Session | null> {
  const [row] = await hub.db.query<{ data: { user?: string }; expires_at: Date }>(
    'select data, expires_at from sessions where id = $1 and expires_at > $2',
    [keyOf(id), hub.clock.now()],
  )
  if (row === undefined) return null
  return {
    ...(row.data.user === undefined ? {} : { user: row.data.user }),
    cookie: { originalMaxAge: SESSION_MS, expires: row.expires_at },
  }
}

async function writeSession(hub: Hub, id: string, session: Session): Promise<void> {
  const now = hub.clock.now()
  await hub.db.query(
    `insert into sessions (id, data, expires_at) values ($1, $2::jsonb, $3) on conflict (id) do update set data = excluded.data`,
    [
      keyOf(id),
      JSON.stringify(session.user === undefined ? {} : { user: session.user }),
      new Date(now.getTime() + SESSION_MS),
    ],
  )
}

/** Deletes what has expired; called at each login, which is when the table grows. */
export async function sweepSessions(hub: Hub): Promise<void> {
  await hub.db.query('delete from sessions where expires_at <= $1', [hub.clock.now()])
}

/** From promises to the callbacks that the session plugin asks for. */
function answer<T>(work: Promise<T>, callback: (error: unknown, value?: T) => void): void {
  callbackify(() => work)(callback)
}
