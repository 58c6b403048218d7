import { mkdtemp, rm, chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { startEmbedded } from '../../src/db/embedded.ts'
import { migrate } from '../../src/db/migrate.ts'
import { openSession } from '../../src/db/pool.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Administration URL of the run's own PostgreSQL; each test file makes its database from the template. */
    postgres_url: string
  }
}

export const TEMPLATE = 'crossdock_template'

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined }

/** One server per run. It may lose everything at a power cut, which is all that these settings give up. */
const SETTINGS = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off', max_connections: '300' }

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'crossdock-test-'))
  await chmod(folder, 0o755)
  const server = await startEmbedded({ data_dir: join(folder, 'postgres'), port: 0, settings: SETTINGS, log: silent })
  const teardown = async (): Promise<void> => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const admin = await openSession({ url: server.url, application_name: 'test-setup' })
    await admin.query(`create database ${TEMPLATE}`)
    await admin.close()
    await migrate(withDatabase(server.url, TEMPLATE))
  } catch (thrown) {
    await teardown()
    throw thrown
  }
  project.provide('postgres_url', server.url)
  return teardown
}

/** The same server, another database. */
export function withDatabase(url: string, database: string): string {
  const other = new URL(url)
  other.pathname = `/${database}`
  return other.href
}
