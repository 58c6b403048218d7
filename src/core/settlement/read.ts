import { isUuid, pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { bridgeOf, type Bridge, type BridgeLine } from '../books/rulesBridge.ts'
import { bridgeSvg } from '../books/rulesBridgeSvg.ts'
import { listLines, type SettlementLineFilter, type SettlementLineRow } from './readLines.ts'

export interface SettlementFilter extends PageRequest {
  connection?: string | undefined
  status?: string | undefined
  /** `broken`: the lines do not add up to the payout, or some of them belong to nothing we know. */
  matching?: 'whole' | 'broken' | undefined
}

export interface SettlementRow {
  id: string
  connection_id: string
  external_id: string
  status: string
  currency: string
  payout_minor: number
  gross_minor: number
  fee_minor: number
  net_minor: number
  difference_minor: number
  unmatched_lines: number
  created_at: string
  arrival_at: string | null
  bank_reference: string | null
  /** `held`: its identities do not hold, it is not in the books until somebody accepts it. */
  proof: string
  version: number
  recorded_at: string
}

const UNMATCHED = `(select count(*)::int from settlement_lines l where l.settlement_id = s.id and l.match_state = 'unmatched')`
const COLUMNS = `
  s.id, s.connection_id, s.external_id, s.status, s.currency, s.payout_minor, s.gross_minor, s.fee_minor, s.net_minor, s.difference_minor,
  ${UNMATCHED} as unmatched_lines, s.created_at, s.arrival_at, s.bank_reference,
  s.proof, s.version, s.recorded_at`

/** Ids are UUID version 7, which sort by the time they were made: no other column is needed for a stable order. */
const KEYSET: Keyset<SettlementRow> = { kinds: ['uuid'], after: 's.id < ?::uuid', keyOf: (row) => [row.id] }

const IS_BROKEN = `(s.difference_minor <> 0 or exists (select 1 from settlement_lines l where l.settlement_id = s.id and l.match_state = 'unmatched'))`
const MATCHINGS = { broken: IS_BROKEN, whole: `not ${IS_BROKEN}` } as const

/** Payouts, the last recorded first. */
export async function listSettlements(q: Queryable, filter: SettlementFilter): Promise<Page<SettlementRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['s.connection_id = ?', filter.connection],
    ['s.status = ?', filter.status],
    ...(filter.matching === undefined ? [] : [[MATCHINGS[filter.matching]] as const]),
  ])
  const rows = await q.query<SettlementRow>(
    `select ${COLUMNS} from settlements s${where} order by s.id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}

export interface SettlementBreak {
  id: number
  type: string
  state: string
  currency: string
  amount_minor: number
  owner: string | null
}

export interface SettlementShown extends SettlementRow {
  /** What the payout is made of, kind by kind; the nets add up to `net_minor`. */
  bridge: { kind: string; lines: number; gross_minor: number; fee_minor: number; net_minor: number }[]
  proof_faults: unknown[]
  /** What stands open about it, its lines and its bank lines. */
  breaks: SettlementBreak[]
  lines: Page<SettlementLineRow>
}

/** One payout, its bridge and a page of its lines. `id`: the hub's id, or the gateway's own. Faults: `not_found`, `conflict`. */
export async function showSettlement(
  q: Queryable,
  id: string,
  filter: SettlementLineFilter = {},
): Promise<SettlementShown> {
  const { proof_faults, ...found } = await findSettlement(q, id)
  const bridge = await q.query<SettlementShown['bridge'][number]>(
    `select kind, count(*)::int as lines, sum(gross_minor)::bigint as gross_minor, sum(fee_minor)::bigint as fee_minor,
            sum(net_minor)::bigint as net_minor
     from settlement_lines where settlement_id = $1 group by kind order by kind`,
    [found.id],
  )
  const breaks = await breaksOf(q, found.id)
  const lines = await listLines(q, found.id, filter)
  return { ...(plainRows<SettlementRow>([found])[0] ?? found), bridge, proof_faults, breaks, lines }
}

export async function findSettlement(q: Queryable, id: string): Promise<SettlementRow & { proof_faults: unknown[] }> {
  const condition = isUuid(id) ? 's.id = $1::uuid' : 's.external_id = $1'
  const [found, ...others] = await q.query<SettlementRow & { proof_faults: unknown[] }>(
    `select ${COLUMNS}, s.proof_faults from settlements s where ${condition} limit 2`,
    [id],
  )
  if (found === undefined) throw new HubError('not_found', 'there is no such settlement')
  if (others.length > 0)
    throw new HubError('conflict', 'several connections have a settlement of this name', { hint: 'name it by its id' })
  return found
}

const breaksOf = (q: Queryable, settlement_id: string): Promise<SettlementBreak[]> =>
  q.query(
    `select id, type, state, currency, amount_minor, owner from breaks where settlement_id = $1 and state <> 'resolved' order by id`,
    [settlement_id],
  )

/** What `settlement show --json` answers. */
export interface SettlementSummary {
  id: string
  external_id: string
  connection_id: string
  status: string
  proof: string
  version: number
  currency: string
  gross_minor: number
  fees_minor: number
  net_minor: number
  payout_minor: number
  difference_minor: number
  lines: number
  /** Lines that found the order they are about. */
  matched: number
  /** Lines that are about an order and have not found it. */
  unmatched: number
  /** What its lines come to, kind by kind, in net. */
  by_kind: Record<string, number>
  /** What the bank has shown of it; one line may pay several payouts. */
  bank_lines: { id: number; booked_on: string; currency: string; amount_minor: number; reference: string | null }[]
  breaks: SettlementBreak[]
}

/** One payout in figures. `id`: the hub's id, or the gateway's own. Faults: `not_found`, `conflict`. */
export async function summariseSettlement(q: Queryable, id: string): Promise<SettlementSummary> {
  const { proof_faults: _, unmatched_lines, fee_minor, ...found } = await findSettlement(q, id)
  const kinds = await q.query<{ kind: string; lines: number; matched: number; net_minor: number }>(
    `select kind, count(*)::int as lines, (count(*) filter (where match_state = 'matched'))::int as matched,
       sum(net_minor)::bigint as net_minor
     from settlement_lines where settlement_id = $1 group by kind order by kind`,
    [found.id],
  )
  const bank_lines = await q.query<SettlementSummary['bank_lines'][number]>(
    `select b.id, b.booked_on::text as booked_on, b.currency, b.amount_minor, b.reference from bank_lines b join settlements s on s.id = $1
     where b.match_state = 'matched' and (b.settlement_id = s.id or b.match_group_id = s.bank_group_id) order by b.id`,
    [found.id],
  )
  const { external_id, connection_id, status, proof, version, currency, gross_minor, net_minor } = found
  return {
    id: found.id,
    external_id,
    connection_id,
    status,
    proof,
    version,
    currency,
    gross_minor,
    fees_minor: fee_minor,
    net_minor,
    payout_minor: found.payout_minor,
    difference_minor: found.difference_minor,
    lines: kinds.reduce((sum, { lines }) => sum + lines, 0),
    matched: kinds.reduce((sum, { matched }) => sum + matched, 0),
    unmatched: unmatched_lines,
    by_kind: Object.fromEntries(kinds.map(({ kind, net_minor: net }) => [kind, net])),
    bank_lines,
    breaks: await breaksOf(q, found.id),
  }
}

export interface SettlementBridge extends Bridge {
  id: string
  external_id: string
  connection_id: string
  status: string
  date: string
}

/** Gross to net of one payout, step by step. Faults: `not_found`, `conflict`. */
export async function bridgeOfSettlement(q: Queryable, id: string): Promise<SettlementBridge> {
  const found = await findSettlement(q, id)
  const lines = await q.query<BridgeLine>(
    `select kind, fee_type, sum(gross_minor)::bigint as gross_minor, sum(fee_minor)::bigint as fee_minor
     from settlement_lines where settlement_id = $1 group by 1, 2 order by 1, 2`,
    [found.id],
  )
  const { external_id, connection_id, status, currency, payout_minor } = found
  const date = (plainRows<SettlementRow>([found])[0] ?? found).created_at.slice(0, 10)
  return { id: found.id, external_id, connection_id, status, date, ...bridgeOf(currency, payout_minor, lines) }
}

/** The same as a picture. Faults: `not_found`, `conflict`. */
export async function bridgePicture(q: Queryable, id: string): Promise<string> {
  const { external_id, connection_id, date, status, ...bridge } = await bridgeOfSettlement(q, id)
  return bridgeSvg({ name: external_id, connection_id, date, status }, bridge)
}
