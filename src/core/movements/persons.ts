import type { Queryable } from '../../db/pool.ts'

/**
 * The people behind an actor's name: `user:anna` and `cli:anna` are Anna, and an API key is whoever made it, however many keys were made
 * by keys in between. Keys may share a name; then all their makers count, because nobody can tell which of them spoke.
 */
async function peopleBehind(q: Queryable, actor: string): Promise<Set<string>> {
  const rows = await q.query<{ actor: string }>(
    `with recursive makers(actor) as (
       select $1::text
       union
       select k.created_by from makers m join api_keys k on m.actor = 'key:' || k.name
     ) select actor from makers`,
    [actor],
  )
  return new Set(rows.map((row) => row.actor.replace(/^(user|cli):/, 'person:')))
}

/** Whether somebody could be deciding on a wish of his own. */
export async function mayBeSamePerson(q: Queryable, a: string, b: string): Promise<boolean> {
  const others = await peopleBehind(q, b)
  return [...(await peopleBehind(q, a))].some((person) => others.has(person))
}
