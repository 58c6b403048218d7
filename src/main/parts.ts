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
  const generator = new V7Generator({ nextUint32: () => randomBytes(4).readUInt32LE(0) })
  return {
    clock,
    ids: { uuid: () => generator.generateOrResetWithTs(clock.now().getTime()).toString() },
    random: { next: Math.random },
  }
}
