import Type from 'typebox'
import { bytesOfBuffer } from '../../connectors/_kit/settlementFile.ts'
import { connectors } from '../../connectors/index.ts'
import { HubError } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import { checkDocument } from '../../core/settlement/rulesShown.ts'
import type { Connection, Hub } from '../../hub.ts'
import { checkSettlementFile, importSettlementBytes, settlementSettings } from '../../queues/settlementFiles.ts'
import { actorOf, type App } from '../app.ts'
import { anything, anyValue, count, FAULTS, flag, listOf, maybeCount, maybeText, text, uuid } from './schemas.ts'

/** The file is the body as it is; JSON too, because the text of its amounts must not become numbers on the way. */
const CONTENT_TYPES = [/^text\/[\w.+-]+/, /^application\/(octet-stream|gzip|x-gzip|json)/]

const name = Type.String({ minLength: 1, maxLength: 200 })
const CheckQuery = Type.Object({ connector: Type.Optional(name), connection: Type.Optional(name) }, closed)
const ImportQuery = Type.Object(
  { connection: name, name: Type.Optional(name), known: Type.Optional(Type.Enum(['skip', 'again'])) },
  closed,
)

const CheckedFile = Type.Object({
  ok: flag,
  settlements: count,
  lines: count,
  currency: maybeText,
  payout_minor: maybeCount,
  sum_minor: maybeCount,
  difference_minor: count,
  by_kind: anyValue,
  format: text,
  rows: count,
  faults: Type.Array(anything),
  faults_count: count,
  warnings: listOf({ row: count, message: text }),
  warnings_count: count,
  each: Type.Optional(Type.Array(anything)),
})

const ImportedFileSchema = Type.Object({
  ok: flag,
  file_id: count,
  outcome: text,
  format: text,
  sha256: text,
  matched: count,
  settlements: listOf({
    id: uuid,
    external_id: text,
    change: text,
    lines: count,
    lines_moved: count,
    difference_minor: count,
    proof: text,
  }),
})

export function settlementFileRoutes(app: App, hub: Hub): void {
  void app.register((scope: App, _options, done) => {
    scope.removeAllContentTypeParsers()
    const bodyLimit = hub.config.finance.file_bytes_max
    for (const type of CONTENT_TYPES) {
      scope.addContentTypeParser(type, { parseAs: 'buffer', bodyLimit }, (_request, body, finish) => finish(null, body))
    }
    const settings = { bodyLimit }
    scope.post(
      '/settlements/check',
      {
        ...settings,
        schema: {
          tags: ['settlements'],
          summary: 'Prove a file of payouts without storing it; the body is the file, plain or gzip',
          querystring: CheckQuery,
          response: { 200: CheckedFile, ...FAULTS },
        },
      },
      async (request) => {
        const { connector, connection } = request.query
        const bytes = bytesOfBuffer(bodyOf(request.body))
        const owner = connection === undefined ? connectorNamed(connector) : connectionNamed(hub, connection).connector
        const own = connection === undefined ? {} : settlementSettings(connectionNamed(hub, connection))
        const checked = await checkSettlementFile(connectors, owner, own, bytes)
        return checkDocument(checked.format, checked.rows, checked.proof)
      },
    )
    scope.post(
      '/settlements/import',
      {
        ...settings,
        schema: {
          tags: ['settlements'],
          summary: 'Keep a file of payouts with its lines; the same file again changes nothing',
          querystring: ImportQuery,
          response: { 200: ImportedFileSchema, ...FAULTS },
        },
      },
      async (request) => {
        const { connection, name: fileName = 'upload', known = 'skip' } = request.query
        const imported = await importSettlementBytes(hub, connectors, {
          connection: connectionNamed(hub, connection),
          name: fileName,
          bytes: bytesOfBuffer(bodyOf(request.body)),
          known,
          by: actorOf(request).name,
        })
        const { file_id, outcome, format, sha256, matched, settlements } = imported
        const ok = settlements.every(({ proof }) => proof !== 'held')
        return { ok, file_id, outcome, format, sha256, matched, settlements }
      },
    )
    done()
  })
}

function bodyOf(body: unknown): Buffer {
  if (!Buffer.isBuffer(body)) throw new HubError('bad_request', 'the body has to be the file')
  return body
}

function connectorNamed(id: string | undefined) {
  const connector = id !== undefined && Object.hasOwn(connectors, id) ? connectors[id] : undefined
  if (connector === undefined) {
    throw new HubError('bad_request', 'say whose file it is', {
      hint: '?connector=amazon, or ?connection=… for its settings',
    })
  }
  return connector
}

function connectionNamed(hub: Hub, id: string): Connection {
  const connection = hub.connections.get(id)
  if (connection === undefined) throw new HubError('not_found', `there is no connection ${id.slice(0, 80)}`)
  return connection
}
