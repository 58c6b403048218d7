import { createReadStream } from 'node:fs'
import { HubError } from '../core/errors.ts'

/** What was read, and what a file of it would be called. */
export interface Input {
  name: string
  bytes: Buffer
}

const INPUT_BYTES_MAX = 64 * 1024 * 1024

/** Reads a file, or standard input for `-`, to its end. `bad_request` when it cannot be read, `payload_too_large` past the limit. */
export async function readInput(file: string): Promise<Input> {
  const name = file === '-' ? 'stdin' : (file.split(/[\\/]/).at(-1) ?? file)
  const chunks: Buffer[] = []
  let length = 0
  try {
    // Read as a stream, so that a device or a pipe without an end stops at the limit instead of filling the memory.
    for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
      const bytes = chunk as Buffer
      length += bytes.length
      if (length > INPUT_BYTES_MAX) {
        throw new HubError('payload_too_large', `${name} is larger than ${INPUT_BYTES_MAX / 1024 / 1024} MiB`)
      }
      chunks.push(bytes)
    }
  } catch (thrown) {
    if (thrown instanceof HubError) throw thrown
    const reason = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable'
    throw new HubError('bad_request', `cannot read ${file} (${reason})`, {
      hint: 'name a file, or - for standard input',
    })
  }
  return { name, bytes: Buffer.concat(chunks) }
}
