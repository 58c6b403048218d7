import { createHash } from 'node:crypto'
import type { Queryable, Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { LabelFile } from '../model/effects.ts'
import type { Vault } from '../people/vault.ts'

const documentAad = (id: string): string => `document:${id}`

/**
 * Seals a label's files with the key of the person whom the parcel is for, so that they can be read for as long as the person can. Files
 * for somebody who has been erased meanwhile are not kept. A file that is there already stays as it is.
 */
export async function keepLabelFiles(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'newId' | 'vault'>,
  parcel: { id: string; order_id: string },
  files: readonly LabelFile[],
): Promise<void> {
  const [person] = await tx.query<{ person_id: string; subject_id: string; wrapped_key: Buffer | null }>(
    `select p.id as person_id, k.subject_id, k.wrapped_key from orders o join people p on p.id = o.person_id
     join people_keys k on k.subject_id = p.subject_id where o.id = $1 for key share of k`,
    [parcel.order_id],
  )
  if (person?.wrapped_key === null) return
  for (const { name, content_type, bytes } of files) {
    const id = ctx.newId()
    const sealed =
      person === undefined
        ? ctx.vault.seal(bytes, documentAad(id))
        : ctx.vault.sealWith(person.wrapped_key, bytes, documentAad(id))
    await tx.query(
      `insert into documents (id, kind, parcel_id, person_id, subject_id, name, content_type, sealed, bytes, sha256, created_at)
       values ($1, 'label', $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (parcel_id, name) do nothing`,
      [
        id,
        parcel.id,
        person?.person_id ?? null,
        person?.subject_id ?? null,
        name,
        content_type,
        sealed,
        bytes.length,
        createHash('sha256').update(bytes).digest('hex'),
        ctx.now,
      ],
    )
  }
}

interface SealedDocument {
  id: string
  name: string
  content_type: string
  sealed: Buffer
  subject_id: string | null
  wrapped_key: Buffer | null
}

/** The files of a parcel's label; none where the person was erased. Faults: `vault_sealed` when one does not open. */
export async function readLabelFiles(q: Queryable, vault: Vault, parcel_id: string): Promise<LabelFile[]> {
  const rows = await q.query<SealedDocument>(
    `select d.id, d.name, d.content_type, d.sealed, d.subject_id, k.wrapped_key
     from documents d left join people_keys k on k.subject_id = d.subject_id
     where d.parcel_id = $1 and d.kind = 'label' order by d.name`,
    [parcel_id],
  )
  return rows.flatMap(({ id, name, content_type, sealed, subject_id, wrapped_key }) => {
    if (subject_id !== null && wrapped_key === null) return []
    const bytes =
      wrapped_key === null ? vault.open(sealed, documentAad(id)) : vault.openWith(wrapped_key, sealed, documentAad(id))
    return [{ name, content_type, bytes }]
  })
}

/** One file of a parcel's label, the first where no name is given. Faults: `not_found`, also for what was erased. */
export async function readLabelFile(
  q: Queryable,
  vault: Vault,
  parcel: { id: string; reference: string },
  name?: string,
): Promise<LabelFile> {
  const files = await readLabelFiles(q, vault, parcel.id)
  const file = name === undefined ? files[0] : files.find((each) => each.name === name)
  if (file === undefined)
    throw new HubError(
      'not_found',
      `${parcel.reference} has no such file: no label was bought, or its person was erased`,
    )
  return file
}
