import type { Queryable, Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Address, Party } from '../model/party.ts'
import type { Vault } from './vault.ts'

/** Who an order is for. Exists outside the vault only while it is being written or used. */
export interface Person {
  buyer: Party | null
  ship_to: Address | null
  bill_to: Address | null
}

/** A person as an order names it. `person_id` is the row that the order has already. */
export interface PersonOfOrder extends Person {
  connection_id: string
  order_external_id: string
  person_id: string | null
}

interface Prepared {
  key: string
  person_id: string
  connection_id: string
  lookup: Buffer
  lookup_hex: string
  email_lookup: Buffer | null
  digest: Buffer
  plain: Buffer
}

const personAad = (person_id: string, subject_id: string): string => `people:${person_id}:${subject_id}`
const idLookup = (vault: Vault, connection_id: string, id: string): Buffer => vault.lookup(`id:${connection_id}:${id}`)
const emailLookup = (vault: Vault, connection_id: string, email: string): Buffer =>
  vault.lookup(`email:${connection_id}:${email.trim().toLowerCase()}`)

/**
 * Seals the people of a batch of orders and returns their ids by order external id and connection (`personKey`). One subject per
 * customer id or e-mail, else one per order, so that a subject's key can be destroyed for all its orders at once. Content that an
 * order has already is not sealed again, and what was erased stays erased.
 */
export async function keepPeople(
  tx: Tx,
  ctx: CoreContext,
  people: readonly PersonOfOrder[],
): Promise<Map<string, string | null>> {
  const ids = new Map<string, string | null>(people.map((person) => [personKey(person), person.person_id]))
  const named = people.filter((person) => person.buyer !== null || person.ship_to !== null || person.bill_to !== null)
  const known = await loadDigests(
    tx,
    named.flatMap((person) => person.person_id ?? []),
  )
  const fresh = named
    .map((person) => prepare(ctx, person))
    .filter((person) => {
      const row = known.get(person.person_id)
      return row === undefined || (!row.erased && row.digest?.equals(person.digest) !== true)
    })
  if (fresh.length === 0) return ids
  const subjects = await ensureSubjects(tx, ctx, fresh)
  const sealed = fresh.map((person) => {
    const subject = subjects.get(subjectKey(person))
    if (subject === undefined) throw new HubError('invariant_broken', 'a subject of a person is missing')
    const text = ctx.vault.sealWith(subject.wrapped_key, person.plain, personAad(person.person_id, subject.subject_id))
    return { id: person.person_id, subject_id: subject.subject_id, digest: person.digest, text, bytes: text.length }
  })
  // The sealed texts travel as one binary value that the server cuts up: an array of bytea would go as hex, at twice the size.
  await tx.query(
    `insert into people (id, subject_id, sealed, digest, created_at)
     select n.id, n.subject_id, substring($5::bytea from (sum(n.bytes) over (order by n.place))::int - n.bytes + 1 for n.bytes), n.digest, $6
     from unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::int[]) with ordinality as n(id, subject_id, digest, bytes, place)
     on conflict (id) do update set subject_id = excluded.subject_id, sealed = excluded.sealed, digest = excluded.digest`,
    [
      ...columns(sealed, ['id', 'subject_id', 'digest', 'bytes']),
      Buffer.concat(sealed.map(({ text }) => text)),
      ctx.now,
    ],
  )
  for (const person of fresh) ids.set(person.key, person.person_id)
  return ids
}

export const personKey = (order: { connection_id: string; order_external_id: string }): string =>
  `${order.connection_id}:${order.order_external_id}`

const subjectKey = (person: { connection_id: string; lookup_hex: string }): string =>
  `${person.connection_id}:${person.lookup_hex}`

/** The person of an order, or `erased`. Faults: `vault_sealed` when the row does not open. */
export async function readPerson(q: Queryable, vault: Vault, person_id: string): Promise<Person | 'erased'> {
  const [row] = await q.query<{ subject_id: string; sealed: Buffer | null; wrapped_key: Buffer | null }>(
    `select p.subject_id, p.sealed, k.wrapped_key from people p join people_keys k on k.subject_id = p.subject_id where p.id = $1`,
    [person_id],
  )
  if (row === undefined) throw new HubError('not_found', 'there is no such person')
  if (row.sealed === null || row.wrapped_key === null) return 'erased'
  const plain = vault.openWith(row.wrapped_key, row.sealed, personAad(person_id, row.subject_id))
  return JSON.parse(plain.toString('utf8')) as Person
}

