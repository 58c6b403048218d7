import type { SettlementLine } from '../model/settlement.ts'
import type { TariffDocument } from '../model/tariff.ts'
import { expectedFee, type ChargeContext } from './rulesTariff.ts'

/** A line as the audit reads it. */
export interface AuditLine {
  id: number
  kind: SettlementLine['kind']
  fee_type: string | null
  /** What joins rows of one order; null: of none. */
  order_key: string | null
  /** What joins rows of one line of it: the order line, else the SKU. */
  item_key: string | null
  sku: string | null
  quantity: number | null
  currency: string
  /** Date in UTC. */
  on: string
  gross_minor: number
  fee_minor: number
  /** Sales of the month before it, where a tariff asks. */
  month_volume_minor: number
  /** Of the same order and item: all that was ever sold; for refunds. */
  sold_minor: number | null
}

export interface DatedTariff {
  id: number
  valid_from: string
  valid_to: string | null
  document: TariffDocument
}

export const AUDIT_REASONS = [
  'as_agreed',
  'rounding',
  'overcharged',
  'undercharged',
  'not_returned',
  'unlisted',
] as const
export type AuditReason = (typeof AUDIT_REASONS)[number]

/** What one charge should have been. It stands at one line; rows that belong to the same charge are in its sum. */
export interface Audited {
  settlement_line_id: number
  tariff_id: number
  clause: string | null
  basis_minor: number
  expected_minor: number
  charged_minor: number
  /** Charged less expected: above zero is too much. */
  variance_minor: number
  reason: AuditReason
}

const FEE_ROWS: ReadonlySet<AuditLine['kind']> = new Set(['commission', 'fee', 'dispute_fee'])
const isRefundRow = ({ kind, fee_type }: AuditLine): boolean =>
  kind === 'refund' || kind === 'fee_returned' || (kind === 'fee' && fee_type === 'refund_administration')

/**
 * Judges the fees of one payout by the tariffs of its connection. Three kinds of charges: a fee inside a row, judged by that row; fee
 * rows of one kind and type for one order and item, judged by the rows around them; and refunds with whatever of the fee came back.
 */
export function auditLines(lines: readonly AuditLine[], tariffs: readonly DatedTariff[]): Audited[] {
  const groups = groupBy(lines, (line) => line.order_key ?? `line ${line.id}`)
  return [...groups.values()].flatMap((group) => [
    ...group.filter((line) => isInner(line)).flatMap((line) => judge([line], [line], 'sale', tariffs)),
    ...byCharge(group.filter((line) => FEE_ROWS.has(line.kind) && !isRefundRow(line))).flatMap((charge) =>
      judge(charge, rowsAround(charge, group), 'sale', tariffs),
    ),
    ...byItem(group.filter(isRefundRow)).flatMap((charge) => judge(charge, charge, 'refund', tariffs)),
  ])
}

const isInner = (line: AuditLine): boolean => line.fee_minor !== 0 && !FEE_ROWS.has(line.kind) && !isRefundRow(line)

const byCharge = (rows: readonly AuditLine[]): AuditLine[][] => [
  ...groupBy(rows, ({ item_key, kind, fee_type }) => JSON.stringify([item_key, kind, fee_type])).values(),
]
const byItem = (rows: readonly AuditLine[]): AuditLine[][] => [
  ...groupBy(rows, ({ item_key }) => JSON.stringify(item_key)).values(),
]

/** A fee for one item is about the rows of that item, a fee for the order about all of its rows. */
function rowsAround([first]: readonly AuditLine[], group: readonly AuditLine[]): readonly AuditLine[] {
  const item = first?.item_key ?? null
  return item === null ? group : group.filter((line) => line.item_key === item)
}

function amountsOf(rows: readonly AuditLine[]): ChargeContext['amounts'] {
  const amounts: Partial<Record<AuditLine['kind'], number>> = {}
  for (const { kind, gross_minor, fee_minor } of rows)
    amounts[kind] = (amounts[kind] ?? 0) + (FEE_ROWS.has(kind) ? fee_minor : gross_minor)
  return amounts
}

function judge(
  charge: readonly AuditLine[],
  around: readonly AuditLine[],
  side: ChargeContext['side'],
  tariffs: readonly DatedTariff[],
): Audited[] {
  const at = charge.find(({ kind }) => kind === 'refund') ?? charge[0]
  if (at === undefined) return []
  const charged_minor = charge.reduce((sum, line) => sum + line.fee_minor, 0)
  const { sku, kind, fee_type, currency, month_volume_minor, sold_minor } = at
  // A fee row rarely says how many units it is for; the sale does.
  const quantity = unitsOf(charge) ?? unitsOf(around.filter((line) => line.kind === 'sale'))
  const context = { amounts: amountsOf(around), month_volume_minor, side, sold_minor }
  for (const tariff of tariffs) {
    if (at.on < tariff.valid_from || (tariff.valid_to !== null && at.on > tariff.valid_to)) continue
    const fee = expectedFee(tariff.document, { sku, kind, fee_type, currency, quantity }, context)
    if (fee.kind === 'not_judged') continue
    const { expected_minor } = fee
    const variance_minor = charged_minor - expected_minor
    const judged =
      fee.kind === 'expected' ? { clause: fee.clause, basis_minor: fee.basis_minor } : { clause: null, basis_minor: 0 }
    const reason = reasonOf({ charged_minor, expected_minor, side, isListed: fee.kind === 'expected' }, tariff.document)
    return [
      {
        settlement_line_id: at.id,
        tariff_id: tariff.id,
        ...judged,
        expected_minor,
        charged_minor,
        variance_minor,
        reason,
      },
    ]
  }
  return []
}

function unitsOf(rows: readonly AuditLine[]): number | null {
  const units = rows.reduce((sum, line) => sum + (line.quantity ?? 0), 0)
  return units === 0 ? null : units
}

interface Outcome {
  charged_minor: number
  expected_minor: number
  side: ChargeContext['side']
  isListed: boolean
}

function reasonOf(
  { charged_minor, expected_minor, side, isListed }: Outcome,
  { tolerance_minor = 0 }: TariffDocument,
): AuditReason {
  const variance = charged_minor - expected_minor
  if (variance === 0) return 'as_agreed'
  if (!isListed) return 'unlisted'
  if (Math.abs(variance) <= tolerance_minor) return 'rounding'
  if (variance < 0) return 'undercharged'
  return side === 'refund' && expected_minor < 0 ? 'not_returned' : 'overcharged'
}

function groupBy<T>(rows: readonly T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}
