import type { Answer } from '../../core/model/answer.ts'
import { defineMapping, fromTable, type MappingContext } from '../define.ts'
import { SetRow, Ta1Row } from './payload.ts'
import { profileOf, type Profile } from './profile.ts'
import { all, el, maybe, one, type Node } from './structure.ts'
import { groupInstant, instantOf, placeOf, rootOf } from './values.ts'

/**
 * What a partner says of our messages. The hub numbers interchange and group alike, so that `27` is both and `27/0001` its first set:
 * a TA1 names the one number, a 997 the other.
 */
type Verdict = Answer['verdict']
const SET_VERDICTS: Readonly<Record<string, Verdict>> = {
  A: 'accepted', E: 'accepted_with_faults', R: 'rejected', M: 'rejected', W: 'rejected', X: 'rejected',
} // prettier-ignore

const SEGMENT_WORDS: Readonly<Record<string, string>> = {
  '1': 'unknown segment', '2': 'unexpected segment', '3': 'segment missing', '4': 'loop too often', '5': 'segment too often',
  '6': 'segment not in this set', '7': 'segment out of order', '8': 'element at fault',
} // prettier-ignore
const ELEMENT_WORDS: Readonly<Record<string, string>> = {
  '1': 'missing', '2': 'missing beside another', '3': 'too many', '4': 'too short', '5': 'too long', '6': 'forbidden character',
  '7': 'code not known', '8': 'no date', '9': 'no time', '10': 'not beside another',
} // prettier-ignore
const SET_WORDS: Readonly<Record<string, string>> = {
  '1': 'set not supported', '2': 'trailer missing', '3': 'control numbers differ', '4': 'segment count differs', '5': 'segments at fault',
  '6': 'set identifier', '7': 'set control number', '23': 'control number used twice',
} // prettier-ignore

const faultOf = (code: string, place: string | null, text: string): Answer['faults'][number] => ({
  code,
  place: place?.slice(0, 200) ?? null,
  text: text.slice(0, 300),
})

/** 997 (and 999): one answer for each set that is named, then one for the rest of the group. Values of elements are not repeated. */
export const acknowledgement = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const profile: Profile = profileOf(context.settings)
    const root = rootOf(payload)
    const number = String(Number(el(one(root, 'AK1'), 2)))
    const at = groupInstant(payload, profile)
    const named = all(root, 'AK2').map((set): Answer => {
      const end = one(set, 'AK5') ?? one(set, 'IK5')
      const verdict = fromTable<Verdict>(SET_VERDICTS, el(end, 1), 'rejected', context, 'set verdict AK501')
      const faults = verdict === 'accepted' ? [] : faultsOf(set, end)
      return { reference: `${number}/${el(set, 2)}`, verdict, at, extent: 'document', faults }
    })
    const rest = restOf(one(root, 'AK9'), context)
    const whole =
      rest === null
        ? []
        : [{ reference: number, verdict: rest.verdict, at, extent: 'message' as const, faults: rest.faults }]
    return [...named, ...whole].map((document) => ({ kind: 'answer', document }))
  },
})

function faultsOf(set: Node, end: Node | undefined): Answer['faults'] {
  const notes = [...all(set, 'AK3'), ...all(set, 'IK3')].flatMap((note) => {
    const place = `${el(note, 1)} at position ${el(note, 2)}`
    const own = maybe(note, 4)
    const elements = [...all(note, 'AK4'), ...all(note, 'IK4')].map((child) =>
      faultOf(el(child, 3), `${place}, element ${el(child, 1)}`, ELEMENT_WORDS[el(child, 3)] ?? 'element at fault'),
    )
    if (elements.length > 0) return elements
    return [faultOf(own ?? '8', place, SEGMENT_WORDS[own ?? ''] ?? 'segment at fault')]
  })
  const codes = (end?.elements.slice(2) ?? []).filter((code) => code !== '')
  return [...notes, ...codes.map((code) => faultOf(code, null, SET_WORDS[code] ?? 'set at fault'))].slice(0, 200)
}

/** What AK9 says of the sets that no AK2 names. `P`: only the named ones were refused. */
function restOf(ak9: Node | undefined, context: MappingContext): Pick<Answer, 'verdict' | 'faults'> | null {
  const status = el(ak9, 1)
  const verdicts: Readonly<Record<string, Verdict>> = { ...SET_VERDICTS, P: 'accepted' }
  const verdict = fromTable<Verdict>(verdicts, status, 'rejected', context, 'group verdict AK901')
  const codes = (ak9?.elements.slice(5) ?? []).filter((code) => code !== '')
  return {
    verdict,
    faults: verdict === 'accepted' ? [] : codes.map((code) => faultOf(code, placeOf(ak9), 'group at fault')),
  }
}

const TA1_VERDICTS: Readonly<Record<string, Verdict>> = { A: 'accepted', E: 'accepted_with_faults', R: 'rejected' }

/** TA1: the envelope came. That it was taken on says nothing of what is in it; that it was refused says that nothing of it was read. */
export const interchangeAcknowledgement = defineMapping({
  from: Ta1Row,
  map: ({ elements, date, time }, context) => {
    const [, number = '', , , status = '', note = '000'] = elements
    const verdict = fromTable<Verdict>(TA1_VERDICTS, status, 'rejected', context, 'interchange verdict TA104')
    const at = instantOf(`20${date}`, time, 'ISA09', { profile: profileOf(context.settings) })
    const faults = note === '000' || note === '' ? [] : [faultOf(note, 'ISA', 'the envelope is at fault')]
    const document: Answer = { reference: String(Number(number)), verdict, at, extent: 'receipt', faults }
    return [{ kind: 'answer', document }]
  },
})
