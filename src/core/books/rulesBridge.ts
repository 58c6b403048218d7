import type { SettlementLine } from '../model/settlement.ts'
import { feeAccountOf, grossAccountOf, type FeeType } from './rulesJournal.ts'

type Kind = SettlementLine['kind']

/** Lines of one kind and fee type, added up. */
export interface BridgeLine {
  kind: Kind
  fee_type: FeeType | null
  gross_minor: number
  fee_minor: number
}

export interface BridgeStep {
  /** `change`: what is added or taken, `total`: what has come out of it. */
  role: 'change' | 'total'
  id: string
  label: string
  amount_minor: number
  /** Sum before and after the step; a total begins at zero. */
  from_minor: number
  to_minor: number
}

export interface Bridge {
  currency: string
  steps: BridgeStep[]
}

/** The way from what buyers paid to what is paid out: accounts in the order in which finance reads them. */
const ORDER: readonly (readonly [account: RegExp, id: string, label: string])[] = [
  [/^sales$/, 'sales', 'Sales'],
  [/^shipping$/, 'shipping', 'Shipping'],
  [/^tax$/, 'tax', 'Tax'],
  [/^promotions$/, 'promotions', 'Promotions'],
  [/^refunds$/, 'refunds', 'Refunds'],
  [/^disputes$/, 'disputes', 'Disputes'],
  [/^fees:commission$/, 'commission', 'Commission'],
  [/^fees:payment$/, 'payment_fees', 'Payment fees'],
  [/^fees:dispute$/, 'dispute_fees', 'Dispute fees'],
  [/^fees:advertising$/, 'advertising', 'Advertising'],
  [/^fees:(fulfilment|storage|inbound|shipping_label)$/, 'logistics_fees', 'Logistics fees'],
  [/^fees:/, 'other_fees', 'Other fees'],
  [/^reserves$/, 'reserves', 'Reserves'],
  [/^carry_over$/, 'carry_over', 'Carried over'],
  [/^loans$/, 'loans', 'Loans'],
  [/^transfers$/, 'transfers', 'Transfers'],
  [/^adjustments$/, 'adjustments', 'Adjustments'],
  [/./, 'other', 'Other'],
]
const GROSS_IDS: ReadonlySet<string> = new Set(['sales', 'shipping', 'tax', 'promotions'])

/**
 * Gross to net of one payout, with running totals: what was sold, what was taken off it, what is paid out. What the lines do not
 * explain is a step of its own, so that the last total is always the payout.
 */
export function bridgeOf(currency: string, payout_minor: number, lines: readonly BridgeLine[]): Bridge {
  const amounts = new Map<string, number>()
  const add = (account: string, amount_minor: number): void => {
    const id = ORDER.find(([pattern]) => pattern.test(account))?.[1] ?? 'other'
    amounts.set(id, (amounts.get(id) ?? 0) + amount_minor)
  }
  for (const { kind, fee_type, gross_minor, fee_minor } of lines) {
    add(grossAccountOf(kind, fee_type), gross_minor)
    add(feeAccountOf(kind, fee_type), -fee_minor)
  }
  const steps: BridgeStep[] = []
  let running = 0
  const change = (id: string, label: string, amount_minor: number): void => {
    if (amount_minor === 0) return
    steps.push({ role: 'change', id, label, amount_minor, from_minor: running, to_minor: running + amount_minor })
    running += amount_minor
  }
  const total = (id: string, label: string): void =>
    void steps.push({ role: 'total', id, label, amount_minor: running, from_minor: 0, to_minor: running })
  const changes = (isMeant: (id: string) => boolean): void => {
    for (const [, id, label] of ORDER) if (isMeant(id)) change(id, label, amounts.get(id) ?? 0)
  }
  changes((id) => GROSS_IDS.has(id))
  if (steps.length > 1) total('gross', 'Gross')
  changes((id) => !GROSS_IDS.has(id))
  change('unexplained', 'Not explained by its lines', payout_minor - running)
  total('payout', 'Payout')
  return { currency, steps }
}
