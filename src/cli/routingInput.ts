import { parseDocument } from 'yaml'
import type { Config } from '../config.ts'
import { HubError } from '../core/errors.ts'
import type { Input } from './input.ts'

/** The company that is named, else the only one. */
export function companyOf({ companies }: Pick<Config, 'companies'>, named: string | undefined): string {
  const [only, ...others] = companies
  if (named !== undefined) return named
  if (only !== undefined && others.length === 0) return only.id
  throw new HubError('bad_request', 'say whose rules with --company', {
    hint: `there are: ${companies.map(({ id }) => id).join(', ')}`,
  })
}

/** A list of rules, or a document that has one under `rules`. JSON is YAML. Faults: `bad_request` with the line. */
export function rulesOf({ name, bytes }: Input): unknown {
  const document = parseDocument(bytes.toString('utf8'))
  const [fault] = document.errors
  if (fault !== undefined) {
    throw new HubError('bad_request', `${name} is neither YAML nor JSON: ${fault.message.split('\n')[0] ?? ''}`, {
      path: `line ${fault.linePos?.[0].line ?? 1}`,
    })
  }
  const value: unknown = document.toJS({ maxAliasCount: 100 })
  const isDocument = typeof value === 'object' && value !== null && !Array.isArray(value) && 'rules' in value
  return isDocument ? value.rules : value
}
