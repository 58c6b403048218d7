import Type from 'typebox'
import { closed, Id, Instant, Nullable, Words } from './schema.ts'

export const ANSWER_VERDICTS = ['accepted', 'accepted_with_faults', 'rejected'] as const

/**
 * What somebody says of a message that we sent. `reference` is a path: `27/0003` is one document of message 27, and an answer to `27`
 * speaks of all of it that has not been answered one by one. `receipt`: only that it came, which closes nothing unless it is a refusal.
 */
export const Answer = Type.Object(
  {
    reference: Id,
    verdict: Words(ANSWER_VERDICTS),
    at: Instant,
    extent: Words(['document', 'message', 'receipt']),
    faults: Type.Array(
      Type.Object(
        { code: Id, place: Nullable(Type.String({ maxLength: 200 })), text: Type.String({ maxLength: 300 }) },
        closed,
      ),
      { maxItems: 200 },
    ),
  },
  closed,
)
export type Answer = Type.Static<typeof Answer>
