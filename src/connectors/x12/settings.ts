import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'
import { PROFILE } from '../../mappings/x12/profile.ts'

const secret = { secret: true }
const Folder = Type.Optional(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9_/-]{0,200}$' }))

const FolderTransport = Type.Object({ kind: Type.Literal('folder'), root: Type.String({ minLength: 1 }) }, closed)
const SftpTransport = Type.Object(
  {
    kind: Type.Literal('sftp'),
    host: Type.String({ minLength: 1 }),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535 })),
    username: Type.String({ minLength: 1 }),
    password: Type.Optional(Type.String(secret)),
    private_key: Type.Optional(Type.String(secret)),
    // There is no way to leave it out.
    host_key_sha256: Type.String({
      pattern: '^(SHA256:)?[A-Za-z0-9+/]{43}=?$',
      description: "The server's host key, as ssh-keygen -lf prints it",
    }),
    root: Type.String({ minLength: 1 }),
  },
  closed,
)

export const Settings = Type.Object(
  {
    transport: Type.Union([FolderTransport, SftpTransport], {
      description: 'A folder of this machine, or an SFTP server',
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
