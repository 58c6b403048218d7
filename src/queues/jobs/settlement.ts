import Type from 'typebox'
import { matchUnmatched } from '../../core/settlement/match.ts'
import { coreContext } from '../context.ts'
import { defineJob } from '../define.ts'

/** Looks again for the orders of settlement lines that had none: an order or a payment may have come after the payout. */
export const matchSettlements = defineJob({
  name: 'match',
  queue: 'settlement',
  data: Type.Object({}),
  timeout_ms: 5 * 60_000,
  concurrency: 1,
  run: async (hub) => {
    const { matched, left } = await matchUnmatched(hub.db, coreContext(hub))
    return `matched ${matched} settlement line(s), ${left} still without an order`
  },
})
