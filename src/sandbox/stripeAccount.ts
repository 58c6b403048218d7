import { openJournal } from './simulator.ts'

/** Objects as the API shows them; the account is kept in the vendor's own words. */
interface Shown {
  id: string
  object: string
  created: number
}

export interface Charge extends Shown {
  object: 'charge'
  amount: number
  amount_captured: number
  amount_refunded: number
  balance_transaction: string
  captured: true
  currency: string
  disputed: boolean
  metadata: Record<string, string>
  paid: true
  payment_intent: string
  refunded: boolean
  status: 'succeeded'
}

export interface Refund extends Shown {
  object: 'refund'
  amount: number
  balance_transaction: string
  charge: string
  currency: string
  metadata: Record<string, string>
  payment_intent: string
  reason: 'requested_by_customer'
  status: 'succeeded'
}

export interface Dispute extends Shown {
  object: 'dispute'
  amount: number
  charge: string
  currency: string
  metadata: Record<string, string>
  payment_intent: string
  reason: 'product_not_received'
  status: 'needs_response'
}

export interface Payout extends Shown {
  object: 'payout'
  amount: number
  arrival_date: number
  automatic: true
  currency: string
  method: 'standard'
  reconciliation_status: 'in_progress' | 'completed'
  status: 'in_transit' | 'paid' | 'failed'
  trace_id: { status: 'supported'; value: string }
}

export interface Row extends Shown {
  object: 'balance_transaction'
  amount: number
  available_on: number
  currency: string
  fee: number
  net: number
  reporting_category: string
  source: string
  status: 'available'
  type: string
}

export type Thing = Charge | Refund | Dispute | Payout | Row

export interface AccountEvent {
  id: string
  object: 'event'
  api_version: string
  created: number
  data: { object: Thing }
  livemode: false
  pending_webhooks: number
  type: string
}

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

const DISPUTE_FEE = 1_500
const API_VERSION = '2026-10-28.endive'

export type Account = ReturnType<typeof openAccount>

