import { writeAudit } from '../../db/audit.ts'
import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { RoutingRules } from '../model/routing.ts'
import { forgetActive } from './active.ts'
import { parseRules, refuseFaults, rulesHash } from './document.ts'

/** One version of a company's rules, without the rules. */
export interface RulesVersion {
  company_id: string
  version: number
  state: string
  source: string
  rules_count: number
  created_at: string
  created_by: string
  activated_at: string | null
  activated_by: string | null
}

export interface RulesShown extends RulesVersion {
  rules: RoutingRules
}

const COLUMNS = `r.company_id, r.version, r.state, r.source, jsonb_array_length(r.document) as rules_count, r.created_at, r.created_by,
  r.activated_at, r.activated_by`

const KEYSET: Keyset<RulesVersion> = {
  kinds: ['text', 'integer'],
  after: 'r.company_id >= ? and (r.company_id > ? or r.version < ?::int)',
  places: [0, 0, 1],
  keyOf: (row) => [row.company_id, row.version],
}

/** Versions of the rules, the newest of each company first. */
export async function listRules(
  q: Queryable,
  filter: PageRequest & { company?: string | undefined; state?: string | undefined },
): Promise<Page<RulesVersion>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['r.company_id = ?', filter.company],
    ['r.state = ?', filter.state],
  ])
  const rows = await q.query(
    `select ${COLUMNS} from routing_rules r${where} order by r.company_id, r.version desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, plainRows<RulesVersion>(rows))
}

/** One version, or the active one. Faults: `not_found`. */
export async function showRules(q: Queryable, company_id: string, version: number | 'active'): Promise<RulesShown> {
  const rows = await q.query(
    `select ${COLUMNS}, r.document as rules from routing_rules r
     where r.company_id = $1 and case when $2::int is null then r.state = 'active' else r.version = $2::int end`,
    [company_id, version === 'active' ? null : version],
  )
  const [found] = plainRows<RulesShown>(rows)
  if (found !== undefined) return found
  throw new HubError(
    'not_found',
    version === 'active'
      ? `${company_id} has no active routing rules: each connection is served by its own ranking`
      : `${company_id} has no version ${version} of its routing rules`,
  )
}

export interface Proposal {
  company_id: string
  document: unknown
  /** Who: `user:anna`. */
  by: string
  /** The caller's own name of the proposal. */
  key?: string | undefined
}

/**
 * Keeps rules as a new draft. The same key answers with the version it made; the same key with other rules is a `conflict`. Faults:
 * `bad_request` with the JSON path in the rules, `not_found` for a company that does not exist.
 */
export async function proposeRules(tx: Tx, ctx: CoreContext, proposal: Proposal): Promise<RulesShown> {
  const { company_id, document, by, key } = proposal
  await lockCompany(tx, company_id)
  const rules = parseRules(document)
  const same = key === undefined ? undefined : await findByKey(tx, company_id, key)
  if (same !== undefined) {
    if (!same.document_sha256.equals(rulesHash(rules)))
      throw new HubError('conflict', `the key ${key} has proposed other rules before (version ${same.version})`)
    return showRules(tx, company_id, same.version)
  }
  await refuseFaults(tx, ctx, company_id, rules)
  const version = await addVersion(tx, ctx, { company_id, rules, by, key: key ?? null, source: 'user' })
  await audit(tx, ctx, { by, action: 'routing.propose', company_id, version })
  return showRules(tx, company_id, version)
}

/**
 * Makes a version the one that holds; the one before is retired and may be activated again. Doing it twice changes nothing. The rules
 * are checked anew, because places and connections may have changed since they were proposed.
 */
export async function activateRules(
  tx: Tx,
  ctx: CoreContext,
  { company_id, version, by }: { company_id: string; version: number; by: string },
): Promise<RulesShown> {
  await lockCompany(tx, company_id)
  const found = await showRules(tx, company_id, version)
  if (found.state === 'active') return found
  await refuseFaults(tx, ctx, company_id, found.rules)
  await makeActive(tx, ctx, { company_id, version, by })
  await audit(tx, ctx, { by, action: 'routing.activate', company_id, version })
  return showRules(tx, company_id, version)
}

/** Versions of one company are made one after another. Does not disturb rows that refer to the company. */
async function lockCompany(tx: Tx, company_id: string): Promise<void> {
  const rows = await tx.query('select id from companies where id = $1 for no key update', [company_id])
  if (rows.length === 0) throw new HubError('not_found', `there is no company ${company_id}`)
}

async function findByKey(
  tx: Tx,
  company_id: string,
  key: string,
): Promise<{ version: number; document_sha256: Buffer } | undefined> {
  const [found] = await tx.query<{ version: number; document_sha256: Buffer }>(
    'select version, document_sha256 from routing_rules where company_id = $1 and key = $2',
    [company_id, key],
  )
  return found
}

interface NewVersion {
  company_id: string
  rules: RoutingRules
  by: string
  key: string | null
  source: 'config' | 'user'
}

async function addVersion(
  tx: Tx,
  ctx: CoreContext,
  { company_id, rules, by, key, source }: NewVersion,
): Promise<number> {
  const [made] = await tx.query<{ version: number }>(
    `insert into routing_rules (company_id, version, state, source, key, document, document_sha256, created_at, created_by)
     select $1, coalesce(max(version), 0) + 1, 'draft', $2, $3, $4::jsonb, $5, $6, $7 from routing_rules where company_id = $1
     returning version`,
    [company_id, source, key, JSON.stringify(rules), rulesHash(rules), ctx.now, by],
  )
  if (made === undefined) throw new HubError('invariant_broken', 'a version of the routing rules was not written')
  return made.version
}

async function makeActive(
  tx: Tx,
  ctx: CoreContext,
  { company_id, version, by }: { company_id: string; version: number; by: string },
): Promise<void> {
  await tx.query(`update routing_rules set state = 'retired' where company_id = $1 and state = 'active'`, [company_id])
  await tx.query(
    `update routing_rules set state = 'active', activated_at = $3, activated_by = $4 where company_id = $1 and version = $2::int`,
    [company_id, version, ctx.now, by],
  )
  forgetActive(ctx)
}

interface Done {
  by: string
  action: string
  company_id: string
  version: number
}

async function audit(tx: Tx, ctx: CoreContext, { by, action, company_id, version }: Done): Promise<void> {
  await writeAudit(tx, { at: ctx.now, actor: by, action, subject: `routing:${company_id}`, data: { version } })
}

const BY_CONFIG = 'config'

/**
 * Brings the rules of the configuration in line: a document that differs from the last one that came from there becomes a new active
 * version. What a person has activated since stays until the file itself changes. Where the file has no rules any more, those that came
 * from it are retired.
 */
export async function syncRules(
  tx: Tx,
  ctx: CoreContext,
  entries: readonly { company: string; rules: RoutingRules }[],
): Promise<void> {
  await retireLeft(tx, ctx, entries)
  for (const { company: company_id, rules } of entries) {
    const last = await lastFromConfig(tx, company_id)
    const isSame = last?.document_sha256.equals(rulesHash(rules)) === true
    if (isSame && last?.has_active === true) continue
    await lockCompany(tx, company_id)
    const version =
      isSame && last !== undefined
        ? last.version
        : await addVersion(tx, ctx, { company_id, rules, by: BY_CONFIG, key: null, source: 'config' })
    await makeActive(tx, ctx, { company_id, version, by: BY_CONFIG })
    await audit(tx, ctx, { by: BY_CONFIG, action: 'routing.activate', company_id, version })
  }
}

async function lastFromConfig(
  tx: Tx,
  company_id: string,
): Promise<{ version: number; document_sha256: Buffer; has_active: boolean } | undefined> {
  const [last] = await tx.query<{ version: number; document_sha256: Buffer; has_active: boolean }>(
    `select version, document_sha256,
       exists (select 1 from routing_rules a where a.company_id = r.company_id and a.state = 'active') as has_active
     from routing_rules r where company_id = $1 and source = 'config' order by version desc limit 1`,
    [company_id],
  )
  return last
}

async function retireLeft(tx: Tx, ctx: CoreContext, entries: readonly { company: string }[]): Promise<void> {
  const retired = await tx.query<{ company_id: string; version: number }>(
    `update routing_rules set state = 'retired' where state = 'active' and source = 'config' and not company_id = any($1::text[])
     returning company_id, version`,
    [entries.map((entry) => entry.company)],
  )
  for (const { company_id, version } of retired)
    await audit(tx, ctx, { by: BY_CONFIG, action: 'routing.retire', company_id, version })
  if (retired.length > 0) forgetActive(ctx)
}
