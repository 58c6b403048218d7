import { asHubError, HubError } from '../core/errors.ts'
import { connectors } from '../connectors/index.ts'
import type { Connector } from '../connectors/_kit/define.ts'
import { bytesOfFile } from '../connectors/_kit/settlementFile.ts'
import { isProven } from '../core/settlement/rulesProof.ts'
import { checkSettlementFile } from '../queues/settlementFiles.ts'
import { mapFileBytes, mapPayload } from './preview.ts'
import { readSamples, type Passed, type Sample } from './conformanceSamples.ts'
import { readInput } from './input.ts'

/** What became of one sample. `parked` is what the hub would do with it in earnest: kept, with its cause. */
export type SampleVerdict = { vendor: string; name: string } & (
  | { outcome: 'mapped'; topic: string; facts: number; warnings: readonly string[] }
  | { outcome: 'parked'; topic: string | null; code: string; cause: string }
  | { outcome: 'crashed'; topic: string | null; cause: string }
)

export interface VendorCount {
  connector: string | null
  samples: number
  mapped: number
  parked: number
  crashed: number
  /** Parked samples by their cause. */
  causes: Record<string, number>
}

export interface Conformance {
  samples: number
  mapped: number
  parked: number
  crashed: number
  /** Files that hold no payload and were not counted. */
  passed_over: number
  vendors: Record<string, VendorCount>
  verdicts: readonly SampleVerdict[]
}

/** Runs every sample below a folder through the mappings; nothing is stored and no vendor is called. */
export async function conformance(root: string, now: Date): Promise<Conformance & { passed: readonly Passed[] }> {
  const { samples, passed } = readSamples(root)
  const verdicts: SampleVerdict[] = []
  for (const sample of samples) verdicts.push(await judge(sample, now))
  return { ...tally(verdicts), passed_over: passed.length, verdicts, passed }
}

const connectorOf = (vendor: string): Connector | undefined =>
  Object.hasOwn(connectors, vendor)
    ? connectors[vendor]
    : Object.values(connectors).find(({ sample_folders }) => sample_folders?.includes(vendor) === true)

type Outcome = Pick<SampleVerdict, never> &
  (
    | { outcome: 'mapped'; topic: string; facts: number; warnings: readonly string[] }
    | { outcome: 'parked'; topic: string | null; code: string; cause: string }
    | { outcome: 'crashed'; topic: string | null; cause: string }
  )

async function judge(sample: Sample, now: Date): Promise<SampleVerdict> {
  const { vendor, name, content } = sample
  const connector = connectorOf(vendor)
  const verdict = (outcome: Outcome): SampleVerdict => ({ vendor, name, ...outcome })
  if (connector === undefined)
    return verdict({ outcome: 'parked', topic: null, code: 'unsupported', cause: 'there is no connector of this name' })
  try {
    if (content.kind === 'unreadable')
      return verdict({ outcome: 'parked', topic: null, code: 'payload_invalid', cause: content.why })
    if (content.kind === 'file') return verdict(await judgeFile(connector, content.path, now))
    return verdict(judgeDocument(connector, name, content.document, now))
  } catch (thrown) {
    return verdict(endOf(thrown, null))
  }
}

/** A coded fault that parks is an answer; anything else is our own mistake. */
function endOf(thrown: unknown, topic: string | null): Outcome {
  const error = asHubError(thrown)
  const isAnswer = error.code !== 'internal' && error.code !== 'mapping_broken'
  if (isAnswer) return { outcome: 'parked', topic, code: error.code, cause: error.message }
  return { outcome: 'crashed', topic, cause: error.message }
}

// ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function judgeFile(connector: Connector, path: string, now: Date): Promise<Outcome> {
  if (connector.files !== undefined) {
    const { facts, warnings } = mapFileBytes(connector.files, connector, await readInput(path), now)
    return { outcome: 'mapped', topic: 'file', facts: facts.length, warnings }
  }
  if (connector.settlements === undefined) throw new HubError('unsupported', `${connector.id} reads no files`)
  const checked = await checkSettlementFile(connectors, connector, {}, bytesOfFile(path))
  if (isProven(checked.proof))
    return { outcome: 'mapped', topic: checked.format, facts: checked.proof.settlements.length, warnings: [] }
  const cause = 'the rows do not come to what the file says'
  return { outcome: 'parked', topic: checked.format, code: 'control_total_mismatch', cause }
}

// ── documents ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Try {
  topic: string
  error: HubError
}

/** A mapping that asks for fewer fields would take almost any document: it is asked only when the sample's name speaks of it. */
const FIELDS_MIN = 2

/**
 * A sample does not say which message it was, so every topic is asked, the ones its name speaks of first. It is parked with the cause
 * of the topic that its name speaks of, or else as a document that no topic takes.
 */
function judgeDocument(connector: Connector, name: string, document: unknown, now: Date): Outcome {
  const topics = Object.keys(connector.inbound)
    .filter((topic) => affinity(name, topic) > 0 || (connector.inbound[topic]?.fields_min ?? 0) >= FIELDS_MIN)
    .toSorted((a, b) => affinity(name, b) - affinity(name, a))
  const tries: Try[] = []
  for (const topic of topics) {
    try {
      const { facts, warnings } = mapPayload(connector, topic, document, now)
      return { outcome: 'mapped', topic, facts: facts.length, warnings }
    } catch (thrown) {
      const error = asHubError(thrown)
      if (error.code === 'internal' || error.code === 'mapping_broken') return endOf(error, topic)
      tries.push({ topic, error })
    }
  }
  const [nearest] = tries
  if (nearest === undefined) {
    const known = Object.keys(connector.inbound).join(', ')
    const cause = known === '' ? `${connector.id} takes in files alone` : `none of its topics (${known}) is about this`
    return { outcome: 'parked', topic: null, code: 'unsupported', cause }
  }
  if (affinity(name, nearest.topic) > 0) return endOf(nearest.error, nearest.topic)
  const cause = `none of the documents that ${connector.id} sends us (${topics.join(', ')})`
  return { outcome: 'parked', topic: null, code: 'unsupported', cause }
}

/** How many words of a topic the sample's name has, in their singular. */
function affinity(name: string, topic: string): number {
  const words = new Set(wordsOf(name))
  return wordsOf(topic).filter((word) => words.has(word)).length
}

const wordsOf = (text: string): string[] =>
  text
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word.length > 2)
    .map((word) => word.replace(/s$/, ''))

// ── counts ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function tally(verdicts: readonly SampleVerdict[]): Omit<Conformance, 'verdicts' | 'passed_over'> {
  const vendors: Record<string, VendorCount> = {}
  for (const verdict of verdicts) {
    const count = (vendors[verdict.vendor] ??= {
      connector: connectorOf(verdict.vendor)?.id ?? null,
      samples: 0,
      mapped: 0,
      parked: 0,
      crashed: 0,
      causes: {},
    })
    count.samples += 1
    count[verdict.outcome] += 1
    if (verdict.outcome === 'parked') count.causes[verdict.code] = (count.causes[verdict.code] ?? 0) + 1
  }
  const sum = (what: 'samples' | 'mapped' | 'parked' | 'crashed'): number =>
    Object.values(vendors).reduce((total, vendor) => total + vendor[what], 0)
  return { samples: sum('samples'), mapped: sum('mapped'), parked: sum('parked'), crashed: sum('crashed'), vendors }
}
