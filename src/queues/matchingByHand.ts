import { matchBank, type BankMatched } from '../core/matching/matchBank.ts'
import { matchOpenLines, type LinesMatched } from '../core/matching/matchLines.ts'
import { TOLERANCES } from '../core/matching/rulesMatch.ts'
import { HubError } from '../core/errors.ts'
import type { Hub } from '../hub.ts'

export interface MatchingRun {
  lines: LinesMatched
  bank: BankMatched
}

/**
 * Both legs, one after the other: orders to the lines of payouts, payouts to the bank. `connection_id`: only lines of its payouts; the
 * bank is always looked at whole, because a bank line is only clear when every payout that it could be is known.
 */
export async function runMatching(
  hub: Hub,
  options: { connection_id?: string; signal?: AbortSignal } = {},
): Promise<MatchingRun> {
  const { connection_id, signal } = options
  if (connection_id !== undefined && !hub.connections.has(connection_id))
    throw new HubError('not_found', `there is no connection ${connection_id}`, { hint: 'crossdock connections list' })
  const { tolerances_minor, bank_days, bank_rules } = hub.config.finance
  const lines = await matchOpenLines(hub.db, hub.clock.now(), {
    tolerances: { ...TOLERANCES, by_currency: tolerances_minor },
    ...(connection_id === undefined ? {} : { scope: { connection_id } }),
    ...(signal === undefined ? {} : { signal }),
  })
  const rules = bank_rules.flatMap((rule) =>
    rule.contains.map((contains) => ({ contains, connection_id: rule.connection })),
  )
  const bank = await matchBank(hub.db, hub.clock.now(), { bank_days, texts: { rules, vault: hub.vault } })
  return { lines, bank }
}

export const sentenceOf = ({ lines, bank }: MatchingRun): string =>
  `matched ${lines.matched} settlement line(s), ${lines.left} still open; ${bank.matched} bank line(s) matched, ` +
  `${bank.suggested} suggested, ${bank.left_payouts} payout(s) and ${bank.left_bank_lines} bank line(s) open`
