import { occurrenceCounter } from '../model/occurrences.ts'
import type { RowFault, Settlement, SettlementHeader, SettlementLine } from '../model/settlement.ts'

/**
 * Whether a payout explains itself, found out line by line in bounded memory, because a file of it may have millions of rows.
 * Amounts are summed as integers; sums that could lose a unit are a fault.
 */

export type ProofFaultKind =
  | 'payout_identity'
  | 'control_total'
  | 'line_identity'
  | 'currency'
  | 'duplicate_line'
  | 'missing_header'
  | 'unreadable'
  | 'too_large'

export interface ProofFault {
  kind: ProofFaultKind
  row: number | null
  column: string | null
  /** Of an identity: by how much it fails, in minor units. */
  difference_minor: number | null
  message: string
}

export interface KindTotal {
  lines: number
  gross_minor: number
  fee_minor: number
  net_minor: number
}

export interface SettlementProof {
  external_id: string
  /** Null: lines came without it. */
  header: SettlementHeader | null
  currency: string
  payout_minor: number
  gross_minor: number
  fee_minor: number
  /** Σ net of the lines. */
  sum_minor: number
  /** payout + end − begin − Σ net. Zero in a payout that explains itself. */
  difference_minor: number
  lines: number
  by_kind: Record<string, KindTotal>
  faults: ProofFault[]
  faults_count: number
}

export interface ProofWarning {
  row: number
  message: string
}

export interface FileProof {
  settlements: SettlementProof[]
  /** Of rows that could not be read: whose they are is not known, so every payout of the file is held. */
  faults: ProofFault[]
  faults_count: number
  warnings: ProofWarning[]
  warnings_count: number
  /** What names begin with of which this file has told all. */
  all_of: string[]
}

/** How many faults and warnings are kept in words; all are counted. */
export const FAULTS_KEPT_MAX = 100
const WARNINGS_KEPT_MAX = 100

interface Open {
  header: SettlementHeader | null
  currency: string
  /** How many lines are in which currency, and the first row of them: the header, which says which is right, may come last. */
  currencies: Record<string, { lines: number; row: number | null }>
  totals: KindTotal
  by_kind: Record<string, KindTotal>
  faults: ProofFault[]
  faults_count: number
}

export interface SettlementTotals {
  settlement: (header: SettlementHeader) => void
  line: (settlement_external_id: string, line: SettlementLine) => void
  warn: (row: number, message: string) => void
  fault: (fault: RowFault) => void
  allOf: (prefix: string) => void
  result: () => FileProof
}

const emptyTotal = (): KindTotal => ({ lines: 0, gross_minor: 0, fee_minor: 0, net_minor: 0 })

/** Takes headers and lines in any order and proves every payout at the end. */
export function settlementTotals(): SettlementTotals {
  const open = new Map<string, Open>()
  const seen = occurrenceCounter()
  const said = new Map<string, ProofWarning>()
  const file = { faults: [] as ProofFault[], faults_count: 0 }
  const allOf = new Set<string>()
  let warningsCount = 0
  const ofId = (external_id: string, currency: string): Open => {
    const known = open.get(external_id)
    if (known !== undefined) return known
    const made: Open = {
      header: null,
      currency,
      currencies: {},
      totals: emptyTotal(),
      by_kind: {},
      faults: [],
      faults_count: 0,
    }
    open.set(external_id, made)
    return made
  }
  return {
    settlement: (header) => {
      const settlement = ofId(header.external_id, header.currency)
      if (settlement.header !== null) {
        keep(settlement, faultOf('duplicate_line', null, `payout ${header.external_id} is stated twice`))
        return
      }
      settlement.header = header
      settlement.currency = header.currency
    },
    line: (external_id, line) => {
      const settlement = ofId(external_id, line.currency)
      const row = line.row ?? null
      if (line.net_minor !== line.gross_minor - line.fee_minor) {
        const difference = line.net_minor - line.gross_minor + line.fee_minor
        keep(settlement, {
          ...faultOf('line_identity', row, 'net is not gross less fee'),
          difference_minor: difference,
        })
      }
      const inCurrency = (settlement.currencies[line.currency] ??= { lines: 0, row })
      inCurrency.lines += 1
      if (seen(`${external_id}\u0000${line.external_id}`) > 1) {
        keep(settlement, faultOf('duplicate_line', row, `line ${line.external_id.slice(0, 80)} is there twice`))
      }
      add(settlement.totals, line)
      add((settlement.by_kind[line.kind] ??= emptyTotal()), line)
    },
    warn: (row, message) => {
      warningsCount += 1
      // One unknown word stands in many rows; the first row is enough to find it.
      if (said.size < WARNINGS_KEPT_MAX && !said.has(message)) said.set(message, { row, message })
    },
    fault: ({ row, column, message }) => keep(file, { ...faultOf('unreadable', row, message), column }),
    allOf: (prefix) => void allOf.add(prefix),
    result: () => {
      if (open.size === 0) keep(file, faultOf('missing_header', null, 'there is no payout in the file'))
      return {
        settlements: [...open].map(([external_id, settlement]) => proven(external_id, settlement)),
        ...file,
        warnings: [...said.values()],
        warnings_count: warningsCount,
        all_of: [...allOf],
      }
    },
  }
}

