import { place, edit, pay, cancel, tick, send, shipWork, answer, holdOrder } from './modelOrderSteps.ts'
import { cart, handleCart } from './modelCartSteps.ts'
import { countItem, moveItem, buy, transfer, receiveGoods, cancelComing, comeBack, rule } from './modelStockSteps.ts'
import { setClock, type Play, type Step } from './modelStep.ts'
import type { Rig } from './modelWorld.ts'

export type StepName = keyof typeof STEPS

export const STEPS = {
  place, edit, pay, cancel, tick, send, ship: shipWork, answer, count: countItem, move: moveItem, cart, handleCart, holdOrder, buy, transfer,
  receive: receiveGoods, cancelComing, comeBack, rule,
} satisfies Record<string, Play> // prettier-ignore

/** One step of both, a minute later than the last. Null: there was nothing to do it to. */
export async function perform(rig: Rig, step: Step): Promise<string | null> {
  rig.hub.now += 1
  setClock(rig)
  const words = await STEPS[step.do as StepName](rig, step)
  rig.log.push(`${rig.hub.now}: ${words ?? `nothing to ${step.do}`}`)
  return words
}
