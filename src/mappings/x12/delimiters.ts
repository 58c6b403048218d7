/** Characters that divide an interchange. They are its own choice, and stand at fixed places of its ISA segment (X12.5). */
export interface Delimiters {
  element: string
  component: string
  segment: string
  /** ISA11 from version 00402 on; before that it names the standard (`U`), and there is none. */
  repetition: string | null
}

/** What is odd about the head itself. Some partners never get it right, so each can be let pass for one partner. */
export type HeadFault = 'isa_unreadable' | 'isa_width' | 'isa_component' | 'terminator'

export interface Head {
  delimiters: Delimiters
  /** ISA01 to ISA16 as they stand. */
  elements: string[]
  /** Where the segment after ISA begins. */
  end: number
  faults: { fault: HeadFault; detail: string }[]
}

const WIDTHS = [2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1] as const
const ELEMENTS = WIDTHS.length
/** A head that keeps to no width is still not longer than this. */
const LOOSE_LENGTH_MAX = 300

const LETTER = /[A-Za-z0-9 ]/
const isLineBreak = (char: string): boolean => char === '\n' || char === '\r'
/** Printable ASCII that is no letter, digit or blank; control characters are used as well, line breaks only to end segments. */
const isDivider = (char: string): boolean => char > '\u0000' && char < '\u007f' && !LETTER.test(char)

/**
 * Reads the head of an interchange at `start` of the text. Undefined when there is none that could be read even with all allowances:
 * the first three letters, a divider and sixteen elements are the least.
 */
export function readHead(text: string, start: number): Head | undefined {
  const element = text.charAt(start + 3)
  if (!text.startsWith('ISA', start) || !isDivider(element) || isLineBreak(element)) return undefined
  const window = text.slice(start, start + LOOSE_LENGTH_MAX)
  const parts = window.split(element)
  if (parts.length <= ELEMENTS) return undefined
  const elements = parts.slice(1, ELEMENTS)
  const last = parts.slice(ELEMENTS).join(element)
  const width = WIDTHS.findIndex((wanted, index) => index < ELEMENTS - 1 && elements[index]?.length !== wanted)
  const lastAt = start + parts.slice(0, ELEMENTS).reduce((sum, part) => sum + part.length + 1, 0)
  const tail = readTail(last, element)
  if (tail === undefined || elements.some((one) => /[\r\n]/.test(one))) return undefined
  const faults: Head['faults'] = [...tail.faults]
  if (width >= 0)
    faults.unshift({
      fault: 'isa_width',
      detail: `ISA${String(width + 1).padStart(2, '0')} has ${elements[width]?.length} characters, not ${WIDTHS[width]}`,
    })
  const delimiters = { element, component: tail.component, segment: tail.segment, repetition: repetitionOf(elements) }
  const clash = faults.some(({ fault }) => fault === 'isa_unreadable') ? undefined : clashOf(delimiters)
  if (clash !== undefined) faults.unshift({ fault: 'isa_unreadable', detail: clash })
  return { delimiters, elements: [...elements, tail.component], end: lastAt + tail.length, faults }
}

interface Tail {
  component: string
  segment: string
  /** Characters from the component divider up to and with the terminator. */
  length: number
  faults: Head['faults']
}

/**
 * ISA16 is one character and the one after it ends the segment. Two mistakes are common: ISA16 left out, so that the terminator stands in
 * its place, and a line break after ISA in a file whose other segments end in something else.
 */
function readTail(rest: string, element: string): Tail | undefined {
  const component = rest.charAt(0)
  const segment = rest.charAt(1)
  if (component === '') return undefined
  if (isLineBreak(component)) {
    const detail = 'ISA ends before ISA16 (component divider)'
    return { component, segment, length: 1, faults: [{ fault: 'isa_unreadable', detail }] }
  }
  if (!isDivider(component))
    return {
      component,
      segment,
      length: 2,
      faults: [{ fault: 'isa_unreadable', detail: 'ISA16 is no character that can divide components' }],
    }
  if (!isLineBreak(segment)) return { component, segment, length: 2, faults: [] }
  const ends = lineEnds(rest.slice(1), element)
  if (ends === undefined) return { component, segment, length: 2, faults: [] }
  if (ends === component) {
    const detail = 'ISA16 (component divider) is left out: in its place stands what ends the other segments'
    const stand = SPARE.find((char) => char !== element && char !== ends) ?? '>'
    return { component: stand, segment: ends, length: 1, faults: [{ fault: 'isa_component', detail }] }
  }
  const detail = 'ISA ends with a line break, the segments after it end otherwise'
  return { component, segment: ends, length: 2, faults: [{ fault: 'terminator', detail }] }
}

/** What divides components where nobody says: hardly any document has them. */
const SPARE = ['>', ':', '<', '^']

/** The character that stands before each of the next line breaks, if it is one and the same and no letter. */
function lineEnds(text: string, element: string): string | undefined {
  const lines = text
    .split(/\r\n|\r|\n/)
    .filter((line) => line !== '')
    .slice(0, -1)
  const ends = new Set(lines.map((line) => line.at(-1) ?? ''))
  const [only] = ends
  return ends.size === 1 && only !== undefined && only !== element && isDivider(only) ? only : undefined
}

function repetitionOf(elements: readonly string[]): string | null {
  const divider = elements[10] ?? ''
  return divider.length === 1 && isDivider(divider) && !isLineBreak(divider) ? divider : null
}

function clashOf({ element, component, segment, repetition }: Delimiters): string | undefined {
  if (segment === '') return 'the text ends where the segment terminator should stand'
  if (!isDivider(segment)) return 'the character after ISA16 cannot end a segment'
  const all = [element, component, segment, ...(repetition === null ? [] : [repetition])]
  return new Set(all).size === all.length ? undefined : 'two of the dividers are the same character'
}

/**
 * Where interchanges begin: at an ISA that starts the text or follows something that is no letter, or one with the full fixed layout
 * wherever it stands, because what was cut off before it may have ended in the middle of a word.
 */
export function findHeads(text: string): number[] {
  const starts: number[] = []
  for (const { index } of text.matchAll(/ISA(?=([^A-Za-z0-9\s])[^\r\n]{2}\1)/g)) {
    const free = index === 0 || !/[A-Za-z0-9]/.test(text.charAt(index - 1))
    if ((free && readHead(text, index) !== undefined) || hasFixedLayout(text, index)) starts.push(index)
  }
  return starts
}

function hasFixedLayout(text: string, start: number): boolean {
  const element = text.charAt(start + 3)
  let at = start + 3
  for (const width of WIDTHS) {
    if (text.charAt(at) !== element) return false
    at += width + 1
  }
  return true
}
