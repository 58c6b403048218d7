import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml'
import { fault, type ConfigFault, type Path } from './faults.ts'

/** What `${…}` may refer to. */
export interface References {
  /** Folder that `${file:…}` paths start from. */
  folder: string
  variables: Readonly<Record<string, string | undefined>>
}

export interface Source {
  value: unknown
  faults: ConfigFault[]
  /** False when the text is no YAML at all, so that nothing more can be said about it. */
  isReadable: boolean
  /** Line of the value at `path`, or of the nearest thing around it that exists. */
  lineOf(path: Path): number
  /** True for a text that came out of `${…}`: the only texts that may become a number or a flag. */
  isSubstituted(path: Path): boolean
}

interface Walk {
  document: Document
  counter: LineCounter
  references: References
  lines: Map<string, number>
  substituted: Set<string>
  faults: ConfigFault[]
}

const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s
/** Stand in for the braces of a reference while YAML is parsed, where a brace would end a `{ flow: section }`; one character each, so that places stay true. */
const OPEN = '\uFDD0'
const CLOSE = '\uFDD1'
const DEPTH_MAX = 40
const keyOf = (path: Path): string => JSON.stringify(path)

/**
 * Reads YAML text with the line of everything in it. `${VAR}`, `${VAR:-default}` (also for an empty VAR, as in a shell) and
 * `${file:path}` are replaced inside text values only, never in keys; `$${` is a plain `${`. A key without a value counts as absent,
 * so that a section whose entries are all commented out is no fault.
 */
export function readSource(text: string, references: References): Source {
  const counter = new LineCounter()
  // Pretty errors quote the line at fault, which may hold a secret.
  const guarded = text.replaceAll(/\$\{([^{}\n]*)\}/g, `$$${OPEN}$1${CLOSE}`)
  const document = parseDocument(guarded, { lineCounter: counter, prettyErrors: false })
  const faults = syntaxFaults(document, counter)
  const walk: Walk = { document, counter, references, lines: new Map(), substituted: new Set(), faults }
  const isReadable = document.errors.every((error) => error.code === 'DUPLICATE_KEY')
  const value = isReadable && document.contents !== null ? (valueOf(walk, document.contents, [], 0) ?? {}) : {}
  return {
    value,
    faults,
    isReadable,
    lineOf: (path) => {
      for (let length = path.length; length > 0; length -= 1) {
        const line = walk.lines.get(keyOf(path.slice(0, length)))
        if (line !== undefined) return line
      }
      return 1
    },
    isSubstituted: (path) => walk.substituted.has(keyOf(path)),
  }
}

/** After a fault of syntax the parser stumbles over the rest of the file, so only the first one is told; double keys are told each. */
function syntaxFaults(document: Document, counter: LineCounter): ConfigFault[] {
  const doubles = document.errors.filter((error) => error.code === 'DUPLICATE_KEY')
  const syntax = document.errors.filter((error) => error.code !== 'DUPLICATE_KEY').slice(0, 1)
  return [...syntax, ...doubles].map((error) => {
    // What follows the colon quotes the file, which may hold a secret there.
    const message = error.message.split(/[\n:]/)[0] ?? error.message
    return fault([], counter.linePos(error.pos[0]).line, `is no valid YAML (${message.trim()})`)
  })
}

function valueOf(walk: Walk, node: Node, path: Path, depth: number): unknown {
  if (depth > DEPTH_MAX)
    return void walk.faults.push(fault(path, lineAt(walk, node), `is nested more than ${DEPTH_MAX} levels deep`))
  if (!walk.lines.has(keyOf(path))) walk.lines.set(keyOf(path), lineAt(walk, node))
  if (isAlias(node)) {
    const target = node.resolve(walk.document)
    return target === undefined ? undefined : valueOf(walk, target, path, depth + 1)
  }
  if (isSeq(node)) {
    return node.items.map((item, index) => valueOf(walk, item as Node, [...path, index], depth + 1))
  }
  if (isMap(node)) {
    const entries = node.items.map(({ key, value }) => {
      const name = restore(isScalar(key) ? String(key.value) : String(key))
      const place = [...path, name]
      walk.lines.set(keyOf(place), lineAt(walk, key as Node))
      return [name, value === null ? null : valueOf(walk, value as Node, place, depth + 1)] as const
    })
    return Object.fromEntries(entries.filter(([, value]) => value !== null && value !== undefined))
  }
  if (!isScalar(node)) return undefined
  return typeof node.value === 'string' ? substitute(walk, restore(node.value), path, lineAt(walk, node)) : node.value
}

function substitute(walk: Walk, text: string, path: Path, line: number): string {
  if (!text.includes('${')) return text
  return text.replaceAll(REFERENCE, (whole, inner: string | undefined) => {
    if (inner === undefined) return '${'
    walk.substituted.add(keyOf(path))
    const found = lookUp(walk.references, inner)
    if (found.kind === 'found') return found.text
    walk.faults.push(fault(path, line, found.message))
    return whole
  })
}

type LookUp = { kind: 'found'; text: string } | { kind: 'fault'; message: string }

function lookUp(references: References, inner: string): LookUp {
  if (inner.startsWith('file:')) return readReferenced(references.folder, inner.slice('file:'.length).trim())
  const [, name, preset] = VARIABLE.exec(inner) ?? []
  if (name === undefined) {
    return {
      kind: 'fault',
      message: `\${${inner}} is no reference; write \${NAME}, \${NAME:-default} or \${file:path}, or $\${ for a plain \${`,
    }
  }
  const value = references.variables[name]
  if (preset !== undefined) return { kind: 'found', text: value === undefined || value === '' ? preset : value }
  if (value === undefined) return { kind: 'fault', message: `the environment variable ${name} is not set` }
  return { kind: 'found', text: value }
}

/** The content of a file without its last line end, which editors and `echo` add. */
function readReferenced(folder: string, path: string): LookUp {
  try {
    return { kind: 'found', text: readFileSync(resolve(folder, path), 'utf8').replace(/\r?\n$/, '') }
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable'
    return { kind: 'fault', message: `the file ${path} cannot be read (${code})` }
  }
}

/** Folder of a configuration file, which relative paths in it start from. */
export function folderOf(file: string): string {
  return dirname(resolve(file))
}

function lineAt(walk: Walk, node: Node): number {
  return node.range === undefined || node.range === null ? 1 : walk.counter.linePos(node.range[0]).line
}

function restore(text: string): string {
  return text.replaceAll(OPEN, '{').replaceAll(CLOSE, '}')
}
