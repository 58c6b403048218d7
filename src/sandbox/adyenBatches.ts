import { decimalFromMinor } from '../core/model/money.ts'
import { openJournal } from './simulator.ts'

/** One row of a batch. What the vendor keeps is one commission, or markup, scheme fees and interchange. */
export interface BatchRow {
  type: string
  psp: string
  modification: string
  order: string
  at: string
  gross_minor: number
  fees: readonly number[]
}

type Change = { row: BatchRow } | { closed: number } | { restated: number; row: BatchRow }

export interface AdyenLedger {
  batches: { batch: number; payout_minor: number; rows: { type: string; psp: string; net_minor: number }[] }[]
}

export type AdyenBatches = ReturnType<typeof openAdyenBatches>

const netOf = ({ gross_minor, fees }: BatchRow): number => gross_minor - fees.reduce((sum, fee) => sum + fee, 0)
const sumOf = (rows: readonly BatchRow[]): number => rows.reduce((sum, row) => sum + netOf(row), 0)

interface BatchOptions {
  journal_path: string | null
  currency: string
  now: () => Date
}

/** Batches as the journal left them; the last one is open. */
function openMemory({ journal_path }: BatchOptions) {
  const journal = openJournal<Change>(journal_path)
  const batches: { rows: BatchRow[]; closed: boolean }[] = [{ rows: [], closed: false }]
  let count = 0

  const apply = (change: Change): void => {
    count += 1
    if ('closed' in change) {
      const closed = batches[change.closed - 1]
      if (closed !== undefined) closed.closed = true
      batches.push({ rows: [], closed: false })
    } else if ('restated' in change) {
      const rows = batches[change.restated - 1]?.rows
      const payout = rows?.find(({ type }) => type === 'MerchantPayout')
      if (rows === undefined || payout === undefined) return
      rows.push(change.row)
      payout.gross_minor -= netOf(change.row)
    } else batches.at(-1)?.rows.push({ ...change.row })
  }
  for (const change of journal.events()) apply(change)
  const commit = (change: Change): void => {
    journal.append(change)
    apply(change)
  }
  return {
    batches,
    commit,
    count: (): number => count,
    close: (): void => journal.close(),
  }
}

/** A merchant account: rows gather in a batch until it is paid out, and its report is written. All rows of a closed batch come to zero. */
export function openAdyenBatches(options: BatchOptions) {
  const { now, currency } = options
  const { batches, commit, count, close } = openMemory(options)
  const newPsp = (): string => `SANDBOX${String(count()).padStart(9, '0')}`
  const add = (row: Pick<BatchRow, 'type' | 'gross_minor'> & Partial<BatchRow>): string => {
    const psp = row.psp ?? newPsp()
    commit({ row: { psp, modification: '', order: '', fees: [], at: now().toISOString(), ...row } })
    return psp
  }
  const orderOf = (psp: string): string =>
    batches.flatMap(({ rows }) => rows).find((row) => row.psp === psp)?.order ?? ''

  return {
    /** One fee: blended pricing. Three: markup, scheme fees, interchange. */
    settle: (payment: {
      amount_minor: number
      order_number: string
      fees: readonly number[]
      psp_reference?: string
    }): { psp_reference: string } => {
      const { amount_minor, order_number, fees, psp_reference } = payment
      return { psp_reference: add({ type: 'Settled', gross_minor: amount_minor, fees, order: order_number, ...(psp_reference === undefined ? {} : { psp: psp_reference }) }) } // prettier-ignore
    },
    refund: (psp: string, amount_minor: number): void =>
      void add({ type: 'Refunded', psp, modification: newPsp(), order: orderOf(psp), gross_minor: -amount_minor }),
    chargeback: (psp: string, amount_minor: number): void =>
      void add({ type: 'Chargeback', psp, modification: newPsp(), order: orderOf(psp), gross_minor: -amount_minor }),
    fee: (amount_minor: number): void => void add({ type: 'Fee', psp: '', gross_minor: -amount_minor }),
    /** Pays out all but what is kept for the next batch; undefined where there is nothing to pay. */
    payOut: (keep_minor = 0): { batch: number; amount_minor: number } | undefined => {
      const batch = batches.length
      const amount_minor = sumOf(batches.at(-1)?.rows ?? []) - keep_minor
      if (amount_minor <= 0) return undefined
      if (keep_minor !== 0) add({ type: 'Balancetransfer', psp: '', gross_minor: -keep_minor })
      add({ type: 'MerchantPayout', psp: '', modification: `PAYOUT${batch}`, gross_minor: -amount_minor })
      commit({ closed: batch })
      if (keep_minor !== 0) add({ type: 'Balancetransfer', psp: '', gross_minor: keep_minor })
      return { batch, amount_minor }
    },
    /** The vendor corrects a closed batch: one row more, and another payout. */
    restate: (batch: number, gross_minor: number): void =>
      commit({ restated: batch, row: { type: 'ManualCorrected', psp: newPsp(), modification: '', order: '', at: now().toISOString(), gross_minor, fees: [] } }), // prettier-ignore
    reportOf: (batch: number): string | undefined => {
      const found = batches[batch - 1]
      return found?.closed === true ? csvOf(found.rows, batch, currency) : undefined
    },
    ledger: (): AdyenLedger => ({
      batches: batches.flatMap(({ rows, closed }, index) => {
        const payout = rows.find(({ type }) => type === 'MerchantPayout')
        const members = rows.filter((row) => row !== payout)
        return closed && payout !== undefined
          ? [{ batch: index + 1, payout_minor: -netOf(payout), rows: members.map((row) => ({ type: row.type, psp: row.psp, net_minor: netOf(row) })) }] // prettier-ignore
          : []
      }),
    }),
    close,
  }
}

export const MERCHANT_ACCOUNT = 'SandboxShopECOM'
const COLUMNS = [
  'Company Account', 'Merchant Account', 'Psp Reference', 'Merchant Reference', 'Payment Method', 'Creation Date', 'TimeZone', 'Type',
  'Modification Reference', 'Gross Currency', 'Gross Debit (GC)', 'Gross Credit (GC)', 'Exchange Rate', 'Net Currency', 'Net Debit (NC)',
  'Net Credit (NC)', 'Commission (NC)', 'Markup (NC)', 'Scheme Fees (NC)', 'Interchange (NC)', 'Payment Method Variant', 'Batch Number',
] as const // prettier-ignore

function csvOf(rows: readonly BatchRow[], batch: number, currency: string): string {
  const positive = (minor: number): string => (minor > 0 ? decimalFromMinor(minor, currency) : '')
  const lines = rows.map((row) => {
    const net = netOf(row)
    const isPayment = row.psp !== ''
    const [commission, markup, scheme, interchange] = row.fees.length === 1 ? row.fees : [0, ...row.fees]
    const gross = isPayment ? [currency, positive(-row.gross_minor), positive(row.gross_minor), '1'] : ['', '', '', '']
    return [
      'SandboxShop', MERCHANT_ACCOUNT, row.psp, row.order, isPayment ? 'visa' : '', row.at.slice(0, 19).replace('T', ' '), 'UTC', row.type,
      row.modification, ...gross, currency, positive(-net), positive(net), ...[commission, markup, scheme, interchange].map((fee) => positive(fee ?? 0)),
      '', String(batch),
    ] // prettier-ignore
  })
  return [COLUMNS, ...lines].map((cells) => `${cells.join(',')}\r\n`).join('')
}
