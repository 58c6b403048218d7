import {
  isProven,
  netByKind,
  summaryOf,
  type FileProof,
  type ProofFault,
  type ProofSummary,
  type ProofWarning,
} from './rulesProof.ts'

/** What `settlement check` answers, on the command line and over HTTP. */
export interface CheckDocument extends ProofSummary {
  ok: boolean
  format: string
  rows: number
  faults: (ProofFault & { settlement: string | null })[]
  faults_count: number
  warnings: ProofWarning[]
  warnings_count: number
  /** Of a file with several payouts. */
  each?: EachDocument[]
}

interface EachDocument {
  external_id: string
  currency: string
  payout_minor: number
  sum_minor: number
  difference_minor: number
  lines: number
  by_kind: Record<string, number>
  faults_count: number
}

const EACH_MAX = 1_000

export function checkDocument(format: string, rows: number, proof: FileProof): CheckDocument {
  const { settlements, warnings, warnings_count } = proof
  const own = settlements.flatMap((one) => one.faults.map((fault) => ({ ...fault, settlement: one.external_id })))
  const each = settlements.slice(0, EACH_MAX).map((one) => ({
    external_id: one.external_id,
    currency: one.currency,
    payout_minor: one.payout_minor,
    sum_minor: one.sum_minor,
    difference_minor: one.difference_minor,
    lines: one.lines,
    by_kind: netByKind([one]),
    faults_count: one.faults_count,
  }))
  return {
    ok: isProven(proof),
    ...summaryOf(proof),
    format,
    rows,
    faults: [...proof.faults.map((fault) => ({ ...fault, settlement: null })), ...own].slice(0, 200),
    faults_count: proof.faults_count + settlements.reduce((sum, one) => sum + one.faults_count, 0),
    warnings,
    warnings_count,
    ...(settlements.length > 1 ? { each } : {}),
  }
}