/** Ways in which a privacy request may name somebody. */
export function lookupsOf(
  vault: Vault,
  connection_id: string,
  named: { buyer_external_id: string | null; buyer_email: string | null },
): Buffer[] {
  return [
    ...(named.buyer_external_id === null ? [] : [idLookup(vault, connection_id, named.buyer_external_id)]),
    ...(named.buyer_email === null ? [] : [emailLookup(vault, connection_id, named.buyer_email)]),
  ]
}

function prepare(ctx: CoreContext, person: PersonOfOrder): Prepared {
  const { buyer, ship_to, bill_to, connection_id } = person
  const text = JSON.stringify({ buyer, ship_to, bill_to })
  const email = buyer?.email === null || buyer === null ? null : emailLookup(ctx.vault, connection_id, buyer.email)
  const lookup =
    buyer !== null && buyer.external_id !== null
      ? idLookup(ctx.vault, connection_id, buyer.external_id)
      : (email ?? ctx.vault.lookup(`order:${personKey(person)}`))
  return {
    key: personKey(person),
    person_id: person.person_id ?? ctx.newId(),
    connection_id,
    lookup,
    lookup_hex: lookup.toString('hex'),
    email_lookup: email === null || email.equals(lookup) ? null : email,
    digest: ctx.vault.lookup(`person:${text}`),
    plain: Buffer.from(text, 'utf8'),
  }
}

async function loadDigests(
  tx: Tx,
  person_ids: readonly string[],
): Promise<Map<string, { erased: boolean; digest: Buffer | null }>> {
  if (person_ids.length === 0) return new Map()
  const rows = await tx.query<{ id: string; erased: boolean; digest: Buffer | null }>(
    'select id, sealed is null as erased, digest from people where id = any($1::uuid[])',
    [person_ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

interface Subject {
  subject_id: string
  wrapped_key: Buffer
}

/** Finds the subjects of these people and makes the missing ones, by `subjectKey`. */
async function ensureSubjects(tx: Tx, ctx: CoreContext, people: readonly Prepared[]): Promise<Map<string, Subject>> {
  const wanted = new Map(people.map((person) => [subjectKey(person), person]))
  const found = await loadSubjects(tx, [...wanted.values()])
  const missing = [...wanted].filter(([key]) => !found.has(key)).sort(([a], [b]) => (a < b ? -1 : 1))
  if (missing.length === 0) return found
  const made = missing.map(([key, person]) => ({
    ...person,
    key,
    subject_id: ctx.newId(),
    wrapped_key: ctx.vault.newKey(),
  }))
  const inserted = await tx.query<{ subject_id: string }>(
    `insert into people_keys (subject_id, connection_id, lookup, email_lookup, wrapped_key, created_at)
     select n.*, $6 from unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[]) as n
     on conflict (connection_id, lookup) do nothing returning subject_id`,
    [...columns(made, ['subject_id', 'connection_id', 'lookup', 'email_lookup', 'wrapped_key']), ctx.now],
  )
  const own = new Set(inserted.map((row) => row.subject_id))
  for (const subject of made) if (own.has(subject.subject_id)) found.set(subject.key, subject)
  const lost = made.filter((subject) => !own.has(subject.subject_id))
  for (const [key, subject] of await loadSubjects(tx, lost)) found.set(key, subject)
  return found
}

async function loadSubjects(tx: Tx, people: readonly Prepared[]): Promise<Map<string, Subject>> {
  if (people.length === 0) return new Map()
  const rows = await tx.query<Subject & { connection_id: string; lookup: Buffer }>(
    `select k.subject_id, k.connection_id, k.lookup, k.wrapped_key
     from unnest($1::text[], $2::bytea[]) as n(connection_id, lookup)
     join people_keys k on k.connection_id = n.connection_id and k.lookup = n.lookup
     where k.wrapped_key is not null for key share of k`,
    columns(people, ['connection_id', 'lookup']),
  )
  return new Map(
    rows.map((row) => [subjectKey({ connection_id: row.connection_id, lookup_hex: row.lookup.toString('hex') }), row]),
  )
}
