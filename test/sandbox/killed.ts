import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Runs a simulator in a process of its own until it has answered some deeds, kills it like a power cut, and returns what it answered. */
export async function answersBeforeKill(vendor: 'stripe' | 'woocommerce', journal_path: string): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./journalChild.ts', import.meta.url)), vendor, journal_path],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  let text = ''
  child.stdout.on('data', (part: Buffer) => {
    text += part.toString()
    if (text.split('\n').length > 200) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  return text.split('\n').slice(0, -1)
}
