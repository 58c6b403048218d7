import { checker } from '../core/model/validate.ts'
import { tariffFaults } from '../core/fees/rulesTariff.ts'
import { fault, type ConfigFault, type Path } from './faults.ts'
import { TariffEntry } from './financeSchema.ts'
import type { Source } from './source.ts'

const check = checker(TariffEntry)

/** Faults of tariffs that a schema cannot see. What does not have the shape of its schema is passed over: that is said already. */
export function financeFaults(document: unknown, { source }: { source: Source }): ConfigFault[] {
  const said = (path: Path, message: string): ConfigFault => fault(path, source.lineOf(path), message)
  return listOf(document, 'tariffs').flatMap((value, index) => {
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
}

function shaped(value: unknown): ReturnType<typeof check> | null {
  try {
    return check(value)
  } catch {
    return null
  }
}

function listOf(document: unknown, name: string): readonly unknown[] {
  const list =
    typeof document === 'object' && document !== null ? (document as Record<string, unknown>)[name] : undefined
  return Array.isArray(list) ? list : []
}
