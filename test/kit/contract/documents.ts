import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Mapped } from '../../../src/mappings/define.ts'
import { HubError } from '../../../src/core/errors.ts'
import { OBSERVED_AT, type ConnectorContract, type ContractSample } from './contract.ts'

/** What a value is replaced with, to see that wrong input is refused and not stumbled over. */
const ODD_VALUES: readonly unknown[] = [null, '', 'ü', [], {}, -1, 1e300, true, '9'.repeat(400)]
const ODD_SAMPLES_MAX = 4_000

/** Samples become their golden documents, unknown fields change nothing, unknown words are safe, and nothing makes a mapping crash. */
export function documentContract(contract: ConnectorContract, folder: string): void {
  const map = ({ topic, payload, settings }: ContractSample): Mapped => {
    const mapping = contract.connector.inbound[topic]
    if (mapping === undefined) throw new Error(`${contract.connector.id} has no topic ${topic}`)
    return mapping.map(payload, { observed_at: OBSERVED_AT, settings: settings ?? {} })
  }

  it('documents: every topic that the connector maps has a sample', () => {
    const topics = new Set([...contract.samples, ...(contract.unknown_words ?? [])].map(({ topic }) => topic))
    expect(Object.keys(contract.connector.inbound).filter((topic) => !topics.has(topic))).toEqual([])
  })

  for (const sample of contract.samples) {
    it(`documents: ${sample.name} becomes its golden document`, () => {
      const mapped = map(sample)
      expect(JSON.parse(JSON.stringify(mapped))).toEqual(golden(folder, sample.name, mapped))
    })

    it(`documents: fields that ${sample.name} did not have before change nothing`, () => {
      expect(map({ ...sample, payload: withMoreFields(sample.payload) }).facts).toEqual(map(sample).facts)
    })

    it(`documents: ${sample.name} with odd values is mapped or refused, never stumbled over`, () => {
      for (const { place, payload } of oddVariants(sample.payload)) {
        const end = endOf(() => map({ ...sample, payload }))
        expect(['mapped', 'payload_invalid', 'unsupported'], `${place}: ${end}`).toContain(end)
      }
    })
  }

  for (const sample of contract.unknown_words ?? []) {
    it(`documents: the unknown word in ${sample.name} is taken as the safe state, with a warning`, () => {
      const { facts, warnings } = map(sample)
      expect(facts.length).toBeGreaterThan(0)
      expect(warnings.join('\n')).toMatch(/unknown/i)
    })
  }
}

/** The document that a person has looked at. `CROSSDOCK_GOLDEN=write` writes it anew, to be read in the diff. */
function golden(folder: string, name: string, mapped: Mapped): unknown {
  const path = join(folder, 'golden', `${name}.json`)
  if (process.env['CROSSDOCK_GOLDEN'] === 'write') {
    mkdirSync(join(folder, 'golden'), { recursive: true })
    writeFileSync(path, `${JSON.stringify(mapped, null, 2)}\n`)
  }
  if (!existsSync(path)) throw new Error(`${path} is missing: write it with CROSSDOCK_GOLDEN=write, and read it`)
  return JSON.parse(readFileSync(path, 'utf8'))
}

function withMoreFields(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMoreFields)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value).map(([name, inner]) => [name, withMoreFields(inner)])
  return { ...Object.fromEntries(fields), crossdock_never_saw_this: 'new' }
}

/** Every value of a document replaced by each odd one, one at a time, and every field left out. */
function* oddVariants(payload: unknown): Generator<{ place: string; payload: unknown }> {
  let count = 0
  for (const path of pathsOf(payload, [])) {
    for (const odd of [...ODD_VALUES, undefined]) {
      if (count >= ODD_SAMPLES_MAX) return
      count += 1
      yield { place: `${path.join('.')} = ${JSON.stringify(odd)?.slice(0, 20)}`, payload: replaced(payload, path, odd) }
    }
  }
}

function* pathsOf(value: unknown, path: (string | number)[]): Generator<(string | number)[]> {
  if (path.length > 0) yield path
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value))
    yield* pathsOf(inner, [...path, Array.isArray(value) ? Number(name) : name])
}

function replaced(value: unknown, [head, ...rest]: readonly (string | number)[], odd: unknown): unknown {
  if (head === undefined) return odd
  if (Array.isArray(value))
    return value.map((inner, at) => (at === head ? replaced(inner, rest, odd) : (inner as unknown)))
  const fields = value as Record<string, unknown>
  return { ...fields, [head]: replaced(fields[head], rest, odd) }
}

function endOf(work: () => unknown): string {
  try {
    work()
    return 'mapped'
  } catch (thrown) {
    return thrown instanceof HubError ? thrown.code : `crashed: ${String(thrown)}`
  }
}
