import { HubError } from '../../core/errors.ts'
import type { Delimiters } from '../../mappings/x12/delimiters.ts'
import type { Group, Interchange, SetSpan } from '../../mappings/x12/envelope.ts'
import { fatal, fault } from '../../mappings/x12/faults.ts'
import type { Profile } from '../../mappings/x12/profile.ts'
import { elementsOf, nameOf, spansOf } from '../../mappings/x12/segments.ts'
import type { FileRow, ParsedFile } from '../_kit/define.ts'
import { checkSet, FILE_TYPE, hashOf, rowOf, type FileNote } from './sets.ts'

/**
 * Networks sometimes strip the envelope. Where that is agreed (`no_envelope`), sets are read for themselves: their dividers are guessed from
 * ST, their time is the file's, and nobody can be answered, for there is no number to answer to.
 */
export function parseBare(file: FileNote, text: string, profile: Profile): ParsedFile {
  const found = /^\s*ST([^A-Za-z0-9\s])\d{3}\1[^\r\n]{1,9}?([^A-Za-z0-9]|\r?\n)/.exec(text)
  const [, element = '', end = ''] = found ?? []
  if (found === null)
    throw new HubError('file_invalid', 'the file holds no X12 interchange: it has no ISA segment that can be read', {
      path: 'character 1',
    })
  if (!(profile.tolerances ?? []).includes('no_envelope')) {
    throw new HubError('file_invalid', 'the file has no envelope: no ISA says whose it is', {
      path: 'character 1',
      hint: 'ask the partner for whole interchanges, or allow it (settings: tolerances, no_envelope)',
    })
  }
  const segment = end.includes('\n') ? '\n' : end
  const component = ['>', ':', '<', '\\'].find((char) => char !== element && char !== segment) ?? '>'
  const delimiters: Delimiters = { element, component, segment, repetition: null }
  const stamp = new Date(file.modified_at_ms).toISOString().replaceAll(/[-:]/g, '')
  const control = hashOf(text).slice(0, 9)
  const head = { date: stamp.slice(0, 8), time: stamp.slice(9, 15), control, version: '' }
  const group: Group = {
    head: { functional: '', sender: '', receiver: '', ...head },
    sets: [],
    claimed: null,
    faults: [],
  }
  const interchange: Interchange = {
    start: 0,
    end: text.length,
    delimiters,
    head: { sender: { qualifier: '', id: '' }, receiver: { qualifier: '', id: '' }, date: '', time: '', version: '', control, wants_ta1: false, usage: profile.usage ?? 'P' },
    groups: [],
    acknowledgements: [],
    faults: [],
  } // prettier-ignore
  const rows = bareSets(text, delimiters).map((span): FileRow => {
    const checked = checkSet(text, span, delimiters)
    const [cause] = fatal(checked.faults, profile.tolerances ?? [])
    return rowOf(text, span, { interchange, group, key: `bare/${span.start}`, cause })
  })
  const as_of = new Date(file.modified_at_ms).toISOString()
  const numbered = rows.map((row, index) => ({ ...row, row: index + 1 }))
  return { type: FILE_TYPE, sequence: null, as_of, scope: 'partial', rows: numbered, totals: { rows: rows.length } }
}

function bareSets(text: string, delimiters: Delimiters): SetSpan[] {
  const sets: SetSpan[] = []
  for (const span of spansOf(text, { start: 0, end: text.length }, delimiters)) {
    const name = nameOf(text, span, delimiters)
    if (name === 'ST') {
      const [, id = '', control = ''] = elementsOf(text, span, delimiters)
      sets.push({ ...span, id, control, segments: 0, faults: [fault('se_missing', 'the set has no SE')] })
    }
    const open = sets.at(-1)
    if (open === undefined) continue
    open.segments += 1
    open.end = span.end
    if (name !== 'SE') continue
    const [, count = ''] = elementsOf(text, span, delimiters)
    open.faults =
      Number(count) === open.segments
        ? []
        : [fault('se_count', `SE01 does not say the ${open.segments} segments that there are`)]
  }
  return sets
}
