import { HubError } from '../../core/errors.ts'

/**
 * As much XML as a bank statement needs, and strictly: one root, every element closed in order, attributes quoted, the five named entities
 * and character references. A document type, a processing instruction and an entity of one's own are refused, because nothing good comes
 * of them in a file from outside.
 */

export interface XmlElement {
  /** Without its namespace prefix. */
  name: string
  attributes: Readonly<Record<string, string>>
  children: readonly XmlElement[]
  /** The element's own text, without that of its children. */
  text: string
}

interface Open {
  name: string
  qualified: string
  attributes: Record<string, string>
  children: XmlElement[]
  text: string
}

const DEPTH_MAX = 100
const NAME = /[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?/y
const ATTRIBUTE = /\s+([A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' }

/** The root element. `file_invalid` with the position for everything that is not well-formed, or is not read. */
export function parseXml(source: string): XmlElement {
  const text = source.replace(/^\uFEFF?\s*<\?xml\s[^?]*\?>/, (declaration) => ' '.repeat(declaration.length))
  const open: Open[] = []
  let root: XmlElement | undefined
  let at = 0
  const refuse = (message: string): HubError => new HubError('file_invalid', message, { path: `character ${at + 1}` })
  const take = (characters: string): void => {
    const top = open.at(-1)
    if (top !== undefined) top.text += characters
    else if (/\S/.test(characters.replace('\uFEFF', ''))) throw refuse('text outside of the document')
  }
  const close = (): void => {
    const done = open.pop()
    if (done === undefined) return
    const element: XmlElement = {
      name: done.name,
      attributes: done.attributes,
      children: done.children,
      text: done.text,
    }
    const parent = open.at(-1)
    if (parent !== undefined) parent.children.push(element)
    else root = element
  }
  while (at < text.length) {
    const next = text.indexOf('<', at)
    take(decoded(text.slice(at, next < 0 ? text.length : next), refuse))
    if (next < 0) break
    at = next
    if (text.startsWith('<!--', at)) {
      at = endOf(text, '-->', at + 4, refuse)
    } else if (text.startsWith('<![CDATA[', at)) {
      const end = endOf(text, ']]>', at + 9, refuse)
      take(text.slice(at + 9, end - 3))
      at = end
    } else if (text.startsWith('<!', at)) {
      throw refuse('a document type is refused')
    } else if (text.startsWith('<?', at)) {
      throw refuse('a processing instruction is refused')
    } else if (text[at + 1] === '/') {
      const end = endOf(text, '>', at + 2, refuse)
      const name = text.slice(at + 2, end - 1).trim()
      if (open.at(-1)?.qualified !== name) throw refuse(`</${name.slice(0, 60)}> closes what is not open`)
      at = end
      close()
    } else {
      const tag = tagAt(text, at, refuse)
      if (root !== undefined) throw refuse('a second root element')
      if (open.length === DEPTH_MAX) throw refuse(`more than ${DEPTH_MAX} elements inside each other`)
      open.push({ ...tag.element, children: [], text: '' })
      at = tag.end
      if (tag.isEmpty) close()
    }
  }
  if (root === undefined || open.length > 0) throw refuse('the document ends early: it was cut off')
  return root
}

type Refuse = (message: string) => HubError

function endOf(text: string, mark: string, from: number, refuse: Refuse): number {
  const end = text.indexOf(mark, from)
  if (end < 0) throw refuse('the document ends early: it was cut off')
  return end + mark.length
}

function tagAt(
  text: string,
  at: number,
  refuse: Refuse,
): { element: Pick<Open, 'name' | 'qualified' | 'attributes'>; end: number; isEmpty: boolean } {
  NAME.lastIndex = at + 1
  const qualified = NAME.exec(text)?.[0]
  if (qualified === undefined) throw refuse('a < that begins no element')
  const attributes: Record<string, string> = {}
  ATTRIBUTE.lastIndex = at + 1 + qualified.length
  let end = ATTRIBUTE.lastIndex
  for (let found = ATTRIBUTE.exec(text); found !== null; found = ATTRIBUTE.exec(text)) {
    const name = localName(found[1] ?? '')
    if (Object.hasOwn(attributes, name) && !(found[1] ?? '').includes(':')) throw refuse('an attribute is there twice')
    attributes[name] = decoded(found[2] ?? found[3] ?? '', refuse)
    end = ATTRIBUTE.lastIndex
  }
  const tail = /^\s*(\/?)>/.exec(text.slice(end, end + 1_000))
  if (tail === null) throw refuse(`<${qualified.slice(0, 60)}> is not well-formed, or was cut off`)
  return {
    element: { name: localName(qualified), qualified, attributes },
    end: end + tail[0].length,
    isEmpty: tail[1] === '/',
  }
}

const localName = (qualified: string): string => qualified.slice(qualified.indexOf(':') + 1)

function decoded(text: string, refuse: Refuse): string {
  if (!text.includes('&')) return text
  return text.replace(/&([^;&]{0,12};?)/g, (_, inner: string) => {
    const name = inner.endsWith(';') ? inner.slice(0, -1) : ''
    const named = Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : undefined
    if (named !== undefined) return named
    const [, hex, decimal] = /^#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}))$/.exec(name) ?? []
    const code = hex === undefined ? Number(decimal ?? 'none') : Number.parseInt(hex, 16)
    if (!Number.isInteger(code) || code < 9 || code > 0x10ffff) throw refuse('an entity that is not known')
    return String.fromCodePoint(code)
  })
}

/** The first child of this name, then that one's, and so on. */
export function at(element: XmlElement | undefined, ...names: readonly string[]): XmlElement | undefined {
  return names.reduce<XmlElement | undefined>(
    (found, name) => found?.children.find((child) => child.name === name),
    element,
  )
}

export const all = (element: XmlElement | undefined, name: string): XmlElement[] =>
  element?.children.filter((child) => child.name === name) ?? []

/** Trimmed text at the end of a path, '' where there is none. */
export const textAt = (element: XmlElement | undefined, ...names: readonly string[]): string =>
  at(element, ...names)?.text.trim() ?? ''
