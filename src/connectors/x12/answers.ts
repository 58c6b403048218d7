import { createHash } from 'node:crypto'
import { fatal } from '../../mappings/x12/faults.ts'
import {
  functionalAcknowledgement,
  interchangeAcknowledgement,
  isAnswerable,
} from '../../mappings/x12/outAcknowledgements.ts'
import { writeInterchange } from '../../mappings/x12/write.ts'
import type { EnvelopeSeen, FileResult, ParsedFile, Port } from '../_kit/define.ts'
import { reportsOf, type Report } from './incoming.ts'
import type { Settings } from './settings.ts'

/** Sequence of `Port.numbers` that all our interchanges count by. */
export const INTERCHANGES = 'interchange'

/** Acknowledgements are never acknowledged. */
const NO_ANSWER = 'FA'

/**
 * What the partner is answered for a file: one file for each of its interchanges that has an answer coming. The answer to the same
 * interchange has the same number, name and bytes whenever it is written, so that a partner who lost it is sent it again.
 */
export async function answersTo(
  { numbers, settings }: Port<Settings>,
  file: ParsedFile,
  result: FileResult,
): Promise<{ name: string; bytes: Buffer }[]> {
  const answers: { name: string; bytes: Buffer }[] = []
  for (const report of reportsOf(file)) {
    const { state, received_at: at } = result.envelopes.get(report.key) ?? {
      state: 'new',
      received_at: result.received_at,
    }
    // One that is repeated is answered as it was, word for word.
    const told = state === 'same' ? 'new' : state
    const written = partsOf(report, told, settings)
    if (written === null) continue
    const content = createHash('sha256')
      .update(JSON.stringify([report.key, told, at, written]))
      .digest('hex')
      .slice(0, 16)
    const number = await numbers.next(INTERCHANGES, `answer:${content}`)
    const { ta1, sets } = written
    const group = sets.length === 0 ? null : { functional: NO_ANSWER, sets }
    const acknowledgements = ta1 === null ? [] : [ta1]
    const text = writeInterchange(settings, { number, at, group, acknowledgements })
    const kind = group === null ? 'ta1' : '997'
    answers.push({
      name: `${kind}_${String(number).padStart(9, '0')}_${content}.edi`,
      bytes: Buffer.from(text, 'utf8'),
    })
  }
  return answers
}

/**
 * The parts of one answer; null where there is none: to a stranger, to an acknowledgement, or where none are agreed. An interchange whose
 * number was used for another one is refused as a whole; one that is repeated is answered as it was.
 */
function partsOf(report: Report, state: EnvelopeSeen['state'], settings: Settings) {
  if (report.foreign) return null
  const tolerances = settings.tolerances ?? []
  const refused = state === 'other' || fatal(report.faults, tolerances).length > 0
  const wanted = settings.ta1 ?? 'requested'
  const only = report.groups.length > 0 && report.groups.every(({ functional }) => functional === NO_ANSWER)
  const asked = wanted === 'always' || (wanted === 'requested' && (report.head.wants_ta1 || refused))
  const ta1 = asked && !(only && !refused) ? interchangeAcknowledgement(report, tolerances, state) : null
  const groups = refused || settings.acknowledge === 'none' ? [] : report.groups
  const sets = groups
    .filter((group) => group.functional !== NO_ANSWER && isAnswerable(group))
    .map((group) => functionalAcknowledgement(group, tolerances))
  return ta1 === null && sets.length === 0 ? null : { ta1, sets }
}
