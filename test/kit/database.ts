import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inject } from 'vitest'
import { openDb, openSession, sqlState, type Db, type Session } from '../../src/db/pool.ts'
import { TEMPLATE, withDatabase } from './globalSetup.ts'

export interface TestDatabase {
  url: string
  db: Db
  /** Closes the pool and drops the database with whatever else is still connected to it. */
  drop(): Promise<void>
}

const TEMPLATE_BUSY = '55006'
const ATTEMPTS_MAX = 200
const ATTEMPT_PAUSE_MS = 25

/** A database of its own with the hub's whole schema, copied from the migrated template in some tens of milliseconds. */
export async function createTestDatabase(options: { pool_max?: number } = {}): Promise<TestDatabase> {
  return fromTemplate(TEMPLATE, options)
}

/** A database without any of our tables, for tests of the migrations themselves. */
export async function createEmptyDatabase(options: { pool_max?: number } = {}): Promise<TestDatabase> {
  return fromTemplate('template0', options)
}

async function fromTemplate(template: string, options: { pool_max?: number }): Promise<TestDatabase> {
  const adminUrl = inject('postgres_url')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await administer(adminUrl, (admin) => createFrom(admin, name, template))
  const url = withDatabase(adminUrl, name)
  const db = openDb({ url, pool_max: options.pool_max ?? 10, application_name: 'test' })
  return {
    url,
    db,
    drop: async () => {
      await db.close()
      await administer(adminUrl, (admin) => admin.command(`drop database ${name} with (force)`))
    },
  }
}

/** PostgreSQL refuses to copy a template that anybody is connected to, and test files start at the same time. */
async function createFrom(admin: Session, name: string, template: string): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await admin.command(`create database ${name} template ${template}`)
    } catch (thrown) {
      if (attempt >= ATTEMPTS_MAX || sqlState(thrown) !== TEMPLATE_BUSY) throw thrown
      await sleep(ATTEMPT_PAUSE_MS)
    }
  }
}

async function administer<T>(url: string, work: (admin: Session) => Promise<T>): Promise<T> {
  const admin = await openSession({ url, application_name: 'test-admin' })
  try {
    return await work(admin)
  } finally {
    await admin.close()
  }
}
