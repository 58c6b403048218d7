import { randomBytes } from 'node:crypto'
import { V7Generator } from 'uuidv7'
import type { Clock, Ids, Random } from '../hub.ts'

export interface Parts {
  clock: Clock
  ids: Ids
  random: Random
}

/** Time, identity and chance of the real world. Everything else in the hub is handed these three. */
export function systemParts(): Parts {
  const clock: Clock = { now: () => new Date() }
  const generator = new V7Generator({ nextUint32: randomWords() })
  return {
    clock,
    ids: { uuid: () => generator.generateOrResetWithTs(clock.now().getTime()).toString() },
    random: { next: Math.random },
  }
}

const WORD_BYTES = 4
const POOL_BYTES = 4_096

/** Random words by the thousand: asking the system for every single one cost more than the rest of making an id. */
function randomWords(): () => number {
  let pool = Buffer.alloc(0)
  let used = 0
  return () => {
    if (used === pool.length) {
      pool = randomBytes(POOL_BYTES)
      used = 0
    }
    const word = pool.readUInt32LE(used)
    used += WORD_BYTES
    return word
  }
}
