import { SaxesParser } from 'saxes'
import { HubError } from '../../core/errors.ts'

/**
 * XML as a bank statement uses it, read strictly. A document type and processing instructions are refused: with the first, entities of
 * one's own come in, and nothing good comes of either in a file from outside.
 */

export interface XmlElement {
  /** Without its namespace prefix. */
  name: string
  attributes: Readonly<Record<string, string>>
  children: XmlElement[]
  /** The element's own text, without that of its children. */
  text: string
}

const DEPTH_MAX = 100

/** The root element. `file_invalid` with the position for everything that is not well-formed, or is not read. */
export function parseXml(source: string): XmlElement {
  const parser = new SaxesParser({ xmlns: true })
  const open: XmlElement[] = []
  let root: XmlElement | undefined
  const refuse = (message: string): never => {
    throw new HubError('file_invalid', message, { path: `character ${parser.position + 1}` })
  }
  const add = (characters: string): void => {
    const top = open.at(-1)
    if (top !== undefined) top.text += characters
  }
  parser.on('doctype', () => refuse('a document type is refused'))
  parser.on('processinginstruction', () => refuse('a processing instruction is refused'))
  parser.on('error', (fault) => refuse(messageOf(fault)))
  parser.on('text', add)
  parser.on('cdata', add)
  parser.on('opentag', ({ local, attributes }) => {
    if (open.length === DEPTH_MAX) refuse(`more than ${DEPTH_MAX} elements inside each other`)
    const named = Object.values(attributes).map(({ local: name, value }): [string, string] => [name, value])
    const element: XmlElement = { name: local, attributes: Object.fromEntries(named), children: [], text: '' }
    const parent = open.at(-1)
    if (parent === undefined) root = element
    else parent.children.push(element)
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  parser.write(source).close()
  return root ?? refuse('the document has no element')
}

/** The library's sentence without the position in front, and without the names of the document's own elements. */
const messageOf = ({ message }: Error): string =>
  /unclosed|must contain a root|end of|unterminated/i.test(message)
    ? 'the document ends early: it was cut off'
    : `is not well-formed: ${message.replace(/^[\d:\s]+/, '').slice(0, 120)}`

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
