import { createGzip, gunzipSync } from 'node:zlib'
import { Readable } from 'node:stream'
import type { Connector } from '../connectors/_kit/define.ts'
import { readSettlementFile, type SettlementBytes, type SettlementFileRead } from '../connectors/_kit/settlementFile.ts'
import { HubError } from '../core/errors.ts'
import { matchOpenLines } from '../core/matching/matchLines.ts'
import { TOLERANCES } from '../core/matching/rulesMatch.ts'
import { importSettlementFile, type ImportedFile } from '../core/settlement/importFile.ts'
import { reportsOfFileRead } from '../core/settlement/reports.ts'
import { settlementTotals, type FileProof } from '../core/settlement/rulesProof.ts'
import { writeAudit } from '../db/audit.ts'
import type { Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import { coreContext } from './context.ts'

/** A packed file larger than this is not kept; its hash and its lines are. */
const KEPT_BYTES_MAX = 64 * 1024 ** 2
const UNPACKED_BYTES_MAX = 1024 ** 3

export interface CheckedFile extends SettlementFileRead {
  proof: FileProof
}

type Connectors = Readonly<Record<string, Pick<Connector, 'id' | 'label' | 'settlements'>>>

/**
 * Reads and proves a file of payouts without storing anything. Faults: `file_invalid` and `payload_too_large` as the kit's reader
 * throws them; `unsupported` for a connector that has no such files.
 */
export async function checkSettlementFile(
  connectors: Connectors,
  connector: Pick<Connector, 'id' | 'label' | 'settlements'>,
  settings: Readonly<Record<string, unknown>>,
  bytes: SettlementBytes,
): Promise<CheckedFile> {
  const totals = settlementTotals()
  const read = await readSettlementFile(bytes, fileOptions(connectors, connector, settings), totals)
  return { ...read, proof: totals.result() }
}

function fileOptions(
  connectors: Connectors,
  connector: Pick<Connector, 'id' | 'label' | 'settlements'>,
  settings: Readonly<Record<string, unknown>>,
): Parameters<typeof readSettlementFile>[1] {
  const formats = connector.settlements?.formats
  if (formats === undefined) {
    const able = Object.values(connectors).flatMap(({ id, settlements }) => (settlements === undefined ? [] : [id]))
    throw new HubError('unsupported', `${connector.label} has no files of payouts that can be read`, {
      hint: `such files are read of ${able.join(', ')}`,
    })
  }
  const others = Object.values(connectors).flatMap((other) =>
    other.id === connector.id || other.settlements === undefined
      ? []
      : [{ label: other.label, formats: other.settlements.formats }],
  )
  return { label: connector.label, formats, others, settings }
}

export interface FileImport {
  connection: Connection
  name: string
  bytes: SettlementBytes
  known: 'skip' | 'again'
  /** The person who brings it; left out: the hub fetched it. */
  by?: string
}

export interface FileImported extends ImportedFile {
  format: string
  sha256: string
  proof: FileProof
  matched: number
}

/**
 * Proves a file, keeps it with its payouts and lines in one transaction, and then looks for the orders they pay. The bytes are read
 * twice or three times and never held as a whole, but for the packed copy that is kept.
 */
export async function importSettlementBytes(hub: Hub, connectors: Connectors, file: FileImport): Promise<FileImported> {
  const { connection, bytes } = file
  const settings = settlementSettings(connection)
  const { proof, ...read } = await checkSettlementFile(connectors, connection.connector, settings, bytes)
  if (proof.settlements.length === 0) throw new HubError('file_invalid', 'the file has no payout in it')
  const options = fileOptions(connectors, connection.connector, settings)
  const body = await sealedCopy(hub, connection.id, read.sha256, bytes)
  const nothing = (): void => undefined
  const imported = await inTransaction(hub.db, async (tx) => {
    const result = await importSettlementFile(tx, coreContext(hub), {
      connection_id: connection.id,
      name: file.name,
      format: read.format,
      sha256: read.sha256,
      body,
      rows: read.rows,
      proof,
      known: file.known,
      lines: async (put) => {
        const again = await readSettlementFile(bytes, options, {
          settlement: nothing,
          line: nothing,
          warn: nothing,
          fault: nothing,
          batch: put,
        })
        if (!again.sha256.equals(read.sha256)) throw new HubError('conflict', 'the file changed while it was read')
      },
    })
    if (file.by !== undefined && result.outcome === 'imported')
      await noteImport(tx, hub, file.by, connection.id, result)
    await reportsOfFileRead(tx, hub.clock.now(), { connection_id: connection.id, file_id: result.file_id })
    return result
  })
  const matched = await matchMoved(hub, imported)
  return { ...imported, format: read.format, sha256: read.sha256.toString('hex'), proof, matched }
}

async function noteImport(
  tx: Tx,
  hub: Hub,
  actor: string,
  connection: string,
  { file_id, settlements }: ImportedFile,
): Promise<void> {
  const held = settlements.filter(({ proof }) => proof === 'held').length
  await writeAudit(tx, {
    at: hub.clock.now(),
    actor,
    action: 'settlement.import',
    subject: `inbound_file:${file_id}`,
    data: { connection, settlements: settlements.length, held },
  })
}

async function matchMoved(hub: Hub, { settlements }: ImportedFile): Promise<number> {
  const tolerances = { ...TOLERANCES, by_currency: hub.config.finance.tolerances_minor }
  let matched = 0
  for (const { id, change } of settlements) {
    if (change === 'same') continue
    const turn = await matchOpenLines(hub.db, hub.clock.now(), { scope: { settlement_id: id }, tolerances })
    matched += turn.matched
  }
  return matched
}

/** What a format may know of a connection: how its files are written. Never secrets. */
export function settlementSettings({ config }: Connection): Readonly<Record<string, unknown>> {
  const files = (config.settings as { settlement_files?: unknown }).settlement_files
  return typeof files === 'object' && files !== null ? (files as Record<string, unknown>) : {}
}

const copyAad = (connection_id: string, sha256: Buffer): string =>
  `settlement-file:${connection_id}:${sha256.toString('hex')}`

/** The bytes as they came, packed and sealed; null where they are too many to be kept. */
export async function sealedCopy(
  hub: Pick<Hub, 'vault'>,
  connection_id: string,
  sha256: Buffer,
  bytes: SettlementBytes,
): Promise<Buffer | null> {
  const packed = await pack(bytes)
  return packed === null ? null : hub.vault.seal(packed, copyAad(connection_id, sha256))
}

/** What `sealedCopy` made, as it came. */
export const openedCopy = (hub: Pick<Hub, 'vault'>, connection_id: string, sha256: Buffer, body: Buffer): Buffer =>
  gunzipSync(hub.vault.open(body, copyAad(connection_id, sha256)), { maxOutputLength: UNPACKED_BYTES_MAX })

async function pack(bytes: SettlementBytes): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of Readable.from(bytes()).pipe(createGzip())) {
    length += (chunk as Buffer).length
    if (length > KEPT_BYTES_MAX) return null
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}
