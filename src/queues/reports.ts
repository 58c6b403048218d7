import { createHash } from 'node:crypto'
import type { Connector, Report, ReportPage, Reports } from '../connectors/_kit/define.ts'
import { bytesOfBuffer } from '../connectors/_kit/settlementFile.ts'
import { asHubError, HubError, type ErrorCode } from '../core/errors.ts'
import { announcedReports, holdReport, listReports, reportFailed, reportRead } from '../core/settlement/reports.ts'
import { writeAudit } from '../db/audit.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import type { JobReporter } from './define.ts'
import { importSettlementBytes, openedCopy, sealedCopy } from './settlementFiles.ts'

/** A run that finds more goes on in the next job. */
const PAGES_MAX = 100
/** A report that is listed and cannot be fetched or read is asked for this often before a person is. */
const TRIES_MAX = 5
/** The connection's trouble, not the report's: the run ends, and the schedule asks again. */
const CONNECTION_FAULTS: ReadonlySet<ErrorCode> = new Set([
  'vendor_throttled', 'vendor_unreachable', 'vendor_timeout', 'vendor_unavailable', 'vendor_auth', 'circuit_open', 'database_unavailable',
  'queue_unavailable',
]) // prettier-ignore
/** Another try would find the same; a vendor that says "not found" may only be slow. */
const isFinal = ({ code, next }: HubError): boolean => next !== 'retry' && code !== 'vendor_not_found'

export interface ReportsPulled {
  listed: number
  read: number
  /** Bytes that were known before. */
  same: number
  /** Given to a person: not to be fetched, or not to be read. */
  held: number
  cut_short: boolean
}

/**
 * Fetches the files of payouts that a vendor keeps ready and reads them like those that people bring. What a page lists is written down
 * with its cursor before anything is fetched, so that a report can be late or broken without being forgotten. Throws what is wrong with
 * the connection; a report that is wrong by itself is held as a case.
 */
export async function pullReports(
  hub: Hub,
  connection: Connection,
  list: Reports<unknown>,
  { cursor, at, reporter }: { cursor: string | null; at: Date; reporter: JobReporter },
): Promise<ReportsPulled> {
  const seen: ReportsPulled = { listed: 0, read: 0, same: 0, held: 0, cut_short: false }
  const announced = await announcedReports(hub.db, connection.id)
  const overlap_ms = connection.config.pull.overlap_seconds * 1_000
  let pages = 0
  for await (const page of list(connection.port, { cursor, overlap_ms, now: at, announced })) {
    pages += 1
    seen.listed += page.reports.length
    const open = await writeDown(hub, connection, page)
    for (const report of page.reports) {
      if (reporter.signal.aborted) return { ...seen, cut_short: true }
      if (!open.has(report.reference)) continue
      const ending = await fetchOne(hub, connection, report)
      if (ending !== 'later') seen[ending] += 1
      reporter.log(`${report.name}: ${ending}`)
    }
    if (pages >= PAGES_MAX) return { ...seen, cut_short: true }
  }
  return seen
}

async function writeDown(hub: Hub, { id }: Connection, page: ReportPage): Promise<ReadonlySet<string>> {
  const now = hub.clock.now()
  return inTransaction(hub.db, async (tx) => {
    const open = await listReports(tx, now, id, page.reports)
    await tx.query(
      `insert into cursors (connection_id, stream, cursor, updated_at) values ($1, 'reports', $2, $3)
       on conflict (connection_id, stream) do update set cursor = excluded.cursor, updated_at = excluded.updated_at`,
      [id, page.cursor, now],
    )
    return open
  })
}

type Ending = 'read' | 'same' | 'held' | 'later'

async function fetchOne(hub: Hub, connection: Connection, report: Report): Promise<Ending> {
  let bytes: Buffer | null = null
  try {
    bytes = await report.read()
    const imported = await importSettlementBytes(hub, connectorsOf(hub), {
      connection,
      name: report.name,
      bytes: bytesOfBuffer(bytes),
      known: 'skip',
    })
    const read = { connection_id: connection.id, reference: report.reference, file_id: imported.file_id }
    await inTransaction(hub.db, (tx) => reportRead(tx, hub.clock.now(), read))
    return imported.outcome === 'same' ? 'same' : 'read'
  } catch (thrown) {
    const error = asHubError(thrown)
    if (CONNECTION_FAULTS.has(error.code)) throw error
    return afterFault(hub, connection, { report, bytes, error })
  }
}

