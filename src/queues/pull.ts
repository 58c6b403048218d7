import { asHubError, HubError } from '../core/errors.ts'
import { STREAMS, type Stream } from '../core/model/fact.ts'
import type { Connector, PulledPage, PullRequest } from '../connectors/_kit/define.ts'
import { takeExchanges } from '../connectors/_kit/exchanges.ts'
import { recordAttempt } from '../db/attempts.ts'
import { insertInbox, sealRow } from '../db/inbox.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import type { JobReporter } from './define.ts'
import { connectionState, failConnection } from './effectRows.ts'
import { pullReports } from './reports.ts'
import { wakeAll, wakeDrain, wakePull } from './wake.ts'

/** A first pull of a large shop goes on in the next job, which starts at the stored cursor. */
const PAGES_MAX = 500

/**
 * Asks a vendor for what is new, page by page. Items and cursor of a page are stored in one transaction, so a pull resumes where it
 * stopped, and an item that came before is stored once. Returns the board's sentence.
 */
export async function pullStream(
  hub: Hub,
  connectionId: string,
  stream: string,
  reporter: JobReporter,
): Promise<string> {
  const connection = hub.connections.get(connectionId)
  const known = STREAMS.find((name) => name === stream)
  if (connection === undefined || known === undefined || !canPull(connection.connector, known))
    return `${connectionId} has no ${stream} to pull`
  const state = await connectionState(hub.db, connectionId)
  if (state !== 'active') return `${connectionId} is ${state ?? 'unknown'}; ${stream} are not pulled`
  const at = hub.clock.now()
  const started = performance.now()
  let pulled: Pulled
  try {
    const request = {
      cursor: await loadCursor(hub, connectionId, known),
      overlap_ms: connection.config.pull.overlap_seconds * 1_000,
      now: at,
    }
    pulled =
      known === 'reports'
        ? await pullFiles(hub, connection, request, reporter)
        : await pullItems(hub, connection, known, request, reporter)
  } catch (thrown) {
    const error = asHubError(thrown)
    if (error.code === 'database_unavailable') throw error
    await writeAttempt(hub, connection, known, { at, started, outcome: 'failed', error })
    return afterFault(hub, connectionId, known, error)
  }
  await writeAttempt(hub, connection, known, { at, started, outcome: pulled.outcome })
  await hub.db.query('update connections set last_pulled_at = $2 where id = $1', [connectionId, at])
  if (pulled.cut_short) await wakeAll(hub, [wakePull(connectionId, known)])
  else {
    // Everything that the vendor listed before `at` is in the inbox now; the availability push relies on it.
    await hub.db.query('update cursors set pulled_at = $3 where connection_id = $1 and stream = $2', [
      connectionId,
      known,
      at,
    ])
  }
  return `pulled ${pulled.sentence}`
}

/** Whether a connection can be asked for this stream. */
export const canPull = (connector: Pick<Connector, 'pull' | 'settlements'>, stream: Stream): boolean =>
  stream === 'reports' ? connector.settlements?.reports !== undefined : connector.pull?.[stream] !== undefined

interface Pulled {
  /** For the attempt log. */
  outcome: string
  /** For the board. */
  sentence: string
  cut_short: boolean
}

async function pullItems(
  hub: Hub,
  connection: Connection,
  stream: Exclude<Stream, 'reports'>,
  request: PullRequest,
  reporter: JobReporter,
): Promise<Pulled> {
  const { id, connector, port } = connection
  const seen = { pages: 0, items: 0, fresh: 0, cut_short: false }
  for await (const page of connector.pull?.[stream]?.(port, request) ?? []) {
    seen.pages += 1
    seen.items += page.items.length
    const fresh = await storePage(hub, connection, stream, page)
    seen.fresh += fresh
    await page.acknowledge?.()
    if (fresh > 0) await wakeAll(hub, [wakeDrain(id)])
    if (reporter.signal.aborted || seen.pages >= PAGES_MAX) {
      seen.cut_short = true
      break
    }
  }
  return {
    outcome: `${seen.items} items, ${seen.fresh} new`,
    sentence: `${seen.items} ${stream} of ${id} in ${seen.pages} page(s), ${seen.fresh} new`,
    cut_short: seen.cut_short,
  }
}

async function pullFiles(
  hub: Hub,
  connection: Connection,
  { cursor, now }: PullRequest,
  reporter: JobReporter,
): Promise<Pulled> {
  const list = connection.connector.settlements?.reports
  if (list === undefined) throw new HubError('internal', `${connection.id} has no reports`)
  const { listed, read, same, held, cut_short } = await pullReports(hub, connection, list, {
    cursor,
    at: now,
    reporter,
  })
  const outcome = `${listed} reports, ${read} read, ${same} seen before, ${held} held`
  return { outcome, sentence: `${outcome}, of ${connection.id}`, cut_short }
}

async function loadCursor(hub: Hub, connectionId: string, stream: Stream): Promise<string | null> {
  const [row] = await hub.db.query<{ cursor: string | null }>(
    'select cursor from cursors where connection_id = $1 and stream = $2',
    [connectionId, stream],
  )
  return row?.cursor ?? null
}

async function storePage(hub: Hub, connection: Connection, stream: Stream, page: PulledPage): Promise<number> {
  const now = hub.clock.now()
  const rows = page.items.map((item) =>
    sealRow(hub.vault, {
      connection_id: connection.id,
      source: 'poll',
      topic: item.topic,
      dedupe_key: item.dedupe_key,
      body: Buffer.from(JSON.stringify(item.payload ?? null), 'utf8'),
      observed_at: now,
      received_at: now,
    }),
  )
  const stored = await inTransaction(hub.db, async (tx) => {
    const outcomes = await insertInbox(tx, rows)
    await tx.query(
      `insert into cursors (connection_id, stream, cursor, updated_at) values ($1, $2, $3, $4)
       on conflict (connection_id, stream) do update set cursor = excluded.cursor, updated_at = excluded.updated_at`,
      [connection.id, stream, page.cursor, now],
    )
    return outcomes
  })
  return stored.filter((outcome) => outcome === 'stored').length
}

async function writeAttempt(
  hub: Hub,
  connection: Connection,
  stream: Stream,
  call: { at: Date; started: number; outcome: string; error?: HubError },
): Promise<void> {
  await recordAttempt(hub.db, {
    ...takeExchanges(),
    connection_id: connection.id,
    subject: `pull:${stream}`,
    operation: `pull ${stream}`,
    at: call.at,
    duration_ms: performance.now() - call.started,
    outcome: call.outcome,
    status: call.error?.status,
    error_code: call.error?.code,
  })
}

/** The schedule is the retry of a pull; only a vendor that names a time is asked again at that time. */
async function afterFault(hub: Hub, connectionId: string, stream: Stream, error: HubError): Promise<string> {
  if (error.next === 'pause') await failConnection(hub.db, connectionId, error, hub.clock.now())
  if (error.retry_after_ms === undefined) throw error
  const wake = wakePull(connectionId, stream)
  await hub.queues.add(wake.queue, wake.name, wake.data, { delay_ms: error.retry_after_ms })
  return `${connectionId} asks to wait ${error.retry_after_ms} ms before more ${stream} are pulled (${error.code})`
}
