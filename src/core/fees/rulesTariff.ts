import type { TariffClause, TariffDocument } from '../model/tariff.ts'
import type { SettlementLine } from '../model/settlement.ts'
import { proportionOf, shareOf, shareOfSlices } from './rulesAmounts.ts'

/** One charge: a row with a fee, or a row of its own for the fee. */
export interface Charge {
  kind: SettlementLine['kind']
  fee_type: string | null
  sku: string | null
  quantity: number | null
  currency: string
}

/** What stands around it. Amounts are as the settlement gives them: refunds are negative. */
export interface ChargeContext {
  /** Of the order (and SKU) that the charge is about: amounts by kind of row; a fee row counts by its fee. */
  amounts: Readonly<Partial<Record<SettlementLine['kind'], number>>>
  /** Sales of this calendar month before it. */
  month_volume_minor: number
  /** `refund`: money went back, so the fee does or does not. */
  side: 'sale' | 'refund'
  /** Of a refund: what the sale was, where it is known; the fee on it comes back in proportion. */
  sold_minor: number | null
}

export type ExpectedFee =
  | { kind: 'expected'; clause: string; basis_minor: number; expected_minor: number }
  /** Nobody agreed to such a charge; `expected_minor` is 0. */
  | { kind: 'unlisted'; expected_minor: 0 }
  | { kind: 'not_judged'; reason: 'currency' | 'no_clause' }

/**
 * What a charge should be by a tariff, in integers: percentage of the basis (rounded half up by magnitude, once), plus the fixed part,
 * then the minimum and maximum, then VAT (rounded half up). On a refund: the same for the amount that was sold, in the proportion that
 * is refunded, negative, plus what the processor keeps as administration.
 */
export function expectedFee(tariff: TariffDocument, charge: Charge, context: ChargeContext): ExpectedFee {
  if (charge.currency !== tariff.currency) return { kind: 'not_judged', reason: 'currency' }
  const clause = tariff.clauses.find((one) => fits(tariff, one, charge, context.side))
  if (clause === undefined) {
    return tariff.unlisted === 'claim'
      ? { kind: 'unlisted', expected_minor: 0 }
      : { kind: 'not_judged', reason: 'no_clause' }
  }
  const basis_minor = basisOf(clause, context)
  const fee =
    context.side === 'sale' ? saleFee(clause, charge, context, basis_minor) : refundFee(clause, charge, context)
  const expected_minor = fee + shareOf(fee, clause.vat_bp ?? 0)
  return { kind: 'expected', clause: clause.id, basis_minor, expected_minor }
}

/** What a fee on a sale may stand as; a refund is judged by the first clause for one of them that says what refunds do to it. */
const SALE_FEES: readonly SettlementLine['kind'][] = ['sale', 'commission']

function fits(
  tariff: TariffDocument,
  { when = {}, refund }: TariffClause,
  charge: Charge,
  side: ChargeContext['side'],
): boolean {
  const { kinds, fee_types, categories, sku_prefixes } = when
  if (side === 'refund' && refund === undefined) return false
  const candidates = side === 'refund' ? SALE_FEES : [charge.kind]
  if (kinds !== undefined && !candidates.some((kind) => kinds.includes(kind))) return false
  if (fee_types !== undefined && side === 'sale' && !fee_types.some((type) => type === charge.fee_type)) return false
  if (sku_prefixes !== undefined && !startsWithOne(charge.sku, sku_prefixes)) return false
  if (categories === undefined) return true
  return categories.some((name) => startsWithOne(charge.sku, tariff.categories?.[name] ?? []))
}

const startsWithOne = (sku: string | null, prefixes: readonly string[]): boolean =>
  sku !== null && prefixes.some((prefix) => sku.startsWith(prefix))

const DEFAULT_BASIS: readonly SettlementLine['kind'][] = ['sale']

/** Of a refund the rows of kind `refund` stand for what was sold. */
function basisOf(clause: TariffClause, { amounts, side }: ChargeContext): number {
  const kinds = new Set(clause.basis ?? DEFAULT_BASIS)
  if (side === 'refund' && kinds.has('sale')) kinds.add('refund')
  return [...kinds].reduce((sum, kind) => sum + (amounts[kind] ?? 0), 0)
}

function saleFee(clause: TariffClause, charge: Charge, context: ChargeContext, basis_minor: number): number {
  const { percent_minor, fixed_minor } = parts(clause, charge, context, basis_minor)
  return clamp(clause, percent_minor + fixed_minor)
}

