import { paid, plant, PLANTS, type Told } from './plants.ts'
import type { StripeSimulator } from './stripe.ts'

/** A channel that keeps the buyers' money and pays out by itself; it tells its payouts as they are. */
export interface Marketplace {
  payOut: () => unknown
  payouts: () => readonly { id: string; amount_minor: number; rows: { id: string; net_minor: number }[] }[]
}

/** Enough for each fault to have a payout of its own, and for some to be whole. */
const PAYOUTS = 12

/**
 * The gateway pays out what it has, in several payouts, and tells some of them wrongly from the first word on; the bank shows them, and
 * whatever was paid out before, with faults of its own. Marketplaces pay what they keep.
 */
export function payday(gateway: StripeSimulator, marketplaces: readonly Marketplace[], random: () => number): Told {
  const before = gateway.ledger().payouts
  gateway.payOutParts(PAYOUTS)
  const fresh = gateway.ledger().payouts.slice(before.length)
  const told = plant(fresh, PLANTS, random)
  gateway.misstate(told.payouts)
  // A payout that the bank sent back is not on the statement in the end.
  const arrived = before.filter(({ status }) => status === 'paid').map(paid)
  for (const marketplace of marketplaces) marketplace.payOut()
  const theirs = marketplaces.flatMap((marketplace) => marketplace.payouts()).map(paid)
  return { ...told, bank: [...arrived, ...told.bank, ...theirs] }
}
