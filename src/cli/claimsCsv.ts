import { writeCsv } from '../connectors/_kit/csv.ts'
import type { AuditShown } from '../core/fees/audit.ts'
import { decimalFromMinor } from '../core/model/money.ts'

const COLUMNS = [
  'connection', 'payout', 'line', 'date', 'order', 'sku', 'kind', 'fee_type', 'currency', 'basis', 'expected', 'charged', 'variance', 'reason',
  'tariff', 'clause',
] as const // prettier-ignore

/** What to claim back from a processor, with the evidence: a line for each charge. Ids of others cannot run as formulas. */
export function claimsCsv(rows: readonly AuditShown[]): Buffer {
  const lines = rows.map((row) => {
    const amount = (minor: number): string => decimalFromMinor(minor, row.currency)
    return [
      row.connection_id, row.settlement, row.line, row.on, row.order ?? '', row.sku ?? '', row.kind, row.fee_type ?? '', row.currency,
      amount(row.basis_minor), amount(row.expected_minor), amount(row.charged_minor), amount(row.variance_minor), row.reason, row.tariff,
      row.clause ?? '',
    ] // prettier-ignore
  })
  return writeCsv([COLUMNS, ...lines])
}
