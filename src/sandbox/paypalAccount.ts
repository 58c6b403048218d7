import { openJournal } from './simulator.ts'

/** One entry of the account. Amounts are signed from the merchant's side; `ending_minor` is the balance behind it. */
export interface AccountRow {
  /** What never changes, unlike the id that the vendor shows. */
  serial: number
  id: string
  code: string
  at: string
  currency: string
  gross_minor: number
  /** Negative, as the vendor writes it. */
  fee_minor: number
  ending_minor: number
  reference: string | null
  invoice: string | null
  /** Booked, and counted in every balance, but not in the records that are searched. */
  hidden: boolean
}

type Change = { rows: AccountRow[] } | { renamed: number; id: string } | { shown: number[] }

export interface PaypalLedger {
  rows: Pick<AccountRow, 'id' | 'code' | 'currency' | 'gross_minor' | 'fee_minor' | 'ending_minor'>[]
  withdrawals: { id: string; currency: string; amount_minor: number }[]
  balances: Record<string, number>
}

export interface AccountOptions {
  journal_path: string | null
  fee: { percent_bp: number; fixed_minor: number }
  now: () => Date
}

export type PaypalAccount = ReturnType<typeof openPaypalAccount>

/** Entries as the journal left them. Every one moves the balance of its currency. */
function openBooks({ journal_path, now }: AccountOptions) {
  const journal = openJournal<Change>(journal_path)
  const rows: AccountRow[] = []
  let hiding = false

  const apply = (change: Change): void => {
    if ('rows' in change) rows.push(...change.rows)
    else if ('shown' in change) for (const serial of change.shown) rowAt(serial).hidden = false
    else rowAt(change.renamed).id = change.id
  }
  const rowAt = (serial: number): AccountRow => {
    const row = rows[serial]
    if (row === undefined) throw new Error(`the account has no entry ${serial}`)
    return row
  }
  for (const change of journal.events()) apply(change)
  const commit = (change: Change): void => {
    journal.append(change)
    apply(change)
  }

  const balanceOf = (currency: string): number => rows.findLast((row) => row.currency === currency)?.ending_minor ?? 0
  const newId = (serial: number): string => `SANDBOX${String(serial).padStart(10, '0')}`
  const byId = (id: string): AccountRow => {
    const row = rows.find((candidate) => candidate.id === id)
    if (row === undefined) throw new Error(`the account knows no transaction ${id}`)
    return row
  }

  type Booking = Pick<AccountRow, 'code' | 'currency' | 'gross_minor'> & Partial<Pick<AccountRow, 'id' | 'fee_minor' | 'reference' | 'invoice'>> // prettier-ignore
  const book = (...bookings: Booking[]): AccountRow[] => {
    const made: AccountRow[] = []
    for (const { fee_minor = 0, reference = null, invoice = null, ...booking } of bookings) {
      const serial = rows.length + made.length
      const before =
        made.findLast((row) => row.currency === booking.currency)?.ending_minor ?? balanceOf(booking.currency)
      const ending_minor = before + booking.gross_minor + fee_minor
      const at = now().toISOString()
      made.push({
        id: newId(serial),
        ...booking,
        serial,
        at,
        fee_minor,
        ending_minor,
        reference,
        invoice,
        hidden: hiding,
      })
    }
    commit({ rows: made })
    return made
  }
  return {
    rows,
    book,
    commit,
    balanceOf,
    byId,
    newId,
    hide: (next: boolean): void => void (hiding = next),
    close: (): void => journal.close(),
  }
}

/** The merchant's account; whatever leaves it for the bank is a withdrawal. */
export function openPaypalAccount(options: AccountOptions) {
  const { rows, book, commit, balanceOf, byId, newId, hide, close } = openBooks(options)
  const { fee } = options
  /** Half up, in integers: basis points of the amount and a fixed part. */
  const feeOf = (amount: number): number => -Math.floor((amount * fee.percent_bp + 5_000) / 10_000) - fee.fixed_minor

  return {
    rows: (): readonly AccountRow[] => rows,
    balances: (): Record<string, number> => Object.fromEntries([...new Set(rows.map((row) => row.currency))].map((currency) => [currency, balanceOf(currency)])), // prettier-ignore
    pay: (payment: { amount_minor: number; currency: string; order_number: string }): { id: string } => {
      const { amount_minor, currency, order_number } = payment
      const [row] = book({
        code: 'T0006',
        currency,
        gross_minor: amount_minor,
        fee_minor: feeOf(amount_minor),
        invoice: order_number,
      })
      return { id: row?.id ?? '' }
    },
    refund: (id: string, amount_minor: number): { id: string } => {
      const { currency, invoice } = byId(id)
      const [row] = book({ code: 'T1107', currency, gross_minor: -amount_minor, reference: id, invoice })
      return { id: row?.id ?? '' }
    },
    chargeback: (id: string): void => {
      const { currency, gross_minor, invoice } = byId(id)
      book({ code: 'T1201', currency, gross_minor: -gross_minor, reference: id, invoice }, { code: 'T0106', currency, gross_minor: -1_600, reference: id }) // prettier-ignore
    },
    hold: (id: string): void => {
      const { currency, gross_minor } = byId(id)
      book({ id, code: 'T1503', currency, gross_minor: -gross_minor })
    },
    release: (id: string): void => {
      const { currency, gross_minor } = byId(id)
      book({ id, code: 'T1105', currency, gross_minor })
    },
    /** Two entries under one reference: what was given, and what came of it. */
    convert: (
      from: { currency: string; amount_minor: number },
      to: { currency: string; amount_minor: number },
    ): void => {
      const reference = `FX${rows.length}`
      book({ code: 'T0200', currency: from.currency, gross_minor: -from.amount_minor, reference }, { code: 'T0200', currency: to.currency, gross_minor: to.amount_minor, reference }) // prettier-ignore
    },
    withdraw: (
      currency: string,
      amount_minor = balanceOf(currency),
    ): { id: string; amount_minor: number } | undefined => {
      if (amount_minor <= 0 || amount_minor > balanceOf(currency)) return undefined
      const [row] = book({ code: 'T0400', currency, gross_minor: -amount_minor })
      return { id: row?.id ?? '', amount_minor }
    },
    /** The vendor corrects its records: the same withdrawal under another id. */
    renameWithdrawal: (id: string): { id: string } => {
      const { serial } = byId(id)
      const next = `${newId(serial)}C`
      commit({ renamed: serial, id: next })
      return { id: next }
    },
    /** What `work` books is in the balances at once, and in the searched records only after `catchUp`. */
    behind: (work: () => void): void => {
      hide(true)
      work()
      hide(false)
    },
    catchUp: (): void => commit({ shown: rows.filter((row) => row.hidden).map((row) => row.serial) }),
    ledger: (): PaypalLedger => ({
      rows: rows.map(({ id, code, currency, gross_minor, fee_minor, ending_minor }) => ({ id, code, currency, gross_minor, fee_minor, ending_minor })), // prettier-ignore
      withdrawals: rows.filter((row) => row.code === 'T0400').map(({ id, currency, gross_minor }) => ({ id, currency, amount_minor: -gross_minor })), // prettier-ignore
      balances: Object.fromEntries(rows.map((row) => [row.currency, row.ending_minor])),
    }),
    close,
  }
}
