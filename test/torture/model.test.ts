import { asyncProperty, array, assert, constantFrom, nat, record, type Arbitrary } from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { World } from '../kit/orders.ts'
import type { Step } from './modelStep.ts'
import { perform, STEPS, type StepName } from './modelSteps.ts'
import { compare, createModelWorld, withRig } from './modelWorld.ts'

/**
 * CROSSDOCK_MODEL_SEQUENCES=100000 for a long run. SEED=… CROSSDOCK_MODEL_PATH=… (both are printed on failure) to have one sequence
 * again; without the path, all of them.
 */
const SEQUENCES = Number(process.env['CROSSDOCK_MODEL_SEQUENCES'] ?? 50)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const PATH = process.env['CROSSDOCK_MODEL_PATH']
/** CROSSDOCK_MODEL_SHRINK=no: show the sequence that failed as it is. */
const SHRINK = process.env['CROSSDOCK_MODEL_SHRINK']
const STEPS_MAX = 40
const STEP_MS_MAX = 1_000

/** What happens to orders comes up more often than what people do. */
const WEIGHTS: Partial<Record<StepName, number>> = {
  place: 6, edit: 4, ship: 5, send: 4, answer: 4, move: 3, cart: 2, count: 2, handleCart: 2, receive: 2,
} // prettier-ignore
const NAMES = (Object.keys(STEPS) as StepName[]).flatMap((name) => Array<StepName>(WEIGHTS[name] ?? 1).fill(name))
const step: Arbitrary<Step> = record({ do: constantFrom(...NAMES), n: nat(60), m: nat(60), k: nat(60) })
const sequence = array(step, { minLength: 1, maxLength: STEPS_MAX, size: 'max' })

/** Something on every shelf to begin with. */
const STOCKED = [0, 1, 2].flatMap((n) => [0, 1, 2].map((k): Step => ({ do: 'move', n: n + 3, m: 0, k })))

let world: World
beforeAll(async () => {
  world = await createModelWorld()
})
afterAll(() => world.database.drop())

/** How often each kind of step was really taken: a kind that never is proves nothing. */
const taken = new Map<string, number>()

async function play(plan: readonly Step[]): Promise<void> {
  await withRig(world, async (rig) => {
    for (const one of [...STOCKED, ...plan]) {
      let wrong: string[]
      try {
        if ((await perform(rig, one)) === null) continue
        taken.set(one.do, (taken.get(one.do) ?? 0) + 1)
        wrong = rig.log.length <= STOCKED.length ? [] : await compare(rig)
      } catch (thrown) {
        throw new Error(`${rig.log.join('\n')}\nthen ${JSON.stringify(one)}`, { cause: thrown })
      }
      if (wrong.length > 0) throw new Error(`${rig.log.join('\n')}\n  ${wrong.join('\n  ')}`)
    }
  })
}

test(
  `${SEQUENCES} sequences of up to ${STEPS_MAX} steps agree with a naive model after every step (SEED=${SEED})`,
  { timeout: 60_000 + SEQUENCES * STEPS_MAX * STEP_MS_MAX },
  async () => {
    const replay = PATH === undefined ? {} : { path: PATH }
    await assert(asyncProperty(sequence, play), {
      seed: SEED,
      unbiased: true,
      numRuns: SEQUENCES,
      endOnFailure: SHRINK === 'no',
      ...replay,
    })
    console.log(JSON.stringify(Object.fromEntries(taken)))
    if (PATH === undefined && SEQUENCES >= 100) expect([...taken.keys()].sort()).toEqual(Object.keys(STEPS).sort())
  },
)
