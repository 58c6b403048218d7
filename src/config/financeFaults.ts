import { checker } from '../core/model/validate.ts'
import { tariffFaults } from '../core/fees/rulesTariff.ts'
import { plainReference } from '../core/matching/rulesBank.ts'
import { fault, type ConfigFault, type Path } from './faults.ts'
import { TariffEntry } from './financeSchema.ts'
import type { Source } from './source.ts'

const check = checker(TariffEntry)

/** Shorter words stand in half of all bank lines. */
const WORD_LENGTH_MIN = 3

/** Faults of tariffs and of rules about bank lines that a schema cannot see. What does not have the shape of its schema is passed over: that is said already. */
export function financeFaults(document: unknown, { source }: { source: Source }): ConfigFault[] {
  const said = (path: Path, message: string): ConfigFault => fault(path, source.lineOf(path), message)
  const tariffs = listOf(document, 'tariffs').flatMap((value, index) => {
    const tariff = shaped(value)
    if (tariff === null) return []
    const ends =
      tariff.valid_to !== undefined && tariff.valid_to < tariff.valid_from
        ? [said(['tariffs', index, 'valid_to'], 'is before valid_from')]
        : []
    return [
      ...ends,
      ...tariffFaults(tariff.document).map(({ path, message }) =>
        said(['tariffs', index, 'document', ...path], message),
      ),
    ]
  })
  return [...tariffs, ...bankRuleFaults(document, said, source)]
}

type Said = (path: Path, message: string) => ConfigFault

function bankRuleFaults(document: unknown, said: Said, source: Source): ConfigFault[] {
  const connections = new Map(listOf(document, 'connections').map((entry) => [fieldOf(entry, 'id'), entry]))
  const payers = [...connections].flatMap(([id, entry]) =>
    typeof id === 'string' && fieldOf(entry, 'connector') !== 'bank' ? [id] : [],
  )
  const known = new Map<string, number>()
  return listOf(fieldOf(document, 'finance'), 'bank_rules').flatMap((rule, index) => {
    const path = ['finance', 'bank_rules', index]
    const name = fieldOf(rule, 'connection')
    const place = [...path, 'connection']
    const isBank = fieldOf(connections.get(name), 'connector') === 'bank'
    const refusal = isBank ? `"${String(name)}" is a bank account: name who pays out` : `there is no connection "${String(name)}"` // prettier-ignore
    const target =
      typeof name !== 'string' || payers.includes(name) ? [] : [fault(place, source.lineOf(place), refusal, payers)]
    const words = listOf(rule, 'contains').flatMap((word, at) => {
      if (typeof word !== 'string') return []
      const where = [...path, 'contains', at]
      const plain = plainReference(word)
      if (plain.length < WORD_LENGTH_MIN)
        return [said(where, `"${word}" is too short: write ${WORD_LENGTH_MIN} letters or digits at least`)]
      const first = known.get(plain)
      if (first !== undefined) return [said(where, `"${word}" is already given in line ${first}`)]
      known.set(plain, source.lineOf(where))
      return []
    })
    return [...target, ...words]
  })
}

const fieldOf = (entry: unknown, name: string): unknown =>
  typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>)[name] : undefined

function shaped(value: unknown): ReturnType<typeof check> | null {
  try {
    return check(value)
  } catch {
    return null
  }
}

function listOf(document: unknown, name: string): readonly unknown[] {
  const list = fieldOf(document, name)
  return Array.isArray(list) ? list : []
}