/** The same of one payout that came whole, as an API gives it. */
export function provenPayout({ lines, ...stated }: Settlement): SettlementProof {
  const header = { ...stated, control_minor: null, begin_minor: null, end_minor: null }
  const totals = settlementTotals()
  totals.settlement(header)
  for (const line of lines) totals.line(stated.external_id, line)
  const [proof] = totals.result().settlements
  if (proof === undefined) throw new RangeError('a payout was told and is not there')
  return proof
}

function proven(external_id: string, open: Open): SettlementProof {
  const { header, totals, currency, by_kind } = open
  const kept = { faults: [...open.faults], faults_count: open.faults_count }
  const payout = header?.payout_minor ?? 0
  const difference = payout + (header?.end_minor ?? 0) - (header?.begin_minor ?? 0) - totals.net_minor
  if (header === null) keep(kept, faultOf('missing_header', null, 'the file does not say what was paid out'))
  else if (difference !== 0) {
    const message = `the lines come to ${totals.net_minor}, the payout says ${totals.net_minor + difference}`
    keep(kept, { ...faultOf('payout_identity', null, message), difference_minor: difference })
  }
  for (const [other, { lines, row }] of Object.entries(open.currencies)) {
    if (other === currency) continue
    keep(kept, faultOf('currency', row, `${lines} line(s) are in ${other}, the payout is in ${currency}`))
  }
  const control = header?.control_minor ?? null
  if (control !== null && control !== totals.net_minor) {
    const message = `the lines come to ${totals.net_minor}, the control total says ${control}`
    keep(kept, { ...faultOf('control_total', null, message), difference_minor: control - totals.net_minor })
  }
  if (![difference, totals.gross_minor, totals.fee_minor, totals.net_minor].every(Number.isSafeInteger)) {
    keep(kept, faultOf('too_large', null, 'the amounts are too large to be kept exactly'))
  }
  return {
    external_id,
    header,
    currency,
    payout_minor: payout,
    gross_minor: totals.gross_minor,
    fee_minor: totals.fee_minor,
    sum_minor: totals.net_minor,
    difference_minor: difference,
    lines: totals.lines,
    by_kind,
    ...kept,
  }
}

function add(total: KindTotal, line: SettlementLine): void {
  total.lines += 1
  total.gross_minor += line.gross_minor
  total.fee_minor += line.fee_minor
  total.net_minor += line.net_minor
}

const faultOf = (kind: ProofFaultKind, row: number | null, message: string): ProofFault => ({
  kind,
  row,
  column: null,
  difference_minor: null,
  message,
})

function keep(where: { faults: ProofFault[]; faults_count: number }, fault: ProofFault): void {
  where.faults_count += 1
  if (where.faults.length < FAULTS_KEPT_MAX) where.faults.push(fault)
}

/** Whether nothing is left to look at: no fault anywhere, no difference, and at least one payout. */
export function isProven(proof: FileProof): boolean {
  return (
    proof.settlements.length > 0 &&
    proof.faults_count === 0 &&
    proof.settlements.every(({ difference_minor, faults_count }) => difference_minor === 0 && faults_count === 0)
  )
}

export interface ProofSummary {
  settlements: number
  lines: number
  /** Null where the payouts are in several currencies: then only the list has sums. */
  currency: string | null
  payout_minor: number | null
  sum_minor: number | null
  /** Of several payouts: the sum of the differences regardless of sign, so that two wrongs do not make a right. */
  difference_minor: number
  /** Net by kind; adds up to `sum_minor`. */
  by_kind: Record<string, number> | null
}

/** All payouts of a file in one figure each. */
export function summaryOf({ settlements }: Pick<FileProof, 'settlements'>): ProofSummary {
  const currencies = new Set(settlements.map(({ currency }) => currency))
  const [only] = settlements
  const isOne = currencies.size === 1
  const sum = (pick: (proof: SettlementProof) => number): number =>
    settlements.reduce((total, proof) => total + pick(proof), 0)
  return {
    settlements: settlements.length,
    lines: sum(({ lines }) => lines),
    currency: isOne ? (only?.currency ?? null) : null,
    payout_minor: isOne ? sum(({ payout_minor }) => payout_minor) : null,
    sum_minor: isOne ? sum(({ sum_minor }) => sum_minor) : null,
    difference_minor:
      settlements.length === 1 ? (only?.difference_minor ?? 0) : sum((proof) => Math.abs(proof.difference_minor)),
    by_kind: isOne ? netByKind(settlements) : null,
  }
}

export function netByKind(settlements: readonly Pick<SettlementProof, 'by_kind'>[]): Record<string, number> {
  const nets: Record<string, number> = {}
  for (const { by_kind } of settlements) {
    for (const [kind, { net_minor }] of Object.entries(by_kind)) nets[kind] = (nets[kind] ?? 0) + net_minor
  }
  return nets
}
