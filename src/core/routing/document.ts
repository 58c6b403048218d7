import { createHash } from 'node:crypto'
import { Value } from 'typebox/value'
import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { LocationServices } from '../model/location.ts'
import { RoutingRules } from '../model/routing.ts'
import { checker } from '../model/validate.ts'
import { ruleFaults, type RuledCompany, type RuleFault } from './rulesFaults.ts'

const checkRules = checker(RoutingRules, 'bad_request')

/** Rules as somebody wrote them, with everything that has a default filled in. Faults: `bad_request` with the JSON path. */
export function parseRules(document: unknown): RoutingRules {
  return checkRules(Value.Default(RoutingRules, structuredClone(document)))
}

/** The same rules give the same hash, however they were spaced and in whatever order their fields stood. */
export const rulesHash = (rules: RoutingRules): Buffer =>
  createHash('sha256').update(JSON.stringify(rules, inOrder)).digest()

function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** Refuses rules that cannot work for this company: `bad_request` with the path of the first fault, and all of them in the message. */
export async function refuseFaults(
  q: Queryable,
  ctx: CoreContext,
  company_id: string,
  rules: RoutingRules,
): Promise<void> {
  const faults = ruleFaults(rules, await loadRuled(q, ctx, company_id))
  const [first] = faults
  if (first === undefined) return
  const words = faults.map(({ path, message }) => `${pathText(path)} ${message}`).join('\n')
  throw new HubError('bad_request', faults.length === 1 ? words : `${faults.length} faults in the rules\n${words}`, {
    path: pathText(first.path),
    ...(first.allowed === undefined ? {} : { hint: `there are: ${first.allowed.slice(0, 30).join(', ')}` }),
  })
}

const pathText = (path: RuleFault['path']): string =>
  path.reduce<string>((text, step) => (typeof step === 'number' ? `${text}[${step}]` : `${text}.${step}`), '$')

async function loadRuled(q: Queryable, ctx: CoreContext, company_id: string): Promise<RuledCompany> {
  const locations = await q.query<{ id: string; kind: string; services: LocationServices }>(
    'select id, kind, services from locations where company_id = $1 and active order by id',
    [company_id],
  )
  const connections = [...ctx.policies.values()]
    .filter((policy) => policy.company_id === company_id)
    .map(({ connection_id, serves_from }) => ({ id: connection_id, serves_from }))
  return { connections, locations }
}