/** The merchant's account at the gateway: what was charged, given back and paid out, and the ledger that adds up to it. */
export function openAccount(options: AccountOptions) {
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
  const nowS = (): number => Math.floor(options.now().getTime() / 1_000)
  /** Stores what one deed changed and announces `types` about `about`. */
  const commit = (change: Change, about: readonly { type: string; object: Thing }[]): void => {
    const events = about.map(({ type, object }): AccountEvent => ({
      id: newId('evt'),
      object: 'event',
      api_version: API_VERSION,
      created: nowS(),
      data: { object },
      livemode: false,
      pending_webhooks: 1,
      type,
    }))
    const whole = { ...change, events, last_id: lastId }
    journal.append(whole)
    apply(whole)
    for (const event of events) options.onEvent(event)
  }
  const rowOf = (row: {
    amount: number
    fee: number
    type: string
    reporting_category?: string
    source: string
  }): Row => ({
    id: newId('txn'),
    object: 'balance_transaction',
    created: nowS(),
    available_on: nowS(),
    currency,
    net: row.amount - row.fee,
    reporting_category: row.type,
    status: 'available',
    ...row,
  })
  const all = <T extends Thing>(object: T['object']): T[] =>
    [...things.values()].filter((thing): thing is T => thing.object === object)
  const chargeOf = (id: string): Charge => {
    const charge = things.get(id)
    if (charge?.object !== 'charge') throw new Error(`the gateway knows no charge ${id}`)
    return charge
  }
  const openRows = (): Row[] => all<Row>('balance_transaction').filter((row) => !payoutOf.has(row.id))
  const sum = (rows: readonly Row[]): number => rows.reduce((total, row) => total + row.net, 0)

  return {
    things,
    payoutOf: (row_id: string): string | undefined => payoutOf.get(row_id),
    undelivered: (): readonly AccountEvent[] => [...undelivered.values()],
    delivered: (event_id: string): void => commit({ delivered: event_id }, []),
    close: (): void => journal.close(),

    charge: (payment: {
      amount_minor: number
      currency: string
      order_number: string
      order_external_id: string
    }): { id: string } => {
      if (payment.currency.toLowerCase() !== currency) throw new Error(`the gateway account is in ${currency}`)
      const { amount_minor: amount, order_number, order_external_id } = payment
      // Half up, in integers: basis points of the amount and a fixed part.
      const fee = Math.floor((amount * options.fee.percent_bp + 5_000) / 10_000) + options.fee.fixed_minor
      const id = newId('ch')
      const row = rowOf({ amount, fee, type: 'charge', source: id })
      const charge: Charge = {
        id,
        object: 'charge',
        created: nowS(),
        amount,
        amount_captured: amount,
        amount_refunded: 0,
        balance_transaction: row.id,
        captured: true,
        currency,
        disputed: false,
        metadata: { order_number, order_external_id },
        paid: true,
        payment_intent: newId('pi'),
        refunded: false,
        status: 'succeeded',
      }
      commit({ things: [charge, row] }, [{ type: 'charge.succeeded', object: charge }])
      return { id }
    },

    /** The fee of the charge is not given back. */
    refund: (charge_id: string, amount: number): { id: string } => {
      const before = chargeOf(charge_id)
      if (amount < 1 || before.amount_refunded + amount > before.amount)
        throw new Error(`charge ${charge_id} has less left than ${amount}`)
      const amount_refunded = before.amount_refunded + amount
      const charge: Charge = { ...before, amount_refunded, refunded: amount_refunded === before.amount }
      const id = newId('re')
      const row = rowOf({ amount: -amount, fee: 0, type: 'refund', source: id })
      const refund: Refund = {
        id,
        object: 'refund',
        created: nowS(),
        amount,
        balance_transaction: row.id,
        charge: charge_id,
        currency,
        metadata: {},
        payment_intent: charge.payment_intent,
        reason: 'requested_by_customer',
        status: 'succeeded',
      }
      commit({ things: [charge, refund, row] }, [
        { type: 'refund.created', object: refund },
        { type: 'charge.refunded', object: charge },
      ])
      return { id }
    },

    dispute: (charge_id: string): { id: string } => {
      const charge: Charge = { ...chargeOf(charge_id), disputed: true }
      const amount = charge.amount - charge.amount_refunded
      const id = newId('dp')
      const row = rowOf({
        amount: -amount,
        fee: DISPUTE_FEE,
        type: 'adjustment',
        reporting_category: 'dispute',
        source: id,
      })
      const dispute: Dispute = {
        id,
        object: 'dispute',
        created: nowS(),
        amount,
        charge: charge_id,
        currency,
        metadata: {},
        payment_intent: charge.payment_intent,
        reason: 'product_not_received',
        status: 'needs_response',
      }
      commit({ things: [charge, dispute, row] }, [{ type: 'charge.dispute.created', object: dispute }])
      return { id }
    },

    /** Pays the whole balance out; its rows and the payout's own row are then zero together. */
    payOut: (): { id: string; amount_minor: number } | undefined => {
      const rows = openRows()
      const amount = sum(rows)
      if (amount <= 0) return undefined
      const id = newId('po')
      const own = rowOf({ amount: -amount, fee: 0, type: 'payout', source: id })
      const payout: Payout = {
        id,
        object: 'payout',
        created: nowS(),
        amount,
        arrival_date: nowS(),
        automatic: true,
        currency,
        method: 'standard',
        reconciliation_status: 'completed',
        status: 'paid',
        trace_id: { status: 'supported', value: `TRACE${id.slice(-8)}` },
      }
      commit({ things: [payout, own], paid_out: { payout: id, rows: [...rows.map((row) => row.id), own.id] } }, [
        { type: 'payout.created', object: { ...payout, status: 'in_transit', reconciliation_status: 'in_progress' } },
        { type: 'payout.paid', object: { ...payout, reconciliation_status: 'in_progress' } },
        { type: 'payout.reconciliation_completed', object: payout },
      ])
      return { id, amount_minor: amount }
    },

    /** The bank sends a paid payout back: its amount is in the balance again, as one row of the next payout. */
    failPayout: (id: string): boolean => {
      const before = things.get(id)
      if (before?.object !== 'payout' || before.status !== 'paid') return false
      const payout: Payout = { ...before, status: 'failed' }
      const back = rowOf({ amount: payout.amount, fee: 0, type: 'payout_failure', source: id })
      commit({ things: [payout, back] }, [{ type: 'payout.failed', object: payout }])
      return true
    },

    ledger: (): StripeLedger => ({
      charges: all<Charge>('charge').map((charge) => {
        const row = things.get(charge.balance_transaction)
        const { order_number = '', order_external_id = '' } = charge.metadata
        const fee_minor = row?.object === 'balance_transaction' ? row.fee : 0
        return { id: charge.id, amount_minor: charge.amount, fee_minor, refunded_minor: charge.amount_refunded, order_number, order_external_id } // prettier-ignore
      }),
      refunds: all<Refund>('refund').map(({ id, charge, amount }) => ({ id, charge_id: charge, amount_minor: amount })),
      payouts: all<Payout>('payout').map(({ id, status, amount }) => ({
        id,
        status,
        amount_minor: amount,
        rows: all<Row>('balance_transaction')
          .filter((row) => payoutOf.get(row.id) === id && !(row.type === 'payout' && row.source === id))
          .map((row) => ({
            id: row.id,
            type: row.type,
            source: row.source,
            gross_minor: row.amount,
            fee_minor: row.fee,
            net_minor: row.net,
          })),
      })),
      balance_minor: sum(openRows()),
    }),
  }
}
