import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { itemWakeKey, locationWakeKey } from './catalog.ts'

/** What a 3PL calls a place and a thing, and what we call them. */
export interface Names {
  /** The location, or undefined. */
  location: (connection_id: string, code: string) => string | undefined
  item: (connection_id: string, sku: string) => number | undefined
  company: (connection_id: string) => string | undefined
}

export interface Mentioned {
  connection_id: string
  location_code: string
  skus: readonly string[]
}

const pair = (connection_id: string, name: string): string => JSON.stringify([connection_id, name])

/**
 * Resolves everything that some facts mention in three statements. A location code is the external code that the connection's own
 * location has, else the id of a location of its company.
 */
export async function resolveNames(q: Queryable, mentioned: readonly Mentioned[]): Promise<Names> {
  const connections = [...new Set(mentioned.map((row) => row.connection_id))]
  const companies = await q.query<{ id: string; company_id: string }>(
    `select id, company_id from connections where id = any($1::text[])`,
    [connections],
  )
  const places = await q.query<{ connection_id: string; code: string; id: string }>(
    `select distinct on (w.connection_id, w.code) w.connection_id, w.code, l.id
     from (select distinct connection_id, code from unnest($1::text[], $2::text[]) as t(connection_id, code)) w
     join connections c on c.id = w.connection_id
     join locations l on l.company_id = c.company_id
       and ((l.connection_id = w.connection_id and l.external_code = w.code) or l.id = w.code)
     order by w.connection_id, w.code, (l.connection_id = w.connection_id and l.external_code = w.code) desc nulls last`,
    [mentioned.map((row) => row.connection_id), mentioned.map((row) => row.location_code)],
  )
  const things = mentioned.flatMap((row) => row.skus.map((sku) => ({ connection_id: row.connection_id, sku })))
  const items = await q.query<{ connection_id: string; sku: string; id: number }>(
    `select w.connection_id, w.sku, i.id
     from (select distinct connection_id, sku from unnest($1::text[], $2::text[]) as t(connection_id, sku)) w
     join connections c on c.id = w.connection_id
     join items i on i.company_id = c.company_id and i.sku = w.sku`,
    [things.map((row) => row.connection_id), things.map((row) => row.sku)],
  )
  const companyOf = new Map(companies.map((row) => [row.id, row.company_id]))
  const placeOf = new Map(places.map((row) => [pair(row.connection_id, row.code), row.id]))
  const itemOf = new Map(items.map((row) => [pair(row.connection_id, row.sku), row.id]))
  return {
    location: (connection_id, code) => placeOf.get(pair(connection_id, code)),
    item: (connection_id, sku) => itemOf.get(pair(connection_id, sku)),
    company: (connection_id) => companyOf.get(connection_id),
  }
}

/** Both faults wake by themselves when the catalog learns the name. */
export function unknownLocation(connection_id: string, code: string): HubError {
  return new HubError('unknown_location', `no location is called ${code} by ${connection_id}`, {
    path: '$.location_code',
    wake_key: locationWakeKey(connection_id, code),
  })
}

export function unknownSku(company_id: string, sku: string, path: string): HubError {
  return new HubError('unknown_sku', `no item of ${company_id} has the SKU ${sku}`, {
    path,
    wake_key: itemWakeKey(company_id, sku),
  })
}
