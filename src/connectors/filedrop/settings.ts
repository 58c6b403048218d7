import Type from 'typebox'
import { closed, Id } from '../../core/model/schema.ts'
import { FileTransport } from '../_kit/transport.ts'

const Folder = Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_/-]{0,200}$' }))

export const Settings = Type.Object(
  {
    transport: FileTransport,
    partner: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]{0,39}$',
      description: "The partner's short name in file names",
    }),
    folders: Type.Optional(
      Type.Object(
        {
          outgoing: Folder,
          archive: Folder,
          incoming: Folder,
          processed: Folder,
          error: Folder,
          acknowledgements: Folder,
        },
        { ...closed, description: 'Names of the folders; directions as the hub sees them: outgoing is what it writes' },
      ),
    ),
    delimiter: Type.Optional(
      Type.Unsafe<',' | ';' | '\t' | '|'>({
        type: 'string',
        enum: [',', ';', '\t', '|'],
        description: 'Of its files; without it commas are written and any of the four is read',
      }),
    ),
    full_replaces: Type.Optional(
      Type.Boolean({
        description:
          'A full stock file also says that every SKU it leaves out is gone; otherwise such a SKU keeps its number',
      }),
    ),
    shrink_max_percent: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100,
        description: 'A full file that lost more of its rows is held for a person (30)',
      }),
    ),
    location_code: Type.Optional(
      Type.String({ ...Id, description: 'Stands for an empty location_code, for partners with one warehouse' }),
    ),
  },
  closed,
)
export type Settings = Type.Static<typeof Settings>

const FOLDERS = {
  outgoing: 'outgoing',
  archive: 'archive',
  incoming: 'incoming',
  processed: 'processed',
  error: 'error',
  acknowledgements: 'acks',
} as const

/** The folders in use: the configured ones over the usual ones, without a slash at the end. */
export function foldersOf(settings: Settings): Record<keyof typeof FOLDERS, string> {
  const chosen = settings.folders ?? {}
  const entries = Object.entries(FOLDERS).map(([name, usual]) => [
    name,
    (chosen[name as keyof typeof FOLDERS] ?? usual).replace(/\/+$/, ''),
  ])
  return Object.fromEntries(entries) as Record<keyof typeof FOLDERS, string>
}
