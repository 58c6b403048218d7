import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { listFiles, type FileListRow } from '../../db/readFiles.ts'
import type { Hub } from '../../hub.ts'
import { confirmFile, rejectFile } from '../../queues/fileRows.ts'
import { actorOf, type App } from '../app.ts'
import {
  anything,
  count,
  DONE,
  FAULTS,
  filters,
  instant,
  listQuery,
  maybeInstant,
  maybeText,
  named,
  numberId,
  text,
} from './schemas.ts'

export const InboundFile = named<FileListRow>('InboundFile', {
  id: count,
  connection_id: text,
  name: text,
  type: text,
  sequence: maybeText,
  sha256: text,
  rows: count,
  state: text,
  error_code: maybeText,
  error_detail: maybeText,
  totals: anything,
  received_at: instant,
  decided_at: maybeInstant,
  decided_by: maybeText,
})

export function fileRoutes(app: App, hub: Hub): void {
  const tags = ['files']
  app.get(
    '/files',
    {
      schema: {
        tags,
        summary: 'List received files, newest first',
        querystring: listQuery({
          connection: filters.text,
          state: filters.words(['applied', 'rejected', 'held', 'duplicate']),
          type: filters.text,
        }),
        response: { 200: InboundFile.page, ...FAULTS },
      },
    },
    async (request) => listFiles(hub.db, request.query),
  )

  app.post(
    '/files/:id/confirm',
    {
      schema: {
        tags,
        summary: 'Apply a held file as it is',
        params: numberId,
        response: { 200: Type.Object({ rows: Type.Integer() }, closed), ...FAULTS },
      },
    },
    async (request) => confirmFile(hub, request.params.id, actorOf(request).name),
  )

  app.post(
    '/files/:id/reject',
    { schema: { tags, summary: 'Refuse a held file', params: numberId, response: { 200: DONE, ...FAULTS } } },
    async (request) => {
      await rejectFile(hub, request.params.id, actorOf(request).name)
      return { ok: true as const }
    },
  )
}
