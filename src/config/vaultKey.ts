import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HubError } from '../core/errors.ts'

const KEY_BYTES = 32

/**
 * The key that encrypts personal data, 32 bytes: the configured one, else the one kept in `file`, which is made on first start and can
 * be read by its owner alone. Without this key the vault cannot be opened again, so the file belongs into the backup.
 */
export async function vaultKey(configured: string, file: string): Promise<Buffer> {
  const text = configured === '' ? ((await readIfThere(file)) ?? (await create(file))) : configured
  const key = Buffer.from(text, 'base64')
  if (key.length !== KEY_BYTES) {
    throw new HubError(
      'vault_sealed',
      `the vault key ${configured === '' ? `in ${file} ` : ''}is not ${KEY_BYTES} bytes in base64`,
      {
        hint: 'restore the key file from a backup; a new key cannot read what the old one encrypted',
      },
    )
  }
  return key
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw new HubError('vault_sealed', `the vault key file ${file} cannot be read`, { cause: thrown })
  }
}

/** Written under a name of our own and linked into place, which fails where a file is: of two first starts both use the first's key. */
async function create(file: string): Promise<string> {
  const partial = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  await mkdir(dirname(file), { recursive: true })
  await writeFile(partial, `${randomBytes(KEY_BYTES).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true })
  try {
    await chmod(partial, 0o600)
    await link(partial, file)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown
  } finally {
    await rm(partial, { force: true })
  }
  return (await readFile(file, 'utf8')).trim()
}
