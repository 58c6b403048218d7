/** One payout that stands on a clearing account: paid out and not (wholly) seen at the bank, or seen there before it was booked. */
export interface ClearingItem {
  /** Null: a write-off that belongs to no payout. */
  settlement_id: string | null
  external_id: string | null
  status: string | null
  payout_minor: number
  received_minor: number
  written_off_minor: number
  open_minor: number
}

export interface ClearingSum {
  connection_id: string
  currency: string
  /** Of the books. */
  balance_minor: number
  /** Of the payouts, bank lines and write-offs themselves. */
  unsettled_minor: number
}

interface Balance {
  connection_id: string
  currency: string
  balance_minor: number
}

/** Holds the clearing accounts against the list of what is open, by connection and currency; accounts that only one side knows too. */
export function clearingProofs(
  balances: readonly Balance[],
  items: readonly (ClearingItem & { connection_id: string; currency: string })[],
): (ClearingSum & { difference_minor: number; items: ClearingItem[] })[] {
  const byAccount = new Map<string, ClearingSum & { items: ClearingItem[] }>()
  const account = (connection_id: string, currency: string) => {
    const key = `${connection_id} ${currency}`
    const known = byAccount.get(key) ?? { connection_id, currency, balance_minor: 0, unsettled_minor: 0, items: [] }
    byAccount.set(key, known)
    return known
  }
  for (const { connection_id, currency, balance_minor } of balances)
    account(connection_id, currency).balance_minor += balance_minor
  for (const { connection_id, currency, ...item } of items) {
    const sum = account(connection_id, currency)
    sum.unsettled_minor += item.open_minor
    sum.items.push(item)
  }
  return [...byAccount.keys()].sort().flatMap((key) => {
    const found = byAccount.get(key)
    if (found === undefined) return []
    const { items: listed, ...sum } = found
    return [{ ...sum, difference_minor: sum.balance_minor - sum.unsettled_minor, items: listed }]
  })
}

export interface Unposted {
  settlement_id: string
  connection_id: string
  external_id: string
  currency: string
  payout_minor: number
  due_on: string
  /**
   * `held`: its identities do not hold and nobody has accepted it. `posted_later`: the period was locked, it stands in `posted_in`.
   * `not_posted_yet`: the posting job has it before it; this one keeps a month from being proven.
   */
  reason: 'held' | 'posted_later' | 'not_posted_yet'
  posted_in: string | null
  /** The version that the books of the period have, where they have an older one. */
  posted_version: number | null
  version: number
}

export function unpostedOf({ proof, ...row }: Omit<Unposted, 'reason'> & { proof: string }): Unposted {
  const reason = proof === 'held' ? 'held' : row.posted_in === null ? 'not_posted_yet' : 'posted_later'
  return { ...row, reason }
}
