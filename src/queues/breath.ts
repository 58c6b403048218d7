import { performance, type EventLoopUtilization } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** Above this share of its time a process's one thread is short of breath: whatever is asked of it waits behind everything else. */
const BUSY_SHARE = 0.75
const LOOK_EVERY_MS = 200
const PAUSE_MS = { min: 30, max: 120 } as const

interface Look {
  at: number
  until: EventLoopUtilization
  busy: number
}

/** The thread's own measure, so there is one for all jobs of the process. */
let last: Look = { at: performance.now(), until: performance.eventLoopUtilization(), busy: 0 }

/** The share of the recent past in which this thread was at work, from 0 to 1. */
function busyShare(): number {
  const at = performance.now()
  if (at - last.at < LOOK_EVERY_MS) return last.busy
  const until = performance.eventLoopUtilization()
  last = { at, until, busy: performance.eventLoopUtilization(until, last.until).utilization }
  return last.busy
}

/**
 * Lets work that buyers wait for go first: returns once the process has breath to spare, after `patience_ms` at the latest, or at once when
 * it is stopped. `random` is in [0, 1): those who wait must not all come back at the same moment.
 */
export async function waitForBreath(patience_ms: number, random: () => number, signal: AbortSignal): Promise<void> {
  const end = performance.now() + patience_ms
  while (busyShare() > BUSY_SHARE && performance.now() < end && !signal.aborted) {
    await sleep(PAUSE_MS.min + random() * (PAUSE_MS.max - PAUSE_MS.min), undefined, { signal }).catch(() => undefined)
  }
}
