import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { ErpPolicies } from './policy.ts'
import { journalSubject } from './requestsBooks.ts'
import { putDue, type DueDocument } from './tell.ts'

/** A journal that has just been written. */
export interface WrittenJournal {
  id: string
  company_id: string
  key: string
  kind: string
  /** Money that arrived: of a reversal, where it takes such a journal back. */
  bank_line_id: number | null
  entries: readonly { account: string; currency: string }[]
}

/** Journals are told in the transaction that posts them: once each, by the key they have in our books. */
export async function tellJournals(
  tx: Tx,
  { now, erps }: Pick<CoreContext, 'now' | 'erps'>,
  journals: readonly WrittenJournal[],
): Promise<void> {
  if (erps === undefined || erps.size === 0) return
  for (const [company, own] of Map.groupBy(journals, ({ company_id }) => company_id)) {
    const erp = erps.get(company)
    if (erp === undefined) continue
    await putDue(tx, now, erp.connection_id, own.flatMap((journal) => documentsOf(erp, journal))) // prettier-ignore
  }
}

type Erp = NonNullable<ReturnType<ErpPolicies['get']>>

function documentsOf({ journals, bank_statements }: Erp, journal: WrittenJournal): DueDocument[] {
  const isArrival = journal.bank_line_id !== null
  const kind = isArrival && bank_statements ? 'bank_statement' : 'journal'
  if (kind === 'journal' && !journals) return []
  const moved = journal.entries.filter(({ account }) => kind === 'journal' || account === 'bank')
  return [...new Set(moved.map(({ currency }) => currency))].map((currency) => ({
    kind,
    subject: journalSubject(journal.id, currency),
    version: 1,
    key: `${kind}:${journal.key}:${currency}`,
    digest: null,
    order_id: null,
  }))
}