/** Percentage and fixed part before minimum and maximum. */
function parts(
  clause: TariffClause,
  charge: Charge,
  context: Pick<ChargeContext, 'month_volume_minor'>,
  basis_minor: number,
): { percent_minor: number; fixed_minor: number } {
  const { tiers } = clause
  const units = clause.fixed_per === 'unit' ? Math.max(1, charge.quantity ?? 1) : 1
  const reached =
    tiers === undefined ? undefined : stepAt(tiers.by === 'amount' ? basis_minor : context.month_volume_minor, tiers)
  const percent_minor =
    tiers?.by === 'amount' && tiers.mode === 'marginal'
      ? marginal(tiers, basis_minor)
      : shareOf(basis_minor, reached?.percent_bp ?? clause.percent_bp ?? 0)
  return { percent_minor, fixed_minor: (reached?.fixed_minor ?? clause.fixed_minor ?? 0) * units }
}

type Tiers = NonNullable<TariffClause['tiers']>
const sorted = (tiers: Tiers): Tiers['steps'] => tiers.steps.toSorted((a, b) => a.from_minor - b.from_minor)
const stepAt = (amount_minor: number, tiers: Tiers): Tiers['steps'][number] | undefined =>
  sorted(tiers).findLast((step) => step.from_minor <= amount_minor)

function marginal(tiers: Tiers, basis_minor: number): number {
  const steps = sorted(tiers)
  return shareOfSlices(
    steps.map(({ from_minor, percent_bp }, index) => {
      const end = Math.min(basis_minor, steps[index + 1]?.from_minor ?? basis_minor)
      return { amount_minor: Math.max(0, end - from_minor), percent_bp }
    }),
  )
}

function clamp({ min_minor, max_minor }: TariffClause, fee: number): number {
  return Math.min(Math.max(fee, min_minor ?? fee), max_minor ?? Number.MAX_SAFE_INTEGER)
}

function refundFee(clause: TariffClause, charge: Charge, context: ChargeContext): number {
  const { refund } = clause
  const refunded = -Math.min(0, basisOf(clause, context))
  if (refund === undefined || refunded === 0) return 0
  // Rows may say that more was refunded than was sold (goodwill): then the whole fee comes back, not more.
  const sold = Math.max(context.sold_minor ?? refunded, refunded)
  const { percent_minor, fixed_minor } = parts(clause, charge, context, sold)
  const charged = clamp(clause, percent_minor + fixed_minor)
  const fixed = Math.min(fixed_minor, charged)
  const comesBack = (refund.percent === 'returned' ? charged - fixed : 0) + (refund.fixed === 'returned' ? fixed : 0)
  const returned = proportionOf(comesBack, refunded, sold)
  return (refund.administration === undefined ? 0 : administration(refund.administration, returned)) - returned
}

function administration(
  { percent_bp, max_minor }: { percent_bp: number; max_minor?: number },
  returned: number,
): number {
  return Math.min(shareOf(returned, percent_bp), max_minor ?? Number.MAX_SAFE_INTEGER)
}

export interface TariffFault {
  path: readonly (string | number)[]
  message: string
}

/** What a schema cannot see. */
export function tariffFaults(tariff: TariffDocument): TariffFault[] {
  const ids = new Set<string>()
  return tariff.clauses.flatMap((clause, index): TariffFault[] => {
    const at = ['clauses', index]
    const repeated = ids.has(clause.id)
      ? [{ path: [...at, 'id'], message: `the clause "${clause.id}" is given twice` }]
      : []
    ids.add(clause.id)
    return [
      ...repeated,
      ...clauseFaults(tariff, clause).map(({ path, message }) => ({ path: [...at, ...path], message })),
    ]
  })
}

function clauseFaults(tariff: TariffDocument, clause: TariffClause): TariffFault[] {
  const { tiers, min_minor, max_minor } = clause
  const faults: TariffFault[] = (clause.when?.categories ?? []).flatMap((name, index) =>
    tariff.categories?.[name] === undefined
      ? [{ path: ['when', 'categories', index], message: `the tariff has no category "${name}"` }]
      : [],
  )
  if (min_minor !== undefined && max_minor !== undefined && min_minor > max_minor)
    faults.push({ path: ['min_minor'], message: 'is above max_minor' })
  if (tiers === undefined) {
    if (clause.percent_bp === undefined && clause.fixed_minor === undefined)
      faults.push({ path: [], message: 'needs percent_bp, fixed_minor or tiers' })
    return faults
  }
  if (clause.percent_bp !== undefined || clause.fixed_minor !== undefined)
    faults.push({ path: ['tiers'], message: 'stand in place of percent_bp and fixed_minor, not beside them' })
  if (tiers.by === 'month_volume' && tiers.mode === 'marginal')
    faults.push({ path: ['tiers', 'mode'], message: 'marginal tiers go by amount' })
  const starts = tiers.steps.map((step) => step.from_minor)
  if (!starts.includes(0) || new Set(starts).size !== starts.length)
    faults.push({ path: ['tiers', 'steps'], message: 'start at 0 and at different amounts' })
  if (tiers.mode === 'marginal' && tiers.steps.some((step) => step.fixed_minor !== undefined))
    faults.push({ path: ['tiers', 'steps'], message: 'marginal tiers have no fixed part' })
  return faults
}
