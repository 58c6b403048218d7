import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { PROFILE } from '../../mappings/x12/profile.ts'
import { FileTransport } from '../_kit/transport.ts'

const Folder = Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_/-]{0,200}$' }))

export const Settings = Type.Object(
  {
    transport: FileTransport,
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
        {
          ...closed,
          description:
            'Names of the folders; directions as the hub sees them: outgoing is what it writes, acknowledgements too unless it is named',
        },
      ),
    ),
    endings: Type.Optional(
      Type.Array(Type.String({ pattern: '^[A-Za-z0-9]{1,10}$' }), {
        minItems: 1,
        maxItems: 20,
        description: 'Endings of the file names that are read; left out: every file',
      }),
    ),
    ...PROFILE,
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
} as const

/** The folders in use: the configured ones over the usual ones, without a slash at the end. */
export function foldersOf({
  folders = {},
}: Pick<Settings, 'folders'>): Record<keyof typeof FOLDERS | 'acknowledgements', string> {
  const plain = (text: string): string => text.replace(/\/+$/, '')
  const entries = Object.entries(FOLDERS).map(([folder, usual]) => [
    folder,
    plain(folders[folder as keyof typeof FOLDERS] ?? usual),
  ])
  const own = Object.fromEntries(entries) as Record<keyof typeof FOLDERS, string>
  return { ...own, acknowledgements: plain(folders.acknowledgements ?? own.outgoing) }
}
