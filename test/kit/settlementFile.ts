import { bytesOfBuffer, readSettlementFile } from '../../src/connectors/_kit/settlementFile.ts'
import type { SettlementLine } from '../../src/core/model/settlement.ts'
import { isProven, settlementTotals, type FileProof } from '../../src/core/settlement/rulesProof.ts'
import type { SettlementFormat } from '../../src/mappings/settlement.ts'

export interface FileRead {
  proof: FileProof
  proven: boolean
  /** By payout. */
  lines: Map<string, SettlementLine[]>
  all: SettlementLine[]
}

/** Reads a file as `settlement check` does: driver, format, proof. */
export async function readFile(
  format: SettlementFormat,
  content: string | Buffer,
  settings: Record<string, unknown> = {},
): Promise<FileRead> {
  const totals = settlementTotals()
  const lines = new Map<string, SettlementLine[]>()
  const bytes = bytesOfBuffer(typeof content === 'string' ? Buffer.from(content) : content)
  await readSettlementFile(
    bytes,
    { label: format.label, formats: [format], settings },
    {
      ...totals,
      line: (id, line) => {
        totals.line(id, line)
        lines.set(id, [...(lines.get(id) ?? []), line])
      },
    },
  )
  const proof = totals.result()
  return { proof, proven: isProven(proof), lines, all: [...lines.values()].flat() }
}
