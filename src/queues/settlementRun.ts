import { postJournals, type Posted } from '../core/books/post.ts'
import type { Refreshed } from '../core/breaks/refresh.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import { runMatching, sentenceOf, type MatchingRun } from './matchingByHand.ts'
import { refreshAllBreaks } from './refreshBreaks.ts'

export interface SettlementRun extends MatchingRun {
  breaks: Refreshed
  journals: Posted
}

/**
 * Everything up to the journal in one go, in the order in which one builds on the other: match, book what is proven, audit fees and
 * refresh the breaks. The same again changes nothing. `connection_id` narrows the matching of lines; the rest is of the whole hub.
 */
export async function runSettlement(hub: Hub, wish: { by: string; connection_id?: string }): Promise<SettlementRun> {
  const { by, connection_id } = wish
  const matched = await runMatching(hub, connection_id === undefined ? {} : { connection_id })
  const { timezone } = hub.config.finance
  const journals = await postJournals(hub.db, coreContext(hub), { timezone, by })
  return { ...matched, journals, breaks: await refreshAllBreaks(hub) }
}

export const runSentenceOf = ({ breaks, journals, ...matched }: SettlementRun): string =>
  [
    sentenceOf(matched),
    `booked ${journals.settlements} payout(s) and ${journals.bank_lines} bank line(s), took back ${journals.reversed}`,
    `${breaks.found} break(s): ${breaks.opened} new, ${breaks.reopened} open again, ${breaks.resolved} gone`,
  ].join('\n')
