import { setTimeout as sleep } from 'node:timers/promises'
import type { CoreContext } from '../core/context.ts'
import { askRates, buyByHand, skipByHand, voidByHand, type LabelDone } from '../core/labels/byHand.ts'
import { buyKey, ratesKey, voidKey } from '../core/labels/parcels.ts'
import { showLabel, type LabelShown } from '../core/labels/read.ts'
import type { Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import { replayDeadLetters } from './deadLetters.ts'
import type { JobReporter } from './define.ts'
import { runEffects, type GroupRef } from './effects.ts'
import { relayDue } from './relay.ts'

export interface LabelAnswer {
  outcome: LabelDone['outcome']
  /** As it is when the vendor has answered, or when nobody waits for that any longer; null: there is no parcel. */
  label: LabelShown | null
}

const ANSWER_MS_MAX = 20_000
const LOOK_EVERY_MS = 200
const UNDER_WAY = new Set(['wanted', 'buying', 'voiding'])

/** What carriers would take for the parcel of this work. Faults: see `askRates`. */
export async function ratesByHand(
  hub: Hub,
  asked: { number: string; offers: 'known' | 'anew'; actor: string },
): Promise<LabelAnswer> {
  return decide(hub, asked.actor, (tx, ctx) => askRates(tx, ctx, asked))
}

/** Buys an offer. Faults: see `buyByHand`. */
export async function purchaseByHand(
  hub: Hub,
  asked: { name: string; rate: string | null; actor: string },
): Promise<LabelAnswer> {
  return decide(hub, asked.actor, (tx, ctx) => buyByHand(tx, ctx, asked))
}

/** Gives a label back. Faults: see `voidByHand`. */
export async function giveBackByHand(hub: Hub, asked: { name: string; actor: string }): Promise<LabelAnswer> {
  return decide(hub, asked.actor, (tx, ctx) => voidByHand(tx, ctx, asked))
}

/** Lets work leave without a label. Faults: see `skipByHand`. */
export async function goWithoutLabel(hub: Hub, asked: { number: string; actor: string }): Promise<LabelAnswer> {
  return decide(hub, asked.actor, (tx, ctx) => skipByHand(tx, ctx, asked))
}

/**
 * Writes the decision, then carries it out here where no worker is quicker, and shows what came of it. What was given up before is tried
 * again: whoever decides has seen to its cause.
 */
async function decide(
  hub: Hub,
  actor: string,
  work: (tx: Tx, ctx: CoreContext) => Promise<LabelDone>,
): Promise<LabelAnswer> {
  const { outcome, reference } = await inTransaction(hub.db, (tx) => work(tx, coreContext(hub)))
  if (reference === null) {
    await relayDue(hub)
    return { outcome, label: null }
  }
  const keys = [ratesKey(reference), buyKey(reference), voidKey(reference)]
  await replayGivenUp(hub, keys, actor)
  await relayDue(hub)
  return { outcome, label: await answered(hub, reference, keys) }
}

const SILENT: JobReporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }

async function replayGivenUp(hub: Hub, keys: readonly string[], actor: string): Promise<void> {
  const letters = await hub.db.query<{ id: number }>(
    `select d.id from dead_letters d join outbox o on d.source = 'outbox' and d.source_id = o.id
     where o.key = any($1) and o.state = 'dead' and d.state = 'open'`,
    [keys],
  )
  if (letters.length > 0) await replayDeadLetters(hub, { ids: letters.map(({ id }) => id) }, actor)
}

/** One step may lead to the next: offers to a purchase. */
async function answered(hub: Hub, reference: string, keys: readonly string[]): Promise<LabelShown> {
  const end = performance.now() + ANSWER_MS_MAX
  for (;;) {
    const groups = await hub.db.query<GroupRef>(
      `select connection_id, batch_key from outbox where key = any($1) and state = 'queued' and batch_key is not null`,
      [keys],
    )
    for (const group of groups) await runEffects(hub, group, SILENT)
    const label = await showLabel(hub.db, reference)
    if (!UNDER_WAY.has(label.state) || label.fault !== null || performance.now() > end) return label
    await sleep(LOOK_EVERY_MS)
  }
}
