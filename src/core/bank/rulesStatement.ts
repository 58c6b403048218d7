import type { BankFileRead, BankStatement } from '../model/bankStatement.ts'

export type StatementFault = BankFileRead['faults'][number]

export interface StatementProof {
  proof: 'proven' | 'unproven' | 'held'
  /** Closing balance − opening balance − Σ lines; null where a balance is not stated. */
  difference_minor: number | null
  sum_minor: number
  faults: StatementFault[]
}

/** Opening + lines = closing, each line once. Faults of the file count against every statement in it. */
export function proofOf(statement: BankStatement, fileFaults: readonly StatementFault[]): StatementProof {
  const { begin_minor, end_minor, lines, currency } = statement
  const sum = lines.reduce((total, line) => total + BigInt(line.amount_minor), 0n)
  const faults = [...fileFaults]
  const ids = new Set<string>()
  for (const { external_id } of lines) {
    if (ids.has(external_id)) faults.push(faultOf(`line ${external_id.slice(0, 80)} is there twice`))
    ids.add(external_id)
  }
  const gap = begin_minor === null || end_minor === null ? null : BigInt(end_minor) - BigInt(begin_minor) - sum
  if (gap !== null && gap !== 0n)
    faults.push(faultOf(`the balances are ${gap} further apart than the lines come to (${currency}, minor units)`))
  const isExact = [sum, gap ?? 0n].every((value) => value <= EXACT_MAX && value >= -EXACT_MAX)
  if (!isExact) faults.push(faultOf('the amounts are too large to be kept exactly'))
  return {
    proof: faults.length > 0 ? 'held' : gap === null ? 'unproven' : 'proven',
    difference_minor: gap === null || !isExact ? null : exact(gap),
    sum_minor: isExact ? exact(sum) : 0,
    faults,
  }
}

const EXACT_MAX = BigInt(Number.MAX_SAFE_INTEGER)
const faultOf = (message: string): StatementFault => ({ row: null, column: null, message })

/** Within the range in which a number is exact; written as text in between, so that nothing is rounded unseen. */
const exact = (value: bigint): number => Number.parseInt(String(value), 10)
