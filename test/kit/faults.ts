import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** SIGKILL to the postmaster of the built-in database in a data folder. Returns how many were killed: one, or none where none runs. */
export function killDatabase(dataFolder: string): number {
  try {
    const pid = Number(readFileSync(join(dataFolder, 'postgres', 'postmaster.pid'), 'utf8').split('\n', 1)[0])
    // The file outlives its server, and the number may since belong to somebody else.
    if (!readFileSync(`/proc/${pid}/comm`, 'utf8').includes('postgres')) return 0
    process.kill(pid, 'SIGKILL')
    return 1
  } catch {
    return 0
  }
}