const connectorsOf = (hub: Hub): Record<string, Connector> =>
  Object.fromEntries([...hub.connections.values()].map(({ connector }) => [connector.id, connector]))

async function afterFault(
  hub: Hub,
  connection: Connection,
  { report, bytes, error }: { report: Report; bytes: Buffer | null; error: HubError },
): Promise<Ending> {
  const { reference, name } = report
  const { code } = error
  const tries = await reportFailed(hub.db, { connection_id: connection.id, reference, code })
  hub.log.warn({ connection: connection.id, report: reference, code, tries }, 'a report was not taken')
  if (!isFinal(error) && tries < TRIES_MAX) return 'later'
  // Messages of our own faults name columns and rows; those of anything else may quote what they choked on.
  const detail = code === 'internal' ? 'an unexpected fault; its text is in the log' : error.message
  const file = bytes === null ? null : await fileToHold(hub, connection, bytes)
  await inTransaction(hub.db, async (tx) => {
    const now = hub.clock.now()
    const [kept] =
      file === null
        ? []
        : await tx.query<{ id: number }>(
            `insert into inbound_files as f (connection_id, name, type, sha256, body, state, error_code, error_detail, received_at)
             values ($1, $2, 'settlement', $3, $4, 'held', $5, $6, $7)
             on conflict (connection_id, sha256) do update set error_code = excluded.error_code, error_detail = excluded.error_detail
             returning id`,
            [connection.id, name.slice(0, 200), file.sha256, file.body, code, detail.slice(0, 500), now],
          )
    const { company: company_id } = connection.config
    await holdReport(tx, now, {
      connection_id: connection.id,
      company_id,
      reference,
      name,
      file_id: kept?.id ?? null,
      code,
      detail,
    })
  })
  return 'held'
}

async function fileToHold(
  hub: Hub,
  { id }: Connection,
  bytes: Buffer,
): Promise<{ sha256: Buffer; body: Buffer | null }> {
  const sha256 = createHash('sha256').update(bytes).digest()
  return { sha256, body: await sealedCopy(hub, id, sha256, bytesOfBuffer(bytes)) }
}

/**
 * Reads the kept bytes of a held report once more, by the formats and settings of now. Faults: those of the file, which stays held;
 * `conflict` where somebody decided before; `not_found` where its bytes were too many to be kept.
 */
export async function confirmReport(hub: Hub, fileId: number, user: string): Promise<{ rows: number }> {
  const [file] = await hub.db.query<{
    connection_id: string
    name: string
    sha256: Buffer
    body: Buffer | null
    state: string
  }>('select connection_id, name, sha256, body, state from inbound_files where id = $1', [fileId])
  const connection = file === undefined ? undefined : hub.connections.get(file.connection_id)
  if (file === undefined || connection === undefined) throw new HubError('not_found', `there is no file ${fileId}`)
  if (file.state !== 'held') throw new HubError('conflict', `file ${fileId} is ${file.state}, not held`)
  if (file.body === null) {
    const hint = 'download it, then import it by hand'
    throw new HubError('not_found', `the bytes of file ${fileId} were not kept`, { hint })
  }
  const bytes = openedCopy(hub, file.connection_id, file.sha256, file.body)
  const imported = await importSettlementBytes(hub, connectorsOf(hub), {
    connection,
    name: file.name,
    bytes: bytesOfBuffer(bytes),
    known: 'skip',
  })
  const now = hub.clock.now()
  await inTransaction(hub.db, async (tx) => {
    await tx.query('update inbound_files set decided_at = $2, decided_by = $3 where id = $1', [fileId, now, user])
    await writeAudit(tx, { at: now, actor: user, action: 'file.confirm', subject: `file:${fileId}`, data: {} })
  })
  return { rows: imported.settlements.reduce((sum, { lines }) => sum + lines, 0) }
}
