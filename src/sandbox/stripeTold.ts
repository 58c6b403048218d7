import type { ToldPayout } from './plants.ts'
import type { Account } from './stripeAccount.ts'
import type { Row, Thing } from './stripeObjects.ts'

/**
 * What the API says of the account: the truth, unless a payout is misstated on purpose. The account's own ledger is never touched, so
 * that whoever is told can be judged by it.
 */
export function createTelling(account: Pick<Account, 'things' | 'payoutOf'>) {
  const misstated = new Map<string, ToldPayout>()

  const thing = (it: Thing): Thing => {
    const told = it.object === 'payout' ? misstated.get(it.id) : undefined
    return it.object === 'payout' && told !== undefined ? { ...it, amount: told.amount_minor } : it
  }

  const rowsOf = (payout: string): Row[] => {
    const rows = [...account.things.values()].filter(
      (it): it is Row => it.object === 'balance_transaction' && account.payoutOf(it.id) === payout,
    )
    const told = misstated.get(payout)
    if (told === undefined) return rows
    const own = rows.filter(({ type, source }) => type === 'payout' && source === payout)
    const others = told.rows.flatMap(({ id, source, gross_minor, fee_minor, net_minor }) =>
      rows
        .filter((row) => row.source === source)
        .slice(0, 1)
        .map((row) => ({ ...row, id, amount: gross_minor, fee: fee_minor, net: net_minor })),
    )
    return [...others, ...own]
  }

  return {
    misstate: (payouts: readonly ToldPayout[]): void => {
      for (const payout of payouts) misstated.set(payout.id, payout)
    },
    thing,
    rowsOf,
  }
}

export type Telling = ReturnType<typeof createTelling>
