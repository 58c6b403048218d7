import { writeAudit } from '../../db/audit.ts'
import { plainRows } from '../../db/page.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import type { TariffDocument } from '../model/tariff.ts'
import type { DatedTariff } from './rulesAudit.ts'
import { tariffFaults } from './rulesTariff.ts'

/** What was agreed with one connection, from a day on. */
export interface Tariff {
  connection_id: string
  name: string
  valid_from: string
  /** The last day; null: no end. */
  valid_to: string | null
  document: TariffDocument
}

export interface TariffShown extends Tariff {
  id: number
  company_id: string
  source: 'config' | 'api'
  changed_by: string
  changed_at: string
}

/** Brings the tariffs of the configuration in line with it; what it no longer says ends to be used. Those of the API are left alone. */
export async function syncTariffs(tx: Tx, tariffs: readonly Tariff[], now: Date): Promise<void> {
  await tx.query(
    `with wanted as (
       select c.company_id, w.* from jsonb_to_recordset($1::jsonb)
         as w(connection_id text, name text, valid_from date, valid_to date, document jsonb)
       join connections c on c.id = w.connection_id
     ), put as (
       insert into tariffs as t (company_id, connection_id, name, valid_from, valid_to, document, source, changed_by, changed_at)
       select company_id, connection_id, name, valid_from, valid_to, document, 'config', 'config', $2 from wanted
       on conflict (company_id, connection_id, name, valid_from) do update set
         valid_to = excluded.valid_to, document = excluded.document, source = 'config', active = true, changed_by = 'config', changed_at = $2
       where (t.valid_to, t.document, t.source, t.active) is distinct from (excluded.valid_to, excluded.document, 'config', true)
     )
     update tariffs t set active = false, changed_at = $2 where t.source = 'config' and t.active and not exists (
       select 1 from wanted w where (w.company_id, w.connection_id, w.name, w.valid_from) = (t.company_id, t.connection_id, t.name, t.valid_from))`,
    [JSON.stringify(tariffs), now],
  )
}

/**
 * Sets one tariff by its connection, name and first day. Faults: `not_found` for the connection, `bad_request` for a tariff that
 * contradicts itself, `conflict` for one that the configuration states.
 */
export async function putTariff(tx: Tx, tariff: Tariff, by: string, now: Date): Promise<TariffShown> {
  const [fault] = tariffFaults(tariff.document)
  if (fault !== undefined)
    throw new HubError('bad_request', fault.message, { path: ['document', ...fault.path].join('.') })
  if (tariff.valid_to !== null && tariff.valid_to < tariff.valid_from)
    throw new HubError('bad_request', 'a tariff ends after it begins', { path: 'valid_to' })
  const [owner] = await tx.query<{ company_id: string }>('select company_id from connections where id = $1', [
    tariff.connection_id,
  ])
  if (owner === undefined)
    throw new HubError('not_found', `there is no connection ${tariff.connection_id}`, { path: 'connection' })
  const rows = await tx.query<TariffShown>(
    `insert into tariffs as t (company_id, connection_id, name, valid_from, valid_to, document, source, changed_by, changed_at)
     values ($1, $2, $3, $4, $5, $6::jsonb, 'api', $7, $8)
     on conflict (company_id, connection_id, name, valid_from) do update set
       valid_to = excluded.valid_to, document = excluded.document, source = 'api', active = true, changed_by = excluded.changed_by,
       changed_at = excluded.changed_at
     where t.source = 'api' or not t.active
     returning ${SHOWN}`,
    [
      owner.company_id,
      tariff.connection_id,
      tariff.name,
      tariff.valid_from,
      tariff.valid_to,
      JSON.stringify(tariff.document),
      by,
      now,
    ],
  )
  const [shown] = plainRows<TariffShown>(rows)
  if (shown === undefined)
    throw new HubError('conflict', 'the configuration states this tariff', {
      hint: 'change it there, or choose another name',
    })
  await writeAudit(tx, { at: now, actor: by, action: 'tariff.set', subject: `tariff:${shown.id}` })
  return shown
}

const SHOWN =
  't.id, t.company_id, t.connection_id, t.name, t.valid_from, t.valid_to, t.document, t.source, t.changed_by, t.changed_at'

/** Tariffs in use, by connection and first day. */
export async function listTariffs(q: Queryable, connection: string | undefined): Promise<TariffShown[]> {
  const rows = await q.query<TariffShown>(
    `select ${SHOWN} from tariffs t where t.active and ($1::text is null or t.connection_id = $1)
     order by t.connection_id, t.valid_from desc, t.name`,
    [connection ?? null],
  )
  return plainRows(rows)
}

/** Tariffs that judge a connection's lines: the one that began last is asked first. */
export async function tariffsOf(q: Queryable, connection_id: string): Promise<DatedTariff[]> {
  return q.query<DatedTariff>(
    `select id, valid_from, valid_to, document from tariffs where connection_id = $1 and active order by valid_from desc, name, id`,
    [connection_id],
  )
}
