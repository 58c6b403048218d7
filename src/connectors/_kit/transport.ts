import Type from 'typebox'
import { closed } from '../../core/model/schema.ts'

const secret = { secret: true }

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

/** Where a connection's files are exchanged; a part of its settings. */
export const FileTransport = Type.Union([FolderTransport, SftpTransport], {
  description: 'A folder of this machine, or an SFTP server',
})
