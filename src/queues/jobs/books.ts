import Type from 'typebox'
import { postJournals } from '../../core/books/post.ts'
import { coreContext } from '../context.ts'
import { defineJob } from '../define.ts'

/** Brings the books up to what is matched and proven: payouts, what the bank has shown of them, and back what no longer holds. */
export const postBooks = defineJob({
  name: 'post',
  queue: 'settlement',
  data: Type.Object({}),
  timeout_ms: 5 * 60_000,
  concurrency: 1,
  run: async (hub) => {
    const { timezone } = hub.config.finance
    const posted = await postJournals(hub.db, coreContext(hub), { timezone, by: 'hub' })
    return `booked ${posted.settlements} payout(s) and ${posted.bank_lines} bank line(s), took back ${posted.reversed}`
  },
})
