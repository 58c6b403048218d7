import type { Settlement, SettlementLine } from '../core/model/settlement.ts'

/**
 * How a file of a payout is read: row by row, because such files grow to hundreds of megabytes. A format is a pure description; bytes,
 * character sets and delimiters are the kit's business.
 */

/** A payout without its lines, as its file states it. */
export type SettlementHeader = Omit<Settlement, 'lines'> & {
  /** What the file itself says its rows come to, where it carries a control total beside the payout. */
  control_minor: number | null
  /** Balance before and after, where the file is a statement of an account: begin + Σ net = end (+ payout). */
  begin_minor: number | null
  end_minor: number | null
}

/** A row that could not be understood. The others go on; the settlement is held until somebody has looked. */
export interface RowFault {
  row: number
  /** Column, or what of the row is meant. */
  column: string | null
  message: string
}

/** Where a reader puts what it finds. Lines may come before the header of their settlement. */
export interface SettlementSink {
  settlement: (header: SettlementHeader) => void
  line: (settlement_external_id: string, line: SettlementLine) => void
  /** A word of the vendor that no table knows: kept as `other`. */
  warn: (row: number, message: string) => void
  fault: (fault: RowFault) => void
}

/** Reads one file. `row` gets cells as they stand in the file (trimmed of nothing), numbered from 1; `end` after the last one. */
export interface SettlementReader {
  row: (cells: readonly string[], row: number) => void
  end: () => void
}

export interface SettlementReadOptions {
  /** Of the connection: account, time zone, expected currency, column map … */
  settings: Readonly<Record<string, unknown>>
}

export interface SettlementFormat {
  /** `amazon_v2`, `paypal_stl`, `camt053` … */
  id: string
  label: string
  /** `delimited`: rows of cells. `lines`: rows of one cell, the line. `document`: one row of one cell, the whole text (XML, JSON). */
  content: 'delimited' | 'lines' | 'document'
  /** Null: found out from the first line. */
  delimiter: string | null
  /** Whether a file that begins like this is of the format; the first that says so reads it. */
  accepts: (head: string) => boolean
  open: (sink: SettlementSink, options: SettlementReadOptions) => SettlementReader
}
