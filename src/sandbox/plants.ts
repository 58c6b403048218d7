/**
 * Faults put into a gateway's payouts on purpose, each where somebody who explains money to the cent has to find it. The gateway's own
 * ledger stays true; what is altered is what it tells.
 */
export const PLANTS = [
  'altered_fee',
  'missing_row',
  'doubled_row',
  'other_amount',
  'missing_bank_line',
  'short_bank_line',
  'stray_bank_line',
] as const
export type Plant = (typeof PLANTS)[number]

export interface ToldRow {
  id: string
  /** The charge or refund behind it. */
  source: string
  gross_minor: number
  fee_minor: number
  net_minor: number
}

export interface ToldPayout {
  id: string
  amount_minor: number
  rows: readonly ToldRow[]
}

export interface ToldBankLine {
  reference: string
  amount_minor: number
}

/** What has to be found: the type of the break, what it is about (a payout, a charge, a bank reference) and its amount. */
export interface ExpectedBreak {
  type: string
  about: string
  /** What came less what was expected. */
  amount_minor: number
}

export interface Planted {
  plant: Plant
  breaks: readonly ExpectedBreak[]
}

export interface Told {
  payouts: readonly ToldPayout[]
  /** Ids of the payouts that are told otherwise than they are. */
  misstated: readonly string[]
  bank: readonly ToldBankLine[]
  planted: readonly Planted[]
}

/** What one plant makes of one payout: what is told of it, what reaches the bank, what has to be found. */
interface Spoilt {
  payout: ToldPayout
  bank: readonly ToldBankLine[]
  breaks: readonly ExpectedBreak[]
}
type Spoil = (payout: ToldPayout, row: ToldRow, off_minor: number) => Spoilt

/** The bank's line of a payout that arrived as it was sent. */
export const paid = ({ id, amount_minor }: Pick<ToldPayout, 'id' | 'amount_minor'>): ToldBankLine => ({
  reference: id,
  amount_minor,
})
const withoutRow = (rows: readonly ToldRow[], gone: ToldRow): ToldRow[] => rows.filter((row) => row !== gone)

const SPOIL: Readonly<Record<Plant, Spoil>> = {
  altered_fee: (payout, row, off_minor) => ({
    payout: {
      ...payout,
      rows: payout.rows.map((each) =>
        each === row ? { ...row, fee_minor: row.fee_minor + off_minor, net_minor: row.net_minor - off_minor } : each,
      ),
    },
    bank: [paid(payout)],
    breaks: [{ type: 'payout_identity_failed', about: payout.id, amount_minor: off_minor }],
  }),
  missing_row: (payout, row) => ({
    payout: { ...payout, rows: withoutRow(payout.rows, row) },
    bank: [paid(payout)],
    // The payout says more than its rows, and what the buyer paid is missed once it is overdue.
    breaks: [
      { type: 'payout_identity_failed', about: payout.id, amount_minor: row.net_minor },
      { type: 'missing_in_ledger', about: row.source, amount_minor: -row.gross_minor },
    ],
  }),
  doubled_row: (payout, row) => ({
    payout: { ...payout, rows: [...payout.rows, { ...row, id: `${row.id}_again` }] },
    bank: [paid(payout)],
    breaks: [
      { type: 'payout_identity_failed', about: payout.id, amount_minor: -row.net_minor },
      { type: 'duplicate', about: row.source, amount_minor: row.gross_minor },
    ],
  }),
  other_amount: (payout, _row, off_minor) => ({
    payout: { ...payout, amount_minor: payout.amount_minor + off_minor },
    bank: [paid(payout)],
    breaks: [
      { type: 'payout_identity_failed', about: payout.id, amount_minor: off_minor },
      { type: 'bank_amount_diff', about: payout.id, amount_minor: -off_minor },
    ],
  }),
  missing_bank_line: (payout) => ({
    payout,
    bank: [],
    breaks: [{ type: 'payout_not_in_bank', about: payout.id, amount_minor: -payout.amount_minor }],
  }),
  short_bank_line: (payout, _row, off_minor) => ({
    payout,
    bank: [{ reference: payout.id, amount_minor: payout.amount_minor - off_minor }],
    breaks: [{ type: 'bank_amount_diff', about: payout.id, amount_minor: -off_minor }],
  }),
  stray_bank_line: (payout, row, off_minor) => {
    // Money of somebody else: it names nothing that the gateway knows.
    const stray = { reference: `XFER${row.gross_minor + off_minor}`, amount_minor: row.gross_minor + off_minor }
    return {
      payout,
      bank: [paid(payout), stray],
      breaks: [{ type: 'bank_without_payout', about: stray.reference, amount_minor: stray.amount_minor }],
    }
  },
}

const OFF_MINOR_MAX = 900

/**
 * Spoils one payout for each plant, as far as there are payouts; the rest is told as it is. Which payout, row and amount is chance's
 * choice, so that a seed says it all. A payout needs at least two rows, or nothing would be left of it.
 */
export function plant(payouts: readonly ToldPayout[], wanted: readonly Plant[], random: () => number): Told {
  const pick = (count: number): number => Math.min(count - 1, Math.floor(random() * count))
  const free = payouts.filter(({ rows }) => rows.filter(({ gross_minor }) => gross_minor > 0).length > 1)
  const chosen = new Map<string, Plant>()
  for (const each of wanted) {
    const [payout] = free.length === 0 ? [] : free.splice(pick(free.length), 1)
    if (payout !== undefined) chosen.set(payout.id, each)
  }
  const spoilt = payouts.map((payout): Spoilt & { plant?: Plant } => {
    const kind = chosen.get(payout.id)
    const sales = payout.rows.filter(({ gross_minor }) => gross_minor > 0)
    const row = sales[pick(sales.length)]
    if (kind === undefined || row === undefined) return { payout, bank: [paid(payout)], breaks: [] }
    return { plant: kind, ...SPOIL[kind](payout, row, 1 + pick(OFF_MINOR_MAX)) }
  })
  return {
    payouts: spoilt.map(({ payout }) => payout),
    misstated: spoilt.flatMap(({ payout }, index) => (payout === payouts[index] ? [] : [payout.id])),
    bank: spoilt.flatMap(({ bank }) => bank),
    planted: spoilt.flatMap(({ plant: kind, breaks }) => (kind === undefined ? [] : [{ plant: kind, breaks }])),
  }
}
