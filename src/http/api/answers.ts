import { ANSWER_STATES, listAwaited, type AwaitedRow } from '../../core/answers/answers.ts'
import type { Hub } from '../../hub.ts'
import type { App } from '../app.ts'
import { count, FAULTS, filters, instant, listOf, listQuery, maybeCount, maybeInstant, maybeText, named, text } from './schemas.ts' // prettier-ignore

export const AwaitedAnswer = named<AwaitedRow>('AwaitedAnswer', {
  id: count,
  connection_id: text,
  reference: text,
  what: text,
  outbox_id: maybeCount,
  state: text,
  sent_at: instant,
  due_at: instant,
  answered_at: maybeInstant,
  faults: listOf({ code: text, place: maybeText, text }),
})

export function answerRoutes(app: App, hub: Hub): void {
  app.get(
    '/answers',
    {
      schema: {
        tags: ['answers'],
        summary: 'List messages that their receivers have to acknowledge, newest first',
        description: 'An acceptance says that a message could be read, not that it will be done.',
        querystring: listQuery({ connection: filters.text, state: filters.words(ANSWER_STATES) }),
        response: { 200: AwaitedAnswer.page, ...FAULTS },
      },
    },
    async (request) => listAwaited(hub.db, request.query, hub.clock.now()),
  )
}
