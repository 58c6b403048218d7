import { stringify } from 'csv-stringify/sync'

/** One entry of the books with the journal it belongs to. */
export interface BookedEntry {
  company_id: string
  posted_on: string
  key: string
  kind: string
  connection_id: string
  settlement_external_id: string | null
  account: string
  currency: string
  amount_minor: number
}

export interface JournalDocument {
  key: string
  company: string
  date: string
  lines: {
    account: string
    debit_minor: number
    credit_minor: number
    currency: string
    partner_ref: string
    memo: string
  }[]
}

export interface ExportTotal {
  currency: string
  debit_minor: number
  credit_minor: number
}

const debitOf = (amount_minor: number): number => Math.max(amount_minor, 0)
const creditOf = (amount_minor: number): number => Math.max(-amount_minor, 0)
const memoOf = ({ kind, settlement_external_id }: BookedEntry): string =>
  settlement_external_id === null ? kind : `${kind} ${settlement_external_id}`

/** Debit and credit of a whole period: equal in every currency. */
export function totalsOf(entries: readonly BookedEntry[]): ExportTotal[] {
  const totals = new Map<string, ExportTotal>()
  for (const { currency, amount_minor } of entries) {
    const total = totals.get(currency) ?? { currency, debit_minor: 0, credit_minor: 0 }
    total.debit_minor += debitOf(amount_minor)
    total.credit_minor += creditOf(amount_minor)
    totals.set(currency, total)
  }
  return [...totals.values()].sort((a, b) => (a.currency < b.currency ? -1 : 1))
}

/** What an ERP posts: one document a journal. `partner_ref` is the connection, under which the ERP keeps the processor. */
export function journalDocuments(entries: readonly BookedEntry[]): { journal: JournalDocument }[] {
  const documents = new Map<string, JournalDocument>()
  for (const entry of entries) {
    const { key, company_id, posted_on, account, currency, amount_minor, connection_id } = entry
    const document = documents.get(key) ?? { key, company: company_id, date: posted_on, lines: [] }
    document.lines.push({
      account,
      debit_minor: debitOf(amount_minor),
      credit_minor: creditOf(amount_minor),
      currency,
      partner_ref: connection_id,
      memo: memoOf(entry),
    })
    documents.set(key, document)
  }
  return [...documents.values()].map((journal) => ({ journal }))
}

const COLUMNS = ['company', 'date', 'journal', 'kind', 'account', 'debit_minor', 'credit_minor', 'currency', 'partner_ref', 'memo'] // prettier-ignore

/** One row an entry and one `total` row a currency. A cell that a spreadsheet would run as a formula is quoted as text. */
export function journalsCsv(entries: readonly BookedEntry[]): string {
  const rows = entries.map((entry) => [
    entry.company_id,
    entry.posted_on,
    entry.key,
    entry.kind,
    entry.account,
    debitOf(entry.amount_minor),
    creditOf(entry.amount_minor),
    entry.currency,
    entry.connection_id,
    memoOf(entry),
  ])
  const totals = totalsOf(entries).map(
    ({ currency, debit_minor, credit_minor }) =>
    ['', '', 'total', '', '', debit_minor, credit_minor, currency, '', ''], // prettier-ignore
  )
  return stringify([COLUMNS, ...rows, ...totals], { escape_formulas: true, record_delimiter: '\r\n' })
}
