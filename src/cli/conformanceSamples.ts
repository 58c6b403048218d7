import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { HubError } from '../core/errors.ts'

/**
 * Finds the samples of vendors' payloads under a folder that is laid out as `<vendor>/<topic>-<anything>.<ext>`, and takes them out of
 * what they are usually kept in: recorded exchanges, sandbox answers, collections of examples, API descriptions.
 */

export interface Sample {
  vendor: string
  /** `orders.json`, or `webhooks.yaml#created` for one of several in a file. */
  name: string
  content:
    | { kind: 'document'; document: unknown }
    | { kind: 'file'; path: string }
    | { kind: 'unreadable'; why: string }
}

/** A file that is there for people or tools and holds no payload. */
export interface Passed {
  vendor: string
  name: string
  why: string
}

const SAMPLE_BYTES_MAX = 64 * 1024 * 1024
const PAPERS = /^(sources|readme|licen[cs]e|notice|changelog)(\..+)?$/i
const FILES = /\.(csv|tsv|txt|edi|x12|xml|sta|mt940|dat)(\.gz)?$/i
const DESCRIPTIONS = /\.(ya?ml|graphql|d\.ts|ts|js|py|sh|md)$/i

/** Every sample below `root`, vendor by vendor in the order of their names. `not_found` when there is no such folder. */
export function readSamples(root: string): { samples: Sample[]; passed: Passed[] } {
  const samples: Sample[] = []
  const passed: Passed[] = []
  for (const vendor of foldersOf(root)) {
    for (const path of filesUnder(join(root, vendor))) {
      const name = relative(join(root, vendor), path).split(sep).join('/')
      const why = reasonToPass(name)
      if (why === undefined) samples.push(...samplesOf(vendor, name, path))
      else passed.push({ vendor, name, why })
    }
  }
  return { samples, passed }
}

function foldersOf(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .toSorted()
  } catch {
    throw new HubError('not_found', `${root} is no folder that can be read`, {
      hint: 'give the folder whose subfolders are named after vendors',
    })
  }
}

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()

function reasonToPass(name: string): string | undefined {
  if (PAPERS.test(basename(name))) return 'a paper, not a payload'
  if (DESCRIPTIONS.test(name)) return 'a description or program, not a payload'
  if (/(^|\/)(specs?|schemas?)\//.test(name)) return 'a description of an API, not a payload'
  return undefined
}

function samplesOf(vendor: string, name: string, path: string): Sample[] {
  if (FILES.test(name)) return [{ vendor, name, content: { kind: 'file', path } }]
  const { size } = statSync(path)
  const unreadable = (why: string): Sample[] => [{ vendor, name, content: { kind: 'unreadable', why } }]
  if (size > SAMPLE_BYTES_MAX) return unreadable(`larger than ${SAMPLE_BYTES_MAX} bytes`)
  const bytes = readFileSync(path)
  const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8').replace(/^\uFEFF/, '')
  try {
    if (name.endsWith('.jsonl')) {
      const lines = text.split('\n').filter((line) => line.trim() !== '')
      return lines.map((line, index) => documentOf(vendor, `${name}#${index + 1}`, JSON.parse(line)))
    }
    return documentsOf(JSON.parse(text) as unknown).map(({ part, document }) =>
      documentOf(vendor, part === '' ? name : `${name}#${part}`, document),
    )
  } catch {
    return unreadable('it is no JSON, and its ending names no other format that is known')
  }
}

const documentOf = (vendor: string, name: string, document: unknown): Sample => ({
  vendor,
  name,
  content: { kind: 'document', document },
})

interface Part {
  part: string
  document: unknown
}

type Fields = Record<string, unknown>

/** One row a habit of keeping payloads: how such a file is known, and where its payloads stand. The first that fits is taken. */
const KEEPERS: readonly { fits: (file: Fields) => boolean; open: (file: Fields) => Part[] }[] = [
  // An API description: its examples, by name.
  { fits: (file) => 'openapi' in file || 'swagger' in file, open: (file) => examplesIn(file) },
  // Sandbox answers: a list of pairs.
  {
    fits: (file) => Array.isArray(file['static']),
    open: ({ static: pairs }) =>
      (pairs as unknown[]).map((pair, index) => ({ part: `${index}`, document: responseOf(pair) })),
  },
  // One recorded exchange.
  {
    fits: (file) => 'request' in file && 'response' in file,
    open: (file) => [{ part: '', document: responseOf(file) }],
  },
  // A collection of resources by name.
  {
    fits: (file) => isFields(file['resources']) && Object.keys(file).length <= 2,
    open: ({ resources }) => Object.entries(resources as Fields).map(([part, document]) => ({ part, document })),
  },
]

function documentsOf(file: unknown): Part[] {
  const keeper = isFields(file) ? KEEPERS.find(({ fits }) => fits(file)) : undefined
  return keeper === undefined || !isFields(file) ? [{ part: '', document: file }] : keeper.open(file)
}

function responseOf(pair: unknown): unknown {
  const response = isFields(pair) ? pair['response'] : undefined
  if (!isFields(response)) return response ?? null
  const body = response['body'] ?? response['json'] ?? response
  if (typeof body !== 'string') return body
  try {
    return JSON.parse(body) as unknown
  } catch {
    return body
  }
}

function examplesIn(description: Fields): Part[] {
  const components = isFields(description['components']) ? description['components'] : {}
  const examples = isFields(components['examples']) ? components['examples'] : {}
  return Object.entries(examples).flatMap(([part, example]) =>
    isFields(example) && 'value' in example ? [{ part, document: example['value'] }] : [],
  )
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
