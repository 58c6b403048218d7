import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { waitForBreath } from '../../src/queues/breath.ts'

const PATIENCE_MS = 5_000
/** Longer than the thread's share of work is taken over. */
const A_WHILE_MS = 400

function keepBusy(): void {
  for (const end = performance.now() + A_WHILE_MS; performance.now() < end;);
}

/** How often it looked again before it went on. */
async function looksOf(patience_ms: number, signal: AbortSignal = new AbortController().signal): Promise<number> {
  let looks = 0
  const random = (): number => {
    looks += 1
    return 0
  }
  await waitForBreath(patience_ms, random, signal)
  return looks
}

test('waits while the thread is busy and goes on when it is not, when its patience ends, or when it is stopped', async () => {
  await sleep(A_WHILE_MS)
  expect(await looksOf(PATIENCE_MS)).toBe(0)
  keepBusy()
  expect(await looksOf(0)).toBe(0)
  expect(await looksOf(PATIENCE_MS, AbortSignal.abort())).toBe(0)
  expect(await looksOf(PATIENCE_MS)).toBeGreaterThan(0)
  await sleep(A_WHILE_MS)
  expect(await looksOf(PATIENCE_MS)).toBe(0)
})
