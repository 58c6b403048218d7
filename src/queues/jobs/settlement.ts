import Type from 'typebox'
import { runMatching, sentenceOf } from '../matchingByHand.ts'
import { defineJob } from '../define.ts'

/**
 * Looks again at every line, payout and bank line that is open: an order, a payment, a payout's reference or a bank statement may have
 * come since. What is cut off by the time limit goes on at the next run.
 */
export const matchSettlements = defineJob({
  name: 'match',
  queue: 'settlement',
  data: Type.Object({}),
  timeout_ms: 10 * 60_000,
  concurrency: 1,
  run: async (hub, _data, reporter) => sentenceOf(await runMatching(hub, { signal: reporter.signal })),
})
