import { openJournal } from './simulator.ts'
import {
  newCharge,
  newDispute,
  newDisputeRow,
  newEvent,
  newPayout,
  newRefund,
  newRow,
  type AccountEvent,
  type Birth,
  type Charge,
  type Payout,
  type Refund,
  type Row,
  type Thing,
} from './stripeObjects.ts'

/** One line of the journal: all that one deed changed. */
interface Change {
  things?: Thing[]
  /** Rows that belong to a payout from now on. */
  paid_out?: { payout: string; rows: string[] }
  events?: AccountEvent[]
  delivered?: string
  last_id?: number
}

export interface AccountOptions {
  journal_path: string | null
  currency: string
  fee: { percent_bp: number; fixed_minor: number }
  now: () => Date
  onEvent: (event: AccountEvent) => void
}

export interface GatewayRow {
  id: string
  type: string
  source: string
  gross_minor: number
  fee_minor: number
  net_minor: number
}

export interface StripeLedger {
  charges: {
    id: string
    amount_minor: number
    fee_minor: number
    refunded_minor: number
    order_number: string
    order_external_id: string
  }[]
  refunds: { id: string; charge_id: string; amount_minor: number }[]
  /** Rows without the payout's own; their net sums to the payout. */
  payouts: { id: string; status: Payout['status']; amount_minor: number; rows: GatewayRow[] }[]
  /** What the next payout would be. */
  balance_minor: number
}

export interface PaidOut {
  id: string
  amount_minor: number
}

export type Account = ReturnType<typeof openAccount>

/** The merchant's account at the gateway: what was charged, given back and paid out, and the ledger that adds up to it. */
export function openAccount(options: AccountOptions) {
  const books = openBooks(options)
  return {
    things: books.things,
    payoutOf: books.payoutOf,
    undelivered: books.undelivered,
    delivered: (event_id: string): void => books.commit({ delivered: event_id }, []),
    close: books.close,
    ledger: (): StripeLedger => ledgerOf(books),
    ...createTill(books, options),
    ...createPayouts(books),
  }
}

type Books = ReturnType<typeof openBooks>

/** The account's memory: every object by id, which rows a payout took, and which events nobody has heard yet. */
function openBooks(options: AccountOptions) {
  const journal = openJournal<Change>(options.journal_path)
  const things = new Map<string, Thing>()
  const payoutOf = new Map<string, string>()
  const undelivered = new Map<string, AccountEvent>()
  const currency = options.currency.toLowerCase()
  let lastId = 0

  const apply = (change: Change): void => {
    for (const thing of change.things ?? []) things.set(thing.id, thing)
    for (const row of change.paid_out?.rows ?? []) payoutOf.set(row, change.paid_out?.payout ?? '')
    for (const event of change.events ?? []) undelivered.set(event.id, event)
    if (change.delivered !== undefined) undelivered.delete(change.delivered)
    lastId = Math.max(lastId, change.last_id ?? 0)
  }
  for (const change of journal.events()) apply(change)

  const newId = (prefix: string): string => `${prefix}_sandbox${String((lastId += 1)).padStart(8, '0')}`
  const birth = (prefix: string): Birth => ({
    id: newId(prefix),
    created: Math.floor(options.now().getTime() / 1_000),
    currency,
  })
  const all = <T extends Thing>(object: T['object']): T[] =>
    [...things.values()].filter((thing): thing is T => thing.object === object)

  return {
    things,
    currency,
    newId,
    birth,
    all,
    payoutOf: (row_id: string): string | undefined => payoutOf.get(row_id),
    undelivered: (): readonly AccountEvent[] => [...undelivered.values()],
    openRows: (): Row[] => all<Row>('balance_transaction').filter((row) => !payoutOf.has(row.id)),
    close: (): void => journal.close(),
    /** Stores what one deed changed in one line of the journal, and announces it. */
    commit: (change: Change, news: readonly { type: string; object: Thing }[]): void => {
      const events = news.map(({ type, object }) => newEvent(birth('evt'), type, object))
      const whole = { ...change, events, last_id: lastId }
      journal.append(whole)
      apply(whole)
      for (const event of events) options.onEvent(event)
    },
  }
}

const netOf = (rows: readonly Row[]): number => rows.reduce((total, row) => total + row.net, 0)

