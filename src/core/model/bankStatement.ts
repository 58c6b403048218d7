import Type from 'typebox'
import { closed, Id, Instant, Nullable } from './schema.ts'
import { Currency, MinorUnits } from './money.ts'

/** A calendar day, as banks book by days. */
export const Day = Type.String({ format: 'date' })

/** One booked movement. Money in is positive. */
export const BankLine = Type.Object(
  {
    /** Stable over every file that shows this movement again. */
    external_id: Id,
    booked_on: Day,
    value_on: Nullable(Day),
    amount_minor: MinorUnits,
    /** A name that the bank or the payer gave the movement (end-to-end id, customer reference). */
    reference: Nullable(Type.String({ maxLength: 1_000 })),
    /** Free text, which may name people. */
    text: Nullable(Type.String({ maxLength: 20_000 })),
  },
  closed,
)
export type BankLine = Type.Static<typeof BankLine>

/** A statement of one account: opening balance + Σ lines = closing balance. */
export const BankStatement = Type.Object(
  {
    external_id: Id,
    account: Id,
    currency: Currency,
    /** Null: the file does not say. */
    begin_minor: Nullable(MinorUnits),
    end_minor: Nullable(MinorUnits),
    from_at: Nullable(Instant),
    to_at: Nullable(Instant),
    lines: Type.Array(BankLine, { maxItems: 1_000_000 }),
  },
  closed,
)
export type BankStatement = Type.Static<typeof BankStatement>

/** What was read from one file. A fault belongs to the file: its statements are held until somebody has looked. */
export interface BankFileRead {
  format: 'csv' | 'camt053' | 'mt940'
  statements: BankStatement[]
  faults: { row: number | null; column: string | null; message: string }[]
  warnings: string[]
}
