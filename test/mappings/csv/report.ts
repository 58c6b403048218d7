import { total, written, type Movement } from '../movements.ts'

export const CSV_KINDS = [
  'sale',
  'tax',
  'shipping',
  'refund',
  'commission',
  'fee',
  'fee_returned',
  'dispute',
  'reserve_hold',
  'reserve_release',
] as const
export const CSV_SETTINGS = {
  columns: { id: 'Beleg', date: 'Datum', type: 'Art', net: 'Betrag', order: 'Bestellung', currency: 'Währung' },
  kinds: Object.fromEntries(CSV_KINDS.map((kind) => [`Art ${kind}`, kind])),
  payout_types: ['Auszahlung'],
  decimal: ',',
  date_order: 'dmy',
  zone: 'Europe/Berlin',
}

/** A file by that map, with the payout as its last row. */
export function csvReport(
  all: readonly Movement[],
  payout = total(all),
  currency: (at: number) => string = () => 'EUR',
): string {
  const rows = all.map(({ what, order, net_minor }, at) =>
    [`B${at}`, '03.09.2026', `Art ${what}`, written(net_minor, 'EUR', ','), order, currency(at)].join(';'),
  )
  const paid = ['PO-1', '04.09.2026', 'Auszahlung', written(-payout, 'EUR', ','), '', 'EUR'].join(';')
  return ['Beleg;Datum;Art;Betrag;Bestellung;Währung', ...rows, paid, ''].join('\n')
}