/** Money from buyers, back to them, and taken back by their banks. */
function createTill(books: Books, { fee }: AccountOptions) {
  const chargeOf = (id: string): Charge => {
    const charge = books.things.get(id)
    if (charge?.object !== 'charge') throw new Error(`the gateway knows no charge ${id}`)
    return charge
  }
  return {
    charge: (payment: {
      amount_minor: number
      currency: string
      order_number: string
      order_external_id: string
    }): { id: string } => {
      if (payment.currency.toLowerCase() !== books.currency)
        throw new Error(`the gateway account is in ${books.currency}`)
      const { amount_minor: amount, order_number, order_external_id } = payment
      const born = books.birth('ch')
      // Half up, in integers: basis points of the amount and a fixed part.
      const cost = Math.floor((amount * fee.percent_bp + 5_000) / 10_000) + fee.fixed_minor
      const row = newRow(books.birth('txn'), { amount, fee: cost, type: 'charge', source: born.id })
      const charge = newCharge(born, {
        amount,
        row: row.id,
        intent: books.newId('pi'),
        metadata: { order_number, order_external_id },
      })
      books.commit({ things: [charge, row] }, [{ type: 'charge.succeeded', object: charge }])
      return { id: charge.id }
    },

    /** The fee of the charge is not given back. */
    refund: (charge_id: string, amount: number): { id: string } => {
      const before = chargeOf(charge_id)
      const amount_refunded = before.amount_refunded + amount
      if (amount < 1 || amount_refunded > before.amount)
        throw new Error(`charge ${charge_id} has less left than ${amount}`)
      const charge: Charge = { ...before, amount_refunded, refunded: amount_refunded === before.amount }
      const born = books.birth('re')
      const row = newRow(books.birth('txn'), { amount: -amount, fee: 0, type: 'refund', source: born.id })
      const refund = newRefund(born, { amount, row: row.id, charge })
      books.commit({ things: [charge, refund, row] }, [
        { type: 'refund.created', object: refund },
        { type: 'charge.refunded', object: charge },
      ])
      return { id: refund.id }
    },

    dispute: (charge_id: string): { id: string } => {
      const charge: Charge = { ...chargeOf(charge_id), disputed: true }
      const dispute = newDispute(books.birth('dp'), charge)
      const row = newDisputeRow(books.birth('txn'), dispute)
      books.commit({ things: [charge, dispute, row] }, [{ type: 'charge.dispute.created', object: dispute }])
      return { id: dispute.id }
    },
  }
}

/** Rows in so many runs of about the same length, each of which comes to money; fewer runs where refunds would make one negative. */
function partsOf(rows: readonly Row[], count: number): Row[][] {
  const size = Math.max(1, Math.ceil(rows.length / count))
  const parts: Row[][] = []
  for (const row of rows) {
    const last = parts.at(-1)
    if (last === undefined || (last.length >= size && netOf(last) > 0)) parts.push([row])
    else last.push(row)
  }
  // What is left at the end may be refunds alone: they come off the payouts before.
  while (parts.length > 1 && netOf(parts.at(-1) ?? []) <= 0) parts.at(-2)?.push(...(parts.pop() ?? []))
  return parts.filter((part) => netOf(part) > 0)
}

function createPayouts(books: Books) {
  const payOutParts = (count: number): PaidOut[] =>
    partsOf(books.openRows(), count).map((rows) => {
      const amount = netOf(rows)
      const payout = newPayout(books.birth('po'), amount)
      const own = newRow(books.birth('txn'), { amount: -amount, fee: 0, type: 'payout', source: payout.id })
      const paid_out = { payout: payout.id, rows: [...rows.map((row) => row.id), own.id] }
      books.commit({ things: [payout, own], paid_out }, [
        { type: 'payout.created', object: { ...payout, status: 'in_transit', reconciliation_status: 'in_progress' } },
        { type: 'payout.paid', object: { ...payout, reconciliation_status: 'in_progress' } },
        { type: 'payout.reconciliation_completed', object: payout },
      ])
      return { id: payout.id, amount_minor: amount }
    })
  return {
    /** Pays the whole balance out; its rows and the payout's own row are then zero together. Undefined when there is none. */
    payOut: (): PaidOut | undefined => payOutParts(1)[0],
    /** The same in several payouts, oldest rows first, as if so many days had passed; fewer where there is too little. */
    payOutParts,

    /** The bank sends a paid payout back: its amount is in the balance again, as one row of the next payout. */
    failPayout: (id: string): boolean => {
      const before = books.things.get(id)
      if (before?.object !== 'payout' || before.status !== 'paid') return false
      const payout: Payout = { ...before, status: 'failed' }
      const back = newRow(books.birth('txn'), { amount: payout.amount, fee: 0, type: 'payout_failure', source: id })
      books.commit({ things: [payout, back] }, [{ type: 'payout.failed', object: payout }])
      return true
    },
  }
}

function ledgerOf(books: Books): StripeLedger {
  const feeOf = (charge: Charge): number => {
    const row = books.things.get(charge.balance_transaction)
    return row?.object === 'balance_transaction' ? row.fee : 0
  }
  const rowsOf = (payout: Payout): GatewayRow[] =>
    books
      .all<Row>('balance_transaction')
      .filter((row) => books.payoutOf(row.id) === payout.id && !(row.type === 'payout' && row.source === payout.id))
      .map(({ id, type, source, amount, fee, net }) => ({
        id,
        type,
        source,
        gross_minor: amount,
        fee_minor: fee,
        net_minor: net,
      }))
  return {
    charges: books.all<Charge>('charge').map((charge) => ({
      id: charge.id,
      amount_minor: charge.amount,
      fee_minor: feeOf(charge),
      refunded_minor: charge.amount_refunded,
      order_number: charge.metadata['order_number'] ?? '',
      order_external_id: charge.metadata['order_external_id'] ?? '',
    })),
    refunds: books
      .all<Refund>('refund')
      .map(({ id, charge, amount }) => ({ id, charge_id: charge, amount_minor: amount })),
    payouts: books
      .all<Payout>('payout')
      .map((payout) => ({ id: payout.id, status: payout.status, amount_minor: payout.amount, rows: rowsOf(payout) })),
    balance_minor: netOf(books.openRows()),
  }
}
