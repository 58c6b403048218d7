import type { SettlementLine } from '../../core/model/settlement.ts'

type Kind = SettlementLine['kind']

/**
 * Event codes that say more than their group. The codes T0106, T1105, T1106, T1107 and T1201 to T1202 follow the vendor's list; apart from
 * T0104, T1105, T1114 and T1503 the list was not checked against a live account.
 */
const CODES: Readonly<Record<string, Kind>> = {
  T0106: 'dispute_fee',
  T1105: 'reserve_release',
  T1106: 'dispute',
  T1110: 'reserve_hold',
  T1111: 'reserve_release',
  T1114: 'transfer',
  T1201: 'dispute',
  T1202: 'dispute',
  T1207: 'dispute_fee',
}

/** The first two digits are enough for the rest. */
const GROUPS: Readonly<Record<string, Kind>> = {
  T00: 'sale',
  T01: 'fee',
  T02: 'transfer',
  T03: 'transfer',
  T04: 'transfer',
  T05: 'transfer',
  T06: 'transfer',
  T07: 'transfer',
  T08: 'adjustment',
  T09: 'adjustment',
  T10: 'transfer',
  T11: 'refund',
  T12: 'adjustment',
  T15: 'reserve_hold',
  T17: 'loan',
  T19: 'adjustment',
  T20: 'transfer',
  T21: 'reserve_hold',
  T22: 'transfer',
}

/** Money that leaves for the merchant's bank: the vendor's word for a payout. A code T04 with a credit is such money coming back. */
export const isWithdrawal = (code: string, gross_minor: number): boolean => code.startsWith('T04') && gross_minor < 0

export const isConversion = (code: string): boolean => code.startsWith('T02')

/** What an event code means for money of this sign; undefined for a code that no table knows. */
export function kindOfEvent(code: string, gross_minor: number): Kind | undefined {
  const group = code.slice(0, 3)
  const kind = CODES[code] ?? GROUPS[group]
  // A payment that we made to somebody is no sale.
  if (group === 'T00' && gross_minor < 0) return 'transfer'
  if (kind === 'reserve_hold' && gross_minor > 0) return 'reserve_release'
  return kind
}
